"""Twenty kills at random over the built-in suite, and the tables and weights of an undisturbed run.

pytest -m integration -s tests/test_kills.py      about half an hour
"""

import random
import sys
import time
from pathlib import Path

import pytest
from builtin_suite import SUITE, same_results, seconds, settle, tables
from disturbing import Disturbed
from snakemake_calls import TINY, snakemake, write

KILLS = 20


@pytest.mark.integration
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")
def test_twenty_random_kills_change_nothing(root: Path, tmp_path: Path, undisturbed: Path) -> None:
    """Half of the kills hit Snakemake, the others whatever job is running.

    Each time the same command is typed again.
    """
    folder = settle(root, tmp_path / "disturbed")
    rng, whole = random.Random(0), seconds(undisturbed)
    disturbed = Disturbed(root, folder, "--config", f"suite={SUITE}")
    while len(disturbed.hits) < KILLS:
        time.sleep(rng.uniform(0.2, 1.4) * whole / KILLS)
        done = disturbed.settle()
        assert not done, f"finished after {len(disturbed.hits)} kills: make them denser"
        if disturbed.hit(rng):
            sys.stderr.write(f"\n{disturbed.hits[-1]}")
    disturbed.finish()
    same_results(folder, undisturbed)


@pytest.mark.integration
def test_cores_and_order_change_nothing(root: Path, tmp_path: Path) -> None:
    """One core and the graph's own order; two cores, and the last runs of the suite first."""
    found = []
    for name, options in (
        ("one", ["--cores", "1"]),
        ("two", ["--cores", "2", "--prioritize", str(last_rows())]),
    ):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, TINY)
        code, output = snakemake(root, folder, *options)
        assert code == 0, output
        found.append(tables(folder, "tiny"))
    assert found[0] == found[1]


def last_rows() -> Path:
    return Path("results/tiny/runs/synthetic/xsub/raw/joint/s0/released/knn.json")
