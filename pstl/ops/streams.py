"""The three streams of one clip: joint positions, bones, motion."""

import torch
from torch import Tensor

from pstl.errors import ShapeError, UserError
from pstl.ops.joints import take_joints
from pstl.skeletons import Skeleton

STREAMS = ("joint", "bone", "motion")
OTHER = "other"  # of encoders that are fed positions and make several streams of them themselves


def convert(x: Tensor, skeleton: Skeleton, stream: str, from_previous: bool = False) -> Tensor:
    """Joint positions as the wanted stream.

    from_previous: motion is that since the frame before, as in Hi-TRS; otherwise that to the next
    frame.
    x: (N, 3, T, V, M) metres.
    Returns: same shape; metres (joint, bone, other) or metres per frame (motion).
    Raises: UserError for an unknown stream, ShapeError if V differs from the skeleton.
    """
    if x.dim() != 5 or x.shape[3] != skeleton.joints:
        raise ShapeError(
            f"clips of shape {tuple(x.shape)}: expected (N, 3, T, {skeleton.joints}, "
            f"M) for skeleton {skeleton.name}"
        )
    if stream in ("joint", OTHER):
        return x
    if stream == "bone":
        return bone(x, skeleton.parents)
    if stream == "motion":
        return motion_from_previous(x) if from_previous else motion(x)
    raise UserError(f"unknown stream {stream!r}; known: {', '.join((*STREAMS, OTHER))}")


def bone(x: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Vector from each joint's parent to the joint; 0 for the centre, which is its own parent.

    x: (N, 3, T, V, M) metres.   Returns: same shape, metres.   Source: PSTL code (PSTL spec 2.5).

    >>> bone(torch.tensor([1., 4.]).view(1, 1, 1, 2, 1), (1, 1)).flatten().tolist()
    [-3.0, 0.0]
    """
    return x - take_joints(x, parents)


def motion(x: Tensor) -> Tensor:
    """Displacement to the next frame.

    The last frame is zero, so the length is kept and one frame is enough.

    x: (N, 3, T, V, M) metres.
    Returns: same shape, metres per frame.
    Source: PSTL code (PSTL spec 2.5).

    >>> motion(torch.tensor([0., 1., 3.]).view(1, 1, 3, 1, 1)).flatten().tolist()
    [1.0, 2.0, 0.0]
    """
    moved = torch.zeros_like(x)
    moved[:, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    return moved


def motion_from_previous(x: Tensor) -> Tensor:
    """Displacement since the frame before; the first frame is zero.

    What follows a clip's end does not reach back into it.

    x: (N, 3, T, V, M) metres.
    Returns: same shape, metres per frame.
    Source: Hi-TRS code (Hi-TRS spec 1.2).

    >>> motion_from_previous(torch.tensor([0., 1., 3.]).view(1, 1, 3, 1, 1)).flatten().tolist()
    [0.0, 1.0, 2.0]
    """
    moved = torch.zeros_like(x)
    moved[:, :, 1:] = x[:, :, 1:] - x[:, :, :-1]
    return moved
