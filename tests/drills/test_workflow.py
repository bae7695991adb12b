"""Kills and signals to a running workflow, at random moments: the same command typed again each
time ends in the same tables, to the last bit."""

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import drilling
import pytest
from builtin_suite import same_results
from disturbing import Disturbed
from killing import NEEDS_PROC
from snakemake_calls import changed, snakemake, write
from test_pipeline import running

pytestmark = [pytest.mark.drills, NEEDS_PROC]
KILLS = 40
MOST_S = 8.0  # from one kill to the next


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    """The smallest suite with every kind of job in it, a little longer."""
    return changed("methods.pstl.train", epochs=12)


@pytest.fixture(scope="module")
def quiet(root: Path, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which nothing was in its way."""
    folder = tmp_path_factory.mktemp("quiet")
    write(folder, settings)
    code, output = snakemake(root, folder)
    assert code == 0, output[-4000:]
    return folder


def test_kills_of_a_run_change_nothing(
    root: Path, settings: dict[str, Any], quiet: Path, tmp_path: Path, record_property
) -> None:
    """The machine goes away in the night, and again; each round is disturbed until it is done."""
    rng, ends, rounds = random.Random(0), Counter[str](), 0
    while sum(ends.values()) < drilling.times(KILLS):
        rounds += 1
        folder = tmp_path / str(rounds)
        folder.mkdir()
        write(folder, settings)
        disturbed = Disturbed(root, folder)
        while len(disturbed.hits) < 8 and not disturbed.settle():
            time.sleep(rng.uniform(0, MOST_S))
            disturbed.hit(rng)
        disturbed.finish()
        assert not running(folder, "-m", "pstl")
        same_results(folder, quiet, "tiny")
        left = [path for path in folder.rglob(".*@*") if ".snakemake" not in path.parts]
        ends.update(f"{hit.signal} to {hit.process}" for hit in disturbed.hits)
        assert not left
    how = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    tried = sum(ends.values())
    drilling.tell(record_property, f"kills of {rounds} runs", tried, tried, how)
