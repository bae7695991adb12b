"""Twenty kills at random over the built-in suite, and the tables and weights of an undisturbed run.

pytest -m integration -s tests/test_kills.py      about half an hour
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builtin_suite import SUITE, same_results, seconds, settle, tables
from snakemake_calls import TINY, command, environment, snakemake, write
from test_pipeline import clear, running

KILLS = 20


def run(root: Path, folder: Path) -> subprocess.Popen[bytes]:
    """`make run`, without waiting for it."""
    assert clear(root, folder).returncode == 0
    with open(folder / "said.log", "ab") as said:
        whole = command(root, "--config", f"suite={SUITE}")
        return subprocess.Popen(whole, cwd=folder, env=environment(), stdout=said, stderr=said)


@pytest.mark.integration
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")
def test_twenty_random_kills_change_nothing(root: Path, tmp_path: Path, undisturbed: Path) -> None:
    """Half of the kills hit Snakemake, the others whatever job is running.

    Each time the same command is typed again.
    """
    disturbed = settle(root, tmp_path / "disturbed")
    rng, hits, whole, began = random.Random(0), [], seconds(undisturbed), time.monotonic()
    snake = run(root, disturbed)
    while len(hits) < KILLS:
        time.sleep(rng.uniform(0.2, 1.4) * whole / KILLS)
        code = snake.poll()
        assert code in (None, 1), f"finished after {len(hits)} kills: make them denser"
        if code == 1:  # a job without retries was killed
            snake = run(root, disturbed)
            continue
        jobs = running(disturbed, "-m", "pstl")
        victim = rng.choice(jobs) if jobs and rng.random() < 0.5 else snake.pid
        try:
            name = what(victim)
            os.kill(victim, signal.SIGKILL)
        except OSError:
            continue  # it has just ended by itself
        hits.append(name)
        sys.stderr.write(f"\n{time.monotonic() - began:.0f} s: {name}")
        if victim == snake.pid:
            snake.wait()
            snake = run(root, disturbed)
    while (
        code := snake.wait()
    ) != 0:  # a job without retries that was killed: the same command again
        assert code == 1, (disturbed / "said.log").read_text()[-4000:]
        snake = run(root, disturbed)
    sys.stderr.write(
        f"\n{len(hits)} kills; finished after {time.monotonic() - began:.0f} s, "
        f"undisturbed {whole:.0f} s\n"
    )
    same_results(disturbed, undisturbed)


def what(process: int) -> str:
    """The verb of a job, or snakemake."""
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
    return words[words.index("pstl") + 1] if "pstl" in words else "snakemake"


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
