"""UTD-MHAD skeletons: `aA_sS_tT_skeleton.mat`, MATLAB's format 5 with one array `d_skel` of joints,
coordinates and frames.

SciPy takes the file apart. It is no part of the compute core, so it is imported where a file is
read: without it the command line names the extra that has it.
"""

import io
import re
import struct
import warnings
import zlib
from typing import Any, NamedTuple

import numpy as np

from pstl.data import reading
from pstl.errors import UserError

NAME = r"a([0-9]{1,2})_s([0-9])_t([0-9])_skeleton\.mat"
VARIABLE = "d_skel"
HEADER = 128  # bytes, of which the last four are the version and the byte order
VERSION = b"\x00\x01IM"  # 5, least byte first; another may be another format altogether
TAG = struct.Struct("<II")  # of each element after the header: its type, its bytes
COMPRESSED = 15  # the type of an element that is another one, deflated
LARGEST = reading.ALLOWANCE // 4  # bytes that may be unpacked beyond twice those of the file
LONGEST = 100  # characters of a reason that SciPy gives


class ClipName(NamedTuple):
    """Numbers of a file's name, from 1."""

    action: int
    subject: int
    trial: int


def parse_name(name: str) -> ClipName:
    """The numbers in a file's name, with or without folders before it.

    Raises: UserError for a file that is not called like a clip.

    >>> parse_name("a12_s3_t4_skeleton.mat")
    ClipName(action=12, subject=3, trial=4)
    """
    match = re.fullmatch(NAME, name.rpartition("/")[2])
    if not match:
        raise UserError(f"{name}: expected a name like a1_s1_t1_skeleton.mat; rename or remove it")
    return ClipName(*map(int, match.groups()))


def read(data: bytes, name: str, joints: int) -> np.ndarray:
    """One clip as (T, joints, 1, 3) float32, metres, y up, T >= 1.

    Raises: UserError naming the file and what is wrong; ModuleNotFoundError without SciPy.
    """
    reading.check_size(len(data), name)
    if data[HEADER - len(VERSION) : HEADER] != VERSION:
        raise UserError(f"{name}: not a MATLAB file of version 5; {reading.REPAIR}")
    xyz = _array(data, name, joints)
    sound = np.abs(xyz) <= reading.METRES.limit  # NaN is not
    if not sound.all():
        joint, _, frame = np.argwhere(~sound)[0]
        limit = f"NaN or infinite, or beyond {reading.METRES.limit:g} {reading.METRES.name}"
        raise UserError(f"{name}: frame {frame}, joint {joint} is {limit}; {reading.REPAIR}")
    return np.ascontiguousarray(xyz.transpose(2, 0, 1)[:, :, None].astype(np.float32))


def _array(data: bytes, name: str, joints: int) -> np.ndarray:
    """The variable as (joints, 3, T), real numbers of any type."""
    from scipy.io import loadmat, whosmat

    file = io.BytesIO(_inflated(data, name))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is damaged, before it fails
            shapes = {title: (shape, kind) for title, shape, kind in whosmat(file)}
            shape, kind = shapes.get(VARIABLE, ((), "missing"))
            _check_shape(name, shape, kind, joints)
            file.seek(0)
            xyz: Any = loadmat(file, variable_names=[VARIABLE])[VARIABLE]
    except (UserError, ImportError):
        raise
    except Exception as error:  # whatever the library trips over, it is the file
        reason = " ".join(reading.fields(str(error), " \n"))[:LONGEST] or type(error).__name__
        raise UserError(f"{name}: not a whole MATLAB file ({reason}); {reading.REPAIR}") from None
    # Whole numbers may be stored as such, whatever the class of the array.
    if xyz.dtype.kind not in "fiu" or xyz.shape != shape:
        actual = f"an array of {xyz.shape} {xyz.dtype}"
        raise UserError(f"{name}: {actual}, expected real numbers; {reading.REPAIR}")
    return xyz if xyz.ndim == 3 else xyz[:, :, None]


def _inflated(data: bytes, name: str) -> bytes:
    """The same file with its elements as they were before they were compressed.

    SciPy would unpack whatever a stream holds; here that is bounded.
    Raises: UserError for a stream that is damaged, cut, or holds far more than it could of a clip.
    """
    elements, place, room = [data[:HEADER]], HEADER, 2 * len(data) + LARGEST
    while place + TAG.size <= len(data):
        kind, size = TAG.unpack_from(data, place)
        element = data[place : place + TAG.size + size]
        if kind == COMPRESSED:
            stream = zlib.decompressobj()
            try:
                inflated = stream.decompress(element[TAG.size :], max(room, 1))
            except zlib.error as error:
                raise UserError(f"{name}: cannot be unpacked ({error}); {reading.REPAIR}") from None
            room -= len(inflated)
            if not stream.eof:
                held = "it ends too early, or holds more than a clip"
                raise UserError(f"{name}: cannot be unpacked: {held}; {reading.REPAIR}")
            elements.append(inflated)
        else:
            elements.append(element)
        place += TAG.size + size
    return b"".join(elements)


def _check_shape(name: str, shape: tuple[int, ...], kind: str, joints: int) -> None:
    """Raises: UserError for anything but (joints, 3, T) numbers; MATLAB leaves out a T of 1."""
    is_clip = shape[:2] == (joints, 3) and len(shape) in (2, 3) and all(shape)
    if kind not in ("double", "single") or not is_clip:
        actual = f"{VARIABLE} is {kind} {shape or ''}".rstrip()
        expected = f"expected double ({joints}, 3, frames)"
        raise UserError(f"{name}: {actual}, {expected}; {reading.REPAIR}")
