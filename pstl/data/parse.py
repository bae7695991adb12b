"""Raw files -> sequences at native length, on all cores; counts are checked on the way."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pstl.config import validated
from pstl.contracts import Dataset
from pstl.data import members, pool
from pstl.data.recordings import write_recordings
from pstl.data.store import write_sequences
from pstl.errors import UserError
from pstl.records import Clip, DatasetConfig, Member, Places, Recording
from pstl.registry import load_dataset
from pstl.skeletons import load as load_skeleton

log = logging.getLogger(__name__)
Made = TypeVar("Made", Clip, Recording)


class Outcome(NamedTuple):
    """What one file gave: its clips (or its recording), or why it gave none.

    order: of the file among all of its data set.
    """

    member: Member
    order: int
    clips: list[Any]
    damage: str = ""


@dataclass
class Reading(Generic[Made]):
    """The clips (or recordings) of a data set, one after the other, and what was found on the way.

    name: of the data set.   raw: its folder.   results: what the files gave.
    skip: leave damaged files out.
    order: after iterating, of every clip the order of its file.
    left_out: after iterating, the damaged file -> why.
    """

    name: str
    raw: Path
    results: Iterable[Outcome]
    skip: bool
    order: list[int] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Made]:
        """Raises: UserError for the first damaged file, unless such are left out."""
        for outcome in self.results:
            if outcome.damage:
                self._leave_out(outcome)
            for clip in outcome.clips:
                self.order.append(outcome.order)
                yield clip
        if not self.order:
            why = next(iter(self.left_out.values()), "no file holds one")
            many = f", {len(self.left_out)} damaged files left out" * bool(self.left_out)
            raise UserError(f"{self.name}: not one clip in {self.raw}{many}: {why}")

    def _leave_out(self, outcome: Outcome) -> None:
        if not self.skip:
            where = outcome.member.archive or self.raw
            advice = "or leave such files out: parse with --skip-damaged"
            raise UserError(f"{outcome.damage} (in {where}); {advice}")
        log.warning("left out: %s", outcome.damage)
        self.left_out[outcome.member.file] = outcome.damage


def parse(
    name: str,
    settings: dict[str, Any],
    raw: str | Path,
    out: str | Path,
    jobs: int | None = None,
    skip_damaged: bool | None = None,
) -> None:
    """Read every raw file of a data set into a sequence store and check the counts of every split.

    jobs: processes, all cores by default.
    skip_damaged: leave damaged files out and record them in the store (default: as set).
    Raises: UserError naming the file, or the split with the counts found and expected; nothing is
    written then.
    """
    dataset, cfg, raw = _opened(name, settings, raw)
    skip = cfg.skip_damaged if skip_damaged is None else skip_damaged
    reading = clips(dataset, raw, jobs or pool.cores(), skip)
    counts = {split: {"train": 0, "test": 0, "": 0} for split in dataset.spec.splits}

    def counted() -> Iterator[Clip]:
        """The clips as they are read, with a count of them on the way."""
        for clip in reading:
            for split, rule in dataset.spec.splits.items():
                counts[split][rule(clip)] += 1
            yield clip
        wrong = _wrong_counts(dataset, cfg, counts, raw, len(reading.left_out))
        if wrong and cfg.wrong_counts == "error" and not reading.left_out:
            raise UserError(f"{wrong[0]}; {_advice(dataset)}")
        for line in wrong:
            log.warning("%s", line)

    joints = load_skeleton(dataset.spec.skeleton).joints
    write_sequences(out, dataset.spec, joints, counted(), reading.left_out, reading.order)


def parse_untrimmed(
    name: str,
    settings: dict[str, Any],
    raw: str | Path,
    out: str | Path,
    jobs: int | None = None,
    skip_damaged: bool | None = None,
) -> None:
    """Read a data set's untrimmed recordings into a store, with `jobs` processes.

    Raises: UserError if it has none, or naming the damaged file, unless such are to be left out.
    """
    if not load_dataset(name).untrimmed:
        raise UserError(f"{name}: has no untrimmed recordings; its sequences are what there is")
    dataset, cfg, raw = _opened(name, settings, raw)
    skip = cfg.skip_damaged if skip_damaged is None else skip_damaged
    reading = recordings(dataset, raw, jobs or pool.cores(), skip)
    write_recordings(out, dataset.spec, reading, reading.left_out)


def clips(dataset: Dataset, raw: Path, jobs: int = 1, skip: bool = False) -> Reading[Clip]:
    """Every clip of a data set."""
    results = outcomes(dataset, members.DatasetFiles(dataset.spec, raw), jobs)
    return Reading(dataset.spec.name, raw, results, skip)


def recordings(
    dataset: Dataset, raw: Path, jobs: int = 1, skip: bool = False
) -> Reading[Recording]:
    """Every untrimmed recording of a data set."""
    results = outcomes(dataset, members.DatasetFiles(dataset.spec, raw), jobs, untrimmed=True)
    return Reading(dataset.spec.name, raw, results, skip)


def outcomes(
    dataset: Dataset,
    places: Places,
    jobs: int,
    untrimmed: bool = False,
    remarks: list[str] | None = None,
) -> Iterator[Outcome]:
    """What each recording of a data set gives: its clips, or the untrimmed recording.

    remarks: takes what a user should hear of (default: it is logged).
    """
    name, files = dataset.spec.name, dataset.members(places)
    notes = dataset.notes(places, files)
    for line in notes.remarks:
        if remarks is None:
            log.warning("%s: %s", name, line)
        else:
            remarks.append(line)
    order = {member: i for i, member in enumerate(files)}

    def with_notes(batch: members.Batch) -> tuple[members.Batch, list[tuple[int, Any]]]:
        """A batch, and of each of its members the place in the order and its note."""
        return batch, [(order[m], notes.by_file.get(m.file)) for m in batch.members]

    pieces = map(with_notes, members.batches(files))
    workers = min(jobs, -(-len(files) // members.BATCH))
    results = pool.each(partial(read_batch, name, untrimmed), pieces, workers)
    yield from _told(results, len(files), name)


def read_batch(
    name: str, untrimmed: bool, piece: tuple[members.Batch, list[tuple[int, Any]]]
) -> list[Outcome]:
    """The work of one process: a few files of the data set `name`.

    piece: the files, and of each its order and what is noted of it.
    """
    (batch, noted), dataset, results = piece, load_dataset(name), []
    for i, (order, note) in enumerate(noted):
        member = batch.members[i]
        try:
            data = members.content(batch, i)
            if untrimmed:
                made: list[Any] = [dataset.read_recording(member, data, note)]
            else:
                made = list(dataset.read(member, data, note))
            results.append(Outcome(member, order, made))
        except UserError as damage:
            results.append(Outcome(member, order, [], str(damage)))
    return results


def _opened(
    name: str, settings: dict[str, Any], raw: str | Path
) -> tuple[Dataset, DatasetConfig, Path]:
    """A data set, its settings, and the folder of its files, which must be there."""
    dataset, raw = load_dataset(name), Path(raw)
    if not raw.is_dir():
        fetch = f"run 'python -m pstl fetch {name} --out {raw}' first"
        raise UserError(f"{raw}: no such folder; {fetch}")
    return dataset, validated(dataset.Config, settings, f"datasets.{name}"), raw


def _told(results: Iterator[list[Outcome]], total: int, name: str) -> Iterator[Outcome]:
    done, reported = 0, 0
    for batch in results:
        yield from batch
        done += len(batch)
        if done * 20 // max(total, 1) > reported:
            reported = done * 20 // total
            log.info("%s: %d of %d files read", name, done, total)


def _wrong_counts(
    dataset: Dataset,
    cfg: DatasetConfig,
    counts: dict[str, dict[str, int]],
    raw: Path,
    left_out: int,
) -> list[str]:
    """A line for every side of a split whose number of clips is not the literature's."""
    lines = []
    without = f" ({left_out} damaged files left out)" * bool(left_out)
    for split, (train, test) in dataset.expected(cfg).items():
        for side, title, number in (("train", "training", train), ("test", "test", test)):
            if (count := counts[split][side]) != number:
                where = f"{dataset.spec.name}/{split}"
                lines.append(f"{where}: {count} {title} clips in {raw}, expected {number}{without}")
    return lines


def _advice(dataset: Dataset) -> str:
    name = dataset.spec.name
    if not any(remote.in_place for remote in dataset.spec.remotes):
        return f"delete the folder and run 'python -m pstl fetch {name}'"
    setting = f"wrong_counts: warn under datasets: {name}:"
    return (
        f"see what is missing with 'python -m pstl doctor {name}', or go on with these by {setting}"
    )
