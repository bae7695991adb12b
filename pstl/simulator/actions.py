"""What people do, as programs of joint angles: twelve actions of one person and two of two people.

The classes come in pairs that visit the same postures and differ only in speed, phase, side or
order, so that a single frame never tells which of the two it is; what differs is stated at each
pair. `main` and `other` are sides chosen per clip, so no class is tied to left or right.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Channels = dict[str, float]


@dataclass
class Take:
    """One person's performance of one action: a clock, a manner, and the angles so far.

    seconds, progress: (T,); progress runs from 0 to 1 while the action lasts, and is below 0 or
    above 1 around it.
    tempo, amplitude: factors, 1 is average.   phase: where rhythmic movements start, radians.
    role: 0, or 1 for the partner.
    angles: channel (with main/other for a side) -> (T,), to begin with the posture the person idles
    in.
    """

    seconds: np.ndarray
    progress: np.ndarray
    tempo: float
    amplitude: float
    phase: float
    role: int
    angles: dict[str, np.ndarray] = field(default_factory=dict)

    def rise(self, start: float, end: float) -> np.ndarray:
        """(T,) from 0 to 1 between two moments of progress, without jerk at either end."""
        u: np.ndarray = np.clip((self.progress - start) / (end - start), 0, 1)
        return u**3 * (10 - 15 * u + 6 * u**2)

    def hold(self, start: float, reached: float, left: float, end: float) -> np.ndarray:
        """(T,) from 0 up to 1, stay, and back to 0."""
        return self.rise(start, reached) - self.rise(left, end)

    def swing(self, hertz: float, shift: float = 0.0) -> np.ndarray:
        """(T,) sine at the person's tempo; `shift` in turns."""
        return np.sin(2 * np.pi * (hertz * self.tempo * self.seconds + shift) + self.phase)

    def toward(self, posture: Channels, weight: np.ndarray) -> None:
        """Blend the named channels into a posture, times the amplitude.

        weight: (T,), 0 leaves them as they are, 1 reaches the posture.
        """
        for channel, value in posture.items():
            before = self.angles.get(channel, np.zeros_like(weight))
            self.angles[channel] = before + weight * (value * self.amplitude - before)

    def add(self, channel: str, movement: np.ndarray) -> None:
        """Add a movement (T,), in degrees before the amplitude, to one channel."""
        self.angles[channel] = self.angles.get(channel, 0) + self.amplitude * movement


@dataclass(frozen=True)
class Action:
    """name: as in the list of classes.

    arms: "" none, "main" or "both": arms the program moves, the others may idle as they like.
    """

    name: str
    program: Callable[[Take], None]
    arms: str = "both"
    people: int = 1


def arm(side: str, elevation: float, plane: float, rotation: float, elbow: float) -> Channels:
    """Posture of one arm, see body.py for the angles."""
    angles = {"elevation": elevation, "plane": plane, "rotation": rotation, "elbow": elbow}
    return {f"{side} {name}": value for name, value in angles.items()}


RAISED = arm("main", 80, 75, -80, 90)
HEAD = arm("main", 95, 60, -45, 140)
FORWARD = arm("main", 50, -20, 0, 40)
CARRY = arm("main", 15, 0, 25, 95)
SEATED: Channels = {"hip": 85, "knee": 88}
BENT: Channels = {"hip": 70, "knee": 105, "ankle": 35}


def legs(posture: Channels) -> Channels:
    """The same posture for both legs."""
    both: Channels = {}
    for side in ("main", "other"):
        both |= {f"{side} {name}": value for name, value in posture.items()}
    return both


# Speed: the same movement, slowly or fast.


def wave(take: Take, hertz: float) -> None:
    """Raise one hand and swing the forearm, so often a second."""
    up = take.hold(0, 0.2, 0.8, 1)
    take.toward(RAISED, up)
    take.add("main elbow", 28 * up * take.swing(hertz))


def march(take: Take, hertz: float) -> None:
    """Knees up in turn, arms against them, so many steps of a side a second."""
    moving = take.hold(0, 0.1, 0.9, 1)
    for side, turns in (("main", 0.0), ("other", 0.5)):
        step = np.maximum(take.swing(hertz, turns), 0)
        take.add(f"{side} hip", 60 * moving * step)
        take.add(f"{side} knee", 80 * moving * step)
        take.toward(arm(side, 15, 5, 0, 60), moving)
        take.add(f"{side} elevation", -30 * moving * take.swing(hertz, turns))


def squat(take: Take, hertz: float) -> None:
    """Bend the knees with the arms ahead, so often a second."""
    depth = take.hold(0, 0.15, 0.85, 1) * (1 + take.swing(hertz)) / 2
    take.toward({**legs(BENT), "bend": 15}, depth)
    for side in ("main", "other"):
        take.toward(arm(side, 60, 0, 0, 10), depth)


# Phase: both arms rise and fall together, or one rises while the other falls.


def lift_arms(take: Take, shift: float) -> None:
    """Both arms up and down; `shift`: turns by which the other arm is late."""
    moving = take.hold(0, 0.15, 0.85, 1)
    for side, turns in (("main", 0.0), ("other", shift)):
        take.toward(arm(side, 65, 15, 0, 15), moving)
        take.add(f"{side} elevation", 50 * moving * take.swing(0.9, turns))


# Order: one is the other backwards, or holds the same two parts exchanged.


def sit(take: Take, up: bool) -> None:
    """Onto a chair, or `up` from it: the same way backwards."""
    down = 1 - take.rise(0, 1) if up else take.rise(0, 1)
    take.toward(legs(SEATED), down)
    take.toward({"pelvis": 32, "bend": 18}, 4 * down * (1 - down))  # lean forward half-way


def touch_two(take: Take, head_first: bool) -> None:
    """Touch head and knee with one hand, one after the other."""
    early, late = take.hold(0, 0.2, 0.3, 0.5), take.hold(0.5, 0.7, 0.8, 1)
    head, knee = (early, late) if head_first else (late, early)
    take.toward(HEAD, head)
    take.toward(
        {"pelvis": 30, "bend": 35, "main hip": 20, "main knee": 35, **arm("main", 50, 0, 0, 15)},
        knee,
    )


# Two people: reach out to each other, shake the joined hands or pass something from one to the
# other.


def shake_hands(take: Take) -> None:
    """Reach out and shake; both people do the same."""
    out = take.hold(0, 0.3, 0.7, 1)
    take.toward({**FORWARD, "bend": 8}, out)
    shaking = take.hold(0.25, 0.35, 0.65, 0.75) * take.swing(2.2)
    take.add("main elevation", 10 * shaking)
    take.add("main elbow", 18 * shaking)


def hand_over(take: Take) -> None:
    """Role 0 carries something and reaches out, role 1 takes it and carries it."""
    giving = take.role == 0
    carrying = 1 - take.rise(0.5, 0.55) if giving else take.rise(0.5, 0.55)
    take.toward(CARRY, carrying)
    out = take.hold(0, 0.3, 0.6, 0.9) if giving else take.hold(0.15, 0.45, 0.65, 1)
    take.toward({**FORWARD, "bend": 8}, out)


ACTIONS = (
    Action("wave slowly", lambda take: wave(take, 0.8), "main"),
    Action("wave fast", lambda take: wave(take, 2.2), "main"),
    Action("march on the spot", lambda take: march(take, 0.8)),
    Action("run on the spot", lambda take: march(take, 2.0)),
    Action("squat slowly", lambda take: squat(take, 0.7)),
    Action("squat fast", lambda take: squat(take, 1.8)),
    Action("lift both arms together", lambda take: lift_arms(take, 0.0)),
    Action("lift both arms in turn", lambda take: lift_arms(take, 0.5)),
    Action("sit down", lambda take: sit(take, up=False), ""),
    Action("stand up", lambda take: sit(take, up=True), ""),
    Action("touch head, then knee", lambda take: touch_two(take, head_first=True), "main"),
    Action("touch knee, then head", lambda take: touch_two(take, head_first=False), "main"),
    Action("shake hands", shake_hands, "main", people=2),
    Action("hand over", hand_over, "main", people=2),
)
