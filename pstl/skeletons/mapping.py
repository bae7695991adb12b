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

# Joints a file may lack -> those between which they lie; taken before any that stands for them.
MIDDLES = {
    "hip centre": ("left hip", "right hip"),
    "shoulder centre": ("left shoulder", "right shoulder"),
    "spine": ("left hip", "right hip", "left shoulder", "right shoulder"),
    "head": ("left ear", "right ear"),
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


def placed(
    source: Mapping[str, int], wanted: str, where: str
) -> tuple[tuple[tuple[int, ...], ...], str]:
    """For every joint that files of the skeleton `wanted` hold, the joints of a file whose mean it
    is: itself, its neighbours, or one that stands for it; and in words what is not itself.

    source: name of a joint, as bodies here call it -> its place in the file.
    Raises: UserError naming a joint that can be had from none of them.
    """
    body = load(wanted)
    common = {SAME.get(name, name): joint for name, joint in source.items()}
    groups, said = [], []
    for name in body.names[: body.recorded]:
        same = SAME.get(name, name)
        between = MIDDLES.get(same, ("",))
        nearest = [other for other in (same, *NEAREST.get(same, ())) if other in common]
        if same not in common and common.keys() >= set(between):
            groups.append(tuple(common[other] for other in between))
            said.append(f"{name} is between {' and '.join(between)}")
        elif nearest:
            groups.append((common[nearest[0]],))
            said += [f"{name} is the {nearest[0]}"] if nearest[0] != same else []
        else:
            lack = f"no joint {name!r}, nor one that could stand for it"
            raise UserError(f"{where}: {lack}, expected those of {wanted}; name another body")
    return tuple(groups), ", ".join(_of_both_sides(said))


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
    others = [source.names[joint] for joint in joints]
    pairs = [
        f"{name} is the {other}"
        for name, other in zip(target.names, others, strict=True)
        if SAME.get(name, name) != SAME.get(other, other)
    ]
    means = [
        f"{name} is between {' and '.join(groups[0])}" if len(groups[0]) > 1 else ""
        for name, groups in source.derived.items()
        if name in others
    ]
    dropped = [name for name in source.names[: source.recorded] if name not in others]
    dropped = [name for name in dropped if not any(name in mean for mean in means)]
    parts = [f"dropped: {', '.join(_of_both_sides(dropped))}"] if dropped else []
    return "; ".join([*_of_both_sides([*means, *pairs]), *parts])


def _of_both_sides(lines: list[str]) -> list[str]:
    """The same, with what is said of the left and of the right said once, of no side."""
    neutral = [line.replace("left ", "").replace("right ", "") for line in lines]
    merged = [
        short if neutral.count(short) > 1 else line
        for line, short in zip(lines, neutral, strict=True)
    ]
    return list(dict.fromkeys(merged))


def _counterpart(name: str, source: dict[str, int], wanted: Skeleton, given: str) -> int:
    common = SAME.get(name, name)
    for candidate in (common, *NEAREST.get(common, ())):
        if candidate in source:
            return source[candidate]
    lack = f"nothing in {given} stands for it; add it to pstl/skeletons/mapping.py"
    raise UserError(f"joint {name!r} of skeleton {wanted.name}: {lack}")


def bodies() -> tuple[str, ...]:
    """The names of all bodies, where code is told by them and no body is looked for."""
    return names()


def fitting(joints: int) -> str:
    """For a message: the bodies whose files have so many joints, between which only people can
    choose."""
    bodies = {name: load(name).recorded for name in names()}
    known = ", ".join(f"{name} ({count})" for name, count in bodies.items())
    fit = [name for name, count in bodies.items() if count == joints]
    return f"{' or '.join(fit)} would fit" if fit else f"none has so many; known: {known}"
