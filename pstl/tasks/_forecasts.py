"""Windows of one person's motion: what was seen, and what came next."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from pstl.encoding.recorded import Recorded
from pstl.errors import UserError
from pstl.records import Clip
from pstl.registry import load_dataset
from pstl.skeletons import Skeleton
from pstl.skeletons import load as load_skeleton


class Forecasts(NamedTuple):
    """Windows of one person, metres, around the centre of the last pose seen.

    That pose has its shoulders along x.
    seen: (N, observe, V, 3).   future: (N, predict, V, 3), the frames that follow.
    recording: (N,) int64, which of its side's recordings a window is of.
    action: (N,) int64, the class of its first predicted frame, -1 for none.
    """

    seen: np.ndarray
    future: np.ndarray
    recording: np.ndarray
    action: np.ndarray

    def part(self, chosen: np.ndarray | slice) -> "Forecasts":
        """Some of the windows."""
        return Forecasts(*(each[chosen] for each in self))

    @property
    def windows(self) -> np.ndarray:
        """(N, observe + predict, V, 3), what was seen and what came."""
        return np.concatenate([self.seen, self.future], axis=1)

    @property
    def targets(self) -> np.ndarray:
        """(N, predict, V, 3) offsets to the last pose seen."""
        return self.future - self.seen[:, -1:]


class Protocol(NamedTuple):
    """Frames of the windows, and between them in training and in test."""

    observe: int
    predict: int
    stride: int
    test_stride: int


Side = Literal["training", "test", "every test"]


def forecasts(inputs: Recorded, protocol: Protocol, side: Side) -> Forecasts:
    """Windows of one side's recordings; test windows by the data set's own protocol if it has one.

    "every test": those of the test side that begin at any frame.

    Of several bodies one is predicted, see one_body(); windows in which it is absent for a frame
    are left out.
    Raises: UserError if there is none.
    """
    windows, recording, action = [], [], []
    for number, label, window in _cut(inputs, protocol, side):
        if window.any(axis=(1, 2)).all():
            windows.append(window)
            recording.append(number)
            action.append(label)
    if not windows:
        frames = f"{protocol.observe} + {protocol.predict} frames"
        raise UserError(
            f"{inputs.store.dataset}/{inputs.run.split}: no {side} recording shows one person for "
            f"{frames}; lower observe or predict of the task"
        )
    skeleton = load_skeleton(inputs.store.spec.skeleton)
    aligned = face(np.stack(windows), protocol.observe - 1, skeleton)
    seen, future = aligned[:, : protocol.observe], aligned[:, protocol.observe :]
    return Forecasts(seen, future, np.array(recording), np.array(action))


def _cut(inputs: Recorded, protocol: Protocol, side: Side) -> Iterator[tuple[int, int, np.ndarray]]:
    """Windows (observe + predict, V, 3) of one side's recordings, as they were recorded, each with
    the number of its recording and the class of its first predicted frame.
    """
    dataset = load_dataset(inputs.store.dataset)
    shown = np.arange(-protocol.observe, protocol.predict)
    for number, stored in enumerate(inputs.train if side == "training" else inputs.test):
        recording = inputs.store[stored]
        labels, xyz = recording.labels(), one_body(recording.clip)
        stride = {"training": protocol.stride, "test": protocol.test_stride}.get(side, 1)
        last = len(xyz) - protocol.predict
        public = dataset.forecast_starts(len(xyz)) if side == "test" else None
        starts = range(protocol.observe, last + 1, stride) if public is None else public
        for first in starts:
            if protocol.observe <= first <= last:
                yield number, int(labels[first]), xyz[first + shown]


def one_body(clip: Clip) -> np.ndarray:
    """(T, V, 3) of the body that is there longest, whatever its slot, zero where it is absent.

    Without numbers of bodies the first slot.
    """
    if clip.bodies is None:
        return clip.xyz[:, :, 0]
    longest = np.bincount(clip.bodies.ravel(), minlength=2)[1:].argmax() + 1
    present = (clip.bodies == longest).astype(clip.xyz.dtype)
    return np.einsum("tvmc,tm->tvc", clip.xyz, present)


def face(xyz: np.ndarray, frame: int, skeleton: Skeleton) -> np.ndarray:
    """Windows moved and turned about the vertical as a whole.

    By one frame: its centre comes to the origin, its shoulders along x.
    xyz: (N, T, V, 3), y up.
    Returns: the same shape, float32; distances, and so errors, do not change.
    """
    xyz = xyz.astype(np.float64) - xyz[:, frame : frame + 1, skeleton.centre : skeleton.centre + 1]
    left, right = skeleton.shoulders
    line = xyz[:, frame, right] - xyz[:, frame, left]
    angle = np.arctan2(line[:, 2], line[:, 0])
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    x, y, z = np.moveaxis(xyz, -1, 0)
    return np.stack([cos * x + sin * z, y, -sin * x + cos * z], axis=-1).astype(np.float32)


def joined(one: Forecasts, other: Forecasts) -> Forecasts:
    """The windows of both, one after the other."""
    return Forecasts(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))


def with_mirrored(side: Forecasts, skeleton: Skeleton) -> Forecasts:
    """A side's windows, and after them the same with left and right exchanged."""
    exchanged = side._replace(
        seen=mirrored(side.seen, skeleton), future=mirrored(side.future, skeleton)
    )
    return joined(side, exchanged)


def mirrored(xyz: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Left and right exchanged, of windows whose shoulders lie along x.   (..., V, 3)."""
    return xyz[..., skeleton.mirror, :] * np.array([-1, 1, 1], xyz.dtype)


def both_ways(offsets: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The mean of what was said of windows and of their mirror images, which follow them."""
    as_seen, exchanged = np.split(offsets, 2)
    return (as_seen + mirrored(exchanged, skeleton)) / 2


def liveliest(
    test: Forecasts, offsets: np.ndarray, skeleton: str, count: int
) -> list[dict[str, Any]]:
    """The liveliest window of each of `count` parts of the test windows, for the report.

    In millimetres. Never of recorded people.
    offsets: (N, predict, V, 3) metres, relative to the last pose seen.
    """
    last = test.seen[:, -1:]
    moved = np.linalg.norm(test.future - last, axis=-1).mean((1, 2))
    errors = 1000 * np.linalg.norm(offsets + last - test.future, axis=-1).mean((1, 2))
    shown = []
    for part in np.array_split(np.arange(len(moved)), min(count, len(moved))):
        number = int(part[moved[part].argmax()])
        shown.append(
            {
                "name": f"test window {number + 1}",
                "skeleton": skeleton,
                "mpjpe": round(float(errors[number]), 1),
                "seen": _millimetres(test.seen[number]),
                "future": _millimetres(test.future[number]),
                "found": _millimetres(offsets[number] + last[number]),
            }
        )
    return shown


def _millimetres(poses: np.ndarray) -> list[Any]:
    """Poses (T, V, 3) in metres as nested lists of whole numbers."""
    whole: list[Any] = (1000 * poses).round().astype(int).tolist()
    return whole
