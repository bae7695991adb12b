"""Writers of one folder, killed at any moment: under its name stands the old or the new, whole."""

import multiprocessing
import os
import random
import time
from collections import Counter
from pathlib import Path

import drilling
import pytest

from pstl.publish import replaced

pytestmark = pytest.mark.drills
KILLS = 200
FILES = [f"{number}.txt" for number in range(8)]


def write_for_ever(place: str, mark: str) -> None:
    """A folder whose files all say the same, again and again, until the drill is over."""
    number, parent = 0, os.getppid()
    while os.getppid() == parent:
        number += 1
        write(place, f"{mark} {number}")


def write(place: str, text: str) -> None:
    with replaced(place) as new:
        for name in FILES:
            (new / name).write_text(text)


def is_whole(place: Path) -> bool:
    return {path.name for path in place.iterdir()} == set(FILES) and len(
        {path.read_text() for path in place.iterdir()}
    ) == 1


@pytest.mark.parametrize("writers", [1, 2, 3])
def test_a_killed_writer_leaves_a_whole_folder(
    tmp_path: Path, writers: int, record_property
) -> None:
    """Killed between two renames, one left no folder at all."""
    context, rng, ends = multiprocessing.get_context("spawn"), random.Random(writers), Counter()
    place = tmp_path / "folder"
    write(str(place), "first")
    for _ in range(drilling.times(KILLS)):
        begun = place.stat().st_ino
        words = [(str(place), str(number)) for number in range(writers)]
        all_ = [context.Process(target=write_for_ever, args=each) for each in words]
        for process in all_:
            process.start()
        while not place.exists() or place.stat().st_ino == begun:
            time.sleep(0.001)  # until one of them writes
        time.sleep(rng.uniform(0, 0.05))
        for process in rng.sample(all_, writers):
            process.kill()
            process.join()
        ends["whole" if place.exists() and is_whole(place) else "lost"] += 1
        if not place.exists():
            write(str(place), "again")
    write(str(place), "last")
    left = [path.name for path in tmp_path.iterdir()]
    drilling.tell(
        record_property, f"killed writers of a folder: {writers}", sum(ends.values()), ends["whole"]
    )
    assert not ends["lost"]
    assert left == ["folder"]
