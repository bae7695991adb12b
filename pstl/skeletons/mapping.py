"""Joints of one body model found in another, by name, so that an encoder of one sensor can be given
recordings of another."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from pstl.errors import UserError
from pstl.skeletons import Skeleton, load, names

# Two names of one place. The 20-joint body of the first Kinect has three trunk joints, the second
# Kinect four and other names.
SAME = {"spine base": "hip centre", "spine mid": "spine", "spine shoulder": "shoulder centre"}
# Joints a body may lack -> those that stand for it, the nearest first; only used where neither the
# name nor its synonym is there. What CMU calls chest is the place between its shoulders.
TRUNK = {
    "neck": ("upper neck", "shoulder centre"),
    "shoulder centre": ("chest",),
    "spine": ("upper back",),
    "hip centre": ("spine",),
    "lower back": ("hip centre", "spine"),
    "upper back": ("spine",),
    "chest": ("shoulder centre",),
    "lower neck": ("shoulder centre",),
    "upper neck": ("neck", "shoulder centre"),
    "head top": ("head",),
    "head": ("nose", "head top"),
    "nose": ("head",),
}
LIMBS = {
    "{side} eye": ("nose", "head"),
    "{side} eye inner": ("{side} eye", "nose", "head"),
    "{side} eye outer": ("{side} eye", "nose", "head"),
    "{side} ear": ("head",),
    "{side} mouth": ("nose", "head"),
    "{side} clavicle": ("shoulder centre",),
    "{side} wrist": ("{side} hand",),
    "{side} hand": ("{side} wrist",),
    "{side} hand tip": ("{side} finger tip", "{side} index", "{side} hand", "{side} wrist"),
    "{side} fingers": ("{side} hand tip", "{side} index", "{side} hand", "{side} wrist"),
    "{side} finger tip": ("{side} hand tip", "{side} index", "{side} hand", "{side} wrist"),
    "{side} index": ("{side} fingers", "{side} hand tip", "{side} hand", "{side} wrist"),
    "{side} pinky": ("{side} fingers", "{side} hand", "{side} wrist"),
    "{side} thumb": ("{side} hand", "{side} wrist"),
    "{side} thumb tip": ("{side} thumb", "{side} hand", "{side} wrist"),
    "{side} hip root": ("hip centre", "{side} hip"),
    "{side} ankle": ("{side} foot",),
    "{side} heel": ("{side} ankle", "{side} foot"),
    "{side} foot": ("{side} toes", "{side} foot index", "{side} big toe", "{side} ankle"),
    "{side} toes": ("{side} foot", "{side} foot index", "{side} big toe", "{side} ankle"),
    "{side} foot index": ("{side} big toe", "{side} toes", "{side} foot", "{side} ankle"),
    "{side} big toe": ("{side} foot index", "{side} toes", "{side} foot", "{side} ankle"),
    "{side} small toe": ("{side} foot index", "{side} toes", "{side} foot", "{side} ankle"),
    "{side} toe tip": ("{side} foot index", "{side} big toe", "{side} foot", "{side} ankle"),
}


def on_both_sides(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Names of limbs as those of the left and of the right one."""
    both = {}
    for side in ("left", "right"):
        for name, others in table.items():
            both[name.format(side=side)] = tuple(other.format(side=side) for other in others)
    return both


NEAREST = TRUNK | on_both_sides(LIMBS)


@cache
def joints_of(wanted: str, given: str) -> tuple[int, ...]:
    """For every joint of the skeleton `wanted`, the joint of `given` that stands for it.

    x[..., joints_of(wanted, given), :] turns positions of `given` (V_given joints) into positions
    of `wanted` (V_wanted).
    Raises: UserError naming a joint for which nothing stands.

    >>> joints_of("kinect_v1", "kinect_v1") == tuple(range(20))
    True
    """
    source = {SAME.get(name, name): joint for joint, name in enumerate(load(given).names)}
    return tuple(_counterpart(name, source, load(wanted), given) for name in load(wanted).names)


def placed(source: Mapping[str, int], wanted: str, where: str) -> tuple[int, ...]:
    """For every joint that files of the skeleton `wanted` hold, the one of a file's joints that
    stands for it.

    source: name of a joint, as bodies here call it -> its place in the file.
    Raises: UserError naming a joint for which nothing stands.
    """
    body = load(wanted)
    common = {SAME.get(name, name): joint for name, joint in source.items()}
    recorded = body.names[: body.recorded]
    return tuple(_counterpart(name, common, body, where) for name in recorded)


def completed(xyz: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """A file's joints, and those that the body derives from them.

    xyz: (T, recorded, ...), NaN where a joint was not seen.   Returns: (T, V, ...); what is derived
    from an unseen joint is unseen.
    """
    parts = [xyz]
    for groups in skeleton.derived.values():
        joint = np.full_like(xyz[:, :1], np.nan)
        for group in reversed(groups):
            members = [skeleton.names.index(name) for name in group]
            mean = xyz[:, members].mean(axis=1, keepdims=True)
            joint = np.where(np.isnan(mean), joint, mean)
        parts.append(joint)
    return np.concatenate(parts, axis=1)


def stand_ins(wanted: str, given: str) -> str:
    """In one line, what a body's joints are in another that lacks some; "" if nothing is said."""
    source, target = load(given), load(wanted)
    joints = joints_of(wanted, given)
    pairs = []
    for name, joint in zip(target.names, joints, strict=True):
        other = source.names[joint]
        if SAME.get(name, name) != SAME.get(other, other):
            pairs.append(f"{name} is {other}")
    dropped = [name for joint, name in enumerate(source.names) if joint not in joints]
    parts = [", ".join(pairs)] if pairs else []
    parts += [f"dropped: {', '.join(dropped)}"] if dropped else []
    derived = [f"{name} from {_sources(groups)}" for name, groups in source.derived.items()]
    used = [line for line in derived if source.names.index(line.split(" from ")[0]) in joints]
    parts = ([f"computed: {', '.join(used)}"] if used else []) + parts
    return "; ".join(parts)


def _sources(groups: tuple[tuple[str, ...], ...]) -> str:
    """What a joint is derived from, in words."""
    return ", else ".join(" and ".join(group) for group in groups)


def _counterpart(name: str, source: dict[str, int], wanted: Skeleton, given: str) -> int:
    common = SAME.get(name, name)
    for candidate in (common, *NEAREST.get(common, ())):
        if candidate in source:
            return source[candidate]
    lack = f"nothing in {given} stands for it; add it to pstl/skeletons/mapping.py"
    raise UserError(f"joint {name!r} of skeleton {wanted.name}: {lack}")


def fitting(joints: int) -> str:
    """For a message: the bodies whose files have so many joints, between which only people can
    choose."""
    bodies = {name: load(name).recorded for name in names()}
    known = ", ".join(f"{name} ({count})" for name, count in bodies.items())
    fit = [name for name, count in bodies.items() if count == joints]
    return f"{' or '.join(fit)} would fit" if fit else f"none has so many; known: {known}"
