"""SBU Kinect Interaction texts: `sAAsBB/CC/NNN/skeleton_pos.txt`, a row a frame: its number, then
x, y, z of 15 joints of two people, between commas."""

import re
from typing import NamedTuple

import numpy as np

from pstl.data import number_table, reading
from pstl.errors import UserError

FILE = r"skeleton_pos\.txt"
NAME = rf"s([0-9]{{2}})s([0-9]{{2}})/([0-9]{{2}})/([0-9]{{3}})/{FILE}"
DEPTH = 3  # folders that are part of a file's name
PEOPLE = 2
# Shares of the image's width and height, and depths in 1.28 m: -0.13 to 2.47 in the release; a
# Kinect counts up to 10 m, which are 7.8.
SHARES = reading.Unit("of the image", 10.0)
# The release's formula for the tracker's numbers, which are millimetres with y up: on the 6,822
# frames they give shoulders of 0.30 m along x and along z, and limbs of one length at every depth
# (tests/data/test_sbu.py).
ORIGIN = np.array((1280.0, 960.0, 0.0)) / 1000
SCALE = np.array((-2560.0, -1920.0, 10000 / 7.8125)) / 1000


class ClipName(NamedTuple):
    """Numbers of a file's path, from 1: the people in the order of their bodies, what they do, and
    which time."""

    first: int
    second: int
    action: int
    repetition: int


def parse_name(name: str) -> ClipName:
    """The numbers in the last three folders of a file's path.

    Raises: UserError for a file that does not lie in folders of such names.

    >>> parse_name("SBU/s01s02/04/001/skeleton_pos.txt")
    ClipName(first=1, second=2, action=4, repetition=1)
    """
    match = re.fullmatch(rf"(?:.*[/ ])?{NAME}", name)
    if not match:
        raise UserError(f"{name}: expected a path like s01s02/04/001/skeleton_pos.txt; move it")
    return ClipName(*map(int, match.groups()))


def read(data: bytes, name: str, joints: int) -> np.ndarray:
    """One clip as (T, joints, 2, 3) float32, metres in camera space, y up, T >= 1.

    A joint of three zeros was not seen, and stays zero.
    Raises: UserError naming the file and what is wrong.
    """
    columns = 1 + 3 * joints * PEOPLE
    layout = ((reading.FRAMES, 1), (SHARES, columns - 1))
    rows = f"rows of {columns} numbers"
    table = number_table.read(data, name, layout, rows, comma=True, dtype=np.float64)
    steps = np.diff(table[:, 0])
    if (steps != 1).any():
        row = int((steps != 1).argmax()) + 2
        numbers = f"frame {table[row - 1, 0]:g} after {table[row - 2, 0]:g}"
        raise UserError(f"{name}: row {row}: {numbers}, expected one more; {reading.REPAIR}")
    shares = table[:, 1:].reshape(-1, PEOPLE, joints, 3).swapaxes(1, 2)
    seen = shares.any(axis=-1, keepdims=True)
    return np.ascontiguousarray(((ORIGIN + SCALE * shares) * seen).astype(np.float32))
