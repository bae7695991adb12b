"""Sequences at native length -> one recipe's array, and the check that its splits do not
overlap."""

import json
import logging
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from pstl.config import Plugin, validated
from pstl.data import pool
from pstl.data.spec import DatasetSpec
from pstl.data.store import ArraySet, SequenceStore, fill_array, open_array, open_sequences
from pstl.errors import UserError
from pstl.files import write_record
from pstl.records import Clip
from pstl.registry import load_dataset, load_recipe
from pstl.skeletons import load as load_skeleton

log = logging.getLogger(__name__)
CHUNK = 256  # clips a recipe sees at once: bounds memory


def prepare(
    name: str, recipe: Plugin, sequences: str | Path, out: str | Path, jobs: int | None = None
) -> None:
    """Apply one recipe to every sequence of a data set and write the array with labels, lengths and
    splits.

    jobs: processes, all cores by default; each writes its clips into the file of the array, so
    memory is bounded.
    """
    spec = load_dataset(name).spec
    store, sequences = open_sequences(sequences), Path(sequences)
    if not len(store):
        raise UserError(
            f"{name}: {sequences} holds no clip; run 'python -m pstl parse {name}' again"
        )
    longest = int(np.argmax(store.index["frames"]))
    shape = apply_recipe(name, recipe, store, slice(longest, longest + 1))[0].shape[1:]
    ranges = [range(first, min(first + CHUNK, len(store))) for first in range(0, len(store), CHUNK)]

    def fill(path: Path) -> ArraySet:
        """Write the array below a path."""
        lengths = []
        work = partial(_fill, name, recipe, sequences, path)
        for done, length in zip(
            ranges, pool.each(work, ranges, min(jobs or pool.cores(), len(ranges))), strict=True
        ):
            lengths.append(length)
            log.info("%s %s: %d of %d clips", name, recipe.key, done.stop, len(store))
        meta = {
            "dataset": name,
            "recipe": recipe.model_dump(),
            "skeleton": spec.skeleton,
            "people": spec.people,
            "classes": list(spec.classes),
            "units": spec.units,
            "sequences": store.meta["checksum"],
        }
        x, labels = np.load(path, mmap_mode="r"), store.index["label"].astype(np.int64)
        return ArraySet(
            x,
            labels,
            np.concatenate(lengths),
            store.index["content"],
            store.names,
            split_indices(spec, store),
            meta,
        )

    fill_array(out, (len(store), *shape), fill)


def apply_recipe(
    name: str, recipe: Plugin, store: SequenceStore, which: slice
) -> tuple[np.ndarray, np.ndarray]:
    """The recipe's (n, 3, T, V, M) and lengths (n,) of some clips; T may be that of the longest
    among them."""
    spec = load_dataset(name).spec
    clips = [store[i] for i in range(which.start, which.stop)]
    return made(recipe, clips, spec.skeleton, spec.people)


def made(
    recipe: Plugin, clips: Sequence[Clip], skeleton: str, people: int
) -> tuple[np.ndarray, np.ndarray]:
    """What a recipe makes of clips of one body: the only place where one is applied, whoever asks.

    skeleton: the body's name.   people: body slots.
    Returns: x (n, 3, T, V, M) float32, lengths (n,) int64.
    """
    plugin = load_recipe(recipe.name)
    cfg = validated(plugin.Config, recipe.settings, f"recipe {recipe.name}")
    return plugin.apply(clips, load_skeleton(skeleton), people, cfg)


def _fill(name: str, recipe: Plugin, sequences: Path, path: Path, rows: range) -> np.ndarray:
    """The work of one process: some clips into the array's file. Returns: their lengths (n,)."""
    store = opened_once(sequences)
    part, length = apply_recipe(name, recipe, store, slice(rows.start, rows.stop))
    check_finite(part, store.names[rows.start : rows.stop])
    x = np.load(path, mmap_mode="r")
    if part.shape[1:2] + part.shape[3:] != x.shape[1:2] + x.shape[3:] or part.shape[2] > x.shape[2]:
        raise UserError(
            f"recipe {recipe.name}: clips of shape {part.shape[1:]}, the longest clip made "
            f"{x.shape[1:]}; the recipe is at fault"
        )
    used = np.any(part != 0, axis=(1, 3, 4))  # (n, T)
    first, step = x.offset, x.strides
    # Through the file and not through the map: on a full disk a write is an error, a page of a map
    # is the end of the process.
    with open(path, "r+b") as file:
        for row, clip, last in zip(
            rows, part, used.shape[1] - used[:, ::-1].argmax(1), strict=True
        ):
            for axis, values in enumerate(np.ascontiguousarray(clip[:, :last], dtype=x.dtype)):
                file.seek(first + row * step[0] + axis * step[1])
                file.write(values)
    return length


def opened_once(sequences: Path) -> SequenceStore:
    """The store, opened once in a process that works on many pieces: its list of names takes longer
    to read than clips to normalise."""
    return _opened(sequences, (sequences / "meta.json").stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _opened(sequences: Path, changed: int) -> SequenceStore:
    return open_sequences(sequences)


def join(parts: list[np.ndarray]) -> np.ndarray:
    """Chunks of clips as one array; a recipe may give each chunk the frames of its longest clip,
    shorter ones end in zeros.

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


def split_indices(
    spec: DatasetSpec, store: SequenceStore
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(train, test) indices of every split of a data set."""
    sides: dict[str, list[str]] = {split: [] for split in spec.splits}
    for clip in store:  # once for all splits: it takes longer to make a clip than to judge it
        for split, rule in spec.splits.items():
            sides[split].append(rule(clip))
    return {split: _indices(np.array(each)) for split, each in sides.items()}


def _indices(sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(train, test) indices where sides (N,) of str says so."""
    return np.flatnonzero(sides == "train"), np.flatnonzero(sides == "test")


def check_finite(x: np.ndarray, names: list[str]) -> None:
    """Raises: UserError naming the first clip of x (N, ...) that holds NaN or infinity."""
    good = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if not good.all():
        raise UserError(
            f"clip {names[int(np.argmin(good))]}: the recipe made NaN or infinite values; check "
            "the recording"
        )


def check_leakage(array: str | Path, split: str, out: str | Path) -> None:
    """No test clip may be a training clip, by name or by recorded coordinates. Writes the counts.

    Raises: UserError naming a clip that is on both sides, unless the data set's spec documents just
    that many twins in the released files; tasks then report the unseen test clips separately.
    """
    data = open_array(array)
    name = data.meta["dataset"]
    train, test = data.sides(split)
    twice = sorted({data.names[i] for i in train} & {data.names[i] for i in test})
    if twice:
        raise UserError(
            f"{name}/{split}: clip {twice[0]} is in training and in test; correct the split"
        )
    seen, documented = ~data.unseen(split), load_dataset(name).spec.overlap.get(split, 0)
    if seen.sum() != documented:
        example = f", e.g. {data.names[test[np.flatnonzero(seen)[0]]]}" if seen.any() else ""
        raise UserError(
            f"{name}/{split}: {seen.sum()} test clips have the very coordinates of a training "
            f"clip{example}; "
            f"expected {documented}; remove the copies, or document them in the data set's spec"
        )
    if documented:
        log.warning(
            "%s/%s: %d of %d test clips are also training clips in the released files",
            name,
            split,
            documented,
            len(test),
        )
    left_out = np.setdiff1d(np.arange(len(data.names)), np.concatenate([train, test]))
    if len(left_out):
        log.warning(
            "%s/%s: left out, on neither side: %d clips, e.g. %s",
            name,
            split,
            len(left_out),
            data.names[left_out[0]],
        )
    counts = {"train": len(train), "test": len(test), "left_out": len(left_out)}
    write_record(out, {"split": split, **counts, "shared_names": 0, "shared_contents": documented})


def recipe_settings(text: str) -> Plugin:
    """A recipe as it is typed: its name, or JSON with its name and settings.

    Raises: UserError if it is neither.
    """
    section: Any = {"name": text}
    if text.startswith("{"):
        try:
            section = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"--recipe {text!r}: not JSON: {error}") from None
    settings: Plugin = validated(Plugin, section, "--recipe")
    return settings
