"""MAMP's arrays, from the pipeline of CTR-GCN: noise bodies left out, the main actor first, no
empty frames, one origin a clip (MAMP spec 2.1). Nobody is turned or scaled."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pstl.config import Frozen
from pstl.contracts import Recipe
from pstl.data.recipes._bodies import by_body
from pstl.records import Clip
from pstl.skeletons import Skeleton

LONGEST = 300  # frames; longer recordings lose their end
ACTORS = 2
# A body with no more frames than this is noise, if there is another (MAMP spec 2.1.2).
BRIEF = 11
# So is one with at least this part of its frames wider than so many times their height.
LEANING, WIDTH = 0.69754, 0.8


class Track(NamedTuple):
    """One body of a clip.

    start: its first frame, of those in which anybody is.   xyz: (T, V, 3), its own frames.
    """

    start: int
    xyz: np.ndarray

    @property
    def end(self) -> int:
        """The frame after its last, if it had no gaps: as the released code numbers them."""
        return self.start + len(self.xyz)


class Ctr300(Recipe):
    """Metres around the middle of the main actor's spine, where that is first seen."""

    longest = LONGEST
    kept_bodies, kept_frames = "the two that move most", "the first"

    def apply(
        self, clips: Sequence[Clip], skeleton: Skeleton, people: int, cfg: Frozen
    ) -> tuple[np.ndarray, np.ndarray]:
        """Clips as (N, 3, T, V, M) float32, and their lengths (N,) int64; zero beyond them.

        T is the length of the longest clip here, at most 300. A clip without any recorded frame
        keeps one, empty.
        """
        made = [centred(actors(clip)[:, :LONGEST], skeleton) for clip in clips]
        length = np.array([bodies.shape[1] for bodies in made], dtype=np.int64)
        x = np.zeros((len(clips), 3, int(length.max()), skeleton.joints, people), dtype=np.float32)
        for row, bodies, frames in zip(x, made, length, strict=True):
            kept = bodies[:people]
            row[:, :frames, :, : len(kept)] = kept.transpose(3, 1, 2, 0)
        return x, length

    def one_body_a_slot(self, clip: Clip) -> np.ndarray:
        """(T, V, bodies, 3), every id a body."""
        return by_body(clip, "exact")


def actors(clip: Clip) -> np.ndarray:
    """The main actor and, where somebody else is there at the same time, the second.

    Returns: (1 or 2, T, V, 3), without the frames in which neither is; at least one frame.
    QUIRK(MAMP spec 2.1.4): what a track lost in the middle is closed, so its later frames come too
    early.
    """
    bodies = by_body(clip, "exact")
    bodies = bodies[bodies.any(axis=(1, 2, 3))]  # (T, V, slots, 3)
    scene = np.zeros((ACTORS, *bodies.shape[:2], 3), dtype=np.float32)
    for actor, track in cast(persons(tracks(bodies))):
        scene[actor, track.start : track.end] = track.xyz
    present = scene.any(axis=(0, 2, 3))
    if not present.any():
        return np.zeros((1, 1, clip.xyz.shape[1], 3), dtype=np.float32)
    scene = scene[:, present]
    return scene if scene[1].any() else scene[:1]


def tracks(bodies: np.ndarray) -> list[Track]:
    """Every body that is there at all, in the order of its slot.   bodies: (T, V, slots, 3)."""
    every = []
    for slot in range(bodies.shape[2]):
        body = bodies[:, :, slot]
        present = body.any(axis=(1, 2))
        if present.any():
            every.append(Track(int(np.argmax(present)), body[present]))
    return every


def persons(bodies: list[Track]) -> list[Track]:
    """Tracks that are no noise, those that move most first; a single one always is a person.

    Where all are brief they stay, which the released code does not survive.
    """
    if len(bodies) < 2:
        return bodies
    left = [body for body in bodies if len(body.xyz) > BRIEF] or bodies
    kept: list[Track] = []
    amount: list[float] = []
    for i, body in enumerate(left):
        if not kept and i == len(left) - 1:
            return [body]
        upright = is_upright(body.xyz)
        if np.count_nonzero(~upright) / len(upright) < LEANING:
            kept.append(body)
            amount.append(min(spread(body.xyz), spread(body.xyz[upright])))
    return [kept[i] for i in np.argsort([-value for value in amount], kind="stable")]


def is_upright(xyz: np.ndarray) -> np.ndarray:
    """(T, V, 3) -> (T,) bool: frames whose joints are not wider than 0.8 of their height."""
    width, height = np.ptp(xyz[:, :, 0], axis=1), np.ptp(xyz[:, :, 1], axis=1)
    return np.asarray(width <= WIDTH * height)


def spread(xyz: np.ndarray) -> float:
    """Sum of the variances of x, y and z over all joints and frames.   xyz: (T, V, 3), T >= 1."""
    return float(xyz.reshape(-1, 3).astype(np.float64).T.copy().var(axis=1).sum())


def cast(bodies: list[Track]) -> list[tuple[int, Track]]:
    """Which tracks are actor 0 and which are actor 1; what overlaps with both is left out.

    QUIRK(MAMP spec 2.1.3): actor 1 counts as there from frame 0 on, and an overlap of one frame as
    none.
    """
    spans: list[list[int]] = []
    parts = []
    for body in bodies:
        if not spans:
            spans = [[body.start, body.end], [0, 1]]
            parts.append((0, body))
            continue
        for actor, span in enumerate(spans):
            if min(span[1], body.end) - max(span[0], body.start) <= 1:
                span[:] = min(span[0], body.start), max(span[1], body.end)
                parts.append((actor, body))
                break
    return parts


def centred(bodies: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """All that is there, around the middle of the first body's spine in its first frame.

    (M, T, V, 3) -> same shape, float32; a body stays zero in frames in which it is absent.
    """
    present: np.ndarray = np.asarray(bodies.any(axis=(2, 3), keepdims=True))
    first = int(np.argmax(present[0]))
    return np.asarray(np.where(present, bodies - bodies[0, first, skeleton.spine[1]], 0))


RECIPE = Ctr300()
