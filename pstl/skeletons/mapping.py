"""Joints of one body model found in another, by name, so that an encoder of one sensor can be given
recordings of another."""

from functools import cache

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
}
LIMBS = {
    "{side} clavicle": ("shoulder centre",),
    "{side} wrist": ("{side} hand",),
    "{side} hand tip": ("{side} finger tip", "{side} hand"),
    "{side} fingers": ("{side} hand tip", "{side} hand"),
    "{side} finger tip": ("{side} hand tip", "{side} hand"),
    "{side} thumb": ("{side} hand",),
    "{side} thumb tip": ("{side} thumb", "{side} hand"),
    "{side} hip root": ("hip centre", "{side} hip"),
    "{side} ankle": ("{side} foot",),
    "{side} foot": ("{side} toes",),
    "{side} toes": ("{side} foot",),
    "{side} toe tip": ("{side} foot",),
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


def _counterpart(name: str, source: dict[str, int], wanted: Skeleton, given: str) -> int:
    common = SAME.get(name, name)
    for candidate in (common, *NEAREST.get(common, ())):
        if candidate in source:
            return source[candidate]
    lack = f"nothing in {given} stands for it; add it to pstl/skeletons/mapping.py"
    raise UserError(f"joint {name!r} of skeleton {wanted.name}: {lack}")


def fitting(joints: int) -> str:
    """For a message: the bodies with so many joints, between which only people can choose."""
    bodies = {name: load(name).joints for name in names()}
    known = ", ".join(f"{name} ({count})" for name, count in bodies.items())
    fit = [name for name, count in bodies.items() if count == joints]
    return f"{' or '.join(fit)} would fit" if fit else f"none has so many; known: {known}"
