"""PSP's arrays, from DSTA-Net: likely persons, no empty frames, centred and scaled once per clip,
upright, facing one way (PSP spec 2.1)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pstl.config import Frozen
from pstl.contracts import Recipe
from pstl.data.recipes._bodies import by_body
from pstl.data.recipes._rotation import turn, turned
from pstl.records import Clip
from pstl.skeletons import Skeleton

LONGEST = 300  # frames; longer recordings lose their end
# A body with less than this part of the largest energy may be an object; it is a person if this
# part of the height of its joints is more than their width.
WEAK, LEAN = 0.85, 0.8


class Scaled300(Recipe):
    """Bodies in spine lengths, about half a metre."""

    class Config(Frozen):
        """Defaults are what the released code does with NTU's 25 joints.

        facing: from the shoulders' middle to this joint of the left arm is +x; the elbow as in
            DSTA-Net's code. shoulder: our choice for NW-UCLA, where no code is published; it is
            what the elbow must be meant for (PSP spec 9).
        ids: released: held as floats, to which ids that differ by less than 16 are one; exact:
        every id
            is a body of its own.
        """

        facing: Literal["elbow", "shoulder"] = "elbow"
        ids: Literal["released", "exact"] = "released"

    longest = LONGEST
    kept_bodies, kept_frames = "those that move most", "the first"
    metres = 0.5

    def apply(
        self, clips: Sequence[Clip], skeleton: Skeleton, people: int, cfg: Config
    ) -> tuple[np.ndarray, np.ndarray]:
        """Clips as (N, 3, T, V, M) float32, and their lengths (N,) int64; zero beyond them.

        T is the length of the longest clip here, at most 300. Empty frames are left out wherever
        they stand, which the released code does in two steps. A clip without any recorded frame
        keeps one, empty.
        """
        persons = [likely_persons(by_body(clip, cfg.ids)[:LONGEST], people) for clip in clips]
        bodies = [normalise(packed(chosen), skeleton, cfg) for chosen in persons]
        length = np.array([body.shape[1] for body in bodies], dtype=np.int64)
        x = np.zeros((len(clips), 3, int(length.max()), skeleton.joints, people), dtype=np.float32)
        for clip, body, frames in zip(x, bodies, length, strict=True):
            clip[:, :frames, :, : len(body)] = body.transpose(3, 1, 2, 0)
        return x, length

    def one_body_a_slot(self, clip: Clip) -> np.ndarray:
        """(T, V, bodies, 3), as the bodies of the clip are numbered."""
        return by_body(clip)


def likely_persons(xyz: np.ndarray, people: int) -> np.ndarray:
    """The bodies that move most, most first, without those that move little and look like objects
    (PSP spec 2.1.2).

    A body's energy is the sum over x, y, z of the standard deviation of its joints about joint 0 of
    the same frame, in the frames where it is not empty. A single body is never left out.
    xyz: (T, V, slots, 3).   Returns: (M, T, V, 3), M from 1 to `people`.
    """
    slots = np.ascontiguousarray(xyz.transpose(2, 0, 1, 3))
    bodies = [body for body in slots if body.any()]
    if len(bodies) > 1:
        energy = np.array([spread(body) for body in bodies])
        order = np.argsort(-energy, kind="stable")
        likely = [i for i in order if energy[i] >= WEAK * energy.max() or is_upright(bodies[i])]
        bodies = [bodies[i] for i in likely]
    return np.stack(bodies[:people]) if bodies else slots[:1]


def spread(body: np.ndarray) -> float:
    """Energy of one body that is not all zero.   body: (T, V, 3)."""
    present = body[body.any(axis=(1, 2))].astype(np.float64)
    return float((present - present[:, :1]).reshape(-1, 3).T.copy().std(axis=1).sum())


def is_upright(body: np.ndarray) -> bool:
    """Whether the joints of the first frame with this body stand nearly as high as wide, or higher.

    By this the released code tells persons from objects: 0.8 times the height of the bounding box
    is more than its width.   body: (T, V, 3), not all zero.
    """
    first = body[int(np.argmax(body.any(axis=(1, 2))))].astype(np.float64)
    width, height = np.ptp(first[:, 0]), np.ptp(first[:, 1])
    return bool(LEAN * height > width)


def packed(bodies: np.ndarray) -> np.ndarray:
    """Without the frames in which nobody is; at least one frame.

    (M, T, V, 3) -> (M, T', V, 3).
    """
    present = bodies.any(axis=(0, 2, 3))
    return bodies[:, present] if present.any() else bodies[:, :1]


def normalise(bodies: np.ndarray, skeleton: Skeleton, cfg: Scaled300.Config) -> np.ndarray:
    """Origin, unit and axes from the first person, one set per clip (PSP spec 2.1.3).

    The lower end of its spine in frame 0 is the origin, the length of its spine, where first seen,
    the unit; its spine in frame 0 is +z, and its left arm turned about z until it points along +x.
    What is zero stays zero.   (M, T, V, 3) -> same shape, float32.
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


RECIPE = Scaled300()
