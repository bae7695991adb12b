"""Sequences of different length laid end to end, and the windows that slide over them.

Rows are numbers of frames so laid.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Packed(NamedTuple):
    """Frames of B sequences, one after the other.

    sequence, frame: (F,) int64, where each of the F frames comes from.
    start: (B,) int64, row of each sequence's first frame.
    """

    sequence: Tensor
    frame: Tensor
    start: Tensor


def pack(length: Tensor) -> Packed:
    """length: (B,) int64 on the CPU, where the result is as well.

    >>> pack(torch.tensor([2, 3])).frame.tolist()
    [0, 1, 0, 1, 2]
    """
    start = length.cumsum(0) - length
    sequence = torch.repeat_interleave(torch.arange(len(length)), length)
    return Packed(sequence, torch.arange(len(sequence)) - start[sequence], start)


def frames_around(centre: Tensor, size: int, dilation: int) -> Tensor:
    """Frames of the windows with these centres.

    centre: (...).
    Returns: (..., size) int64; may lie outside the sequence.
    >>> frames_around(torch.tensor(7), 7, 2).tolist()
    [1, 3, 5, 7, 9, 11, 13]
    """
    return centre[..., None] + dilation * (torch.arange(size, device=centre.device) - size // 2)


def rows_of(frame: Tensor, start: Tensor, length: Tensor, outside: int) -> Tensor:
    """Rows of frames of packed sequences; `outside` for frames that a sequence does not have.

    frame: (B, ...), start, length: (B,).   Returns: (B, ...) int64.
    """
    shape = (-1, *[1] * (frame.dim() - 1))
    start, length = start.view(shape), length.view(shape)
    return torch.where((frame >= 0) & (frame < length), start + frame, outside)


def window_count(length: Tensor, stride: int) -> Tensor:
    """Windows of each sequence: one centred on every stride-th frame, the first included.

    length: (B,) frames.   Returns: same shape.   Source: Hi-TRS spec 1.3.
    """
    return (length + stride - 1).div(stride, rounding_mode="floor")


def padded(count: Tensor) -> tuple[Tensor, Tensor]:
    """Ragged groups of rows as a rectangle.

    count: (B,) rows of each group, which lie one group after the other.
    Returns: row (B, W) int64, 0 where a group has no more; real (B, W) bool. W is the largest
    count.
    """
    place = torch.arange(int(count.max()), device=count.device)
    real = place < count[:, None]
    first = count.cumsum(0) - count
    return torch.where(real, first[:, None] + place, 0), real


def distant_pair(count: Tensor, draw: Tensor) -> Tensor:
    """Two places at least 2 apart, all such pairs equally likely.

    The only two places there are where count is 2.

    count: (B,) >= 2, places of each row.
    draw: (B, 2) in [0, 1).
    Returns: (B, 2) int64, the earlier place first.
    Source: Hi-TRS code (Hi-TRS spec 3.2, 3.3).
    """
    # Any two of the first count - 1 places; the later of them is moved on by one.
    inner = count - 1
    one = (draw[:, 0] * inner).long()
    two = (draw[:, 1] * (inner - 1)).long()
    two = two + (two >= one)
    pair = torch.stack([torch.minimum(one, two), torch.maximum(one, two) + 1], dim=1)
    return torch.where((count == 2)[:, None], torch.tensor([0, 1]), pair)


def swapped(rows: Tensor, pair: Tensor) -> Tensor:
    """Every row of `rows` (B, W, ...) with two of its W entries exchanged.

    pair: (B, 2).
    Returns: same shape.
    """
    order = torch.arange(rows.shape[1], device=rows.device).repeat(len(rows), 1)
    order = order.scatter(1, pair, pair.flip(1))
    return rows.gather(1, order.view(*order.shape, *[1] * (rows.dim() - 2)).expand_as(rows))


def moving_clip(
    x: Tensor,
    packed: Packed,
    length: Tensor,
    preference: Tensor,
    window: int,
    dilation: int,
) -> tuple[Tensor, Tensor]:
    """One of each body's clips in which something moves, all equally likely.

    Clips are centred on every frame (Hi-TRS spec 3.2).
    x: (F, V, 3) packed frames before masking.
    preference: (B, T) in [0, 1): the clip with the largest is taken.
    Returns: centre (B,) int64; valid (B,) bool, False if nothing moves, and then the centre means
    nothing. All on the device.
    """
    # Since the frame before, 0 in the first frame of a body and outside.
    activity = x.new_zeros(len(x) + 1)
    activity[1:-1] = (x[1:] - x[:-1]).abs().sum((1, 2))
    activity = activity.index_fill(0, packed.start, 0.0)
    around = frames_around(packed.frame, window, dilation)
    rows = rows_of(around, packed.start[packed.sequence], length[packed.sequence], len(x))
    moving = activity[rows].sum(1) > 0
    liked = torch.where(moving, preference[packed.sequence, packed.frame], -1.0)
    by_body = torch.full_like(preference, -1.0).index_put((packed.sequence, packed.frame), liked)
    best = by_body.max(1)
    return best.indices, best.values >= 0
