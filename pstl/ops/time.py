"""Crops along time and their resampling, one per clip of a batch.

Everything stays on the clips' device: no synchronisation.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from pstl.errors import ShapeError


class Span(NamedTuple):
    """Consecutive frames of each clip.

    start: (N,) int64, first frame.
    length: (N,) int64, number of frames, at least 1.
    """

    start: Tensor
    length: Tensor


def recorded(x: Tensor) -> Tensor:
    """Frames of each clip up to the last that is not all zero, at least one.

    x: (N, C, T, V, M).   Returns: (N,) int64.

    >>> recorded(torch.tensor([0.0, 2.0, 0.0, 3.0, 0.0]).view(1, 1, 5, 1, 1))
    tensor([4])
    """
    shown = (x != 0).any(dim=4).any(dim=3).any(dim=1)  # (N, T)
    number = torch.arange(1, x.shape[2] + 1, device=x.device)
    return (shown * number).amax(1).clamp(min=1)


def random_span(length: Tensor, scale: Tensor, place: Tensor, shortest: int) -> Span:
    """A random part of each clip.

    The share `scale` of it, at least `shortest` frames, the whole clip where it has no more.

    length: (N,) recorded frames.
    scale: (N,) in (0, 1].
    place: (N,) in [0, 1), where 0 is the earliest start and all starts are equally likely.
    Source: SCD-Net code (SCD-Net spec 3): scale ~ U(0.1, 1), shortest 64, the frames the encoder
    takes.

    >>> length, scale = torch.tensor([100, 40]), torch.tensor([0.8, 0.1])
    >>> random_span(length, scale, torch.tensor([0.99, 0.99]), 64)
    Span(start=tensor([20,  0]), length=tensor([80, 40]))
    """
    kept = torch.minimum((length * scale).long().clamp(min=shortest), length)
    # In float32 the largest number below 1, times any n, is still rounded to below n: the last
    # start is never exceeded.
    return Span((place * (length - kept + 1)).long(), kept)


def centred_span(length: Tensor, share: float) -> Span:
    """The middle `share` of each clip: floor(n (1 - share) / 2) frames go at either end.

    length: (N,).
    Source: SCD-Net code (SCD-Net spec 3.3): share 0.95.

    >>> centred_span(torch.tensor([100, 39]), 0.95)
    Span(start=tensor([2, 0]), length=tensor([96, 39]))
    """
    start = (length.double() * ((1 - share) / 2)).long()
    return Span(start, length - 2 * start)


def resize_span(x: Tensor, span: Span, frames: int) -> Tensor:
    """Linear resampling of a part of each clip: half-pixel centres, clamped ends, no anti-aliasing.

    x: (N, C, T, V, M).   Returns: (N, C, frames, V, M); frames outside the span are never read.
    Same as F.interpolate(mode="linear", align_corners=False) of each part alone (SCD-Net spec 3).
    """
    n, c, t, v, m = x.shape
    if span.start.shape != (n,) or span.length.shape != (n,):
        shapes = f"{tuple(span.start.shape)}, {tuple(span.length.shape)}"
        raise ShapeError(f"{n} clips with spans of shapes {shapes}: expected one per clip")
    last = (span.length - 1)[:, None]
    centre = torch.arange(frames, device=x.device, dtype=torch.float32) + 0.5
    position = centre * (span.length / frames)[:, None] - 0.5
    before, after, weight = neighbours(position, last)
    # Whole frames are copied: much faster than gathering numbers.
    rows = x.reshape(n * c * t, v * m)
    first = (torch.arange(n * c, device=x.device) * t).view(n, c, 1) + span.start.view(n, 1, 1)
    x0, x1 = (
        rows.index_select(0, (first + i[:, None]).flatten()).view(n, c, frames, v, m)
        for i in (before, after)
    )
    return torch.lerp(x0, x1, weight.to(x.dtype).view(n, 1, frames, 1, 1))


def labels_of_span(y: Tensor, span: Span, frames: int) -> Tensor:
    """Labels along time of what resize_span() gives, each of the moment it is nearest to.

    y: (N, W), of a clip's `frames` frames from its first to its last.   Returns: same shape.

    >>> y, span = torch.tensor([[0, 1, 2, 3]]), Span(torch.tensor([4]), torch.tensor([4]))
    >>> labels_of_span(y, span, 8).tolist()
    [[2, 2, 3, 3]]
    """
    count = y.shape[1]
    share = (torch.arange(count, device=y.device) + 0.5) / count
    place = (span.start[:, None] + share * span.length[:, None]) / frames
    return y.gather(1, (place * count).long().clamp(max=count - 1))


def neighbours(position: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The frames around fractional positions, and the weight of the later one; ends are clamped.

    position: (N, K).   last: (N, 1) int64, the last frame of each clip.
    Returns: (N, K) int64, (N, K) int64, (N, K) in [0, 1).
    """
    position = position.clamp(min=0).minimum(last)
    before = position.long()
    return before, torch.minimum(before + 1, last), position - before


def between(x: Tensor, length: Tensor, share: Tensor) -> Tensor:
    """Every frame moved the share of the way to the next one; a clip's last frame stays.

    x: (N, C, T, V, M), length: (N,) recorded frames, share: (N,) in [0, 1].
    Returns: same shape.
    Source: Hi-TRS code (Hi-TRS spec 1.4).
    """
    has_next = torch.arange(x.shape[2] - 1, device=x.device) < length[:, None] - 1
    moved = x.clone()  # what stands beyond a clip's end is never read, whatever it is
    following = torch.where(has_next[:, None, :, None, None], x[:, :, 1:], x[:, :, :-1])
    moved[:, :, :-1] = torch.lerp(x[:, :, :-1], following, share.to(x.dtype).view(-1, 1, 1, 1, 1))
    return moved


def earlier(x: Tensor, start: Tensor) -> Tensor:
    """Each clip from its frame `start` on: the cut of a crop.

    Its last `start` frames then repeat the end and mean nothing.

    x: (N, C, T, V, M), start: (N,).   Returns: same shape.
    """
    n, c, t, v, m = x.shape
    frame = (torch.arange(t, device=x.device) + start[:, None]).clamp(max=t - 1)
    return x.gather(2, frame.view(n, 1, t, 1, 1).expand(n, c, t, v, m))
