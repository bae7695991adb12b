"""Joints of one body model found in another, by name, so that an encoder of one sensor can be given
recordings of another."""

from functools import cache

from pstl.errors import UserError
from pstl.skeletons import Skeleton, load, names

# Two names of one place. The 20-joint body of the first Kinect has three trunk joints, the second
# Kinect four and other names.
SAME = {"spine base": "hip centre", "spine mid": "spine", "spine shoulder": "shoulder centre"}
# Joints a body may lack -> the nearest one it has; only used where neither the name nor its synonym
# is there.
NEAREST = {
    "neck": "shoulder centre",
    "left hand tip": "left hand",
    "left thumb": "left hand",
    "right hand tip": "right hand",
    "right thumb": "right hand",
}


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
    for candidate in (common, NEAREST.get(common, "")):
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
