"""Raw files -> sequences at native length -> one recipe's array, with the counts of the literature checked on the way."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from pstl.config import Plugin, validated
from pstl.data.spec import DatasetSpec
from pstl.data.store import ArraySet, SequenceStore, open_array, open_sequences, write_array, write_json, write_sequences
from pstl.errors import UserError
from pstl.registry import load
from pstl.skeletons import load as load_skeleton

log = logging.getLogger(__name__)
CHUNK = 2048  # clips a recipe sees at once: bounds memory


def parse(name: str, settings: dict[str, Any], raw: str | Path, out: str | Path) -> None:
    """Read every raw file of a data set into a sequence store and check the counts of every split.

    Raises: UserError naming the file, or the split with the counts found and expected; nothing is written then.
    """
    dataset = load("data.datasets", name)
    spec: DatasetSpec = dataset.SPEC
    if not Path(raw).is_dir():
        raise UserError(f"{raw}: no such folder; run 'python -m pstl fetch {name} --out {raw}' first")
    cfg = validated(dataset.Config, settings, f"datasets.{name}")
    expected = dataset.expected(cfg) if hasattr(dataset, "expected") else spec.expected
    joints = load_skeleton(spec.skeleton).joints

    def counted() -> Any:
        counts = {split: {"train": 0, "test": 0, "": 0} for split in spec.splits}
        for sequence in dataset.read(Path(raw)):
            for split, rule in spec.splits.items():
                counts[split][rule(sequence)] += 1
            yield sequence
        for split, (train, test) in expected.items():
            check_count(f"{name}/{split}", "training", counts[split]["train"], train, raw)
            check_count(f"{name}/{split}", "test", counts[split]["test"], test, raw)

    write_sequences(out, spec, joints, counted())


def check_count(what: str, side: str, found: int, expected: int, folder: str | Path) -> None:
    """Raises: UserError with both counts if they differ."""
    if found != expected:
        dataset = what.split("/")[0]
        raise UserError(
            f"{what}: {found} {side} clips in {folder}, expected {expected}; delete the folder and run 'python -m pstl fetch {dataset}'"
        )


def prepare(name: str, recipe: Plugin, sequences: str | Path, out: str | Path) -> None:
    """Apply one recipe to every sequence of a data set and write the array with labels, lengths and splits."""
    spec: DatasetSpec = load("data.datasets", name).SPEC
    module = load("data.recipes", recipe.name)
    cfg = validated(module.Config, recipe.settings, f"recipe {recipe.name}")
    store, skeleton = open_sequences(sequences), load_skeleton(spec.skeleton)
    parts = []
    for first in range(0, len(store), CHUNK):
        clips = [store[i] for i in range(first, min(first + CHUNK, len(store)))]
        parts.append(module.apply(clips, skeleton, spec.people, cfg))
        log.info("%s %s: %d of %d clips", name, recipe.key, first + len(clips), len(store))
    x, length = join([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    check_finite(x, store.names)
    meta = {
        "dataset": name, "recipe": recipe.model_dump(), "skeleton": spec.skeleton, "people": spec.people,
        "classes": list(spec.classes), "units": spec.units, "sequences": store.meta["checksum"],
    }  # fmt: skip
    labels = store.index["label"].astype(np.int64)
    write_array(out, ArraySet(x, labels, length, store.index["content"], store.names, split_indices(spec, store), meta))


def join(parts: list[np.ndarray]) -> np.ndarray:
    """Chunks of clips as one array; a recipe may give each chunk the frames of its longest clip, shorter ones end in zeros.

    parts: (n, 3, T, V, M) each, T may differ.   Returns: (sum of n, 3, largest T, V, M).
    """
    if len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    count, frames = sum(len(part) for part in parts), max(part.shape[2] for part in parts)
    x = np.zeros((count, 3, frames, *parts[0].shape[3:]), dtype=parts[0].dtype)
    first = 0
    for part in parts:
        x[first : first + len(part), :, : part.shape[2]] = part
        first += len(part)
    return x


def split_indices(spec: DatasetSpec, store: SequenceStore) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(train, test) indices of every split of a data set."""
    sides = {split: np.array([rule(s) for s in store]) for split, rule in spec.splits.items()}
    return {split: (np.flatnonzero(side == "train"), np.flatnonzero(side == "test")) for split, side in sides.items()}


def check_finite(x: np.ndarray, names: list[str]) -> None:
    """Raises: UserError naming the first clip of x (N, ...) that holds NaN or infinity."""
    good = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if not good.all():
        raise UserError(f"clip {names[int(np.argmin(good))]}: the recipe made NaN or infinite values; check the recording")


def check_leakage(array: str | Path, split: str, out: str | Path) -> None:
    """No test clip may be a training clip, by name or by recorded coordinates. Writes the counts.

    Raises: UserError naming a clip that is on both sides, unless the data set's spec documents just that many twins in the
    released files; tasks then report the unseen test clips separately.
    """
    data = open_array(array)
    name = data.meta["dataset"]
    if split not in data.splits:
        raise UserError(f"unknown split {split!r} of {name}; known: {', '.join(data.splits)}")
    train, test = data.splits[split]
    twice = sorted({data.names[i] for i in train} & {data.names[i] for i in test})
    if twice:
        raise UserError(f"{name}/{split}: clip {twice[0]} is in training and in test; correct the split")
    seen, documented = ~data.unseen(split), load("data.datasets", name).SPEC.overlap.get(split, 0)
    if seen.sum() != documented:
        example = f", e.g. {data.names[test[np.flatnonzero(seen)[0]]]}" if seen.any() else ""
        raise UserError(
            f"{name}/{split}: {seen.sum()} test clips have the very coordinates of a training clip{example}; "
            f"expected {documented}; remove the copies, or document them in the data set's spec"
        )
    if documented:
        log.warning("%s/%s: %d of %d test clips are also training clips in the released files", name, split, documented, len(test))
    write_json(out, {"split": split, "train": len(train), "test": len(test), "shared_names": 0, "shared_contents": documented})
