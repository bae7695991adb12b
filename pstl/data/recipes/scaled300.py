"""PSP's arrays, from DSTA-Net: likely persons, no empty frames, centred and scaled once per clip, upright, facing one way (spec 2.1)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pstl.config import Frozen
from pstl.data.recipes._rotation import turn, turned
from pstl.data.spec import RawSequence
from pstl.skeletons import Skeleton

LONGEST = 300  # frames; longer recordings lose their end
WEAK = 0.85  # of the largest energy: a body with less may be an object
LEAN = 0.8  # and is a person if this share of the range of its joint 0 in y is more than that in x


class Config(Frozen):
    """The released value for 25 joints is the elbow, as in DSTA-Net's code."""

    # From the shoulders' middle to this joint of the left arm is +x. shoulder: our choice for NW-UCLA, where no code is published; it
    # is what the elbow must be meant for (spec section 9).
    facing: Literal["elbow", "shoulder"] = "elbow"


def apply(clips: Sequence[RawSequence], skeleton: Skeleton, people: int, cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Clips as (N, 3, T, V, M) float32 in spine lengths, and their lengths (N,) int64; zero beyond them.

    T is the length of the longest clip here, at most 300. Empty frames are left out wherever they stand, which the released code does
    in two steps. A clip without any recorded frame keeps one, empty.
    """
    bodies = [normalise(packed(likely_persons(by_body(clip)[:LONGEST], people)), skeleton, cfg) for clip in clips]
    length = np.array([body.shape[1] for body in bodies], dtype=np.int64)
    x = np.zeros((len(clips), 3, int(length.max()), skeleton.joints, people), dtype=np.float32)
    for clip, body, frames in zip(x, bodies, length, strict=True):
        clip[:, :frames, :, : len(body)] = body.transpose(3, 1, 2, 0)
    return x, length


def by_body(clip: RawSequence) -> np.ndarray:
    """(T, V, bodies, 3): every body the sensor told apart in a slot of its own, whichever slot of the file it stood in.

    A body that is in a frame twice gives its later copy a slot of its own, as in the released code. Where no bodies are told apart,
    the slots of the file.
    """
    if clip.bodies is None or ((clip.bodies == 0) | (clip.bodies == np.arange(1, clip.bodies.shape[1] + 1))).all():
        return clip.xyz
    number = clip.bodies.astype(np.int64)
    for slot in range(1, number.shape[1]):
        while (again := (number[:, :slot] == number[:, slot : slot + 1]).any(axis=1) & (number[:, slot] > 0)).any():
            number[again, slot] += clip.bodies.max()
    frames, slots = np.nonzero(number)
    known, which = np.unique(number[frames, slots], return_inverse=True)
    found = np.zeros((*clip.xyz.shape[:2], len(known), 3), clip.xyz.dtype)
    found[frames, :, which] = clip.xyz[frames, :, slots]
    return found


def likely_persons(xyz: np.ndarray, people: int) -> np.ndarray:
    """The bodies that move most, most first, without those that move little and look like objects (spec 2.1.2).

    A body's energy is the sum over x, y, z of the standard deviation of its joints about joint 0 of the same frame, in the frames where
    it is not empty. xyz: (T, V, slots, 3).   Returns: (M, T, V, 3), M at least 1 and at most `people`.
    """
    bodies = np.ascontiguousarray(xyz.transpose(2, 0, 1, 3))
    found = [body for body in bodies if body.any()]
    if len(found) > 1:
        energy = np.array([spread(body) for body in found])
        order = np.argsort(-energy, kind="stable")
        found = [found[i] for i in order if energy[i] >= WEAK * energy.max() or upright_person(found[i])]
    return np.stack(found[:people]) if found else bodies[:1]


def spread(body: np.ndarray) -> float:
    """body: (T, V, 3)."""
    there = body[body.any(axis=(1, 2))]
    return float((there - there[:, :1]).reshape(-1, 3).T.copy().std(axis=1).sum())


def upright_person(body: np.ndarray) -> bool:
    """Whether joint 0 ranges up and down nearly as far as sideways, as the released code tells persons from objects."""
    path = body[body.any(axis=(1, 2)), 0]
    sideways, upwards = np.ptp(path[:, 0]), np.ptp(path[:, 1])
    return bool(LEAN * upwards > sideways)


def packed(bodies: np.ndarray) -> np.ndarray:
    """Without the frames in which nobody is; at least one frame.   (M, T, V, 3) -> (M, T', V, 3)."""
    there = bodies.any(axis=(0, 2, 3))
    return bodies[:, there] if there.any() else bodies[:, :1]


def normalise(bodies: np.ndarray, skeleton: Skeleton, cfg: Config) -> np.ndarray:
    """Origin, unit and axes from the first person, one set per clip (spec 2.1.3).   (M, T, V, 3) -> same shape, float32.

    The lower end of its spine in frame 0 is the origin, the length of its spine, where first seen, the unit; its spine in frame 0
    is +z, and its left arm turned about z until it points along +x. What is zero stays zero.
    """
    low, top, (left, _) = skeleton.spine[0], skeleton.centre, skeleton.shoulders
    arm = left if cfg.facing == "shoulder" else skeleton.parents.index(left)
    recorded = (bodies[..., :1] != 0) | (bodies[..., 1:2] != 0) | (bodies[..., 2:] != 0)
    x = np.where(recorded, bodies - bodies[0, 0, low], 0).astype(np.float64)
    spine = np.linalg.norm(x[0, :, top] - x[0, :, low], axis=-1)
    if spine.any():
        x /= spine[np.flatnonzero(spine)[0]]
    x = turned(x, turn(x[0, 0, top] - x[0, 0, low], np.array([0.0, 0.0, 1.0])))
    across = x[0, 0, arm] - x[0, 0, top]
    x = turned(x, turn(across * (1, 1, 0), np.array([1.0, 0.0, 0.0])))
    return x.astype(np.float32)
