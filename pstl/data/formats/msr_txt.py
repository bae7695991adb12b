"""MSR Action3D texts: `aAA_sSS_eEE_skeleton3D.txt`, a row `x y z confidence` a joint, the frames' rows one after the other."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.data import number_table, reading
from pstl.errors import UserError

NAME = r"a([0-9]{2})_s([0-9]{2})_e([0-9]{2})_skeleton3D\.txt"
LAYOUT = ((reading.METRES, 3), (reading.UNREAD, 1))


class Name(NamedTuple):
    """Numbers of a file's name, from 1."""

    action: int
    subject: int
    repetition: int


def parse_name(path: Path) -> Name:
    """Raises: UserError for a file that is not called like a clip."""
    found = re.fullmatch(NAME, path.name)
    if not found:
        raise UserError(f"{path}: expected a name like a01_s01_e01_skeleton3D.txt")
    return Name(*map(int, found.groups()))


def read(path: Path, joints: int) -> np.ndarray:
    """One clip as (T >= 1, joints, 1, 3) float32, metres; the confidences are not kept. A frame in which nobody was found is all zero.

    Raises: UserError naming the file and what is wrong.
    """
    rows = f"4 columns and {joints} rows a frame"
    table = number_table.read(reading.content(path), str(path), LAYOUT, rows)
    if len(table) % joints:
        raise UserError(f"{path}: table of {table.shape}, expected {rows}; {reading.REPAIR}")
    return np.ascontiguousarray(table[:, :3].reshape(-1, joints, 1, 3))
