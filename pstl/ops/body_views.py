"""Random views of a clip that stands in its body's own frame: how it would look of another body,
from another side, or by another sensor.

x: (N, 3, T, V, M), the first coordinate along the body from side to side; every function returns
the same shape, and absent (all-zero) bodies stay absent.
"""

import math
from typing import Protocol

import torch
from torch import Generator, Tensor

from pstl.ops.augment import transform
from pstl.ops.collective import place
from pstl.ops.joints import take_joints
from pstl.ops.time import Span, random_span, recorded, resize_span
from pstl.skeletons import Skeleton


class Amounts(Protocol):
    """How far views differ from their clip: `BodyViews` of pstl/config, where each is explained."""

    @property
    def shortest(self) -> float: ...
    @property
    def turn_deg(self) -> float: ...
    @property
    def stretch(self) -> float: ...
    @property
    def bones(self) -> float: ...
    @property
    def mirror(self) -> float: ...
    @property
    def lost_joints(self) -> float: ...
    @property
    def jitter(self) -> float: ...


class Draws:
    """Random numbers for the clips of a batch, on their device.

    They come from a CPU generator and are drawn for the batch of all processes, so that ranks
    together equal one.
    """

    def __init__(self, x: Tensor, rng: Generator) -> None:
        self.rng, self.like = rng, x
        self.first, self.total = place(x)

    def uniform(self, *shape: int) -> Tensor:
        """(N, *shape) in [0, 1)."""
        return self._here(torch.rand(self.total, *shape, generator=self.rng))

    def normal(self, *shape: int) -> Tensor:
        """(N, *shape), mean 0 and deviation 1."""
        return self._here(torch.randn(self.total, *shape, generator=self.rng))

    def _here(self, drawn: Tensor) -> Tensor:
        rows = drawn[self.first : self.first + len(self.like)]
        return rows.to(self.like.device, self.like.dtype, non_blocking=True)


def random_view(
    x: Tensor, skeleton: Skeleton, amounts: Amounts, rng: Generator, frames: int = 0
) -> Tensor:
    """Another part of the clip, of another body, from another side, by a worse sensor.

    What has the amount 0 (of `shortest`: 1) is left out.
    frames: of the view; 0: as many as the clip's array has.   Returns: (N, 3, frames, V, M).
    """
    draws = Draws(x, rng)
    if amounts.shortest < 1 or frames:
        x = part(x, amounts.shortest, draws, frames or x.shape[2])
    if amounts.bones:
        x = lengthen(x, skeleton, amounts.bones, draws)
    if amounts.turn_deg:
        x = turn(x, amounts.turn_deg, draws)
    if amounts.stretch:
        x = stretch(x, amounts.stretch, draws)
    if amounts.mirror:
        x = mirrored(x, skeleton, amounts.mirror, draws)
    if amounts.jitter:
        x = jitter(x, amounts.jitter, draws)
    if amounts.lost_joints:
        x = lose_joints(x, amounts.lost_joints, draws)
    return x


def part(x: Tensor, shortest: float, draws: Draws, frames: int) -> Tensor:
    """A random part of every clip, resampled to `frames`."""
    return resize_span(x, drawn_part(x, shortest, draws), frames)


def drawn_part(x: Tensor, shortest: float, draws: Draws) -> Span:
    """Where a random part of every clip lies, at least the share `shortest` of it.

    A clip ends with its last frame that is not all zero.
    """
    scale, place_in_clip = draws.uniform(2).T
    scale = shortest + (1 - shortest) * scale
    return random_span(recorded(x), scale, place_in_clip, 1)


def turn(x: Tensor, degrees: float, draws: Draws) -> Tensor:
    """Turn by angles ~ U(-degrees, degrees) about each of the three axes, x first."""
    angle = (draws.uniform(3) * 2 - 1) * math.radians(degrees)
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.eye(3, device=x.device, dtype=x.dtype).expand(len(x), 3, 3)
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        about = torch.eye(3, device=x.device, dtype=x.dtype).repeat(len(x), 1, 1)
        about[:, i, i] = about[:, j, j] = cos[:, axis]
        about[:, i, j], about[:, j, i] = sin[:, axis], -sin[:, axis]
        matrix = matrix @ about
    return transform(x, matrix)


def stretch(x: Tensor, amount: float, draws: Draws) -> Tensor:
    """Scale each of the three axes by 1 + U(-amount, amount)."""
    return x * (1 + (draws.uniform(3, 1, 1, 1) * 2 - 1) * amount)


def lengthen(x: Tensor, skeleton: Skeleton, amount: float, draws: Draws) -> Tensor:
    """Scale the length of every bone by 1 + amount * N(0, 1); the centre joint stays."""
    bones = x - take_joints(x, skeleton.parents)
    added = bones * (amount * draws.normal(1, 1, skeleton.joints, 1))
    above = ancestors(skeleton).to(x.device, x.dtype, non_blocking=True)
    return x + torch.einsum("nctvm,jv->nctjm", added, above)


def ancestors(skeleton: Skeleton) -> Tensor:
    """(V, V) of 0 and 1: row j has the joints on the way from the centre to j, j included."""
    step = torch.zeros(skeleton.joints, skeleton.joints)
    step[torch.arange(skeleton.joints), list(skeleton.parents)] = 1
    reached = torch.eye(skeleton.joints)
    for _ in range(skeleton.joints.bit_length()):
        reached = ((reached + step @ reached) > 0).float()
        step = ((step @ step) > 0).float()
    return reached


def mirrored(x: Tensor, skeleton: Skeleton, probability: float, draws: Draws) -> Tensor:
    """Some clips as seen in a mirror: left and right joints exchanged, the first coordinate
    negated."""
    chosen = draws.uniform(1, 1, 1, 1) < probability
    sign = torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1, 1)
    sign = sign.to(x.device, x.dtype, non_blocking=True)
    image = take_joints(x, skeleton.mirror) * sign
    return torch.where(chosen, image, x)


def lose_joints(x: Tensor, share: float, draws: Draws) -> Tensor:
    """Set each joint of a clip to zero, in all frames, with the probability `share`."""
    return x * (draws.uniform(1, 1, x.shape[3], 1) >= share)


def jitter(x: Tensor, deviation: float, draws: Draws) -> Tensor:
    """Add N(0, deviation) to every coordinate of the bodies that are present."""
    present = (x != 0).any(dim=3, keepdim=True).any(dim=1, keepdim=True)  # (N, 1, T, 1, M)
    return x + deviation * draws.normal(*x.shape[1:]) * present
