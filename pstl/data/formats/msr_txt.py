"""MSR Action3D texts: `aAA_sSS_eEE_skeleton3D.txt`, a row `x y z confidence` a joint, the frames' rows one after the other."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.data.formats._digits import FARTHEST
from pstl.errors import UserError

NAME = r"a(\d{2})_s(\d{2})_e(\d{2})_skeleton3D\.txt"


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
    try:
        table = np.loadtxt(path, ndmin=2, comments=None) if path.read_bytes().strip() else np.empty((0, 0))
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not a table of numbers ({reason}); replace the file by the one in the archive") from None
    if not len(table) or table.shape[1] != 4 or len(table) % joints:
        raise UserError(f"{path}: table of {table.shape}, expected 4 columns and {joints} rows a frame; replace the file")
    xyz = table[:, :3].reshape(-1, joints, 1, 3)
    if not (np.abs(xyz) <= FARTHEST).all():
        raise UserError(f"{path}: a coordinate that is not finite, or beyond {FARTHEST} m; replace the file by the one in the archive")
    return xyz.astype(np.float32)
