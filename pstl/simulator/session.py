"""A long take: one person does several things after each other and stands about between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pstl.simulator.actions import ACTIONS, Action
from pstl.simulator.performer import Manner, Performer, perform

STANDING = Action("stand about", lambda take: None, "")
# Whoever has sat down must get up before the next action, which would be an action nobody labels.
SEATS = ("sit down", "stand up")
ACTIONS_OF_ONE = tuple(a for a in ACTIONS if a.people == 1 and a.name not in SEATS)


class Session(NamedTuple):
    """scene: (T, V, 1, 3) metres, as `perform` makes it.

    spans: (action's place in the list, first frame, last frame), in time order.
    """

    scene: np.ndarray
    spans: list[tuple[int, int, int]]


@dataclass(frozen=True)
class Script:
    """What one person does in a session.

    actions: each once, in random order.
    frames, gap: shortest and longest action, and stretch between two.
    heading_deg: where the person faces, 0 towards -z.
    """

    actions: Sequence[Action]
    person: Performer
    frames: tuple[int, int]
    gap: tuple[int, int]
    heading_deg: float
    manner: Manner


def session(script: Script, rng: np.random.Generator) -> Session:
    """The actions of a script, between stretches of standing that lead smoothly from one posture to
    the next.

    An action takes its frames whole: its first and last ones are the ends of its labelled interval.
    """
    unhurried = script.manner.model_copy(update={"duration": (1.0, 1.0)})

    def part(action: Action, length: tuple[int, int]) -> np.ndarray:
        """One action (T, V, M, 3) of a length drawn between two bounds, in frames."""
        frames = int(rng.integers(length[0], length[1] + 1))
        return perform(action, [script.person], frames, script.heading_deg, rng, unhurried)

    order = rng.permutation(len(script.actions))
    taken = [part(script.actions[i], script.frames) for i in order]
    between = [part(STANDING, script.gap) for _ in range(len(order) + 1)]
    for i, stretch in enumerate(between):
        before = taken[i - 1][-1] if i else stretch[0]
        after = taken[i][0] if i < len(taken) else stretch[-1]
        between[i] = joined(before, stretch, after)
    parts, spans, at = [between[0]], [], len(between[0])
    for label, action, stretch in zip(order.tolist(), taken, between[1:], strict=True):
        spans.append((label, at, at + len(action) - 1))
        parts += [action, stretch]
        at += len(action) + len(stretch)
    return Session(np.concatenate(parts), spans)


def joined(before: np.ndarray, stretch: np.ndarray, after: np.ndarray) -> np.ndarray:
    """A stretch (T, ...) that leaves the pose `before` in its first half and comes to `after` in
    its second, without a jump."""
    half = len(stretch) // 2
    weight = np.zeros(len(stretch))
    u = np.arange(1, half + 1) / (half + 1)
    weight[:half] = 1 - u * u * (3 - 2 * u)
    start = weight.reshape(-1, *[1] * before.ndim)
    return stretch + start * (before - stretch[0]) + start[::-1] * (after - stretch[-1])
