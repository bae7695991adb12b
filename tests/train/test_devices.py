"""Which GPU a job gets.

The listing is that of a machine with two, written by a stand-in for nvidia-smi; locks and processes
are real.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pstl import environment
from pstl.errors import UserError
from pstl.train import devices

LISTED = "GPU 0: NVIDIA H100 (UUID: GPU-aaaa)\nGPU 1: NVIDIA H100 (UUID: GPU-bbbb)\n"
JOB = (
    "import logging, os, sys; from pstl.train.devices import take;"
    "logging.basicConfig(level=logging.INFO, stream=sys.stdout, format='%(message)s');"
    "take(int(sys.argv[1])); print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); "
    "sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{LISTED}'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def job(count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_jobs_side_by_side_have_different_gpus(root: Path) -> None:
    """Two trainings on one GPU take twice as long each, while the other GPU idles.

    The third job waits until one is killed.
    """
    first, second = job(1), job(1)
    names = [said(first), said(second)]
    third = job(1)
    assert sorted(names) == ["GPU-aaaa", "GPU-bbbb"]
    assert said(third) == "waiting for 1 of 2 GPUs: other jobs have them"
    first.kill()
    assert said(third) == names[0]
    for process in (first, second, third):
        process.communicate("")


def test_small_jobs_may_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--resources gpu=4` on two: an H100 takes several of these networks.

    Empty devices are taken first.
    """
    monkeypatch.setenv("PSTL_JOBS_PER_GPU", "2")
    jobs, names = [], []
    for _ in range(4):
        jobs.append(job(1))
        names.append(said(jobs[-1]))
    assert sorted(names[:2]) == sorted(names[2:]) == ["GPU-aaaa", "GPU-bbbb"]
    for process in jobs:
        process.communicate("")


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        (None, ["GPU-aaaa", "GPU-bbbb"]),
        ("1", ["GPU-bbbb"]),
        ("GPU-bbbb,GPU-aaaa", ["GPU-bbbb", "GPU-aaaa"]),
        ("", []),
        ("-1", []),
        ("7", []),
    ],
)
def test_what_a_queue_allows_is_all_there_is(
    allowed: str | None, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLURM gives a job some GPUs of a node by number or by name.

    Taking another would be taking somebody else's.
    """
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert devices.present() == found


def test_a_job_that_claims_none_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a node that others use, too, it is not ours.

    On one's own machine a probe may use what is there.
    """
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert devices.take(None) == devices.take(0) == []
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    monkeypatch.setenv(environment.HIDE_GPUS, "1")
    assert devices.take(0) == []
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_machine_without_gpu_has_none(tmp_path: Path) -> None:
    """Most laptops: nothing to ask, nothing to wait for."""
    (tmp_path / "nvidia-smi").unlink()
    assert devices.present() == []
    assert devices.take(2) == []


def test_a_driver_that_hangs_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken driver never answers nvidia-smi, and a job that waits for it looks like training."""
    monkeypatch.setattr(devices, "ANSWER_S", 0.3)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 100\n")
    with pytest.raises(UserError, match=r"no answer in 0\.3 s.*CUDA_VISIBLE_DEVICES="):
        devices.present()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.present() == []


@pytest.mark.parametrize("word", ["abc", "", "-1", "0.5", "1e9", "٣", "9" * 30])
def test_a_number_in_the_environment_is_one_or_is_refused(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launcher's or somebody's slip: a traceback, or jobs that wait for no GPU for ever."""
    reads = {
        environment.JOBS_PER_GPU: environment.jobs_per_gpu,
        "WORLD_SIZE": environment.processes,
        "LOCAL_RANK": environment.local_rank,
    }
    for name, read in reads.items():
        monkeypatch.setenv(name, word)
        with pytest.raises(UserError, match=f"{name}=.*: expected a whole number"):
            read()
    for word_of_seconds in ("abc", "", "-1", "0", "nan", "inf"):
        monkeypatch.setenv(environment.PATIENCE, word_of_seconds)
        with pytest.raises(UserError, match="expected seconds"):
            environment.patience_s()
