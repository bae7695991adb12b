"""Arrays on disk, .npy and .npz: no pickled object and no number that is not finite, written or
read."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from pstl import seals
from pstl.data import verified
from pstl.files import atomic, by_ending
from pstl.ops.finite import check_rows, holds, stray

# An .npz that is packed closer than this holds nothing that a sensor saw, unless it is small.
MOST_PACKED = 100
SMALL = 1 << 28  # bytes


def load_npy(path: str | Path, mapped: bool = False) -> np.ndarray:
    """A .npy file (N, ...), whole or memory-mapped, to be called inside `files.reading`.

    Raises: anything, if it is not what was written.
    """
    with open(path, "rb") as stream:
        if mapped:
            npy.read_magic(stream)  # else a zip file is opened as one
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            stream.seek(array.offset + array.nbytes)  # type: ignore[attr-defined]
        else:
            return parsed_npy(stream)
        if stream.read(1):
            raise ValueError(f"longer than the {array.nbytes} bytes of its {array.shape}")
    return array


def parsed_npy(stream: IO[bytes]) -> np.ndarray:
    """What a whole .npy file holds, to be called inside `files.taking_apart`."""
    array: np.ndarray = npy.read_array(stream, allow_pickle=False)
    if stream.read(1):
        raise ValueError(f"longer than the {array.nbytes} bytes of its {array.shape}")
    return array


def parsed_npz(stream: IO[bytes]) -> dict[str, np.ndarray]:
    """The arrays of a whole .npz file, whatever their numbers, to be called as parsed_npy.

    Raises: ValueError for one that would fill the memory, and anything as parsed_npy does.
    """
    arrays = {}
    packed = stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream) as bundle:
        size = sum(member.file_size for member in bundle.infolist())
        if size > max(SMALL, MOST_PACKED * packed):
            raise ValueError(f"{packed} bytes claim to hold {size}, above {MOST_PACKED} times")
        for member in bundle.namelist():
            with bundle.open(member) as part:
                arrays[member.removesuffix(".npy")] = parsed_npy(part)
    return arrays


def load_npz(
    path: str | Path, names: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, to be called inside `files.reading`; every byte has a checksum
    there.

    names, optional: the arrays that must and that may be there; none named: any.
    Raises: anything, if a name or number is not as it should be.
    """
    _check_seal(path)
    with open(path, "rb") as stream:
        arrays = parsed_npz(stream)
    if absent := [name for name in names if name not in arrays]:
        raise ValueError(f"no {', '.join(absent)} in it")
    if foreign := names and sorted(arrays.keys() - {*names, *optional}):
        raise ValueError(f"{', '.join(foreign)} in it, expected {', '.join([*names, *optional])}")
    for name, array in arrays.items():
        check_numbers(name, array)
    return arrays


def check_numbers(name: str, array: np.ndarray) -> None:
    """Raises: ValueError for numbers that are not to be trusted.   array: (N, ...)."""
    row = stray(array)
    if row is not None:
        raise ValueError(f"{name}: row {row} of {len(array)} {holds(array[row])}")


def save_npy(path: str | Path, array: np.ndarray) -> None:
    """Write a .npy file (N, ...) whole or not at all.

    Raises: UserError for another name, or numbers that are not to be trusted.
    """
    by_ending(path, {".npy": None})
    _check(path, {"array": array})
    array = np.asarray(array, order="C")
    with atomic(path) as new, open(new, "wb") as stream:
        npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(array))
        stream.write(array.data)  # not by numpy, whose message hides that a disk is full


def save_npz(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file whole or not at all.

    Raises: UserError for another name, or numbers that are not to be trusted.
    """
    by_ending(path, {".npz": None})
    _check(path, arrays)
    with atomic(path) as new:
        with open(new, "wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
        seals.seal_zip(new)


def _check_seal(path: str | Path) -> None:
    """Compare all bytes of a file with its seal, once per state of a large one.

    Raises: ValueError if it is not what was written.
    """
    if digest := seals.zip_digest(path):
        verified.once(Path(path), digest, lambda: seals.check_zip(path, digest))


def _check(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        check_rows(array, f"{path}: {name}", then="nothing was written")
