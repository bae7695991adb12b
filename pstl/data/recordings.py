"""Untrimmed recordings on disk: a sequence store, the time of every frame, and the labelled
intervals. Trimmed clips count as well."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from pstl.data.numpy_file import load_npy, save_npy
from pstl.data.prepare import split_indices
from pstl.data.spec import DatasetSpec, of_split
from pstl.data.store import SequenceStore, open_sequences, write_sequences
from pstl.data.store_shape import kind_of, verify
from pstl.errors import UserError
from pstl.files import checksum, read_json, reading, replaced, write_record
from pstl.records import Recording
from pstl.registry import load_dataset
from pstl.skeletons import load as load_skeleton


class RecordingsMeta(BaseModel):
    """What meta.json of recordings must hold.   actions: of each recording, (class, start, end)."""

    dataset: str
    actions: list[list[list[float]]]
    checksum: str
    files: dict[str, str] = {}


@dataclass(frozen=True)
class RecordingStore:
    """Recordings of one data set, memory-mapped. Iterating yields Recording.

    start: (N,) frame at which each recording begins in `times` (sum of T,).
    checksum: of coordinates, times and labels.
    """

    sequences: SequenceStore
    times: np.ndarray
    start: np.ndarray
    actions: Sequence[tuple[tuple[int, float, float], ...]]
    dataset: str
    checksum: str

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, i: int) -> Recording:
        clip = self.sequences[i]
        return Recording(
            clip, self.times[self.start[i] : self.start[i] + len(clip.xyz)], self.actions[i]
        )

    def __iter__(self) -> Iterator[Recording]:
        return (self[i] for i in range(len(self)))

    @property
    def spec(self) -> DatasetSpec:
        """Facts about the data set."""
        return load_dataset(self.dataset).spec

    def sides(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Indices (n,) of the training and of the test recordings.

        Raises: UserError for an unknown split, or a side without any.
        """
        sides = split_indices(self.spec, self.sequences)
        train, test = of_split(sides, split, self.dataset)
        if not len(train) or not len(test):
            counts = f"{len(train)} training and {len(test)} test recordings"
            raise UserError(f"{self.dataset}/{split}: {counts}; both sides need some")
        return train, test


def write_recordings(
    folder: str | Path,
    spec: DatasetSpec,
    recordings: Iterable[Recording],
    left_out: Mapping[str, str] | None = None,
) -> None:
    """Write recordings to a new folder, replacing it when everything is there.

    left_out: file -> why it gave no recording; read after the last one.

    Raises: UserError for times that do not rise, an unknown class, or an interval outside its
    recording.
    """
    times, actions = [], []

    def clips() -> Iterator[Any]:
        """The clips of the recordings, one after the other."""
        for recording in recordings:
            _check(recording, spec)
            times.append(np.asarray(recording.times, dtype=np.float64))
            actions.append([list(action) for action in recording.actions])
            yield recording.clip

    with replaced(folder, "meta.json") as new:
        write_sequences(
            new / "sequences", spec, load_skeleton(spec.skeleton).joints, clips(), left_out
        )
        save_npy(new / "times.npy", np.concatenate(times))
        sequences = open_sequences(new / "sequences")
        labels = json.dumps(actions)
        parts = [
            sequences.meta["checksum"],
            hashlib.sha256(np.concatenate(times).tobytes()).hexdigest(),
            labels,
        ]
        sums = hashlib.sha256("".join(parts).encode()).hexdigest()
        meta = {"dataset": spec.name, "actions": actions, "checksum": sums}
        write_record(
            new / "meta.json", meta | {"files": {"times.npy": checksum(new / "times.npy")}}
        )


def open_recordings(folder: str | Path) -> RecordingStore:
    """Memory-map what write_recordings wrote, or a folder of trimmed clips: each is then a
    recording that is all one action."""
    folder = Path(folder)
    if os.path.lexists(folder / "sequences"):
        kind = kind_of(folder, "recordings", "parse --untrimmed")
        content = read_json(folder / "meta.json", kind, RecordingsMeta)
        store = open_sequences(folder / "sequences")
        frames = store.index["frames"].astype(np.int64)
        verify(folder, content.get("files", {}), kind)
        with reading(folder / "times.npy", kind):
            times = load_npy(folder / "times.npy", mapped=True)
            if times.dtype != np.float64 or times.shape != (frames.sum(),):
                raise ValueError(
                    f"shape {times.shape} of {times.dtype}, expected {frames.sum()} times"
                )
        with reading(folder / "meta.json", kind):
            actions = [tuple(map(_action, rows)) for rows in content["actions"]]
            if len(actions) != len(store):
                raise ValueError(f"actions of {len(actions)} recordings, expected {len(store)}")
        return RecordingStore(
            store,
            times,
            np.cumsum(frames) - frames,
            actions,
            content["dataset"],
            content["checksum"],
        )
    store = open_sequences(folder)
    frames = store.index["frames"].astype(np.int64)
    longest = np.arange(int(frames.max(initial=0)), dtype=np.float64)
    actions = [((int(row["label"]), 0.0, float(row["frames"] - 1)),) for row in store.index]
    return RecordingStore(
        store,
        longest,
        np.zeros(len(store), np.int64),
        actions,
        store.meta["dataset"],
        store.meta["checksum"],
    )


def _action(row: list[float]) -> tuple[int, float, float]:
    label, start, end = row
    return int(label), float(start), float(end)


def _check(recording: Recording, spec: DatasetSpec) -> None:
    name, times = recording.clip.name, recording.times
    if len(times) != len(recording.clip.xyz) or (np.diff(times) <= 0).any():
        raise UserError(
            f"recording {name}: {len(times)} times of {len(recording.clip.xyz)} frames; expected "
            "one each, rising"
        )
    for label, start, end in recording.actions:
        if not (
            0 <= label < len(spec.classes)
            and start <= end
            and start <= times[-1]
            and end >= times[0]
        ):
            raise UserError(
                f"recording {name}: class {label} from {start:g} to {end:g}; expected a known "
                "class within the recording"
            )
