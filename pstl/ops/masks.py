"""Which joints and frames a view loses.

Joint sets are indices of what is DROPPED; frame sets are indices of what is KEPT.
"""

import torch
from torch import Generator, Tensor

from pstl.errors import ShapeError
from pstl.ops.time import neighbours
from pstl.ops.windows import Packed
from pstl.skeletons import Skeleton


def central_joints(skeleton: Skeleton, draws: int, rng: Generator) -> Tensor:
    """Central spatial masking (CSM): joints are drawn by degree centrality.

    Each joint stands deg(j) times in a bag of 2(V - 1) tokens; `draws` tokens are taken without
    replacement.
    QUIRK(PSTL spec 6.2): a joint drawn twice counts once, so 8 draws mask 6 to 8 of 25 joints.
    Returns: (K,) int64, sorted distinct joints to drop, K <= draws.
    Source: PSTL code (PSTL spec 6.2).
    """
    bag = torch.repeat_interleave(torch.arange(skeleton.joints), torch.tensor(skeleton.degree))
    return torch.unique(bag[torch.randperm(len(bag), generator=rng)[:draws]])


def random_joints(skeleton: Skeleton, count: int, rng: Generator) -> Tensor:
    """`count` distinct joints, all equally likely. Returns: (count,) int64, sorted, to drop."""
    return torch.randperm(skeleton.joints, generator=rng)[:count].sort().values


def joints_per_clip(joints: int, count: int, draws: int, rng: Generator) -> Tensor:
    """`count` distinct joints for each clip, all equally likely.

    Returns: (draws, joints) bool on the CPU, exactly `count` True per row.
    """
    chosen = torch.rand(draws, joints, generator=rng).topk(count, dim=1).indices
    return torch.zeros(draws, joints, dtype=torch.bool).scatter_(1, chosen, True)


def slow_frames(x: Tensor, dropped: int) -> Tensor:
    """The deterministic half of motion-attention temporal masking (MATM).

    All but the fastest frames.

    A frame's speed is the mean squared displacement to the next frame over coordinates, joints and
    persons; the last frame has none and always stays (PSTL spec 6.3).
    x: (N, C, T, V, M).
    Returns: (N, T - dropped) int64, kept frames in time order, per sample.
    """
    frames = x.shape[2]
    if not 0 <= dropped < frames:
        raise ShapeError(
            f"cannot drop {dropped} of {frames} frames; masked_frames must be below half the "
            "clip's length"
        )
    slowness = x.new_zeros(x.shape[0], frames)
    slowness[:, :-1] = -(x[:, :, 1:] - x[:, :, :-1]).square().mean(dim=(1, 3, 4))
    return slowness.topk(frames - dropped, dim=1).indices.sort(dim=1).values


def drop_fast_frames(x: Tensor, masked: int, rng: Generator) -> Tensor:
    """Motion-attention temporal masking (MATM).

    The `masked` fastest frames go, then `masked` more at random.

    The random positions are drawn once for the whole batch (PSTL spec 6.3); the ranking by speed is
    per sample.
    x: (N, C, T, V, M).
    Returns: (N, C, T - 2 * masked, V, M).
    Source: PSTL code (PSTL spec 6.3).
    """
    slow = slow_frames(x, masked)
    keep = torch.randperm(slow.shape[1], generator=rng)[: slow.shape[1] - masked].sort().values
    return take_frames(x, slow[:, keep.to(x.device, non_blocking=True)])


def take_frames(x: Tensor, frames: Tensor) -> Tensor:
    """Frames by index, per sample.

    x: (N, C, T, V, M), frames: (N, K).
    Returns: (N, C, K, V, M).
    """
    n, c, _, v, m = x.shape
    return x.gather(2, frames.view(n, 1, -1, 1, 1).expand(n, c, frames.shape[1], v, m))


def structure_guided_joints(
    skeleton: Skeleton, seeds: int, count: int, draws: int, rng: Generator
) -> Tensor:
    """Structure-guided spatial masking.

    The `count` joints that `seeds` random joints (drawn with replacement) see most.

    A joint's score is the number of walks of two steps, staying in place allowed, that lead to it
    from all the seeds. Ties are broken uniformly at random: the released code leaves them to an
    unstable sort, so its law depends on the library's version and the processor (SCD-Net spec 3.1).
    Returns: (draws, V) bool on the CPU, True where dropped, exactly `count` per row.
    Source: SCD-Net code: 5 seeds, 8 of 25 joints.
    """
    step = torch.from_numpy(skeleton.adjacency) + torch.eye(skeleton.joints)
    walks = step @ step  # small whole numbers, exact in float32
    score = walks[torch.randint(0, skeleton.joints, (draws, seeds), generator=rng)].sum(1)
    tie_break = torch.rand(draws, skeleton.joints, generator=rng) / 2  # never outweighs a walk
    chosen = (score + tie_break).topk(count, dim=1).indices
    return torch.zeros(draws, skeleton.joints, dtype=torch.bool).scatter_(1, chosen, True)


def frame_cubes(frames: int, cubes: int, count: int, draws: int, rng: Generator) -> Tensor:
    """Cube-based temporal masking: `count` distinct ones of `cubes` equal pieces of the clip.

    Returns: (draws, frames) bool on the CPU, True where dropped.
    Source: SCD-Net code (SCD-Net spec 3.2): 6 of 16 cubes of 4 frames.
    """
    if frames % cubes or not 0 <= count <= cubes:
        raise ShapeError(
            f"{count} of {cubes} cubes in {frames} frames: expected equal cubes, "
            "and no more of them masked than there are"
        )
    chosen = torch.rand(draws, cubes, generator=rng).topk(count, dim=1).indices
    dropped = torch.zeros(draws, cubes, dtype=torch.bool).scatter_(1, chosen, True)
    return dropped.repeat_interleave(frames // cubes, dim=1)


def zero_fill(x: Tensor, joints: Tensor, frames: Tensor) -> Tensor:
    """Set dropped joints, in all frames, and dropped frames, all joints, to zero in all persons.

    x: (N, C, T, V, M), joints: (N, V) bool, frames: (N, T) bool, True where dropped.
    Returns: same shape as x.
    """
    kept = ~(frames[:, :, None] | joints[:, None, :])  # (N, T, V)
    return x * kept.to(x.device, non_blocking=True)[:, None, :, :, None]


def random_frames(used: Tensor, frames: int, share: float, rng: Generator) -> Tensor:
    """The same share of every clip's used frames, rounded, each as likely as any other.

    At least one frame stays.

    used: (N,) frames of each clip that hold something, on the CPU.
    Returns: (N, frames) bool on the CPU, True where dropped. With the same generator state a larger
    share drops the same frames and more.
    """
    beyond = torch.arange(frames) >= used[:, None]
    draw = torch.rand(len(used), frames, generator=rng).masked_fill(beyond, 2.0)
    rank = draw.argsort(1).argsort(1)
    count = (share * used).round().long().minimum((used - 1).clamp(min=0))
    return rank < count[:, None]


def delete_frames(x: Tensor, dropped: Tensor, used: Tensor) -> Tensor:
    """What is left of each clip, stretched to as many frames as it had.

    Linear, half-pixel centres, clamped ends.

    x: (N, C, T, V, M), dropped: (N, T) bool, True where dropped, used: (N,) frames of each clip,
    all that follow stay as they are.
    Returns: same shape as x.
    Clips whose frames are all dropped keep their first.
    """
    place = torch.arange(x.shape[2], device=x.device)
    inside = place < used[:, None]
    # Kept frames first, in time order.
    order = (dropped | ~inside).long().argsort(dim=1, stable=True)
    last = ((~dropped & inside).sum(1, keepdim=True) - 1).clamp(min=0)
    position = (place + 0.5) * (last + 1) / used.clamp(min=1)[:, None] - 0.5
    before, after, weight = neighbours(position, last)
    first, second = (take_frames(x, order.gather(1, index)) for index in (before, after))
    stretched = torch.lerp(first, second, weight.to(x.dtype)[:, None, :, None, None])
    return torch.where(inside[:, None, :, None, None], stretched, x)


def corrupt_joints(
    x: Tensor, packed: Packed, length: Tensor, rate: float, draw: Tensor
) -> tuple[Tensor, Tensor]:
    """Masked-joint corruption of the joints that are selected.

    8 in 10 become (1, 1, 1), 1 in 10 becomes another joint of another frame of its sequence, and 1
    in 10 stays as it is.
    x: (F, V, 3) packed frames.   packed, length: (B,) at least 2, on the CPU.
    draw: (F, V) float64 in [0, 1) on the CPU; one number decides all.
    Returns: the corrupted frames; the selected joints as numbers (K,) int64 into the F V joints.
    Source: Hi-TRS code (Hi-TRS spec 3.1).
    """
    joints = x.shape[1]
    flat, draw = x.flatten(0, 1), (draw / rate).flatten()
    hidden, moved, selected = draw < 0.8, (draw >= 0.8) & (draw < 0.9), draw < 1.0
    at = moved.nonzero()[:, 0]
    frame, joint = at.div(joints, rounding_mode="floor"), at % joints
    sequence = packed.sequence[frame]
    frames = length[sequence]
    # What is left of the number, stretched to [0, 1), chooses one of the (frames - 1)(joints - 1)
    # others.
    other = ((draw[at] - 0.8) * 10 * (frames - 1) * (joints - 1)).long()
    other = other.clamp(max=(frames - 1) * (joints - 1) - 1)
    other_frame = (packed.frame[frame] + 1 + other.div(joints - 1, rounding_mode="floor")) % frames
    other_joint = (joint + 1 + other % (joints - 1)) % joints
    source = (packed.start[sequence] + other_frame) * joints + other_joint
    indices = (hidden.nonzero()[:, 0], at, source, selected.nonzero()[:, 0])
    hidden_at, at, source, selected_at = (
        index.to(x.device, non_blocking=True) for index in indices
    )
    corrupted = flat.index_fill(0, hidden_at, 1.0).index_copy(0, at, flat.index_select(0, source))
    return corrupted.view_as(x), selected_at
