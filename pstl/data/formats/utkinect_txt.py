"""UTKinect-Action3D texts: `joints_sSS_eEE.txt`, a row `frame x1 y1 z1 ... x20 y20 z20`, and one
list of timed labels for all."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pstl.data import number_table, reading
from pstl.errors import UserError

NAME = r"joints_s([0-9]{2})_e([0-9]{2})\.txt"
RECORDING = re.compile(r"s[0-9]{2}_e[0-9]{2}")
ACTION = re.compile(r"([A-Za-z]+):[ \t]*([^ \t]+)[ \t]+([^ \t]+)")


class Rows(NamedTuple):
    """times: (T,) colour-frame numbers, rising.

    xyz: (T, V, 1, 3) float32, metres, camera space.
    """

    times: np.ndarray
    xyz: np.ndarray


def read(data: bytes, name: str, joints: int) -> Rows:
    """One recording; of rows that repeat a frame number the first is kept.

    Raises: UserError naming the file and what is wrong.
    """
    layout = ((reading.FRAMES, 1), (reading.METRES, 3 * joints))
    table = number_table.read(data, name, layout, f"rows of {1 + 3 * joints} numbers")
    steps = np.diff(table[:, 0])
    if (steps < 0).any():
        row = int((steps < 0).argmax()) + 2
        fall = "frame numbers that fall, expected them to rise"
        raise UserError(f"{name}: row {row}: {fall}; {reading.REPAIR}")
    times, first = np.unique(table[:, 0].astype(np.float64), return_index=True)
    return Rows(times, table[first, 1:].reshape(-1, joints, 1, 3))


def read_labels(
    text: str | bytes, name: str, classes: Sequence[str]
) -> dict[str, list[tuple[int, float, float]]]:
    """Recording `sSS_eEE` -> (class, first frame, last frame) in the order of time.

    Intervals of NaN are left out.   classes: their names as they stand in the file.
    Raises: UserError naming the line that is neither, an action before any recording, or what is
    named twice.
    """
    recordings: dict[str, dict[str, tuple[int, float, float]]] = {}
    actions: dict[str, tuple[int, float, float]] | None = None
    for number, line in reading.lines(text, name):
        where = f"{name}, line {number}"
        if RECORDING.fullmatch(line):
            if line in recordings:
                again = f"recording {line} a second time, expected each once"
                raise UserError(f"{where}: {again}; {reading.REPAIR}")
            actions = recordings[line] = {}
            continue
        action = ACTION.fullmatch(line)
        if not action or actions is None:
            expected = "expected sSS_eEE or 'action: first last' below one"
            raise UserError(f"{where}: {line[:40]!r}; {expected}")
        title, first, last = action.groups()
        if title in actions:
            again = f"{title[:30]!r} a second time, expected each action of a recording once"
            raise UserError(f"{where}: {again}; {reading.REPAIR}")
        actions[title] = _interval(title, (first, last), classes, where)
    return {recording: _performed(actions) for recording, actions in recordings.items()}


def _performed(
    actions: dict[str, tuple[int, float, float]],
) -> list[tuple[int, float, float]]:
    """In the order of time, without those of NaN."""
    intervals = [interval for interval in actions.values() if not math.isnan(interval[1])]
    return sorted(intervals, key=lambda interval: interval[1:])


def _interval(
    name: str, ends: tuple[str, str], classes: Sequence[str], where: str
) -> tuple[int, float, float]:
    """(class, first, last), both NaN for an action that was not performed."""
    if name not in classes:
        raise UserError(f"{where}: action {name[:30]!r}; known: {', '.join(classes)}")
    label = classes.index(name)
    if [end.lower() for end in ends] == ["nan", "nan"]:
        return label, math.nan, math.nan
    kind = "two frame numbers, or NaN NaN"
    start, end = (reading.number(word, where, reading.FRAMES, kind) for word in ends)
    if start > end:
        raise UserError(f"{where}: from {ends[0]} to {ends[1]}, expected first <= last")
    return label, start, end
