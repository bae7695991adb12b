"""Random views of a clip that stands in its body's own frame: how it would look of another body,
from another side, or by another sensor.

All draws are per clip and come from a CPU generator. x: (N, 3, T, V, M), the first coordinate from
right to left of the body; every function returns the same shape, and absent (all-zero) bodies stay
absent.
"""

import math

import torch
from torch import Generator, Tensor

from pstl.ops.augment import transform
from pstl.skeletons import Skeleton


def turn(x: Tensor, degrees: float, rng: Generator) -> Tensor:
    """Turn by angles ~ U(-degrees, degrees) about each of the three axes, x first."""
    angle = (torch.rand(len(x), 3, generator=rng) * 2 - 1) * math.radians(degrees)
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.eye(3).expand(len(x), 3, 3)
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        about = torch.eye(3).repeat(len(x), 1, 1)
        about[:, i, i] = about[:, j, j] = cos[:, axis]
        about[:, i, j], about[:, j, i] = sin[:, axis], -sin[:, axis]
        matrix = matrix @ about
    return transform(x, matrix)


def stretch(x: Tensor, amount: float, rng: Generator) -> Tensor:
    """Scale each of the three axes by 1 + U(-amount, amount)."""
    factor = 1 + (torch.rand(len(x), 3, 1, 1, 1, generator=rng) * 2 - 1) * amount
    return x * factor.to(x.device, x.dtype, non_blocking=True)


def lengthen(x: Tensor, skeleton: Skeleton, amount: float, rng: Generator) -> Tensor:
    """Scale the length of every bone by 1 + amount * N(0, 1); the centre joint stays."""
    change = amount * torch.randn(len(x), 1, 1, skeleton.joints, 1, generator=rng)
    bones = x - x[:, :, :, list(skeleton.parents)]
    moved = bones * change.to(x.device, x.dtype, non_blocking=True)
    return x + torch.einsum("nctvm,jv->nctjm", moved, ancestors(skeleton).to(x.device, x.dtype))


def ancestors(skeleton: Skeleton) -> Tensor:
    """(V, V) of 0 and 1: row j has the joints on the way from the centre to j, j included."""
    step = torch.zeros(skeleton.joints, skeleton.joints)
    step[torch.arange(skeleton.joints), list(skeleton.parents)] = 1
    reached = torch.eye(skeleton.joints)
    for _ in range(skeleton.joints.bit_length()):
        reached = ((reached + step @ reached) > 0).float()
        step = ((step @ step) > 0).float()
    return reached


def mirrored(x: Tensor, skeleton: Skeleton, probability: float, rng: Generator) -> Tensor:
    """Some clips as seen in a mirror: left and right joints exchanged, the first coordinate
    negated."""
    chosen = (torch.rand(len(x), generator=rng) < probability).view(-1, 1, 1, 1, 1)
    sign = torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1, 1)
    image = x[:, :, :, list(skeleton.mirror)] * sign.to(x.device, x.dtype)
    return torch.where(chosen.to(x.device, non_blocking=True), image, x)


def lose_joints(x: Tensor, share: float, rng: Generator) -> Tensor:
    """Set each joint of a clip to zero, in all frames, with the probability `share`."""
    kept = torch.rand(len(x), 1, 1, x.shape[3], 1, generator=rng) >= share
    return x * kept.to(x.device, x.dtype, non_blocking=True)


def jitter(x: Tensor, deviation: float, rng: Generator) -> Tensor:
    """Add N(0, deviation) to every coordinate of the bodies that are present."""
    noise = deviation * torch.randn(x.shape, generator=rng)
    present = (x != 0).any(dim=3, keepdim=True).any(dim=1, keepdim=True)  # (N, 1, T, 1, M)
    return x + noise.to(x.device, x.dtype, non_blocking=True) * present
