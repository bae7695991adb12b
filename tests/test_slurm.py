"""The built-in suite on a real queue: the same tables and weights as without one, and a pre-
training that is killed there goes on.

pytest -m integration -s tests/test_slurm.py      about half an hour; installs Debian's SLURM if
need be; root only
"""

import os
import re
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
from builtin_suite import SUITE, same_results, settle
from slurm import cluster
from snakemake_calls import environment
from test_pipeline import running

from pstl import paths
from pstl.config import Run, load

pytestmark = pytest.mark.integration
EPOCHS = 3  # finished before a pre-training is killed


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


def test_a_queue_gives_the_tables_of_one_machine(
    root: Path, tmp_path: Path, queue: dict[str, str], undisturbed: Path
) -> None:
    """The whole suite, small jobs grouped.

    One pre-training is killed on its node, and goes on where it was.
    """
    there = settle(root, tmp_path / "there")
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"),
        "--workflow-profile", str(root / "profiles/slurm"),
        "--config", f"suite={SUITE}", "--cores", "2",
        "--slurm-init-seconds-before-status-checks", "2",
        "--seconds-between-status-checks", "2", "--latency-wait", "5",
    ]  # fmt: skip
    began = time.monotonic()
    with open(there / "said.log", "w") as said:
        snake = subprocess.Popen(
            command, cwd=there, env={**environment(), **queue}, stdout=said, stderr=said
        )
        try:
            killed = kill_one_training(there, snake)
            assert snake.wait() == 0, (there / "said.log").read_text()[-4000:]
        finally:
            snake.kill()
    submitted = (there / "said.log").read_text().count("has been submitted with SLURM jobid")
    epochs = re.findall(
        r"epoch (\d+)/", (there / paths.encoder(killed)).with_name("pretrain.log").read_text()
    )
    took = time.monotonic() - began
    sys.stderr.write(
        f"\n{submitted} submissions, {took:.0f} s; {killed} killed after epoch {EPOCHS}, "
        f"went on with epoch {epochs[0]}\n"
    )
    assert int(epochs[0]) > EPOCHS, "the second attempt began anew"
    same_results(there, undisturbed)


def kill_one_training(folder: Path, snake: subprocess.Popen[bytes]) -> Run:
    """SIGKILL the first pre-training that has finished EPOCHS epochs and has more to come.

    Returns: its run.
    """
    params = load(folder / "params.yaml")
    long = [
        run
        for run in params.runs(SUITE)
        if params.method(SUITE, run.method).train.epochs > EPOCHS + 2
    ]
    while True:
        assert snake.poll() is None, (folder / "said.log").read_text()[-4000:]
        for run in long:
            curve = (folder / paths.encoder(run)).with_name("curve.jsonl")
            done = len(curve.read_text().splitlines()) if curve.exists() else 0
            if done in (EPOCHS, EPOCHS + 1) and (jobs := running(folder, "pretrain", str(run))):
                for job in jobs:
                    os.kill(job, signal.SIGKILL)
                return run
        time.sleep(0.05)
