"""MSR Action3D texts: `aAA_sSS_eEE_skeleton3D.txt`, a row `x y z confidence` a joint, the frames'
rows one after the other."""

import re
from typing import NamedTuple

import numpy as np

from pstl.data import number_table, reading
from pstl.errors import UserError

NAME = r"a([0-9]{2})_s([0-9]{2})_e([0-9]{2})_skeleton3D\.txt"
LAYOUT = ((reading.METRES, 3), (reading.UNREAD, 1))


class ClipName(NamedTuple):
    """Numbers of a file's name, from 1."""

    action: int
    subject: int
    repetition: int


def parse_name(name: str) -> ClipName:
    """The numbers in a file's name, with or without folders before it.

    Raises: UserError for a file that is not called like a clip.

    >>> parse_name("a01_s02_e03_skeleton3D.txt")
    ClipName(action=1, subject=2, repetition=3)
    """
    match = re.fullmatch(NAME, name.rpartition("/")[2])
    if not match:
        raise UserError(f"{name}: expected a name like a01_s01_e01_skeleton3D.txt")
    return ClipName(*map(int, match.groups()))


def read(data: bytes, name: str, joints: int) -> np.ndarray:
    """One clip as (T, joints, 1, 3) float32, metres, T >= 1; the confidences are not kept.

    A frame in which nobody was seen is all zero.
    Raises: UserError naming the file and what is wrong.
    """
    rows = f"4 columns and {joints} rows a frame"
    table = number_table.read(data, name, LAYOUT, rows)
    if len(table) % joints:
        raise UserError(f"{name}: table of {table.shape}, expected {rows}; {reading.REPAIR}")
    return np.ascontiguousarray(table[:, :3].reshape(-1, joints, 1, 3))
