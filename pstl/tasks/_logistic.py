"""Several logistic regressions on the same clips, solved together by limited-memory BFGS.

They differ in the share that each clip has in the mean, so products with the features are shared,
and each problem has steps of its own until it is solved.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

HISTORY = 20  # steps whose change of the gradient is remembered
HALVINGS = 30  # of a step that does not lead down
TINY = 1e-300  # what is divided by is at least this
FLAT = 1e-12  # a curvature below it is rounding


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

    def gradient(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """What is minimised, (problems,), and its gradient, same shape as the weights."""
        value, error = self.values(weights)
        own = self.y.expand(len(weights), 1, -1)
        error.scatter_add_(1, own, torch.full_like(own, -1, dtype=error.dtype))
        slope = error.mul_(self.shares[:, None]).flatten(0, 1) @ self.x
        return value, slope.view_as(weights).addcmul_(weights, self.penalty)

    def curvature(self, weights: Tensor) -> Tensor:
        """Second derivative by every single weight: same shape."""
        chance = self.values(weights)[1]
        bend = (chance * (1 - chance)).mul_(self.shares[:, None])
        return (bend.flatten(0, 1) @ self.x.square()).view_as(weights) + self.penalty

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

    Returns: the weights, and the largest entry of a gradient at the end, in units in which every
    weight's curvature was 1 at the start.
    """
    final, worst = start.clone(), 0.0
    left = torch.arange(len(start), device=start.device)
    state = Descent(problem, start)
    for iteration in range(iterations + 1):
        steep = state.slope.abs().amax((1, 2))
        done = (steep <= tolerance) | state.stuck
        if iteration == iterations:
            done = torch.ones_like(done)
        if bool(done.any()):
            final[left[done]] = state.weights[done]
            worst = max(worst, float(steep[done].max()))
            left = left[~done]
            state.keep(~done)
        if not len(left):
            break
        state.step()
    return final, worst


class Descent:
    """Where the problems are, and what the last steps have shown of their curvature."""

    def __init__(self, problem: Regressions, start: Tensor) -> None:
        self.problem = problem
        self.unit = problem.curvature(start).clamp_(min=FLAT).rsqrt_()
        self.place = start / self.unit
        self.value, self.slope = problem.gradient(start)
        self.slope *= self.unit
        self.moves: list[Tensor] = []
        self.turns: list[Tensor] = []
        self.bends: list[Tensor] = []  # 1 / (move * turn)
        self.stuck = torch.zeros(len(start), dtype=torch.bool, device=start.device)

    @property
    def weights(self) -> Tensor:
        """Where the descent is, in units of the weights: (problems, classes, D)."""
        return self.place * self.unit

    def keep(self, some: Tensor) -> None:
        """Go on with these problems only.   some: (problems,) bool."""
        self.problem = self.problem.of(some)
        self.unit, self.place, self.stuck = self.unit[some], self.place[some], self.stuck[some]
        self.value, self.slope = self.value[some], self.slope[some]
        for past in (self.moves, self.turns, self.bends):
            past[:] = [kept[some] for kept in past]

    def step(self) -> None:
        """One step of each problem, halved until it leads down."""
        way = self.direction()
        expected = dot(way, self.slope)
        length = torch.ones_like(expected)
        for _ in range(HALVINGS):
            place = self.place + length * way
            value, slope = self.problem.gradient(place * self.unit)
            rounding = 1e-14 * self.value.abs()
            allowed = self.value + (1e-4 * length * expected)[:, 0, 0] + rounding
            high = value > allowed
            if not bool(high.any()):
                break
            length = torch.where(high[:, None, None], length / 2, length)
        slope *= self.unit
        self.stuck = high
        move, turn = place - self.place, slope - self.slope
        bend = 1 / dot(move, turn).clamp(min=TINY)
        for past, new in ((self.moves, move), (self.turns, turn), (self.bends, bend)):
            past.append(new)
            del past[:-HISTORY]
        self.place, self.value, self.slope = place, value, slope

    def direction(self) -> Tensor:
        """Down the slope, turned by what is remembered: same shape as the weights.

        Nocedal and Wright, Numerical Optimization, algorithm 7.4.
        """
        way, shares = -self.slope, []
        past = list(zip(self.moves, self.turns, self.bends, strict=True))
        for move, turn, bend in reversed(past):
            shares.append(bend * dot(move, way))
            way.addcmul_(turn, shares[-1], value=-1)
        if past:
            way /= (self.bends[-1] * dot(self.turns[-1], self.turns[-1])).clamp(min=TINY)
        for (move, turn, bend), share in zip(past, reversed(shares), strict=True):
            way.addcmul_(move, share - bend * dot(turn, way))
        return way


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each problem by itself.

    a, b: (problems, classes, D).   Returns: (problems, 1, 1).
    """
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))[:, None, None]
