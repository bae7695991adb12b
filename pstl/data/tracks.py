"""People of single frames as bodies that go through a clip."""

from collections.abc import Sequence

import numpy as np

from pstl.records import Person

MOST = 6  # bodies that are kept, those seen longest
REACH = 0.75  # of its own size: how far a body moves from one frame to the next


def slots(frames: Sequence[Sequence[Person]]) -> tuple[np.ndarray, int]:
    """Every person in a slot of its own, whoever is seen longest first.

    People are told apart as the file does, else by the nearest place in the frame before.
    Returns: (T, V, M, 2 or 3) float64, NaN where nobody is, and how many bodies were left out.
    """
    named = any(person.track for frame in frames for person in frame)
    bodies = by_name(frames) if named else by_place(frames)
    order = sorted(bodies, key=len, reverse=True)
    kept = order[:MOST]
    joints, dimensions = next(iter(kept[0].values())).xyz.shape if kept else (0, 3)
    xyz = np.full((len(frames), joints, len(kept), dimensions), np.nan)
    for slot, body in enumerate(kept):
        for time, person in body.items():
            xyz[time, :, slot] = person.xyz
    return xyz, len(order) - len(kept)


def by_name(frames: Sequence[Sequence[Person]]) -> list[dict[int, Person]]:
    """Bodies as the file names them: frame -> person."""
    bodies: dict[str, dict[int, Person]] = {}
    for time, frame in enumerate(frames):
        for person in frame:
            bodies.setdefault(person.track, {}).setdefault(time, person)
    return list(bodies.values())


def by_place(frames: Sequence[Sequence[Person]]) -> list[dict[int, Person]]:
    """Bodies followed from frame to frame, the nearest pair first; who is too far from all bodies
    is a new one."""
    bodies: list[dict[int, Person]] = []
    last: list[np.ndarray] = []  # where each body was seen last
    for time, frame in enumerate(frames):
        present = [person for person in frame if np.isfinite(person.xyz).any()]
        middles = [np.nanmean(person.xyz, axis=0) for person in present]
        pairs = []
        for i, middle in enumerate(middles):
            reach = REACH * extent(present[i].xyz)
            for body, place in enumerate(last):
                distance = float(np.linalg.norm(middle - place))
                pairs += [(distance, i, body)] if distance <= reach else []
        taken: dict[int, int] = {}
        for _, i, body in sorted(pairs):
            if i not in taken and body not in taken.values():
                taken[i] = body
        for i, person in enumerate(present):
            body = taken.get(i, len(bodies))
            if body == len(bodies):
                bodies.append({})
                last.append(middles[i])
            bodies[body][time] = person
            last[body] = middles[i]
    return bodies


def extent(xyz: np.ndarray) -> float:
    """The longest side of the box around the joints that were seen.   xyz: (V, 2 or 3)."""
    return float((np.nanmax(xyz, axis=0) - np.nanmin(xyz, axis=0)).max())
