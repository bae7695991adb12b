"""Speed of reading and of normalising recordings, beside plain Python: the same work, in turn."""

import time
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import plain, simulated
from benchmarks.text import aligned
from pstl.config import Plugin
from pstl.data import archives, members, parse, pool, prepare
from pstl.data.datasets import ntu60
from pstl.data.formats.skeleton_txt import JOINTS
from pstl.data.store import write_sequences
from pstl.errors import UserError
from pstl.records import Clip, Member

CONTENTS = 48  # different clips in the archive
FEW = 4  # plain Python does every fourth of them, and so clips of all lengths
ROUNDS = 3  # each side is timed so often, in turn, and its best time counts
CHUNK = 64  # clips a process normalises at once
CLIPS = 12_000  # normalised in a round, the same ones again and again
Row = dict[str, Any]


def bench_data(files: int, jobs: int | None = None) -> list[Row]:
    """Rows {work, ours, plain, times, times_by_clock, unit, jobs}: rates and their ratios.

    ours: of `jobs` processes, all cores by default.   plain: of one process of plain Python.
    read: `.skeleton` files out of a deflated archive to arrays of coordinates, on both sides.
    resize50, spine300: clips of a store of sequences to their arrays, on both sides.

    Rates are those of processes that have a core each: what is divided by is processor time,
    handing over results included, so that other work on the machine does not count. times_by_clock
    is the plain ratio of waiting times. Starting processes is in neither.

    Raises: UserError if the files are no more than what starts the processes.
    """
    if files <= members.BATCH:
        raise UserError(f"--files {files}: expected more than {members.BATCH}, a batch")
    jobs = jobs or pool.cores()
    with TemporaryDirectory() as folder:
        archive = simulated.ntu60_archive(Path(folder), min(CONTENTS, files), files)
        names = archives.check(archive)
        few = sorted(names)[:CONTENTS]
        clips: list[Clip] = []
        for name, text in archives.stream(archive, few):
            clips += ntu60.DATASET.read(Member(name), text, None)
        sequences = Path(folder, "sequences")
        write_sequences(sequences, ntu60.DATASET.spec, JOINTS, clips)
        rows = [read(archive, names, few[::FEW], jobs)]
        rows += [normalise(sequences, len(clips), recipe, jobs) for recipe in plain.RECIPES]
    return rows


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned text."""
    lines = [("work", "ours", "plain Python", "unit", "processes", "times", "by the clock")]
    for row in rows:
        ratios = f"{row['times']:.1f}", f"{row['times_by_clock']:.1f}"
        rates = f"{row['ours']:,.0f}", f"{row['plain']:,.1f}", row["unit"]
        lines.append((row["work"], *rates, str(row["jobs"]), *ratios))
    return aligned(lines)


def read(archive: Path, names: Sequence[str], few: Sequence[str], jobs: int) -> Row:
    """All files of an archive by `jobs` processes, and some of them by plain Python."""
    listed = [Member(name, archive) for name in names]
    pieces = [(batch, [(0, None)] * len(batch.members)) for batch in members.batches(listed)]
    bytes_of = {name: size for name, size, _ in archives.entries(archive)}
    megabytes = sum(bytes_of.values()) / 1e6
    few_megabytes = sum(bytes_of[name] for name in few) / 1e6
    work = partial(parse.read_batch, "ntu60", False)
    ours, slow = [], []
    for _ in range(ROUNDS):
        ours.append(pooled(work, pieces, jobs) * len(pieces) / megabytes)
        slow.append(timed(partial(read_plainly, archive, few)) / few_megabytes)
    return compared("read", ours, slow, "MB of text/s", jobs)


def read_plainly(archive: Path, names: Sequence[str]) -> None:
    """One file after the other, out of the archive as Python's own library reads it."""
    with zipfile.ZipFile(archive) as bundle:
        for name in names:
            plain.plain_read(bundle.read(name))


def normalise(sequences: Path, clips: int, recipe: str, jobs: int) -> Row:
    """All clips of a store by `jobs` processes, again and again, and some of them plainly."""
    ranges = [range(first, min(first + CHUNK, clips)) for first in range(0, clips, CHUNK)]
    pieces = ranges * max(2, CLIPS // clips)
    work = partial(prepared, recipe, sequences)
    few = range(0, clips, FEW)
    ours, slow = [], []
    for _ in range(ROUNDS):
        ours.append(pooled(work, pieces, jobs) * len(ranges) / clips)
        slow.append(timed(partial(normalise_plainly, recipe, sequences, few)) / len(few))
    return compared(recipe, ours, slow, "clips/s", jobs)


def prepared(recipe: str, sequences: Path, rows: range) -> int:
    """The work of one process: clips of the store to their part of the array."""
    store = prepare.opened_once(sequences)
    chosen = slice(rows.start, rows.stop)
    _, length = prepare.apply_recipe("ntu60", Plugin(name=recipe), store, chosen)
    return len(length)


def normalise_plainly(recipe: str, sequences: Path, rows: range) -> None:
    """The same work, clip by clip."""
    store = prepare.opened_once(sequences)
    for row in rows:
        plain.RECIPES[recipe](store[row])


def compared(
    work: str, ours: list[np.ndarray], slow: list[np.ndarray], unit: str, jobs: int
) -> Row:
    """ours, slow: of each round, (processor time, waiting time) in seconds a unit."""
    cpu, wait = np.min(ours, axis=0).tolist()
    slow_cpu, slow_wait = np.min(slow, axis=0).tolist()
    rates = {"ours": 1 / cpu, "plain": 1 / slow_cpu}
    ratios = {"times": slow_cpu / cpu, "times_by_clock": slow_wait / wait}
    return {"work": work, "unit": unit, "jobs": jobs, **rates, **ratios}


def timed(work: Callable[[], None]) -> np.ndarray:
    """(processor time, waiting time) of some work in this process, in seconds."""
    began = clocks()
    work()
    return clocks() - began


def pooled(work: Callable[[Any], Any], pieces: Sequence[Any], jobs: int) -> np.ndarray:
    """(processor time a core, waiting time) of a piece, in seconds.

    From the first result on: until then processes start.
    """
    results = pool.each(partial(with_time, work), pieces, jobs)
    next(results)
    began = clocks()
    spent = sum(seconds for seconds, _ in results)
    cpu, wait = clocks() - began
    cpu = cpu if jobs == 1 else (cpu + spent) / jobs
    return np.array([cpu, wait]) / (len(pieces) - 1)


def with_time(work: Callable[[Any], Any], piece: Any) -> tuple[float, Any]:
    """Processor seconds of a piece of work, and what came of it."""
    began = time.process_time()
    result = work(piece)
    return time.process_time() - began, result


def clocks() -> np.ndarray:
    """(processor time, waiting time) until now, in seconds."""
    return np.array([time.process_time(), time.perf_counter()])
