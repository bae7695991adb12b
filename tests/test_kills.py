"""Twenty kills at random over a whole suite of every kind of job, and the tables of an undisturbed run.

pytest -m integration tests/test_kills.py -s
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from test_pipeline import TINY, clear, command, environment, running, snakemake, write

KILLS = 20
# The built-in suite on fewer people: every rule, method and task of it.
DATA = {"performers": 2, "cameras": 1, "repetitions": 2}


def run(root: Path, folder: Path) -> subprocess.Popen[bytes]:
    """`make run`, without waiting for it."""
    assert clear(root, folder).returncode == 0
    with open(folder / "said.log", "ab") as said:
        return subprocess.Popen(command(root), cwd=folder, env=environment(), stdout=said, stderr=said)


def results(folder: Path, suite: str = "builtin") -> dict[str, bytes]:
    """Tables and every row and score, without what says when and where."""
    tables = folder / "results" / suite / "tables"
    text = (tables / "comparison.md").read_text()
    page = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("| wall time"))
    return {"comparison.md": page.encode(), **{name: (tables / name).read_bytes() for name in ("comparison.csv", "summary.json")}}


@pytest.mark.integration
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")
def test_twenty_random_kills_change_nothing(root: Path, tmp_path: Path) -> None:
    """Half of the kills hit Snakemake, the others whatever job is running; each time the same command is typed again."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["datasets"]["synthetic"] |= DATA
    quiet, disturbed = tmp_path / "quiet", tmp_path / "disturbed"
    for folder in (quiet, disturbed):
        folder.mkdir()
        (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    began = time.monotonic()
    assert run(root, quiet).wait() == 0, (quiet / "said.log").read_text()[-3000:]
    whole = time.monotonic() - began

    rng, hits = random.Random(0), []
    snake = run(root, disturbed)
    while len(hits) < KILLS:
        time.sleep(rng.uniform(0.3, 2.0) * whole / KILLS)
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
        if victim == snake.pid:
            snake.wait()
            snake = run(root, disturbed)
    while (code := snake.wait()) != 0:  # a job without retries that was killed: the same command again
        assert code == 1
        snake = run(root, disturbed)
    sys.stderr.write(f"\nundisturbed {whole:.0f} s; {len(hits)} kills: {', '.join(hits)}\n")
    assert results(disturbed) == results(quiet)


def what(process: int) -> str:
    """The verb of a job, or snakemake."""
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
    return words[words.index("pstl") + 1] if "pstl" in words else "snakemake"


@pytest.mark.integration
def test_cores_and_order_change_nothing(root: Path, tmp_path: Path) -> None:
    """One core and the graph's own order; two cores, and the last runs of the suite first."""
    found = []
    for name, options in (("one", ["--cores", "1"]), ("two", ["--cores", "2", "--prioritize", str(last_rows())])):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, TINY)
        code, output = snakemake(root, folder, *options)
        assert code == 0, output
        found.append(results(folder, "tiny"))
    assert found[0] == found[1]


def last_rows() -> Path:
    return Path("results/tiny/runs/synthetic/xsub/raw/joint/s0/released/knn.json")
