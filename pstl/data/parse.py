"""Raw files -> sequences at native length, on all cores, with the counts of the literature checked on the way."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pstl.config import validated
from pstl.data import members, pool
from pstl.data.recordings import write_recordings
from pstl.data.spec import DatasetSpec, RawSequence
from pstl.data.store import write_sequences
from pstl.errors import UserError
from pstl.registry import load
from pstl.skeletons import load as load_skeleton

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What one file gave: its clips (or its recording), or why it gave none."""

    member: members.Member
    clips: list[Any]
    damage: str = ""


def parse(
    name: str,
    settings: dict[str, Any],
    raw: str | Path,
    out: str | Path,
    jobs: int | None = None,
    skip_damaged: bool | None = None,
) -> None:
    """Read every raw file of a data set into a sequence store and check the counts of every split.

    jobs: processes, all cores by default.   skip_damaged: leave damaged files out and record them in the store (default: as set).
    Raises: UserError naming the file, or the split with the counts found and expected; nothing is written then.
    """
    dataset, raw = load("data.datasets", name), Path(raw)
    spec: DatasetSpec = dataset.SPEC
    if not raw.is_dir():
        raise UserError(
            f"{raw}: no such folder; run 'python -m pstl fetch {name} --out {raw}' first"
        )
    cfg = validated(dataset.Config, settings, f"datasets.{name}")
    expected = dataset.expected(cfg) if hasattr(dataset, "expected") else spec.expected
    counts, left_out = (
        {split: {"train": 0, "test": 0, "": 0} for split in spec.splits},
        dict[str, str](),
    )
    skip = getattr(cfg, "skip_damaged", False) if skip_damaged is None else skip_damaged

    def counted() -> Iterator[RawSequence]:
        found = clips(dataset, raw, jobs or pool.cores(), left_out if skip else None)
        for clip in at_least_one(found, name, raw, left_out):
            for split, rule in spec.splits.items():
                counts[split][rule(clip)] += 1
            yield clip
        wrong = _wrong_counts(name, counts, expected, len(left_out), raw)
        if wrong and getattr(cfg, "wrong_counts", "error") == "error" and not left_out:
            raise UserError(f"{wrong[0]}; {_advice(name, hasattr(dataset, 'read_member'))}")
        for line in wrong:
            log.warning("%s", line)

    write_sequences(
        out,
        spec,
        load_skeleton(spec.skeleton).joints,
        counted(),
        left_out,
        by_name=hasattr(dataset, "read_member"),
    )


def parse_untrimmed(
    name: str,
    settings: dict[str, Any],
    raw: str | Path,
    out: str | Path,
    jobs: int | None = None,
    skip_damaged: bool | None = None,
) -> None:
    """Read a data set's untrimmed recordings into a store, with `jobs` processes, all cores by default.

    Raises: UserError if it has none, or naming the damaged file, unless such are to be left out.
    """
    module = load("data.datasets", name)
    if not hasattr(module, "read_untrimmed") and not hasattr(module, "read_recording"):
        raise UserError(f"{name}: has no untrimmed recordings; its sequences are what there is")
    if not Path(raw).is_dir():
        raise UserError(
            f"{raw}: no such folder; run 'python -m pstl fetch {name} --out {raw}' first"
        )
    cfg = validated(module.Config, settings, f"datasets.{name}")
    if hasattr(module, "read_untrimmed"):
        _remark(module, Path(raw))
        write_recordings(out, module.SPEC, module.read_untrimmed(Path(raw)))
        return
    skip = getattr(cfg, "skip_damaged", False) if skip_damaged is None else skip_damaged
    left_out = dict[str, str]()
    results = outcomes(module, Path(raw), jobs or pool.cores(), "read_recording")
    found = made_of(results, raw, left_out if skip else None)
    write_recordings(out, module.SPEC, at_least_one(found, name, raw, left_out), left_out)


def clips(
    dataset: ModuleType, raw: Path, jobs: int, left_out: dict[str, str] | None
) -> Iterator[RawSequence]:
    """Every clip of a data set. left_out: takes the damaged files; None: the first one is an error."""
    if not hasattr(dataset, "read_member"):
        _remark(dataset, raw)
        yield from dataset.read(raw)
        return
    yield from made_of(outcomes(dataset, raw, jobs), raw, left_out)


def at_least_one(
    found: Iterable[Any], name: str, raw: str | Path, left_out: dict[str, str]
) -> Iterator[Any]:
    """All that is found. left_out: read at the end.   Raises: UserError if nothing is."""
    empty = True
    for each in found:
        empty = False
        yield each
    if empty:
        why = next(iter(left_out.values()), "no file holds one")
        many = f", {len(left_out)} damaged files left out" * bool(left_out)
        raise UserError(f"{name}: not one clip in {raw}{many}: {why}")


def remarks(dataset: ModuleType, raw: Path) -> list[str]:
    """What a user should hear of the files of a small data set."""
    return list(dataset.remarks(raw)) if hasattr(dataset, "remarks") else []


def _remark(dataset: ModuleType, raw: Path) -> None:
    for line in remarks(dataset, raw):
        log.warning("%s: %s", dataset.SPEC.name, line)


def made_of(
    results: Iterable[Outcome], raw: str | Path, left_out: dict[str, str] | None
) -> Iterator[Any]:
    """The clips of all files. left_out: takes the damaged files; None: the first one is an error."""
    for outcome in results:
        if outcome.damage:
            if left_out is None:
                raise UserError(
                    f"{outcome.damage} (in {outcome.member.archive or raw}); or leave such files out: parse with --skip-damaged"
                )
            log.warning("left out: %s", outcome.damage)
            left_out[outcome.member.file] = outcome.damage
        yield from outcome.clips


def outcomes(
    dataset: ModuleType,
    raw: Path,
    jobs: int,
    reader: str = "read_member",
    folders: Sequence[Path] = (),
    said: list[str] | None = None,
) -> Iterator[Outcome]:
    """What each recording of a data set gives by the data set's `reader`, without its missing ones.

    folders: looked into instead of `raw`.
    said: takes what a user should hear of (default: it is logged).
    """
    spec: DatasetSpec = dataset.SPEC
    found = members.of_dataset(spec, raw, folders)
    recordings = [m for remote in spec.remotes if not remote.notes for m in found[remote.filename]]
    if hasattr(dataset, "wanted"):
        recordings = [m for m in recordings if dataset.wanted(m.file)]
    notes: dict[str, Any] = {}
    if hasattr(dataset, "notes"):
        texts = {
            remote.filename: members.text(found[remote.filename])
            for remote in spec.remotes
            if remote.notes
        }
        notes, lines = dataset.notes(texts, [m.file for m in recordings])
        if said is not None:
            said += lines
        else:
            for line in lines:
                log.warning("%s: %s", spec.name, line)
    pieces = (
        (batch, [notes.get(m.file) for m in batch.members]) for batch in members.batches(recordings)
    )
    yield from _told(
        pool.each(partial(read_batch, spec.name, reader), pieces, jobs), len(recordings), spec.name
    )


def read_batch(name: str, reader: str, piece: tuple[members.Batch, list[Any]]) -> list[Outcome]:
    """The work of one process: a few files of the data set `name`."""
    (batch, notes), read = piece, getattr(load("data.datasets", name), reader)
    return [
        _outcome(batch, i, partial(read, member.file), notes[i])
        for i, member in enumerate(batch.members)
    ]


def _outcome(
    batch: members.Batch, i: int, read: Callable[[bytes, Any], list[Any]], note: Any
) -> Outcome:
    try:
        return Outcome(batch.members[i], read(members.content(batch, i), note))
    except UserError as damage:
        return Outcome(batch.members[i], [], str(damage))


def _told(results: Iterator[list[Outcome]], total: int, name: str) -> Iterator[Outcome]:
    done, said = 0, 0
    for batch in results:
        yield from batch
        done += len(batch)
        if done * 20 // max(total, 1) > said:
            said = done * 20 // total
            log.info("%s: %d of %d files read", name, done, total)


def _wrong_counts(
    name: str,
    counts: dict[str, dict[str, int]],
    expected: dict[str, tuple[int, int]],
    left_out: int,
    raw: Path,
) -> list[str]:
    """A line for every side of a split whose number of clips is not the literature's."""
    return [
        f"{name}/{split}: {counts[split][side]} {said} clips in {raw}, expected {number}"
        + f" ({left_out} damaged files left out)" * bool(left_out)
        for split, numbers in expected.items()
        for side, said, number in zip(("train", "test"), ("training", "test"), numbers, strict=True)
        if counts[split][side] != number
    ]


def _advice(name: str, read_in_place: bool) -> str:
    if not read_in_place:
        return f"delete the folder and run 'python -m pstl fetch {name}'"
    return f"see what is missing with 'python -m pstl doctor {name}', or go on with these by wrong_counts: warn under datasets: {name}:"
