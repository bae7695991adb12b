"""Sequences at native length and arrays of recipes on disk: plain .npy files beside one meta.json,
memory-mapped on reading."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pstl.data import store_shape
from pstl.data.numpy_file import load_npy, load_npz, save_npy, save_npz
from pstl.data.spec import DatasetSpec, of_split
from pstl.data.store_shape import INDEX
from pstl.errors import UserError
from pstl.files import checksum, reading, replaced, write_record
from pstl.records import Clip

FIELDS = INDEX.names or ()


@dataclass(frozen=True)
class SequenceStore:
    """Clips of one data set at native length, as flat files. Iterating yields Clip.

    values: (sum of T * V * M * 3,) float32, each clip (T, V, M, 3) in C order.
    index: (N,) of INDEX.
    meta: "listed" is split -> side of every clip, where the release lists them; "merged" is name ->
        Clip.merged, if any.
    bodies: (sum of T * M,) uint8, each clip (T, M) in C order; None: no bodies are told apart.
    """

    values: np.ndarray
    index: np.ndarray
    names: list[str]
    meta: dict[str, Any]
    bodies: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> Clip:
        row = dict(zip(FIELDS, self.index[i].item(), strict=True))
        first, joints = row["offset"], int(self.meta["joints"])
        frames, people = row["frames"], row["people"]
        values = self.values[first : first + frames * joints * people * 3]
        bodies = None
        if self.bodies is not None:
            slots = first // (joints * 3)  # where its body numbers begin
            bodies = self.bodies[slots : slots + frames * people].reshape(frames, people)
        return Clip(
            name=self.names[i],
            label=row["label"],
            xyz=values.reshape(frames, joints, people, 3),
            subject=row["subject"],
            camera=row["camera"],
            setup=row["setup"],
            bodies=bodies,
            listed={split: sides[i] for split, sides in self.meta.get("listed", {}).items()},
            merged=tuple(self.meta.get("merged", {}).get(self.names[i], ())),
        )

    def __iter__(self) -> Iterator[Clip]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True)
class ArraySet:
    """What one recipe made of one data set.

    x: (N, 3, T, V, M) float32.   y: (N,) int64, 0-based.
    length: (N,) int64, frames of the recording that fill x.
    content: (N,) uint64, equal for clips with the very same recorded coordinates.
    splits: name -> (train indices, test indices).
    meta: dataset, recipe, skeleton, classes, checksum, ...
    """

    x: np.ndarray
    y: np.ndarray
    length: np.ndarray
    content: np.ndarray
    names: list[str]
    splits: dict[str, tuple[np.ndarray, np.ndarray]]
    meta: dict[str, Any]

    def sides(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Training and test indices, (n,) each. Raises: UserError with the known names."""
        return of_split(self.splits, split, self.meta["dataset"])

    def unseen(self, split: str) -> np.ndarray:
        """(N_test,) bool: test clips whose coordinates are not also those of a training clip."""
        train, test = self.splits[split]
        return ~np.isin(self.content[test], self.content[train])


def write_sequences(
    folder: str | Path,
    spec: DatasetSpec,
    joints: int,
    clips: Iterable[Clip],
    left_out: Mapping[str, str] | None = None,
    order: Sequence[int] | None = None,
) -> None:
    """Write clips to a new folder, replacing it when everything is there.

    left_out: file -> why it gave no clip.   order: of every clip, a number by which they are found
    sorted; both are read after the last clip.
    Raises: UserError if two clips have one name, or coordinates are not finite.
    """
    with replaced(folder, "meta.json") as new:
        written = _Written()
        with open(new / "values.bin", "wb") as values, open(new / "bodies.bin", "wb") as bodies:
            for clip in clips:
                store_shape.check_clip(clip, joints)
                written.add(clip, values, bodies)
            told_apart = bodies.tell() > 0
            if bodies.tell() not in (0, written.values // (3 * joints)):
                some = "some clips say which body stands in which slot, others do not"
                raise UserError(f"{spec.name}: {some}; give all or none")
        written.check_names(spec.name)
        if order is not None:
            written.sort(order)
        save_npy(new / "index.npy", np.array(written.rows, dtype=INDEX))
        coordinates = written.sums.hexdigest()
        files = {name: checksum(new / name) for name in ("index.npy", "bodies.bin")}
        meta: dict[str, Any] = {"dataset": spec.name, "joints": joints, "names": written.names}
        meta |= {"checksum": coordinates, "told_apart": told_apart}
        meta["files"] = {"values.bin": coordinates, **files}
        if left_out:
            meta["left_out"] = dict(left_out)
        write_record(new / "meta.json", meta | written.listing())


class _Written:
    """What is known of the clips that were written so far."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.names: list[str] = []
        self.listed: list[dict[str, str]] = []
        self.merged: dict[str, tuple[int, ...]] = {}
        self.values = 0
        self.sums = hashlib.sha256()

    def add(self, clip: Clip, values: BinaryIO, bodies: BinaryIO) -> None:
        """Write one clip behind the others."""
        data = np.ascontiguousarray(clip.xyz, dtype=np.float32).tobytes()
        values.write(data)
        # Here, while it is in memory: gigabytes are not read again for it.
        self.sums.update(data)
        if clip.bodies is not None:
            bodies.write(np.ascontiguousarray(clip.bodies, dtype=np.uint8).tobytes())
        content = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
        frames, _, people, _ = clip.xyz.shape
        numbers = (clip.label, clip.subject, clip.camera, clip.setup)
        self.rows.append((self.values, frames, people, *numbers, content))
        self.names.append(clip.name)
        self.listed.append(clip.listed)
        if clip.merged:
            self.merged[clip.name] = clip.merged
        self.values += clip.xyz.size

    def check_names(self, dataset: str) -> None:
        """Raises: UserError if two clips have one name."""
        if len(set(self.names)) != len(self.names):
            twice = sorted(name for name, count in Counter(self.names).items() if count > 1)
            some = ", ".join(twice[:3])
            raise UserError(f"{dataset}: clip names occur twice, e.g. {some}; remove the copies")

    def sort(self, order: Sequence[int]) -> None:
        """List clips by their number in `order`; their coordinates stay where they are."""
        sequence = np.argsort(order, kind="stable")
        self.rows = [self.rows[i] for i in sequence]
        self.names = [self.names[i] for i in sequence]
        self.listed = [self.listed[i] for i in sequence]

    def listing(self) -> dict[str, Any]:
        """What meta.json says of clips that have more than coordinates."""
        meta: dict[str, Any] = {}
        if self.merged:
            meta["merged"] = self.merged
        if any(self.listed):
            listed = meta["listed"] = {}
            for split in self.listed[0]:
                listed[split] = [sides[split] for sides in self.listed]
        return meta


def open_sequences(folder: str | Path) -> SequenceStore:
    """Memory-map a folder written by write_sequences, after its files were compared with their
    checksums, once per state of each.

    Raises: UserError if it is not such a folder, or a file in it is not what was written.
    """
    folder = Path(folder)
    kind = store_shape.kind_of(folder, "sequences", "parse")
    meta = store_shape.read_meta(folder, kind, store_shape.SequencesMeta)
    names, told_apart = meta.pop("names"), meta.pop("told_apart", False)
    earlier = {"values.bin": meta["checksum"]}  # all that stores of earlier versions have
    store_shape.verify(folder, meta.pop("files", earlier), kind)
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


def fill_array(
    folder: str | Path, shape: tuple[int, ...], fill: Callable[[Path], ArraySet]
) -> None:
    """Write one recipe's array to a new folder, replacing it when everything is there.

    x may be larger than memory. The checksum covers x, y and splits.
    fill(path) writes into the file, of zeros (N, 3, T, V, M) float32, and describes it. What is not
    written stays a hole in the file and takes no room on most file systems.
    """
    with replaced(folder, "meta.json") as new:
        np.lib.format.open_memmap(new / "x.npy", mode="w+", dtype=np.float32, shape=shape).flush()
        _write_rest(new, fill(new / "x.npy"))


def _write_rest(new: Path, array: ArraySet) -> None:
    save_npy(new / "y.npy", array.y.astype(np.int64))
    save_npy(new / "length.npy", array.length.astype(np.int64))
    save_npy(new / "content.npy", array.content)
    sides: dict[str, np.ndarray] = {}
    for split, (train, test) in array.splits.items():
        sides |= {f"{split}.train": train, f"{split}.test": test}
    save_npz(new / "splits.npz", sides)
    names = ("x.npy", "y.npy", "length.npy", "content.npy", "splits.npz")
    files = {name: checksum(new / name) for name in names}
    sums = [files[name] for name in names[:3]]
    sums += [hashlib.sha256(index.tobytes()).hexdigest() for index in sides.values()]
    total = hashlib.sha256("".join(sums).encode()).hexdigest()
    meta = {**array.meta, "names": array.names, "checksum": total, "files": files}
    write_record(new / "meta.json", meta)


def open_array(folder: str | Path, encodable: bool = False) -> ArraySet:
    """Memory-map a folder written by fill_array, after every file was compared with its checksum,
    unless that was done since it last changed (verified.py; else a second or two per GB).

    encodable: whether meta must say what encoders ask for.
    Raises: UserError if it is not such a folder, or a file in it is not what was written.
    """
    folder = Path(folder)
    kind = store_shape.kind_of(folder, "an array", "prepare")
    meta = store_shape.read_meta(
        folder, kind, store_shape.EncodableMeta if encodable else store_shape.ArrayMeta
    )
    files, names = meta.pop("files", {}), meta.pop("names")
    store_shape.verify(folder, files, kind)
    parts: dict[str, np.ndarray] = {}
    for name, dtype, dimensions in store_shape.PARTS:
        with reading(folder / f"{name}.npy", kind):
            parts[name] = load_npy(folder / f"{name}.npy", mapped=name == "x")
            store_shape.check_part(parts[name], dtype, dimensions, len(names))
    with reading(folder / "y.npy", kind):
        store_shape.check_range(parts["y"], -1, len(meta.get("classes", names)) - 1)
    with reading(folder / "splits.npz", kind):
        splits = store_shape.sides_of(load_npz(folder / "splits.npz"), len(names))
    return ArraySet(**parts, names=names, splits=splits, meta=meta)


def _mapped(path: Path, dtype: type[np.generic]) -> np.ndarray:
    """A flat file (n,); a missing or an empty one cannot be mapped and is an empty array."""
    if not path.exists() or not path.stat().st_size:
        return np.zeros(0, dtype)
    # As a plain array: np.memmap costs Python code for every slice of it, more than a recipe needs
    # for the clip.
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))
