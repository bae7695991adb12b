"""Time and memory of what grows with the number of clips: as many as NTU RGB+D 120 has, of nobody.

What is measured runs in processes of its own. Clips are all zero but for their first numbers, and
take no room on a disk whose files may have holes.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.processes import CODE, ROOT
from benchmarks.text import aligned
from pstl.data import prepare
from pstl.data.store import ArraySet, SequenceStore, fill_array, open_array
from pstl.data.store_shape import INDEX
from pstl.registry import load_dataset

DATASET, RECIPE = "ntu120", "resize50"
FRAMES, JOINTS, PEOPLE = 50, 25, 2
NEIGHBOURS = 3  # processes that hold one training side at a time
BATCH, BATCHES = 128, 20
Row = dict[str, Any]


def bench_scale(clips: int) -> list[Row]:
    """Rows {work, value, unit}: splits, opening an array, and the memory of processes that train
    from one at a time.

    private: what a process has of its own beyond one with a hundredth of the clips; the pages of
    the array are shared, and not in it.
    """
    with TemporaryDirectory() as folder:
        few, many = (fabricated(Path(folder, str(n)), n) for n in (clips // 100, clips))
        rows = [{"work": f"splits of {clips:,} clips", "value": splits(clips), "unit": "s"}]
        rows.append({"work": "open their array", "value": opened(many), "unit": "s"})
        held, base = side_by_side(many), side_by_side(few)
        for name in ("resident", "private"):
            grown = np.mean([each[name] for each in held]) - np.mean([each[name] for each in base])
            work = f"{name} memory of {NEIGHBOURS} processes, each"
            rows.append({"work": work, "value": float(grown), "unit": "MB"})
        size = (many / "x.npy").stat().st_size / 1e6
        rows.append({"work": "the array", "value": size, "unit": "MB"})
    return rows


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned text."""
    lines = [("work", "", "")]
    lines += [(row["work"], f"{row['value']:,.2f}", row["unit"]) for row in rows]
    return aligned(lines)


def splits(clips: int) -> float:
    """Seconds of processor time for all splits of a store of so many clips of one frame."""
    rng, index = np.random.default_rng(0), np.zeros(clips, INDEX)
    index["frames"] = index["people"] = 1
    index["offset"] = np.arange(clips) * JOINTS * 3
    for name, most in (("subject", 106), ("camera", 3), ("setup", 32)):
        index[name] = rng.integers(1, most + 1, clips)
    values = np.zeros(clips * JOINTS * 3, np.float32)
    names = [f"clip{number}" for number in range(clips)]
    store = SequenceStore(values, index, names, {"joints": JOINTS})
    began = time.process_time()
    prepare.split_indices(load_dataset(DATASET).spec, store)
    return time.process_time() - began


def fabricated(folder: Path, clips: int) -> Path:
    """An array of so many clips, every second one of them for training."""
    spec = load_dataset(DATASET).spec

    def fill(path: Path) -> ArraySet:
        """Write the first number of each clip, so that its body is there."""
        x = np.load(path, mmap_mode="r+")
        for first in range(0, clips, 1000):
            x[first : first + 1000, 0, 0, 0, 0] = 1
        order = np.arange(clips)
        names = [f"clip{number}" for number in range(clips)]
        recipe = {"name": RECIPE, "settings": {}}
        meta: Row = {"dataset": DATASET, "recipe": recipe, "skeleton": spec.skeleton}
        meta |= {"people": PEOPLE, "classes": list(spec.classes)}
        sides = {"xsub": (order[::2], order[1::2])}
        length = np.full(clips, FRAMES)
        return ArraySet(x, order % 120, length, order.astype(np.uint64), names, sides, meta)

    fill_array(folder, (clips, 3, FRAMES, JOINTS, PEOPLE), fill)
    return folder


def opened(folder: Path) -> float:
    """Seconds until an array that was compared with its checksums before is open again."""
    open_array(folder)
    began = time.process_time()
    open_array(folder)
    return time.process_time() - began


def side_by_side(folder: Path) -> list[dict[str, float]]:
    """MB of memory of several processes that hold the training side of one array at a time."""
    words = [str(ROOT), "benchmarks.scale", json.dumps([str(folder)])]
    command = [sys.executable, "-c", CODE, *words]
    pipes: Row = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ended([subprocess.Popen(command, **pipes) for _ in range(NEIGHBOURS)]) as processes:
        for process in processes:
            process.stdout.readline()  # it has taken its batches
        return [memory(process.pid) for process in processes]


@contextmanager
def ended(processes: list[Any]) -> Iterator[list[Any]]:
    """Processes that end when their standard input does."""
    try:
        yield processes
    finally:
        for process in processes:
            process.communicate()


def measure(folder: str) -> None:
    """In a process of its own: take batches as a training does, say so, and wait."""
    import torch

    from pstl.data.loader import Clips, shuffled
    from pstl.records import Wants

    data = open_array(folder)
    train, _ = data.sides("xsub")
    clips = Clips(data, train, torch.device("cpu"), Wants(labels=True))
    for index in shuffled(len(clips), BATCH, True, 0, 0)[:BATCHES]:
        clips.batch(index)
    os.write(1, b"held\n")
    sys.stdin.read()


def memory(process: int) -> dict[str, float]:
    """MB that a process has in memory: all of it, and what no file is behind."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1e3 for line in lines}
    return {"resident": sizes["Rss"], "private": sizes["Private_Dirty"]}
