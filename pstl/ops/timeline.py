"""Scores along time: from feature rows to frames, from windows to recordings, to intervals."""

import torch
from torch import Tensor


def window_starts(total: int, window: int, stride: int) -> Tensor:
    """First frames of windows that cover a recording.

    Every `stride` frames, and one that ends with the last frame.

    Returns: (n,) int64, rising; one window if the recording is not longer.

    >>> [window_starts(total, 4, 3).tolist() for total in (10, 3, 11)]
    [[0, 3, 6], [0], [0, 3, 6, 7]]
    """
    last = max(0, total - window)
    starts = torch.arange(0, last + 1, stride)
    return starts if starts[-1] == last else torch.cat([starts, torch.tensor([last])])


def rows_to_frames(scores: Tensor, at: Tensor, frames: int) -> Tensor:
    """Linear interpolation of rows to frames.

    Before the first and behind the last row their scores stay.

    scores: (n, R, C).   at: (R,) rising, the frame each row is about.   Returns: (n, frames, C).

    >>> rows_to_frames(torch.tensor([[[0.], [4.]]]), torch.tensor([1., 3.]), 5).flatten().tolist()
    [0.0, 0.0, 2.0, 4.0, 4.0]
    """
    if len(at) == 1:
        return scores.expand(-1, frames, -1)
    frame = torch.arange(frames, device=scores.device, dtype=at.dtype).clamp(at[0], at[-1])
    after = torch.searchsorted(at, frame).clamp(1, len(at) - 1)
    weight = ((frame - at[after - 1]) / (at[after] - at[after - 1])).to(scores.dtype)[:, None]
    return torch.lerp(scores[:, after - 1], scores[:, after], weight)


def overlap_mean(scores: Tensor, start: Tensor, total: int) -> Tensor:
    """Mean over the windows that show a frame.

    scores: (n, L, C), start: (n,) first frame of each.
    Returns: (total, C).
    Frames of a window behind `total` are left out; what no window shows is 0.

    >>> scores, start = torch.tensor([[[1.], [1.]], [[3.], [5.]]]), torch.tensor([0, 1])
    >>> overlap_mean(scores, start, 3).flatten().tolist()
    [1.0, 2.0, 5.0]
    """
    length = scores.shape[1]
    frame = (start[:, None] + torch.arange(length, device=start.device)).flatten().to(scores.device)
    shown = frame < total
    rows, frame = scores.flatten(0, 1)[shown], frame[shown]
    sums = scores.new_zeros(total, scores.shape[2]).index_add_(0, frame, rows)
    counts = scores.new_zeros(total).index_add_(0, frame, scores.new_ones(len(frame)))
    return sums / counts.clamp(min=1)[:, None]


def smooth(scores: Tensor, width: int) -> Tensor:
    """Mean over `width` (odd) neighbouring frames, fewer at the ends.

    scores: (T, C).
    Returns: same shape.
    >>> smooth(torch.tensor([[3.], [0.], [3.]]), 3).flatten().tolist()
    [1.5, 2.0, 1.5]
    """
    reach = width // 2
    nothing = scores.new_zeros(1, scores.shape[1], dtype=torch.float64)
    total = torch.cat([nothing, scores.double().cumsum(0)])
    frame = torch.arange(len(scores), device=scores.device)
    first, last = (frame - reach).clamp(min=0), (frame + reach + 1).clamp(max=len(scores))
    return ((total[last] - total[first]) / (last - first)[:, None]).to(scores.dtype)


def runs(labels: Tensor) -> Tensor:
    """Stretches of equal labels.

    labels: (T,).
    Returns: (n, 3) int64: label, first frame, last frame.
    >>> runs(torch.tensor([0, 0, 2, 2, 2, 0])).tolist()
    [[0, 0, 1], [2, 2, 4], [0, 5, 5]]
    """
    values, counts = torch.unique_consecutive(labels, return_counts=True)
    last = counts.cumsum(0) - 1
    return torch.stack([values, last - counts + 1, last], dim=1)
