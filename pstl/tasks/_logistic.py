"""Several logistic regressions on the same clips, solved together by Newton's method.

They differ in the share that each clip has in the mean, so products with the features are shared,
and each problem has steps of its own until it is solved. Each step is found by conjugate gradients
in float32: it is a way to go, and how far it leads down is measured in float64.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

TURNS = 250  # of conjugate gradients for one step
HALVINGS = 30  # of a step that does not lead down
TINY = 1e-30  # what is divided by is at least this
NO_BEND = 1e-6  # of a way's square: less curvature is rounding
FLAT = 1e-12  # a curvature below it is rounding
ROUGH = 0.1  # of the slope may be left by the first steps: they are far from the end anyway


@dataclass(frozen=True)
class Regressions:
    """Mean cross-entropy of a linear layer, plus strength / 2 times its squared weights.

    x: (N, D) float64, the last column ones, whose weights, the biases, are not penalised.
    y: (N,) classes.   shares: (problems, N), rows of sum 1.
    Weights are (problems, classes, D), biases last.
    """

    x: Tensor
    y: Tensor
    shares: Tensor
    strength: float

    @property
    def penalty(self) -> Tensor:
        """(D,) what half of each squared weight is multiplied by."""
        penalty = self.x.new_full((self.x.shape[1],), self.strength)
        penalty[-1] = 0
        return penalty

    def values(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """What is minimised, (problems,), and the probabilities, (problems, classes, N)."""
        chance = logits(self.x, weights).log_softmax(1)
        own = chance.gather(1, self.y.expand(len(weights), 1, -1))[:, 0]
        size = (weights.square() * self.penalty).sum((1, 2))
        return size / 2 - (own * self.shares).sum(1), chance.exp_()

    def gradient(self, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimised, (problems,), its gradient, of the weights' shape, and the chances."""
        value, chance = self.values(weights)
        own, error = self.y.expand(len(weights), 1, -1), chance.clone()
        error.scatter_add_(1, own, torch.full_like(own, -1, dtype=error.dtype))
        slope = error.mul_(self.shares[:, None]).flatten(0, 1) @ self.x
        return value, slope.view_as(weights).addcmul_(weights, self.penalty), chance

    def of(self, problems: Tensor) -> "Regressions":
        """Some of them.   problems: (problems,) bool."""
        return replace(self, shares=self.shares[problems])


def logits(x: Tensor, weights: Tensor) -> Tensor:
    """(N, D), (problems, classes, D) -> (problems, classes, N)."""
    return (weights.flatten(0, 1) @ x.T).unflatten(0, weights.shape[:2])


def minimise(
    problem: Regressions, start: Tensor, tolerance: float, iterations: int
) -> tuple[Tensor, float]:
    """The weights of least loss.

    start: (problems, classes, D).   tolerance: of the largest entry of a gradient.
    iterations: Newton's steps, at most.

    Returns: the weights, and the largest entry of a gradient at the end, in units in which every
    weight's curvature is 1 there.
    """
    final, worst = start.clone(), 0.0
    left = torch.arange(len(start), device=start.device)
    weights = start
    value, slope, chance = problem.gradient(weights)
    stuck = torch.zeros(len(start), dtype=torch.bool, device=start.device)
    for iteration in range(iterations + 1):
        bends = Curvature(problem, chance)
        steep = (slope * bends.unit).abs().amax((1, 2))
        done = (steep <= tolerance) | stuck | (iteration == iterations)
        if bool(done.any()):
            final[left[done]] = weights[done]
            worst = max(worst, float(steep[done].max()))
            left, problem, bends = left[~done], problem.of(~done), bends.of(~done)
            weights, value, slope, steep = (each[~done] for each in (weights, value, slope, steep))
        if not len(left):
            break
        way = bends.newton_step(slope, 0.5 * tolerance / steep)
        weights, value, slope, chance, stuck = search(problem, weights, value, slope, way)
    return final, worst


def search(
    problem: Regressions, weights: Tensor, value: Tensor, slope: Tensor, way: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """One step of each problem along its way, halved until it leads down.

    Returns: weights, value, slope and chance there; (problems,) bool, where nothing led down.
    """
    expected = dot(way, slope)
    length = torch.ones_like(expected)
    for _ in range(HALVINGS):
        place = weights + length * way
        new_value, new_slope, chance = problem.gradient(place)
        rounding = 1e-14 * (0.1 + value.abs())  # chances near 1 are exact to 1e-16, not to more
        high = new_value > value + (1e-4 * length * expected)[:, 0, 0] + rounding
        if not bool(high.any()):
            break
        length = torch.where(high[:, None, None], length / 2, length)
    return place, new_value, new_slope, chance, high


class Curvature:
    """Second derivatives at one place, in float32.

    unit: (problems, classes, D), by which each weight is measured so that its own is 1.
    """

    def __init__(self, problem: Regressions, chance: Tensor) -> None:
        self.x, self.penalty = problem.x.float(), problem.penalty.float()
        self.chance = chance.float()
        self.shared = self.chance * problem.shares[:, None].float()
        bend = self.shared - self.shared * self.chance
        own = (bend.flatten(0, 1) @ self.x.square()).view(*chance.shape[:2], -1) + self.penalty
        self.unit = own.clamp_(min=FLAT).rsqrt_()

    def of(self, problems: Tensor) -> "Curvature":
        """Of some problems.   problems: (problems,) bool."""
        some = object.__new__(Curvature)
        some.x, some.penalty = self.x, self.penalty
        some.chance, some.shared = self.chance[problems], self.shared[problems]
        some.unit = self.unit[problems]
        return some

    def times(self, way: Tensor) -> Tensor:
        """Second derivative along a way: (problems, classes, D), of that shape."""
        moved = logits(self.x, way)
        moved -= (moved * self.chance).sum(1, keepdim=True)
        moved *= self.shared
        return (moved.flatten(0, 1) @ self.x).view_as(way).addcmul_(way, self.penalty)

    def newton_step(self, slope: Tensor, enough: Tensor) -> Tensor:
        """Where the slope would be 0, about.   Returns: float64, of the slope's shape.

        slope: (problems, classes, D).   enough: (problems,), the share of the slope that may be
        left because the problem is solved then.
        """
        rest = -(slope * self.unit).float()
        step, turn = torch.zeros_like(rest), rest
        size = dot(rest, rest)
        share = torch.maximum(size.sqrt().sqrt().clamp(max=ROUGH), enough.float()[:, None, None])
        goal = size * share.clamp(max=ROUGH).square()
        for _ in range(TURNS):
            bent = self.unit * self.times(self.unit * turn)
            bend = dot(turn, bent)
            # Along a way without curvature, e.g. all biases alike, float32 has rounding only.
            goal = torch.where(bend > NO_BEND * dot(turn, turn), goal, torch.inf)
            length = torch.where(size > goal, size / bend, 0.0)
            step = step + length * turn
            rest = rest - length * bent
            smaller = dot(rest, rest)
            if not bool((smaller > goal).any()):
                break
            turn, size = rest + smaller / size.clamp(min=TINY) * turn, smaller
        none = (step == 0).all(2, keepdim=True).all(1, keepdim=True)
        step = torch.where(none, rest, step)
        return (self.unit * step).double()


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each problem by itself.

    a, b: (problems, classes, D).   Returns: (problems, 1, 1).
    """
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))[:, None, None]
