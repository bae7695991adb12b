"""Kills of a worker at any moment, on a machine that has other things to do: the work ends at once
with one line, and leaves nothing."""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path

import drilling
import numpy as np
import pytest
import simulated
from killing import NEEDS_PROC, a_kill

from pstl.config import Plugin
from pstl.data import members, pool, prepare
from pstl.data.datasets import ntu60
from pstl.data.fetch import fetch
from pstl.data.parse import parse
from pstl.errors import UserError

pytestmark = [pytest.mark.drills, NEEDS_PROC]
KILLS = 200  # of each kind of work
JOBS = 3
SAID = f"one of {JOBS} processes was killed"
LOOSE = {"wrong_counts": "warn"}
Work = Callable[[Path], None]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings in an archive, and what was read of them."""
    folder = tmp_path_factory.mktemp("kills")
    names = simulated.ntu_names((1, 2), (1, 3), (1, 13))
    (folder / "zip").mkdir()
    clips = {f"{name}.skeleton": simulated.ntu_clip(name, frames=(8, 12)) for name in names}
    simulated.write_zip(folder / "zip" / ntu60.DATASET.spec.remotes[0].filename, clips)
    fetch("ntu60", LOOSE, folder / "raw", [folder / "zip"])
    parse("ntu60", LOOSE, folder / "raw", folder / "sequences", jobs=1)
    return folder


def reading(place: Path) -> None:
    parse("ntu60", LOOSE, place / "raw", place / "out", jobs=JOBS)


def preparing(place: Path) -> None:
    prepare.prepare("ntu60", Plugin(name="resize50"), place / "sequences", place / "out", jobs=JOBS)


def heavy(number: int) -> np.ndarray:
    """Work of uneven length, and an answer that must be read to be written."""
    time.sleep(0.002 * (number % 7))
    return np.full(1 << 20, number, np.uint8)


def any_work(place: Path) -> None:
    done = [int(result[0]) for result in pool.each(heavy, range(100), JOBS)]
    assert done == list(range(100))


@pytest.fixture(autouse=True)
def many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones, so that there is something to kill for a while."""
    monkeypatch.setattr(members, "BATCH", 1)
    monkeypatch.setattr(prepare, "CHUNK", 3)


@pytest.mark.parametrize("work", [reading, preparing, any_work])
def test_a_kill_at_any_moment_ends_the_work_with_one_line(
    work: Work, place: Path, record_property
) -> None:
    """One hung for ever, once: its test saw it in no other of hundreds of calls."""
    rng, ends, longest = random.Random(work.__name__), Counter[str](), 0.0
    with drilling.load():
        while ends["one line"] + ends["wrong"] < drilling.times(KILLS):
            end, seconds = one_kill(work, place, rng)
            ends[end] += 1
            longest = max(longest, seconds)
    tried, said = ends["one line"] + ends["wrong"], ends["one line"]
    how = f"at most {longest:.1f} s from kill to end; {ends['too late']} more came too late"
    drilling.tell(record_property, f"killed worker: {work.__name__}", tried, said, how)
    assert not ends["wrong"]


def one_kill(work: Work, place: Path, rng: random.Random) -> tuple[str, float]:
    """How some work ended one of whose workers was killed, and how long after that."""
    said = ""
    with a_kill(rng, within=rng.choice([0.02, 0.7, 1.5])) as hits:
        try:
            work(place)
        except UserError as error:
            said = str(error)
        ended = time.monotonic()
    made = (place / "out").exists()
    left = [path.name for path in place.iterdir() if path.name.startswith(".out")]
    with suppress(FileNotFoundError):
        shutil.rmtree(place / "out")
    seconds = max([0.0, *(ended - hit for hit in hits)])
    if active_children() or left:
        return "wrong", seconds
    if said:
        return ("one line" if hits and said.startswith(SAID) and not made else "wrong"), seconds
    return "too late", 0.0
