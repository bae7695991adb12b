"""Sequences at native length and arrays of recipes on disk: plain .npy files beside one meta.json, memory-mapped on reading."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from pstl.data import store_shape
from pstl.data.numpy_file import load_npy, load_npz, save_npy, save_npz
from pstl.data.spec import DatasetSpec, RawSequence
from pstl.data.store_shape import INDEX
from pstl.errors import UserError
from pstl.files import Kind, checksum, read_json, reading, replaced, write_json

FIELDS = INDEX.names or ()
MOST_BODIES = 255  # of a clip: their numbers are bytes


@dataclass(frozen=True)
class SequenceStore:
    """Clips of one data set at native length, as flat files. Iterating yields RawSequence."""

    values: np.ndarray  # (sum of T * V * M * 3,) float32, each clip (T, V, M, 3) in C order
    index: np.ndarray  # (N,) of INDEX
    names: list[str]
    # meta["listed"]: split -> side of every clip, where the release lists them.   meta["merged"]: name -> RawSequence.merged, if any
    meta: dict[str, Any]
    bodies: np.ndarray | None = (
        None  # (sum of T * M,) uint8, each clip (T, M) in C order; None: no bodies are told apart
    )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> RawSequence:
        row = dict(zip(FIELDS, self.index[i].item(), strict=True))
        joints, first, frames, people = (
            int(self.meta["joints"]),
            row["offset"],
            row["frames"],
            row["people"],
        )
        xyz = self.values[first : first + frames * joints * people * 3].reshape(
            frames, joints, people, 3
        )
        slots = first // (joints * 3)  # where its body numbers begin
        bodies = (
            None
            if self.bodies is None
            else self.bodies[slots : slots + frames * people].reshape(frames, people)
        )
        listed = {split: sides[i] for split, sides in self.meta.get("listed", {}).items()}
        kept = (row["subject"], row["camera"], row["setup"])
        merged = tuple(self.meta.get("merged", {}).get(self.names[i], ()))
        return RawSequence(self.names[i], row["label"], xyz, *kept, bodies, listed, merged)

    def __iter__(self) -> Iterator[RawSequence]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True)
class ArraySet:
    """What one recipe made of one data set.

    x: (N, 3, T, V, M) float32.   y: (N,) int64, 0-based.   length: (N,) int64, frames of the recording that fill x.
    content: (N,) uint64, equal for clips with the very same recorded coordinates.
    splits: name -> (train indices, test indices).   meta: dataset, recipe, skeleton, classes, checksum, ...
    """

    x: np.ndarray
    y: np.ndarray
    length: np.ndarray
    content: np.ndarray
    names: list[str]
    splits: dict[str, tuple[np.ndarray, np.ndarray]]
    meta: dict[str, Any]

    def unseen(self, split: str) -> np.ndarray:
        """(N_test,) bool: test clips whose coordinates are not also those of a training clip."""
        train, test = self.splits[split]
        return ~np.isin(self.content[test], self.content[train])


def write_sequences(
    folder: str | Path,
    spec: DatasetSpec,
    joints: int,
    sequences: Iterable[RawSequence],
    left_out: dict[str, str] | None = None,
    by_name: bool = False,
) -> None:
    """Write clips to a new folder, replacing it when everything is there. Names must be unique and coordinates finite.

    left_out: file -> why it gave no clip; read after the last clip.   by_name: clips come in any order and are found sorted by name.
    """
    with replaced(folder) as new:
        rows, names, listed, offset, sums = [], [], [], 0, hashlib.sha256()
        merged: dict[str, tuple[int, ...]] = {}
        with open(new / "values.bin", "wb") as stream, open(new / "bodies.bin", "wb") as numbers:
            for s in sequences:
                _check_sequence(s, joints)
                data = np.ascontiguousarray(s.xyz, dtype=np.float32).tobytes()
                stream.write(data)
                sums.update(
                    data
                )  # here, while it is in memory: gigabytes are not read again for it
                numbers.write(
                    b""
                    if s.bodies is None
                    else np.ascontiguousarray(s.bodies, dtype=np.uint8).tobytes()
                )
                content = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
                rows.append(
                    (
                        offset,
                        s.xyz.shape[0],
                        s.xyz.shape[2],
                        s.label,
                        s.subject,
                        s.camera,
                        s.setup,
                        content,
                    )
                )
                names.append(s.name)
                listed.append(s.listed)
                if s.merged:
                    merged[s.name] = s.merged
                offset += s.xyz.size
            if numbers.tell() not in (0, offset // (3 * joints)):
                raise UserError(
                    f"{spec.name}: some clips say which body stands in which slot, others do not; give all or none"
                )
        if len(set(names)) != len(names):
            twice = sorted({n for n in names if names.count(n) > 1})[:3]
            raise UserError(
                f"{spec.name}: clip names occur twice, e.g. {', '.join(twice)}; remove the copies"
            )
        if by_name:
            order = sorted(range(len(names)), key=names.__getitem__)
            rows, names, listed = (
                [rows[i] for i in order],
                [names[i] for i in order],
                [listed[i] for i in order],
            )
        save_npy(new / "index.npy", np.array(rows, dtype=INDEX))
        told_apart = (new / "bodies.bin").stat().st_size > 0
        meta = {
            "dataset": spec.name,
            "joints": joints,
            "names": names,
            "checksum": sums.hexdigest(),
            "told_apart": told_apart,
        }
        if left_out:
            meta["left_out"] = left_out
        if merged:
            meta["merged"] = merged
        if any(listed):
            meta["listed"] = {split: [sides[split] for sides in listed] for split in listed[0]}
        write_json(new / "meta.json", meta)


def open_sequences(folder: str | Path, verify: bool = False) -> SequenceStore:
    """Memory-map a folder written by write_sequences.   verify: read all coordinates and compare them with their checksum.

    Raises: UserError if it is not such a folder, or the coordinates are not those that were written.
    """
    folder = Path(folder)
    kind = store_shape.kind_of(folder, "sequences", "parse")
    meta = _meta(folder, kind, store_shape.SequencesMeta)
    names, told_apart = meta.pop("names"), meta.pop("told_apart", False)
    if verify:
        _verify(folder, {"values.bin": meta["checksum"]}, kind)
    with reading(folder / "index.npy", kind):
        index = load_npy(folder / "index.npy")
        size = store_shape.filled(index, len(names), meta["joints"])
    with reading(folder / "values.bin", kind):
        values = _mapped(folder / "values.bin", np.float32)
        store_shape.check_size(len(values), size)
    with reading(folder / "bodies.bin", kind):
        bodies = _mapped(folder / "bodies.bin", np.uint8)
        if len(bodies) or told_apart:
            store_shape.check_size(len(bodies), size // (3 * meta["joints"]))
    return SequenceStore(values, index, names, meta, bodies if len(bodies) else None)


def write_array(folder: str | Path, array: ArraySet) -> None:
    """Write one recipe's array to a new folder, replacing it when everything is there. The checksum covers x, y and splits."""
    with replaced(folder) as new:
        save_npy(new / "x.npy", np.ascontiguousarray(array.x, dtype=np.float32))
        _write_rest(new, array)


def fill_array(
    folder: str | Path, shape: tuple[int, ...], fill: Callable[[Path], ArraySet]
) -> None:
    """As write_array, for an x larger than memory: fill(path) writes into the file, of zeros (N, 3, T, V, M) float32, and describes it.

    What is not written stays a hole in the file and takes no room on most file systems.
    """
    with replaced(folder) as new:
        np.lib.format.open_memmap(new / "x.npy", mode="w+", dtype=np.float32, shape=shape).flush()
        _write_rest(new, fill(new / "x.npy"))


def _write_rest(new: Path, array: ArraySet) -> None:
    save_npy(new / "y.npy", array.y.astype(np.int64))
    save_npy(new / "length.npy", array.length.astype(np.int64))
    save_npy(new / "content.npy", array.content)
    sides = {
        f"{name}.{side}": index
        for name, pair in array.splits.items()
        for side, index in zip(("train", "test"), pair, strict=True)
    }
    save_npz(new / "splits.npz", sides)
    files = {
        name: checksum(new / name)
        for name in ("x.npy", "y.npy", "length.npy", "content.npy", "splits.npz")
    }
    sums = [files[name] for name in ("x.npy", "y.npy", "length.npy")]
    sums += [hashlib.sha256(i.tobytes()).hexdigest() for i in sides.values()]
    total = hashlib.sha256("".join(sums).encode()).hexdigest()
    write_json(
        new / "meta.json", {**array.meta, "names": array.names, "checksum": total, "files": files}
    )


def open_array(folder: str | Path, verify: bool = False) -> ArraySet:
    """Memory-map a folder written by write_array.

    verify: read every file whole (a second or two per GB) and compare it with its checksum; what encoders ask for must be in meta.
    Raises: UserError if it is not such a folder, or a file in it is not what was written.
    """
    folder = Path(folder)
    kind = store_shape.kind_of(folder, "an array", "prepare")
    meta = _meta(folder, kind, store_shape.EncodableMeta if verify else store_shape.ArrayMeta)
    files, names = meta.pop("files", {}), meta.pop("names")
    if verify:
        _verify(folder, files, kind)
    found: dict[str, np.ndarray] = {}
    for name, dtype, dimensions in store_shape.PARTS:
        with reading(folder / f"{name}.npy", kind):
            found[name] = load_npy(folder / f"{name}.npy", mapped=name == "x")
            store_shape.check_part(found[name], dtype, dimensions, len(names))
    with reading(folder / "y.npy", kind):
        store_shape.check_range(found["y"], -1, len(meta.get("classes", names)) - 1)
    with reading(folder / "splits.npz", kind):
        splits = store_shape.sides_of(load_npz(folder / "splits.npz"), len(names))
    return ArraySet(found["x"], found["y"], found["length"], found["content"], names, splits, meta)


def _verify(folder: Path, files: dict[str, str], kind: Kind) -> None:
    """Compare files with the checksums they were written with. Raises: UserError naming the first that differs."""
    for name, expected in files.items():
        with reading(folder / name, kind):
            found = checksum(folder / name)
        if found != expected:
            raise UserError(
                f"{folder / name}: checksum {found[:12]}, expected {expected[:12]}: the file is damaged; {kind.again}"
            )


def _mapped(path: Path, dtype: type[np.generic]) -> np.ndarray:
    """A flat file as an array; a missing or an empty one cannot be mapped and is an empty array."""
    there = path.exists() and path.stat().st_size
    # As a plain array: np.memmap costs Python code for every slice of it, more than a recipe needs for the clip.
    return np.asarray(np.memmap(path, dtype=dtype, mode="r")) if there else np.zeros(0, dtype)


def _check_sequence(s: RawSequence, joints: int) -> None:
    if s.xyz.ndim != 4 or s.xyz.shape[1] != joints or s.xyz.shape[3] != 3 or not s.xyz.shape[0]:
        raise UserError(
            f"clip {s.name}: shape {s.xyz.shape}, expected (frames >= 1, {joints} joints, people, 3)"
        )
    if s.bodies is not None and s.bodies.shape != (s.xyz.shape[0], s.xyz.shape[2]):
        raise UserError(
            f"clip {s.name}: body numbers of shape {s.bodies.shape}, expected (frames, people) of {s.xyz.shape}"
        )
    _check_bodies(s)
    if not np.isfinite(s.xyz).all():
        frame = int(np.argwhere(~np.isfinite(s.xyz))[0, 0])
        raise UserError(
            f"clip {s.name}: coordinate in frame {frame} is NaN or infinite; repair or remove the file"
        )


def _check_bodies(s: RawSequence) -> None:
    numbers = np.zeros(1, np.int64) if s.bodies is None or not s.bodies.size else s.bodies
    least, most = int(numbers.min()), int(numbers.max())
    if least < 0 or most > MOST_BODIES:
        raise UserError(
            f"clip {s.name}: body numbers {least} to {most}, expected 0 to {MOST_BODIES}; "
            "number a sensor's ids with pstl.data.formats.skeleton_txt.numbered"
        )
    if s.merged and len(s.merged) != most:
        raise UserError(
            f"clip {s.name}: merged has {len(s.merged)} numbers, expected one for each of {most} bodies"
        )


def _meta(folder: Path, kind: Kind, shape: type[BaseModel]) -> dict[str, Any]:
    path = folder / "meta.json"
    if not os.path.lexists(path):
        raise UserError(f"{folder}: no meta.json here; {kind.make}")
    meta: dict[str, Any] = read_json(path, kind, shape)
    return meta
