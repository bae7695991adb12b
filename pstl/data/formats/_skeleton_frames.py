"""The frame of a `.skeleton` text: where its bodies stand, and whether every line is what it should
be."""

import numpy as np

from pstl.data import reading
from pstl.data.formats._digits import BATCH, WORD, Words
from pstl.errors import UserError
from pstl.skeletons.kinect_v2 import SKELETON

JOINTS = SKELETON.joints
HEADER = 10  # values that describe a body, before its joint count
ROW = 12  # values of one joint
BODY = HEADER + 1 + JOINTS * ROW

JOINT_COUNT = b"%d" % JOINTS
INSIDE = np.setdiff1d(
    np.arange(BODY), [0, HEADER, *range(HEADER + 1, BODY, ROW)]
)  # values of a body that do not begin a line
CHUNK = 96  # bodies that are converted in one go


def walk(values: Words, name: str) -> tuple[int, np.ndarray]:
    """Number of frames, and (B, 3) int64 of every body: frame, slot, number of its first value;
    steps over frame headers only."""
    frames = _integer(values[0], "a number of frames", name)
    bodies: list[tuple[int, int, int]] = []
    at, total, frame = 1, len(values), 0
    while frame < frames:
        if at >= total:
            raise _truncated(frame, frames, name)
        count = _integer(values[at], f"a number of bodies in frame {frame + 1}", name)
        if count == 0:
            empty = _empty_frames(values, at, frames - frame)
            at, frame = at + empty, frame + empty
            continue
        at += 1
        for slot in range(count):
            if at + BODY > total or (not bodies and values[at + HEADER] != JOINT_COUNT):
                _check_joint_counts(
                    values, np.array([*bodies, (frame, slot, at)]), name
                )  # the likelier reason
                raise _truncated(frame, frames, name)
            bodies.append((frame, slot, at))
            at += BODY
        frame += 1
    where = np.array(bodies, np.int64).reshape(-1, 3)
    _check_joint_counts(values, where, name)
    if at != total:
        raise UserError(
            f"{name}: {total - at} values after the last of {frames} frames, expected none; "
            f"{reading.REPAIR}"
        )
    return frames, where


def _empty_frames(values: Words, at: int, most: int) -> int:
    """How many frames without a body, of which the first is value `at`, follow one another; at
    least 1, and BATCH are looked at."""
    last = min(at + most, at + BATCH, len(values))
    start, end = values.start[at:last], values.end[at:last]
    is_zero = (end - start == 1) & (values.padded[WORD:][start] == ord("0"))
    return last - at if is_zero.all() else max(1, int(is_zero.argmin()))


def _check_joint_counts(values: Words, bodies: np.ndarray, name: str) -> None:
    """All at once; of a body that is cut off before its count nothing can be said."""
    at = bodies[:, 2]
    index = at[at + HEADER < len(values)] + HEADER
    start = values.start[index]
    text = values.padded[WORD:]
    right = values.end[index] - start == len(JOINT_COUNT)
    for i, byte in enumerate(JOINT_COUNT):
        right &= text[np.minimum(start + i, len(text) - 1)] == byte
    if not right.all():
        wrong = int(np.argmin(right))
        count = reading.decoded(values[index[wrong]][:30])
        raise UserError(
            f"{name}: joint count {count} in frame {bodies[wrong, 0] + 1}, expected {JOINTS}; not "
            "a Kinect v2 file, or damaged"
        )


def check_lines(values: Words, bodies: np.ndarray, name: str) -> None:
    """Every count, body and joint is a line: one value lost and one gained elsewhere would shift
    all joints between."""
    begins = np.ones(len(values), bool)
    for first in range(0, len(bodies), CHUNK):
        begins[bodies[first : first + CHUNK, 2, None] + INSIDE] = False
    wrong = values.begins_line != begins
    if wrong.any():
        body = max(int(np.searchsorted(bodies[:, 2], wrong.argmax(), side="right")) - 1, 0)
        raise UserError(
            f"{name}: a line in or near frame {bodies[body, 0] + 1} has too many or too few "
            f"values, expected {HEADER} of a body "
            f"and {ROW} of a joint; {reading.REPAIR}"
        )


def _integer(word: bytes, what: str, name: str) -> int:
    if not word.isdigit() or len(word) > 9:
        raise not_a_number(word, what, name)
    return int(word)


def not_a_number(word: bytes, what: str, name: str) -> UserError:
    """A value that is not `what`."""
    return UserError(
        f"{name}: found {reading.decoded(word[:30])!r}, expected {what}; {reading.REPAIR}"
    )


def _truncated(frame: int, frames: int, name: str) -> UserError:
    return UserError(
        f"{name}: ends in frame {frame + 1} of {frames} declared frames; the file is truncated, "
        "fetch it again"
    )
