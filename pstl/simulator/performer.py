"""Who performs, and how: bones, tempo, reach, posture and habits, none of which depends on the
action."""

from dataclasses import dataclass

import numpy as np

from pstl.config import Frozen
from pstl.simulator.actions import Action, Take, arm
from pstl.simulator.body import SIDES, Angles, Body, draw_body, pose

FPS = 30.0  # Kinect v2

HANGING = arm("", 6, 40, 0, 12)
# What else an arm may do that the action does not need. It says nothing about the class but moves a
# hand by half a metre.
IDLE = (
    arm("", 35, 120, 60, 100),  # on the hip
    arm("", 20, 10, 70, 95),  # across the belly
    arm("", -22, 0, 45, 55),  # behind the back
    arm("", 10, 60, -10, 45),  # in a pocket
)
# Spread of each person's own posture, and of slow unintended movement, relative to
# Manner.posture_deg and Manner.sway_deg.
LOOSE = {"bend": 1.0, "lean": 0.6, "twist trunk": 1.0, "nod": 1.2, "shake": 1.5, "heading": 1.0}
LOOSE_LIMB = {
    "elevation": 1.0,
    "plane": 1.2,
    "rotation": 1.5,
    "elbow": 1.5,
    "wrist": 2.0,
    "hip": 0.4,
    "spread": 0.5,
    "knee": 0.5,
}


class Manner(Frozen):
    """How much people differ; every value is a knob of difficulty that leaves the classes alone."""

    bones: float = 0.05  # relative spread of bone lengths
    tempo: float = 0.12  # relative spread of speed, between people and again between repetitions
    amplitude: float = 0.12  # relative spread of reach, likewise
    posture_deg: float = 4.0  # habitual posture of a person
    sway_deg: float = 3.0  # slow movement that belongs to no action
    duration: tuple[float, float] = (
        0.4,
        0.75,
    )  # share of the clip that the action fills, at any moment of it
    idle: float = 0.15  # share of unneeded arms that rest in another way than hanging
    # How often a person uses the preferred side, which is right for some and left for others.
    handedness: float = 0.75


@dataclass(frozen=True)
class Performer:
    """One person. posture: channel -> degrees added to whatever the person does."""

    body: Body
    tempo: float
    amplitude: float
    preferred: str
    posture: dict[str, float]


def draw_performer(rng: np.random.Generator, manner: Manner) -> Performer:
    """A random person."""
    body = draw_body(rng, manner.bones)
    tempo, amplitude = np.exp(rng.normal(0, [manner.tempo, manner.amplitude]))
    posture = {
        channel: float(rng.normal(0, manner.posture_deg * spread))
        for channel, spread in _loose().items()
    }
    return Performer(body, tempo, amplitude, str(rng.choice(SIDES)), posture)


def perform(
    action: Action,
    cast: list[Performer],
    frames: int,
    heading_deg: float,
    rng: np.random.Generator,
    manner: Manner,
) -> np.ndarray:
    """What happens on the floor, without any sensor: (T, V, M, 3) metres, y up, around the origin,
    one slot per performer.

    heading_deg: where the scene is turned, 0 towards -z. Two people face each other.
    """
    duration = rng.uniform(*manner.duration)
    progress = (np.linspace(0, 1, frames) - rng.uniform(0, 1 - duration)) / duration
    habit = cast[0].preferred
    side = habit if rng.random() < manner.handedness else SIDES[habit == SIDES[0]]
    roles = rng.permutation(len(cast))
    bodies = []
    for position, (person, role) in enumerate(zip(cast, roles, strict=True)):
        angles = _idle(action, frames, rng, manner)
        tempo, amplitude = np.exp(rng.normal(0, [manner.tempo, manner.amplitude]))
        phase = rng.uniform(0, 2 * np.pi)
        take = Take(
            np.arange(frames) / FPS,
            progress,
            person.tempo * tempo,
            person.amplitude * amplitude,
            phase,
            int(role),
            angles,
        )
        action.program(take)
        moved = _sided(take.angles, side)
        for channel, sway in _sway(frames, rng, manner.sway_deg).items():
            moved[channel] = moved.get(channel, 0) + person.posture[channel] + sway
        bodies.append(pose(person.body, _stand(moved, position, len(cast), heading_deg, rng)))
    return np.stack(bodies, axis=2)


def _idle(action: Action, frames: int, rng: np.random.Generator, manner: Manner) -> Angles:
    """A posture to begin with; arms that the program moves begin hanging."""
    angles: Angles = {}
    for side, used in (("main", action.arms != ""), ("other", action.arms == "both")):
        resting = not used and rng.random() < manner.idle
        choice = IDLE[rng.integers(len(IDLE))] if resting else HANGING
        angles |= {side + channel: np.full(frames, value) for channel, value in choice.items()}
    return angles


def _sided(angles: Angles, side: str) -> Angles:
    """Replace main and other by left and right."""
    names = {"main": side, "other": SIDES[side == SIDES[0]]}
    renamed = {}
    for channel, value in angles.items():
        words = [names.get(word, word) for word in channel.split()]
        renamed[" ".join(words)] = value
    return renamed


def _stand(
    angles: Angles, position: int, people: int, heading_deg: float, rng: np.random.Generator
) -> Angles:
    """Turn a body to its heading and, of two people, put the second in front of the first."""
    turned = angles | {"heading": angles["heading"] + heading_deg + 180 * position}
    if people > 1:
        turned["ahead"] = np.full(
            len(angles["heading"]), -rng.uniform(0.4, 0.55)
        )  # each half the distance back from the middle
    return turned


def _loose() -> dict[str, float]:
    spreads = dict(LOOSE)
    for side in SIDES:
        spreads |= {f"{side} {name}": spread for name, spread in LOOSE_LIMB.items()}
    return spreads


def _sway(frames: int, rng: np.random.Generator, degrees: float) -> Angles:
    """Slow smooth movement of every loose channel: two sines of 0.1 to 0.6 Hz."""
    loose = _loose()
    t = np.arange(frames) / FPS
    hertz, phase = (
        rng.uniform(0.1, 0.6, (2, len(loose), 1)),
        rng.uniform(0, 2 * np.pi, (2, len(loose), 1)),
    )
    size = degrees * np.array(list(loose.values()))[:, None] * rng.normal(0, 1, (2, len(loose), 1))
    return dict(zip(loose, (size * np.sin(2 * np.pi * hertz * t + phase)).sum(0), strict=True))
