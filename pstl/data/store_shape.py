"""What must hold inside a folder of sequences or of an array, and between its files."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, model_validator

from pstl.data import verified
from pstl.errors import UserError
from pstl.files import Kind, checksum, read_json, reading
from pstl.records import Clip

INDEX = np.dtype(
    [
        ("offset", "i8"),
        ("frames", "i4"),
        ("people", "i4"),
        ("label", "i4"),
        ("subject", "i4"),
        ("camera", "i4"),
        ("setup", "i4"),
        ("content", "u8"),
    ]
)


class SequencesMeta(BaseModel):
    """What meta.json of sequences must hold."""

    dataset: str
    joints: int
    names: list[str]
    checksum: str
    files: dict[str, str] = {}
    listed: dict[str, list[str]] = {}
    merged: dict[str, list[int]] = {}
    told_apart: bool = False  # whether bodies.bin says which body stands in which slot

    @model_validator(mode="after")
    def _one_side_each(self) -> "SequencesMeta":
        if self.joints < 1 or any(len(sides) != len(self.names) for sides in self.listed.values()):
            raise ValueError(
                f"{self.joints} joints, {len(self.names)} names, and sides of other clips"
            )
        return self


class ArrayMeta(BaseModel):
    """What meta.json of an array must hold."""

    dataset: str
    names: list[str]
    checksum: str
    files: dict[str, str] = {}
    classes: list[str] = []


class EncodableMeta(ArrayMeta):
    """What it must hold where an encoder is to read the array."""

    recipe: dict[str, Any]
    skeleton: str
    people: int
    classes: list[str]


MOST_BODIES = 255  # of a clip: their numbers are bytes
MOST = 2**24  # frames or people of one clip; beyond it, products would not fit into 64 bits
# Files of an array: name, type, dimensions.
PARTS = (
    ("x", np.float32, 5),
    ("y", np.int64, 1),
    ("length", np.int64, 1),
    ("content", np.uint64, 1),
)


def kind_of(folder: Path, what: str, verb: str) -> Kind:
    """A file in a folder that a verb makes as a whole.   what: the folder holds, "an array"."""
    again = f"delete {folder} and run again, '{verb}' makes it anew"
    return Kind(f"readable file of {what}", again, f"make it with 'python -m pstl {verb}'")


def check_part(array: np.ndarray, dtype: Any, dimensions: int, clips: int) -> None:
    """Raises: ValueError if a file (clips, ...) holds fewer or more clips, or other numbers."""
    if array.dtype != dtype or array.ndim != dimensions or len(array) != clips:
        actual = f"shape {array.shape} of {array.dtype}"
        expected = f"{dimensions} dimensions of {np.dtype(dtype)}"
        raise ValueError(f"{actual}, expected {clips} clips in {expected}")


def check_range(values: np.ndarray, least: int, most: int) -> None:
    """Raises: ValueError for a number outside.   values: (N, ...)."""
    if values.size and not (least <= values.min() and values.max() <= most):
        actual = f"numbers from {values.min()} to {values.max()}"
        raise ValueError(f"{actual}, expected {least} to {most}")


def sides_of(
    content: dict[str, np.ndarray], clips: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Splits by name, each of two (n,) indices.

    Raises: ValueError, KeyError for an index of no clip, or an absent side.
    """
    for name, index in content.items():
        check_part(index, np.int64, 1, len(index))
        check_range(index, 0, clips - 1)
        if name.rpartition(".")[2] not in ("train", "test"):
            raise ValueError(f"{name!r}, expected SPLIT.train or SPLIT.test")
    names = sorted({key.rpartition(".")[0] for key in content})
    return {name: (content[f"{name}.train"], content[f"{name}.test"]) for name in names}


def filled(index: np.ndarray, clips: int, joints: int) -> int:
    """Numbers in values.bin, as the rows of the index (clips,) say.

    Raises: ValueError if the clips do not lie one behind the other.
    """
    if index.dtype != INDEX or index.shape != (clips,):
        raise ValueError(f"shape {index.shape} of {index.dtype}, expected {clips} clips")
    for name in ("frames", "people"):
        check_range(index[name], 1, MOST)
    sizes = index["frames"].astype(np.int64) * index["people"] * joints * 3
    order = np.argsort(index["offset"])
    if not np.array_equal(index["offset"][order], np.cumsum(sizes[order]) - sizes[order]):
        raise ValueError("its clips do not lie one behind the other")
    return int(sizes.sum())


def check_size(actual: int, expected: int) -> None:
    """Raises: ValueError if a file holds more or fewer numbers than the index says."""
    if actual != expected:
        raise ValueError(f"{actual} numbers, expected {expected} by index.npy")


def check_clip(clip: Clip, joints: int) -> None:
    """Raises: UserError for a clip of another shape, or numbers that are not to be trusted."""
    shape = clip.xyz.shape
    if len(shape) != 4 or shape[1] != joints or shape[3] != 3 or not shape[0]:
        expected = f"(frames >= 1, {joints} joints, people, 3)"
        raise UserError(f"clip {clip.name}: shape {shape}, expected {expected}")
    if clip.bodies is not None and clip.bodies.shape != (shape[0], shape[2]):
        numbers = f"body numbers of shape {clip.bodies.shape}"
        raise UserError(f"clip {clip.name}: {numbers}, expected (frames, people) of {shape}")
    _check_bodies(clip)
    finite = np.isfinite(clip.xyz)
    if not finite.all():
        problem = f"coordinate in frame {np.argwhere(~finite)[0, 0]} is NaN or infinite"
        raise UserError(f"clip {clip.name}: {problem}; repair or remove the file")


def _check_bodies(clip: Clip) -> None:
    if clip.bodies is None or not clip.bodies.size:
        least, most = 0, 0
    else:
        least, most = int(clip.bodies.min()), int(clip.bodies.max())
    if least < 0 or most > MOST_BODIES:
        numbers = f"body numbers {least} to {most}, expected 0 to {MOST_BODIES}"
        advice = "number a sensor's ids with pstl.data.formats.skeleton_txt.numbered"
        raise UserError(f"clip {clip.name}: {numbers}; {advice}")
    if clip.merged and len(clip.merged) != most:
        numbers = f"merged has {len(clip.merged)} numbers"
        raise UserError(f"clip {clip.name}: {numbers}, expected one for each of {most} bodies")


def read_meta(folder: Path, kind: Kind, shape: type[BaseModel]) -> dict[str, Any]:
    """What meta.json says. Raises: UserError if it is not there, or does not hold what it must."""
    path = folder / "meta.json"
    if not os.path.lexists(path):
        raise UserError(f"{folder}: no meta.json here; {kind.make}")
    meta: dict[str, Any] = read_json(path, kind, shape)
    return meta


def verify(folder: Path, files: dict[str, str], kind: Kind) -> None:
    """Compare files with the checksums they were written with, once per state of a file.

    Raises: UserError naming the first that differs.
    """
    for name, expected in files.items():
        path = folder / name
        with reading(path, kind):
            verified.once(path, expected, partial(_compare, path, expected))


def _compare(path: Path, expected: str) -> None:
    """Raises: ValueError if a file has another checksum."""
    actual = checksum(path)
    if actual != expected:
        raise ValueError(f"checksum {actual[:12]}, expected {expected[:12]}")
