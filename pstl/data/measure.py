"""In which unit people are, and which way is up, told from the bodies themselves."""

import math
from typing import NamedTuple

import numpy as np

from pstl.skeletons import Skeleton

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}  # in metres
# Of an adult of 1.7 m (pstl/simulator/body.py): from the ankle over knee, hip and spine to the
# shoulders; from the hips to the shoulders; from shoulder to shoulder. Sums of bones do not depend
# on the posture.
LEG_AND_TRUNK, TRUNK, SHOULDERS = 1.39, 0.53, 0.34
# An inch is as likely as a centimetre only where people would have the usual size in it: natural
# logarithm of the ratio.
USUAL = 0.25
UPRIGHT = 75  # percentile of frames: in a picture a bone that points at the camera is short
WORDS = {"-y": "y pointed down", "z": "z pointed up", "-z": "z pointed down"}
WORDS |= {"x": "x pointed up", "-x": "x pointed down"}
# How axes are turned so that y is up, each as (axis taken, sign): rotations, no mirrors.
TURNS = {
    "y": ((0, 1), (1, 1), (2, 1)),
    "-y": ((0, -1), (1, -1), (2, 1)),
    "z": ((0, 1), (2, 1), (1, -1)),
    "-z": ((0, 1), (2, -1), (1, 1)),
    "x": ((1, -1), (0, 1), (2, 1)),
    "-x": ((1, 1), (0, -1), (2, 1)),
}
# A picture's x runs to its right, a sensor's to its own left.
PICTURE_UP = ((0, -1), (1, 1), (2, -1))


class Scale(NamedTuple):
    """metres: of one unit of the file.   said: how that is known, for people."""

    metres: float
    said: str


def lengths(xyz: np.ndarray, body: Skeleton) -> tuple[np.ndarray, float]:
    """A length of each body that no posture changes, and the same of an adult in metres.

    xyz: (T, V, M, 2 or 3), NaN where a joint was not seen.   Returns: lengths (n,), n is 0 where
    nothing can be measured.
    """
    chains = [(_leg(xyz, body), LEG_AND_TRUNK), (_path(xyz, body, body.spine[0]), TRUNK)]
    left, right = body.shoulders
    chains.append((np.linalg.norm(xyz[:, left] - xyz[:, right], axis=-1), SHOULDERS))
    for measured, adult in chains:
        sound = measured[np.isfinite(measured) & (measured > 0)]
        if len(sound):
            return sound, adult
    return np.zeros(0), 1.0


def scale_of(xyz: np.ndarray, body: Skeleton, units: str) -> Scale:
    """What a unit of a file is in metres.

    xyz: (T, V, M, 2 or 3), NaN where a joint was not seen.   units: a key of UNITS; "picture":
    pixels or shares of a picture; "": nobody knows.
    """
    if units in UNITS:
        return Scale(UNITS[units], "" if units == "m" else f"in {units}")
    measured, adult = lengths(xyz, body)
    if not len(measured):
        return Scale(1.0, "of unknown size, taken for metres")
    if units == "picture":
        kind = "shares of a picture" if np.nanmax(np.abs(xyz[..., :2])) <= 3 else "pixels"
        tall = float(np.percentile(measured, UPRIGHT))
        return Scale(adult / tall, f"in {kind}, scaled to people of 1.7 m")
    size = float(np.median(measured))
    ratios = {name: math.log(size * metres / adult) for name, metres in UNITS.items()}
    if abs(ratios["inch"]) > USUAL:
        del ratios["inch"]
    name = min(ratios, key=lambda unit: abs(ratios[unit]))
    return Scale(UNITS[name], f"in {name} by the length of the bones" if name != "m" else "")


def upwards(xyz: np.ndarray, body: Skeleton, flat: bool) -> str:
    """The axis from the hips to the shoulders: "y", "-y", "z", ...; "" where nobody shows it.

    xyz: (T, V, M, 2 or 3).   flat: a picture's, where only y can point up or down.
    """
    trunk = (xyz[:, body.centre] - xyz[:, body.spine[0]]).reshape(-1, xyz.shape[-1])
    trunk = trunk[np.isfinite(trunk).all(axis=1)]
    if not len(trunk):
        return ""
    middle = np.median(trunk, axis=0)
    axis = 1 if flat else int(np.argmax(np.abs(middle)))
    return ("-" if middle[axis] < 0 else "") + "xyz"[axis]


def turned(xyz: np.ndarray, up: str, picture: bool) -> np.ndarray:
    """Coordinates (..., 3) with y up, right-handed as a depth camera's."""
    turn = PICTURE_UP if picture and up == "y" else TURNS[up]
    return np.stack([sign * xyz[..., axis] for axis, sign in turn], axis=-1)


def _leg(xyz: np.ndarray, body: Skeleton) -> np.ndarray:
    """From an ankle to the shoulders (T, M), the mean of both legs; NaN where neither was seen."""
    ankles = [joint for joint, name in enumerate(body.names) if name.endswith("ankle")]
    feet = ankles or [joint for joint, name in enumerate(body.names) if name.endswith("foot")]
    legs = np.stack([_path(xyz, body, joint) for joint in feet])
    seen = np.isfinite(legs)
    total = np.where(seen, legs, 0).sum(axis=0)
    return np.asarray(np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), np.nan))


def _path(xyz: np.ndarray, body: Skeleton, joint: int) -> np.ndarray:
    """The bones from a joint to the body's centre, one after the other (T, M)."""
    total = np.zeros((xyz.shape[0], xyz.shape[2]))
    while joint != body.centre:
        parent = body.parents[joint]
        total = total + np.linalg.norm(xyz[:, joint] - xyz[:, parent], axis=-1)
        joint = parent
    return total
