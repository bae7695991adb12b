"""SCD-Net's arrays, from the CMD pipeline: the liveliest bodies, no empty frames, centred on the
spine, two rotations (SCD-Net spec 2.1)."""

from collections.abc import Sequence

import numpy as np

from pstl.config import Frozen
from pstl.contracts import Recipe
from pstl.data.recipes._rotation import turn, turned
from pstl.records import Clip
from pstl.skeletons import Skeleton

# Frames; longer recordings lose their end, and their length with it (SCD-Net spec 2.2).
LONGEST = 300
SLOTS = 4  # body slots looked at, in file order


class Spine300(Recipe):
    """Origin: the first body's spine in each frame; axes: of its first frame."""

    class Config(Frozen):
        """What the pipelines that share these arrays do differently."""

        # Turn the spine onto +z, before the shoulders; UmURL's code does not (UmURL spec 1.1).
        spine_up: bool = True

    longest = LONGEST
    kept_bodies, kept_frames = "those of the first four that spread most", "the first"

    def apply(
        self, clips: Sequence[Clip], skeleton: Skeleton, people: int, cfg: Config
    ) -> tuple[np.ndarray, np.ndarray]:
        """Clips as (N, 3, T, V, M) float32, metres, and their lengths (N,) int64.

        T is the length of the longest clip here, at most 300. The released arrays always have 300
        frames, the rest filled by repetition; no step that follows reads beyond a clip's length, so
        what is left out here is never missed. It is zero.
        """
        length = np.array([min(len(clip.xyz), LONGEST) for clip in clips], dtype=np.int64)
        x = np.zeros((len(clips), 3, int(length.max()), skeleton.joints, people), dtype=np.float32)
        for i, clip in enumerate(clips):
            bodies = np.stack([fill(body) for body in liveliest(clip.xyz[:LONGEST], people)])
            bodies = upright(centre(bodies, skeleton), skeleton, cfg.spine_up)
            x[i, :, : length[i], :, : len(bodies)] = bodies.transpose(3, 1, 2, 0)
        return x, length


def liveliest(xyz: np.ndarray, people: int) -> list[np.ndarray]:
    """The bodies that spread most, most first, without absent ones unless all are.

    A body's spread is std(x) + std(y) + std(z) over all joints of its frames that are not empty.
    xyz: (T, V, slots, 3).   Returns: from 1 to `people` arrays (T, V, 3).
    """
    bodies = [np.ascontiguousarray(xyz[:, :, slot]) for slot in range(min(xyz.shape[2], SLOTS))]
    if len(bodies) == 1:
        return bodies
    present = [body for body in bodies if body.any()]
    spread = [sum(body[recorded(body)].reshape(-1, 3).T.copy().std(1)) for body in present]
    order = np.argsort([-value for value in spread], kind="stable")
    return [present[i] for i in order[:people]] or bodies[:1]


def recorded(body: np.ndarray) -> np.ndarray:
    """(T, V, 3) -> (T,) bool: frames with coordinates in them."""
    return np.asarray(body.reshape(len(body), -1).any(axis=1))


def fill(body: np.ndarray) -> np.ndarray:
    """One body without a late start and an early end.   (T, V, 3) -> same shape.

    If the first frame is empty, all frames that are not empty move to the front. Then the trailing
    empty frames repeat what stands before them, from its beginning. Empty frames in between are
    left as they are; an absent body stays zero.
    """
    present = recorded(body)
    if present.all() or not present.any():
        return body
    if not present[0]:
        kept = body[present]
        last = len(kept)
    else:
        last = int(np.flatnonzero(present)[-1]) + 1
        kept = body[:last]
    return kept[np.arange(len(body)) % last]


def centre(bodies: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Subtract the first body's middle of the spine in every frame from all that is not zero.

    (M, T, V, 3) -> same shape.
    """
    middle = bodies[:1, :, skeleton.spine[1]][:, :, None]
    # sum() along three values takes ten times as long.
    total = bodies[..., 0] + bodies[..., 1] + bodies[..., 2]
    return (bodies - middle) * (total != 0)[..., None]


def upright(bodies: np.ndarray, skeleton: Skeleton, spine_up: bool = True) -> np.ndarray:
    """Two rotations of the whole clip, both measured in frame 0 of the first body.

    Its spine onto +z, if it is to be up, then its shoulders onto +x. The second one may tilt the
    first a little: its axis is free (SCD-Net spec 2.1).   (M, T, V, 3) -> same shape, float32.
    """
    spine, shoulders = (skeleton.spine, (0.0, 0.0, 1.0)), (skeleton.shoulders, (1.0, 0.0, 0.0))
    for (start, end), target in (spine, shoulders) if spine_up else (shoulders,):
        line = (bodies[0, 0, end] - bodies[0, 0, start]).astype(np.float64)
        bodies = turned(bodies, turn(line, np.array(target))).astype(np.float32)
    return bodies


RECIPE = Spine300()
