"""UTKinect-Action3D texts: `joints_sSS_eEE.txt`, a row `frame x1 y1 z1 ... x20 y20 z20`, and one list of timed labels for all."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.errors import UserError

NAME = r"joints_s(\d{2})_e(\d{2})\.txt"
ACTION = re.compile(r"(\w+):\s*(\S+)\s+(\S+)")


class Rows(NamedTuple):
    """times: (T,) colour-frame numbers, rising.   xyz: (T, V, 1, 3) float32, metres, camera space."""

    times: np.ndarray
    xyz: np.ndarray


def read(path: Path, joints: int) -> Rows:
    """One recording; of rows that repeat a frame number the first is kept. Raises: UserError naming the file and what is wrong."""
    try:
        table = np.loadtxt(path, ndmin=2) if path.stat().st_size else np.empty((0, 0))
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a table of numbers ({error}); replace the file by the one in the archive") from None
    if table.shape[0] == 0 or table.shape[1] != 1 + 3 * joints:
        raise UserError(f"{path}: table of {table.shape}, expected rows of {1 + 3 * joints} numbers; replace the file")
    if not (np.abs(table) <= np.finfo(np.float32).max).all() or (np.diff(table[:, 0]) < 0).any():
        raise UserError(f"{path}: a number that is not finite, or frame numbers that fall; replace the file")
    times, first = np.unique(table[:, 0], return_index=True)
    return Rows(times, table[first, 1:].reshape(-1, joints, 1, 3).astype(np.float32))


def read_labels(path: Path, names: Sequence[str]) -> dict[str, list[tuple[int, float, float]]]:
    """Recording `sSS_eEE` -> (class, first frame, last frame) in the order of time; intervals of NaN are left out.

    names: the classes' names as they stand in the file.   Raises: UserError naming the line that is neither.
    """
    actions: dict[str, list[tuple[int, float, float]]] = {}
    recording = ""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text = line.strip()
        if re.fullmatch(r"s\d{2}_e\d{2}", text):
            recording = text
            actions[recording] = []
        elif found := ACTION.fullmatch(text):
            actions[recording] += _action(found, names, f"{path}, line {number}") if recording else []
        elif text:
            raise UserError(f"{path}, line {number}: {text!r}; expected sSS_eEE or 'action: first last'")
    return {name: sorted(each, key=lambda action: action[1:]) for name, each in actions.items()}


def _action(found: re.Match[str], names: Sequence[str], where: str) -> list[tuple[int, float, float]]:
    name, *ends = found.groups()
    if name not in names:
        raise UserError(f"{where}: action {name!r}; known: {', '.join(names)}")
    try:
        start, end = (float(value) for value in ends)
    except ValueError:
        raise UserError(f"{where}: from {ends[0]!r} to {ends[1]!r}, expected two frame numbers") from None
    if start > end:
        raise UserError(f"{where}: from {ends[0]} to {ends[1]}, expected first <= last")
    return [(names.index(name), start, end)] if start == start and end == end else []  # NaN: not performed
