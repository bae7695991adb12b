"""The text of PKU-MMD: untrimmed recordings, labelled intervals and lists of recordings (Data spec
3).

`XXXX-V.txt`: one row per frame, 150 numbers: 2 bodies x 25 joints x (x, y, z), metres; a body that
is absent is all zero.
Labels, same name: rows `class,start,end,confidence`.
Splits: heading, names, heading, names; names are separated by commas.
"""

import re
from typing import NamedTuple

import numpy as np

from pstl.data import number_table, reading
from pstl.errors import UserError
from pstl.skeletons.kinect_v2 import SKELETON

JOINTS = SKELETON.joints
BODIES = 2
ROW = BODIES * JOINTS * 3
NOTHING = np.zeros((0, JOINTS, 0, 3), np.float32)
VIEWS = {"L": 1, "M": 2, "R": 3}
LAYOUT = ((reading.METRES, ROW),)
NAME = re.compile(r"(?:A([0-9]{2})N([0-9]{2})|([0-9]{4}))-([LMR])")
RECORDING = re.compile(r"(?:A[0-9]{2}N[0-9]{2}|[0-9]{4})-[LMR]")
WHOLE = re.compile(r"[0-9]{1,7}")
REPAIR = reading.REPAIR
# Folders of label files, whose names are those of the recordings.
LABELS = r"(?i)(^|/)(train_)?label"


class RecordingName(NamedTuple):
    """What a file name tells. recording: XXXX of phase I, 0 in II.

    action, subject: of AxxNyy in phase II, 0 in I.
    """

    recording: int
    action: int
    subject: int
    view: str


class LabelledRows(NamedTuple):
    """One labelled action: 1-based class, and the rows it takes, as numbered in the file."""

    label: int
    start: int
    end: int


def text(xyz: np.ndarray) -> bytes:
    """A recording (T, V, 2, 3) as a file: six decimals, LF, a blank behind every number."""
    rows = xyz.transpose(0, 2, 1, 3).reshape(len(xyz), ROW)
    return (("%.6f " * ROW + "\n") * len(rows) % tuple(rows.reshape(-1).tolist())).encode("ascii")


def two_bodies(xyz: np.ndarray) -> np.ndarray:
    """(T, V, M, 3) -> (T, V, 2, 3): the first two slots, zeros where there is no second."""
    missing = max(0, BODIES - xyz.shape[2])
    return np.concatenate(
        [xyz[:, :, :BODIES], np.zeros((*xyz.shape[:2], missing, 3), xyz.dtype)], axis=2
    )


def parse_name(text: str) -> RecordingName:
    """The numbers in `0291-L` or `A10N08-L`, with or without `.txt`.

    Raises: UserError for any other name.
    >>> parse_name("A10N08-L.txt")
    RecordingName(recording=0, action=10, subject=8, view='L')
    """
    match = NAME.fullmatch(text.removesuffix(".txt"))
    if not match:
        raise UserError(
            f"{text}: not a PKU-MMD name; expected XXXX-V.txt or AxxNyy-V.txt with V one of L, M, "
            "R, e.g. 0291-L.txt"
        )
    action, subject, recording = (int(part or 0) for part in match.groups()[:3])
    return RecordingName(recording, action, subject, match.group(4))


def read(data: bytes, name: str) -> np.ndarray:
    """A recording as (T, V, 2, 3) float32, metres.

    Raises: UserError that names the file if it is empty, a row has not 150 numbers, or a number is
    no finite one.
    """
    table = number_table.read(data, name, LAYOUT, f"rows of {ROW} numbers")
    return table.reshape(-1, BODIES, JOINTS, 3).transpose(0, 2, 1, 3)


def read_labels(text: str | bytes, name: str, classes: int) -> list[LabelledRows]:
    """The intervals of one recording in file order; blank lines are skipped, confidences are not
    kept.

    Raises: UserError that names the file and the line.
    """
    intervals = []
    for number, line in reading.lines(text, name):
        where = f"{name}: line {number}"
        parts = [part.strip(" \t") for part in line.strip(" \t,").split(",")]
        if parts == [""]:
            continue
        if len(parts) not in (3, 4) or not all(map(WHOLE.fullmatch, parts[:3])):
            raise UserError(
                f"{where}: found {line[:40]!r}, expected class,start,end,confidence; {REPAIR}"
            )
        if len(parts) == 4:
            reading.number(parts[3], where, reading.UNREAD)
        interval = LabelledRows(*map(int, parts[:3]))
        if not 1 <= interval.label <= classes or interval.end < interval.start:
            raise UserError(
                f"{where}: found {line[:40]!r}, expected a class of 1 to {classes} and start <= "
                f"end; {REPAIR}"
            )
        intervals.append(interval)
    return intervals


def cut(xyz: np.ndarray, interval: LabelledRows, name: str) -> np.ndarray:
    """Rows start to end of (T, ...), both included and counted from 1, as PSTL's arrays take them;
    clamped to the file.

    Codes differ: AimCLR, whose arrays PSTL takes, cuts so; CMD cuts start .. end-1 counted from 0,
    one frame less. A start of 0, which phase II is said to have, is row 1.
    Raises: UserError if nothing of the interval is in the file.
    """
    clip = xyz[max(interval.start, 1) - 1 : interval.end]
    if not len(clip):
        raise UserError(
            f"{name}: interval {interval.start} to {interval.end} is outside the recording of "
            f"{len(xyz)} rows; {REPAIR}"
        )
    return clip


def read_split(text: str | bytes, name: str) -> dict[str, str]:
    """Recording -> "train" or "test".

    Raises: UserError that names the file if it is not heading, list, heading, list.
    """
    lists = []
    for number, line in reading.lines(text, name):
        words = reading.fields(line.rpartition(":")[2], ", \t")
        others = [word for word in words if not RECORDING.fullmatch(word)]
        if len(others) < len(words):
            lists.append([word for word in words if word not in others])
            if others:
                raise UserError(
                    f"{name}: line {number}: found {others[0][:30]!r}, expected names such as "
                    f"0291-L; {REPAIR}"
                )
    if len(lists) != 2:
        raise UserError(
            f"{name}: {len(lists)} lines with names of recordings, expected 2, for training and "
            f"for test; {REPAIR}"
        )
    if both := sorted(set(lists[0]) & set(lists[1])):
        raise UserError(f"{name}: {both[0]} is in training and in test; {REPAIR}")
    return dict.fromkeys(lists[0], "train") | dict.fromkeys(lists[1], "test")
