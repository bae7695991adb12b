"""Predict & Cluster's arrays: origin and axes are those of the body in the first frame, each axis
is stretched to [-1, 1], 50 frames (Predict-Cluster spec 1)."""

import logging
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from pstl.config import Frozen
from pstl.contracts import Recipe
from pstl.data.recipes._resize import resize
from pstl.records import Clip
from pstl.skeletons import Skeleton

log = logging.getLogger(__name__)
TRUNK = 0.5  # metres, of every person with `scale: trunk`
SMALL = 1e-6  # shorter lines, and smaller sines between them, are no axes
VERTICAL = np.array([0.0, 1.0, 0.0])  # of recordings
# Columns: left, depth, up of a clip in which no frame shows the body's axes; y is up there.
UNTURNED = np.eye(3)[:, [0, 2, 1]]


class View50(Recipe):
    """All bodies of a clip are moved alike, by the axes of the first. QUIRK(Predict-Cluster spec
    1.1): coordinates are left, depth, up, a left-handed frame, so people are mirrored."""

    class Config(Frozen):
        """Defaults are what the released code does; for cross-view data there is a steadier choice
        (docs/protocols.md).

        frames: of the array.
        frames_for_axes: origin and axes are those of the mean posture of the first so many.
        up: from the lower end of the trunk to the next joint of the spine, or to the shoulders';
            vertical: the recording's own, so that people are turned, and not set upright.
        across: from the right hip or shoulder to the left one.
        scale: trunk: every clip so that the trunk of its first person is half a metre.
        span: axis: the range of each axis over the clip becomes [-1, 1]; metres: left as it is.
        resample: stride: every floor(L / frames)-th frame of a longer clip from its beginning,
            zeros after the end of a shorter one; resize: interpolated, short and long.
        drop_zeros: leave out frames in which somebody's joint has a coordinate of exactly 0.
        """

        frames: int = Field(50, ge=2)
        frames_for_axes: int = Field(1, ge=1)
        up: Literal["spine", "shoulders", "vertical"] = "spine"
        across: Literal["hips", "shoulders"] = "hips"
        scale: Literal["metres", "trunk"] = "metres"
        span: Literal["axis", "metres"] = "axis"
        resample: Literal["stride", "resize"] = "stride"
        drop_zeros: bool = True

    kept_bodies = "the first in the file's order"
    metres = 0.9

    def apply(
        self, clips: Sequence[Clip], skeleton: Skeleton, people: int, cfg: Config
    ) -> tuple[np.ndarray, np.ndarray]:
        """Clips as (N, 3, T, V, M) float32, and their lengths in frames of the array (N,) int64;
        zero beyond them.

        T is the number of recorded frames of the longest clip here, at most `frames`.
        A body or joint that is absent is zero. Where no frame shows the axes (a joint that is
        absent, a trunk in line with the hips), the clip is centred and not turned; it is said.
        """
        bodies, unturned = [], []
        for clip in clips:
            body, turned = prepared(clip.xyz[:, :, :people].astype(np.float64), skeleton, cfg)
            bodies.append(body)
            unturned += [] if turned else [clip.name]
        length = np.array([len(body) for body in bodies], dtype=np.int64)
        frames = cfg.frames
        if cfg.resample == "stride":
            frames = min(frames, max(len(clip.xyz) for clip in clips))
        x = np.zeros((len(clips), 3, frames, skeleton.joints, people), dtype=np.float32)
        for clip_x, body in zip(x, bodies, strict=True):
            clip_x[:, : len(body), :, : body.shape[2]] = body.transpose(3, 0, 1, 2)
        if unturned:
            said = "%d clips show no body axes and are not turned, e.g. %s"
            log.warning(said, len(unturned), unturned[0])
        return x, length

    def frames(self, cfg: Config) -> int:
        """As set."""
        return cfg.frames

    def spanned(self, frames: int, cfg: Config) -> int:
        """With a stride, what is left after as many equal steps is never seen."""
        if cfg.resample == "resize" or frames <= cfg.frames:
            return frames
        return frames // cfg.frames * cfg.frames


def prepared(bodies: np.ndarray, skeleton: Skeleton, cfg: View50.Config) -> tuple[np.ndarray, bool]:
    """One clip (T, V, M, 3) as it enters the array (T', V, M, 3), and whether it is turned."""
    bodies, recorded = kept(bodies, cfg.drop_zeros)
    view = first_view(bodies, recorded, skeleton, cfg)
    bodies = (bodies - view.origin) @ view.rotation * view.scale
    if cfg.span == "axis":
        bodies = stretched(bodies, recorded)
    bodies = resampled(np.where(recorded[..., None], bodies, 0), cfg)
    return bodies, view.rotation is not UNTURNED


class View(NamedTuple):
    """How a clip is looked at: p -> (p - origin) @ rotation * scale."""

    origin: np.ndarray
    rotation: np.ndarray
    scale: float


def kept(bodies: np.ndarray, drop_zeros: bool) -> tuple[np.ndarray, np.ndarray]:
    """The frames that are kept, and which joints are recorded in them (T', V, M) bool.

    bodies: (T, V, M, 3).   Returns: (T', V, M, 3), T' >= 1.
    Frames without anybody go. Of the others those with a zero coordinate go, unless all would: then
    they stay, without the joints that are at 0. Where people stand around the origin, as CMU's do,
    0 is a place like any other.
    """
    recorded = np.asarray(bodies.any(axis=3))
    present = np.asarray(recorded.any(axis=1))  # (T, M)
    complete = present.any(axis=1)
    if surround_origin(bodies):
        recorded = np.broadcast_to(present[:, None], recorded.shape)
    elif drop_zeros:
        holes = (bodies == 0).any(axis=(1, 3)) & present
        complete = complete & ~holes.any(axis=1)
    chosen = np.flatnonzero(complete)
    if not len(chosen):
        chosen = np.flatnonzero(present.any(axis=1))
    if not len(chosen):
        chosen = np.zeros(1, dtype=np.int64)
    return bodies[chosen], recorded[chosen]


def surround_origin(bodies: np.ndarray) -> bool:
    """Whether the origin is inside the box around a clip's joints; a sensor never is.

    bodies: (T, V, M, 3).
    """
    return bool(((bodies < 0).any(axis=(0, 1, 2)) & (bodies > 0).any(axis=(0, 1, 2))).all())


def first_view(
    bodies: np.ndarray, recorded: np.ndarray, skeleton: Skeleton, cfg: View50.Config
) -> View:
    """Origin, axes and scale by the first person who is in the clip (Predict-Cluster spec 1.1).

    bodies: (T, V, M, 3).   recorded: (T, V, M) bool.
    """
    slot = int(np.argmax(recorded.any(axis=(0, 1))))
    person, seen = bodies[:, :, slot], recorded[:, :, slot]
    low, top = skeleton.spine[0], skeleton.spine[1] if cfg.up == "spine" else skeleton.centre
    left, right = skeleton.hips if cfg.across == "hips" else skeleton.shoulders
    up, across = person[:, top] - person[:, low], person[:, left] - person[:, right]
    if cfg.up == "vertical":
        up = np.broadcast_to(VERTICAL, up.shape)
    shown = seen[:, [low, top, left, right]].all(axis=1) & independent(up, across)
    first = np.flatnonzero(shown)[: cfg.frames_for_axes]
    if not len(first) or not independent(up[first].mean(0), across[first].mean(0)):
        return View(person[int(np.argmax(seen[:, low])), low], UNTURNED, 1.0)
    rotation = axes(up[first].mean(0), across[first].mean(0))
    trunk = np.linalg.norm(person[first, skeleton.centre] - person[first, low], axis=1).mean()
    scale = TRUNK / trunk if cfg.scale == "trunk" and trunk > SMALL else 1.0
    return View(person[first, low].mean(0), rotation, float(scale))


def independent(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether two lines (..., 3) span a plane."""
    product = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    area = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray((product > SMALL**2) & (area > SMALL * product))


def axes(up: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The body's axes as columns: left, depth, up.   up, across: (3,).   Returns: (3, 3)."""
    up = up / np.linalg.norm(up)
    left = across - (across @ up) * up
    left = left / np.linalg.norm(left)
    return np.stack([left, np.cross(left, up), up], axis=1)


def stretched(bodies: np.ndarray, recorded: np.ndarray) -> np.ndarray:
    """Each axis by itself so that its recorded joints lie in [-1, 1] over the clip; one without
    extent is 0.

    bodies: (T, V, M, 3).   recorded: (T, V, M) bool.
    """
    if not recorded.any():
        return bodies
    low, high = bodies[recorded].min(axis=0), bodies[recorded].max(axis=0)
    extent = np.where(high > low, high - low, 1.0)
    return np.asarray(np.where(high > low, 2 * (bodies - low) / extent - 1, 0.0))


def resampled(bodies: np.ndarray, cfg: View50.Config) -> np.ndarray:
    """At most `frames` frames as `resample` says.   (T, V, M, 3) -> (T', V, M, 3)."""
    if cfg.resample == "stride":
        step = max(len(bodies) // cfg.frames, 1)
        return bodies[::step][: cfg.frames]
    slots = [np.ascontiguousarray(bodies[:, :, slot]) for slot in range(bodies.shape[2])]
    rows = resize(slots, np.full(len(slots), len(bodies)), cfg.frames)  # (M, 3, T', V)
    return rows.transpose(2, 3, 0, 1)


RECIPE = View50()
