"""Which joints and frames a view loses. Joint sets are indices of what is DROPPED; frame sets are indices of what is KEPT."""

import torch
from torch import Generator, Tensor

from pstl.errors import ShapeError
from pstl.skeletons import Skeleton


def central_joints(skeleton: Skeleton, draws: int, rng: Generator) -> Tensor:
    """Central spatial masking (CSM): joints are drawn by degree centrality.

    Each joint stands deg(j) times in a bag of 2(V - 1) tokens; `draws` tokens are taken without replacement.
    QUIRK(spec 6.2): a joint drawn twice counts once, so 8 draws mask 6 to 8 of 25 joints.
    Returns: (K,) int64, sorted distinct joints to drop, K <= draws.   Source: PSTL code (spec 6.2).
    """
    bag = torch.repeat_interleave(torch.arange(skeleton.joints), torch.tensor(skeleton.degree))
    return torch.unique(bag[torch.randperm(len(bag), generator=rng)[:draws]])


def random_joints(skeleton: Skeleton, count: int, rng: Generator) -> Tensor:
    """`count` distinct joints, all equally likely. Returns: (count,) int64, sorted, to drop."""
    return torch.randperm(skeleton.joints, generator=rng)[:count].sort().values


def slow_frames(x: Tensor, dropped: int) -> Tensor:
    """The deterministic half of motion-attention temporal masking (MATM): all but the fastest frames.

    A frame's speed is the mean squared displacement to the next frame over coordinates, joints and persons; the last
    frame has none and always stays (spec 6.3).
    x: (N, C, T, V, M).   Returns: (N, T - dropped) int64, kept frames in time order, per sample.
    """
    frames = x.shape[2]
    if not 0 <= dropped < frames:
        raise ShapeError(f"cannot drop {dropped} of {frames} frames; masked_frames must be below half the clip's length")
    slowness = x.new_zeros(x.shape[0], frames)
    slowness[:, :-1] = -(x[:, :, 1:] - x[:, :, :-1]).square().mean(dim=(1, 3, 4))
    return slowness.topk(frames - dropped, dim=1).indices.sort(dim=1).values


def drop_fast_frames(x: Tensor, masked: int, rng: Generator) -> Tensor:
    """Motion-attention temporal masking (MATM): the `masked` fastest frames go, then `masked` more at random.

    The random positions are drawn once for the whole batch (spec 6.3); the ranking by speed is per sample.
    x: (N, C, T, V, M).   Returns: (N, C, T - 2 * masked, V, M).   Source: PSTL code (spec 6.3).
    """
    slow = slow_frames(x, masked)
    keep = torch.randperm(slow.shape[1], generator=rng)[: slow.shape[1] - masked].sort().values
    return take_frames(x, slow[:, keep.to(x.device)])


def take_frames(x: Tensor, frames: Tensor) -> Tensor:
    """Frames by index, per sample.   x: (N, C, T, V, M), frames: (N, K).   Returns: (N, C, K, V, M)."""
    n, c, _, v, m = x.shape
    return x.gather(2, frames.view(n, 1, -1, 1, 1).expand(n, c, frames.shape[1], v, m))
