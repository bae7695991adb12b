"""Which recorded frames of each clip are taken, as indices.

Per clip, on the clips' device, without a synchronisation.
"""

import torch
from torch import Tensor


def sampled_frames(length: Tensor, keys: Tensor, frames: int) -> Tensor:
    """A random part of each clip's frames in order.

    None twice where there are enough, else none more than once oftener than another.

    Draws `frames` without replacement from the clip's frames repeated ceil(frames / length) times.
    length: (N,) recorded frames, at least 1.
    keys: (N, K) uniform in [0, 1), K at least candidates(longest, frames).
    Returns: (N, frames) int64, ascending.
    Source: PSP code (PSP spec 2.2).
    """
    length = length[:, None]
    place = torch.arange(keys.shape[1], device=length.device)
    copies = (frames + length - 1) // length
    candidate = torch.where(place < copies * length, keys, 2.0)
    drawn = candidate.topk(frames, dim=1, largest=False, sorted=False).indices
    return (drawn % length).sort(dim=1).values


def candidates(longest: int, frames: int) -> int:
    """Random numbers that sampled_frames() needs per clip of at most `longest` frames."""
    return max(longest, 2 * frames)


def spaced_frames(length: Tensor, frames: int) -> Tensor:
    """Frame floor(i L / T) for i = 0 .. T - 1.

    length: (N,).
    Returns: (N, frames) int64.
    Source: PSP code (PSP spec 2.2).
    >>> spaced_frames(torch.tensor([10, 3]), 5).tolist()
    [[0, 2, 4, 6, 8], [0, 0, 1, 1, 2]]
    """
    return torch.arange(frames, device=length.device) * length[:, None] // frames


def take(x: Tensor, index: Tensor) -> Tensor:
    """Frames `index` (N, frames) of each clip.

    x: (N, C, T, V, M).   Returns: (N, C, frames, V, M).
    """
    n, c, t, v, m = x.shape
    first = torch.arange(n * c, device=x.device).view(n, c, 1) * t
    rows = (first + index[:, None]).flatten()
    return x.reshape(n * c * t, v * m).index_select(0, rows).view(n, c, -1, v, m)


def take_motion(x: Tensor, length: Tensor, index: Tensor) -> Tensor:
    """Displacement to the next RECORDED frame at each of the frames `index`; zero at the last one.

    Motion is taken at the native frame rate and then sampled, so that its size does not depend on
    the clip's length (PSP spec 2.2).
    x: (N, C, T, V, M) metres, length: (N,), index: (N, frames).
    Returns: (N, C, frames, V, M) metres per frame.
    """
    following = torch.minimum(index + 1, length[:, None] - 1)
    return take(x, following) - take(x, index)
