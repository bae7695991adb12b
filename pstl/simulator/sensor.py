"""What a Kinect makes of a scene: a viewpoint, noise, guesses for hidden joints, and the defects
that real recordings have."""

import itertools
from typing import NamedTuple

import numpy as np

from pstl.config import Frozen
from pstl.simulator.body import JOINT, about

FIRST_ID = 72057594037927936  # 2 ** 56: ids of NTU lie a few thousand above it
SAME_FLOAT = 16  # distance of neighbouring float64 there
TRACKED, INFERRED = 2, 1
# Joints that the sensor follows less well, relative to the trunk.
UNSTEADY = {"wrist": 1.3, "hand": 1.6, "hand tip": 2.2, "thumb": 2.2, "ankle": 1.4, "foot": 1.8}
LIMB_NAMES = (("elbow", "wrist", "hand", "hand tip", "thumb"), ("knee", "ankle", "foot"))


def limb(side: str, names: tuple[str, ...]) -> tuple[int, ...]:
    """The joints of one limb."""
    return tuple(JOINT[f"{side} {name}"] for name in names)


LIMBS = tuple(itertools.starmap(limb, itertools.product(("left", "right"), LIMB_NAMES)))


class Noise(Frozen):
    """How bad the recordings are.

    Lengths in metres; the others are shares of clips, or of frames where it says so.
    """

    # Pitch and roll of the mount, anew for each clip; the recipes' view alignment is about the
    # vertical only.
    tilt_deg: float = 5.0
    jitter: float = 0.006  # white, per frame, at 3 m
    drift: float = 0.010  # slow, per joint
    guess: float = 0.05  # slow error of an inferred joint, times its unsteadiness
    lost_limb: float = 0.12  # share of limbs that are inferred for a while, seen or not
    dropped_frame: float = 0.01  # share of frames that are missing from the file
    empty: float = 0.06  # clips with a few frames without any body
    ghost: float = 0.08  # clips in which furniture is taken for a person
    slot_change: float = 0.15  # clips with two bodies or more that exchange their slots half-way
    absence: float = 0.08  # clips with two bodies or more in which one vanishes for a while


class Camera(NamedTuple):
    """azimuth_deg: around the scene.   pitch_deg: downwards.   height, distance: metres."""

    azimuth_deg: float
    pitch_deg: float
    height: float
    distance: float
    roll_deg: float = 0.0


# Camera 2 stands in front; 1, the test view of xview, and 3 stand on either side. Heights and
# pitches differ, so that turning the shoulders parallel to x, which undoes the azimuth, does not
# make the three views alike.
CAMERAS = (Camera(-45, 12, 1.8, 3.2), Camera(0, 2, 1.1, 3.0), Camera(45, 20, 2.3, 3.4))


class Sensed(NamedTuple):
    """xyz: (T, V, M, 3) float32, metres.

    ids: (T, M) int64, 0 absent.   tracking: (T, V, M) uint8.   Slots are filled from 0.
    """

    xyz: np.ndarray
    ids: np.ndarray
    tracking: np.ndarray


def film(scene: np.ndarray, camera: Camera, rng: np.random.Generator, noise: Noise) -> Sensed:
    """Record a scene (T, V, M, 3) as `perform` makes it.

    One generator decides everything, in a fixed order.
    """
    pitch, roll = rng.normal(0, noise.tilt_deg, 2)
    seen = view(
        scene, camera._replace(pitch_deg=camera.pitch_deg + pitch, roll_deg=camera.roll_deg + roll)
    )
    tracking = _track(seen, rng, noise)
    xyz = seen + _error(seen, tracking, rng, noise)
    frames, people = xyz.shape[0], xyz.shape[2]
    present = np.ones((frames, people), bool)
    if people > 1 and rng.random() < noise.absence:
        present[_stretch(rng, frames, frames // 4), rng.integers(people)] = False
    if rng.random() < noise.ghost:
        xyz, tracking, present = _with_ghost(xyz, tracking, present, rng)
    if rng.random() < noise.empty:
        present[_stretch(rng, frames, 4)] = False
    ids = np.where(
        present,
        FIRST_ID
        + SAME_FLOAT * rng.integers(1, 600)
        + rng.permutation(SAME_FLOAT // 2)[: xyz.shape[2]],
        0,
    )
    slots = (
        rng.permutation(xyz.shape[2]) if xyz.shape[2] > people or people > 1 else np.arange(people)
    )
    order = np.broadcast_to(slots, ids.shape).copy()
    if len(slots) > 1 and rng.random() < noise.slot_change:
        order[rng.integers(1, frames) :] = np.roll(slots, 1)
    kept = rng.random(frames) >= noise.dropped_frame
    kept[0] = True
    return _packed(xyz[kept], ids[kept], tracking[kept], order[kept])


def view(scene: np.ndarray, camera: Camera) -> np.ndarray:
    """Scene coordinates (..., 3) in the camera's own: x to its left, y up, z away from it."""
    turned = scene @ about(1, np.array([camera.azimuth_deg]))[0].T
    turned = turned + np.array([0, -camera.height, camera.distance])
    # Looking down by the pitch is the same as tilting the world up.
    mount = about(2, np.array([camera.roll_deg]))[0] @ about(0, np.array([-camera.pitch_deg]))[0]
    return turned @ mount.T


def _track(seen: np.ndarray, rng: np.random.Generator, noise: Noise) -> np.ndarray:
    """(T, V, M) uint8 tracking states: joints behind the own trunk are inferred, and now and then a
    limb is lost."""
    tracking = np.full(seen.shape[:3], TRACKED, np.uint8)
    low, high = (seen[:, JOINT[name]] for name in ("spine base", "spine shoulder"))
    axis = high - low
    along = ((seen - low[:, None]) * axis[:, None]).sum(-1) / (axis**2).sum(-1)[:, None]
    nearest = low[:, None] + np.clip(along, 0, 1)[..., None] * axis[:, None]
    # In the image, scaled to the trunk's distance: less than a hand's breadth beside its axis, and
    # clearly behind it.
    beside = (
        np.linalg.norm(seen[..., :2] / seen[..., 2:] - nearest[..., :2] / nearest[..., 2:], axis=-1)
        * nearest[..., 2]
    )
    hidden = (beside < 0.11) & (seen[..., 2] > nearest[..., 2] + 0.08)
    for person in range(seen.shape[2]):
        for limb in LIMBS:
            tracking[:, limb, person] = np.where(hidden[:, limb, person], INFERRED, TRACKED)
            if rng.random() < noise.lost_limb:
                run = _stretch(rng, len(seen), 20)
                tracking[run, np.array(limb)[:, None], person] = INFERRED
    return tracking


def _error(
    seen: np.ndarray, tracking: np.ndarray, rng: np.random.Generator, noise: Noise
) -> np.ndarray:
    """(T, V, M, 3) metres: white noise that grows with the square of the distance, slow drift,
    larger for inferred joints."""
    unsteady = np.ones(seen.shape[1])
    for name, factor in UNSTEADY.items():
        unsteady[[JOINT[f"left {name}"], JOINT[f"right {name}"]]] = factor
    scale = unsteady[None, :, None, None]
    white = rng.normal(0, noise.jitter, seen.shape) * (seen[..., 2:] / 3) ** 2
    error = scale * (white + noise.drift * _slow(rng, seen.shape))
    inferred = _soft(tracking == INFERRED)[..., None]
    return error + inferred * scale * noise.guess * _slow(rng, seen.shape)


def _slow(rng: np.random.Generator, shape: tuple[int, ...], knot: int = 12) -> np.ndarray:
    """Unit-variance noise along the first axis, drawn at every `knot`-th frame and interpolated
    between."""
    knots = rng.normal(size=(shape[0] // knot + 2, *shape[1:]))
    at = np.arange(shape[0]) / knot
    whole = at.astype(int)
    part = (at - whole).reshape(-1, *[1] * (len(shape) - 1))
    return (1 - part) * knots[whole] + part * knots[whole + 1]


def _soft(flags: np.ndarray, width: int = 3) -> np.ndarray:
    """Fade 0/1 flags (T, ...) in and out over a few frames: guesses grow, they do not jump."""
    padded = np.concatenate(
        [flags[:1].repeat(width, 0), flags, flags[-1:].repeat(width, 0)]
    ).astype(float)
    total = np.concatenate([np.zeros_like(padded[:1]), padded.cumsum(0)])
    return (total[2 * width + 1 :] - total[: -2 * width - 1]) / (2 * width + 1)


def _stretch(rng: np.random.Generator, frames: int, longest: int) -> slice:
    """A random run of frames that leaves the first one out."""
    length = int(rng.integers(1, max(2, min(longest, frames - 1) + 1)))
    start = int(rng.integers(1, max(2, frames - length + 1)))
    return slice(start, start + length)


def _with_ghost(
    xyz: np.ndarray, tracking: np.ndarray, present: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add one more body: furniture, wider than tall, that hardly moves and is there for a part of
    the clip."""
    frames = len(xyz)
    shape = xyz[0, :, 0] - xyz[0, JOINT["spine base"], 0]
    heap = shape[:, [1, 0, 2]] * (0.5, 0.6, 0.5) + (
        rng.choice((-1.3, 1.3)),
        rng.uniform(-0.6, -0.2),
        xyz[0, 0, 0, 2] + 0.4,
    )
    ghost = (
        heap + rng.normal(0, 0.01, (frames, *heap.shape)) + 0.03 * _slow(rng, (frames, *heap.shape))
    )
    shown = np.zeros(frames, bool)
    shown[_stretch(rng, frames, frames)] = True
    state = np.full(tracking.shape[:2], INFERRED, np.uint8)
    return (
        np.concatenate([xyz, ghost[:, :, None]], axis=2),
        np.concatenate([tracking, state[:, :, None]], axis=2),
        np.concatenate([present, shown[:, None]], axis=1),
    )


def _packed(xyz: np.ndarray, ids: np.ndarray, tracking: np.ndarray, order: np.ndarray) -> Sensed:
    """Bring the bodies of each frame into their file order, absent ones last and zero."""
    ids = np.take_along_axis(ids, order, 1)
    rank = np.argsort(ids == 0, axis=1, kind="stable")
    ids, order = np.take_along_axis(ids, rank, 1), np.take_along_axis(order, rank, 1)
    xyz = np.take_along_axis(xyz, order[:, None, :, None], 2)
    tracking = np.take_along_axis(tracking, order[:, None, :], 2)
    absent = (ids == 0)[:, None]
    xyz = np.where(absent[..., None], 0, xyz).astype(np.float32)
    people = max(1, int((ids != 0).sum(1).max()))
    return Sensed(
        xyz[:, :, :people],
        ids[:, :people],
        np.where(absent, 0, tracking).astype(np.uint8)[:, :, :people],
    )
