"""The workflow on a real queue: the same tables as without one, and a pre-training that is killed there goes on.

pytest -m integration tests/test_slurm.py      installs Debian's SLURM if need be; root only
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from slurm import cluster
from test_pipeline import changed, environment, running, snakemake, write

from pstl import paths
from pstl.config import load

pytestmark = pytest.mark.integration
SUITE = changed("methods.pstl.train", epochs=40)  # long enough to be killed half-way


@pytest.fixture(scope="module")
def queue() -> Iterator[dict[str, str]]:
    """SLURM, in a folder whose path is short enough for a socket."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("the plugin for SLURM is not installed; pip install -e '.[slurm]'")
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    try:
        with cluster(folder) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def results(folder: Path) -> dict[str, bytes]:
    """Tables and rows, without what says when and where: they must be equal to the last bit."""
    tables = folder / "results/tiny/tables"
    text = (tables / "comparison.md").read_text()
    page = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("| wall time"))
    return {"comparison.md": page.encode(), **{name: (tables / name).read_bytes() for name in ("comparison.csv", "summary.json")}}


def encoders(folder: Path) -> dict[str, dict]:
    import torch

    params = load(folder / "params.yaml")
    return {str(run): torch.load(folder / paths.encoder(run), weights_only=True)["state"] for run in params.runs("tiny")}


def test_a_queue_gives_the_tables_of_one_machine(root: Path, tmp_path: Path, queue: dict[str, str]) -> None:
    """Seventeen jobs, small ones grouped; the first pre-training is killed on its node, and goes on where it was."""
    import torch

    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        write(folder, SUITE)
    code, output = snakemake(root, here)
    assert code == 0, output

    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--workflow-profile", str(root / "profiles/slurm"),
        "--cores", "2", "--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2", "--latency-wait", "5",
    ]  # fmt: skip
    began = time.monotonic()
    with open(there / "said.log", "w") as said:
        snake = subprocess.Popen(command, cwd=there, env={**environment(), **queue}, stdout=said, stderr=said)
        try:
            killed = kill_one_training(there, snake)
            assert snake.wait() == 0, (there / "said.log").read_text()[-4000:]
        finally:
            snake.kill()
    seconds = time.monotonic() - began
    submitted = (there / "said.log").read_text().count("has been submitted with SLURM jobid")
    first = int((there / killed).with_name("pretrain.log").read_text().partition("epoch ")[2].partition("/")[0])
    sys.stderr.write(f"\n{submitted} submissions, {seconds:.0f} s; {killed} killed, went on with epoch {first}\n")
    assert first > 1, "the second attempt began anew"
    assert results(there) == results(here)
    ours, theirs = encoders(here), encoders(there)
    assert ours.keys() == theirs.keys()
    for run in ours:
        assert all(torch.equal(ours[run][key], theirs[run][key]) for key in ours[run]), run


def kill_one_training(folder: Path, snake: subprocess.Popen[bytes]) -> str:
    """SIGKILL the first pre-training that has finished three epochs. Returns: its last.pt, relative to `folder`."""
    while True:
        assert snake.poll() is None, (folder / "said.log").read_text()[-4000:]
        for curve in (folder / "results").rglob("curve.jsonl") if (folder / "results").exists() else ():
            if len(curve.read_text().splitlines()) >= 3 and (jobs := running(folder, "pretrain")):
                for job in jobs:
                    os.kill(job, signal.SIGKILL)
                return str(curve.with_name("last.pt").relative_to(folder))
        time.sleep(0.05)
