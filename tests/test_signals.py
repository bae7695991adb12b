"""Who asks a run to end (a terminal, a cluster, a machine that is switched off) is heeded within
seconds: nothing of it is left, and the next call goes on.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from disturbing import heed_all
from killing import NEEDS_PROC
from snakemake_calls import changed, command, environment, write
from test_pipeline import clear, running, wait_for

from pstl import interruption, paths
from pstl.config import Run

if find_spec("snakemake") is None:
    pytest.skip("snakemake is not installed: compute core only", allow_module_level=True)

pytestmark = [pytest.mark.slow, NEEDS_PROC]
RUN = Run.parse("tiny/synthetic/xsub/pstl/joint/s0")
ENCODER = paths.encoder(RUN)


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The finished folder again: a test may change it."""
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def pretrain(folder: Path, *more: str, epochs: int = 10_000) -> list[str]:
    write(folder, changed("methods.pstl.train", epochs=epochs))
    words = ["pretrain", "--run", str(RUN), "--array", "data/arrays/synthetic/resize50"]
    return [sys.executable, "-m", "pstl", *words, "--out", ENCODER, *more]


@contextmanager
def begun(words: list[str], folder: Path) -> Iterator[subprocess.Popen[Any]]:
    """A call in a process group of its own, as a terminal starts it; nothing of it is left."""
    with open(folder / "said.log", "w") as said:
        call = subprocess.Popen(
            words,
            cwd=folder,
            env=environment(),
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=heed_all,
        )
    try:
        yield call
    finally:
        for process in everybody(folder):
            os.kill(process, signal.SIGKILL)
        call.wait()


def everybody(folder: Path) -> list[int]:
    """Every process in this folder."""
    return running(folder)


def ended(call: subprocess.Popen[Any], folder: Path) -> float:
    """Wait until a call and all its processes are gone. Returns: seconds."""
    asked = time.monotonic()
    call.wait()
    while everybody(folder):
        time.sleep(0.02)
    return time.monotonic() - asked


def said(folder: Path) -> str:
    return (folder / "said.log").read_text()


def to_one(call: subprocess.Popen[Any], number: int) -> None:
    os.kill(call.pid, number)


def to_all(call: subprocess.Popen[Any], number: int) -> None:
    os.killpg(call.pid, number)


@pytest.mark.parametrize(
    ("number", "way"), [(signal.SIGTERM, to_one), (signal.SIGHUP, to_all), (signal.SIGINT, to_all)]
)
def test_a_signal_ends_a_run_and_the_next_call_goes_on(
    root: Path, copy: Path, number: int, way: Callable[..., None]
) -> None:
    """Training went on for minutes where a cluster, which kills what stays, had asked it to end."""
    write(copy, changed("methods.pstl.train", epochs=10_000))
    last = copy / ENCODER.replace("encoder.pt", "last.pt")
    with begun(command(root, ENCODER), copy) as call:
        wait_for(last.exists, call)
        way(call, number)
        seconds = ended(call, copy)
    sys.stderr.write(f"{signal.Signals(number).name}: ended after {seconds:.1f} s\n")
    assert call.returncode != 0
    assert clear(root, copy).returncode == 0
    assert not list((copy / ".snakemake/locks").glob("*"))
    if number == signal.SIGTERM:
        assert first_epoch(root, copy) > 1


def first_epoch(root: Path, folder: Path) -> int:
    """With which one the next call begins."""
    log = folder / ENCODER.replace("encoder.pt", "pretrain.log")
    log.unlink()
    with begun(command(root, ENCODER), folder) as call:
        wait_for(lambda: log.exists() and "epoch " in log.read_text(), call)
        call.terminate()
        ended(call, folder)
    return int(log.read_text().partition("epoch ")[2].partition("/")[0])


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_a_signal_to_make_ends_the_run(root: Path, copy: Path) -> None:
    """`make run` is what people and queues start."""
    write(copy, changed("methods.pstl.train", epochs=10_000))
    for name in ("Snakefile", "workflow", "profiles"):
        (copy / name).symlink_to(root / name)
    venv = Path(sys.executable).parents[1]
    words = ["make", "-f", str(root / "Makefile"), "-o", "install", "run", "SUITE=tiny", "CORES=1"]
    with begun([*words, f"VENV={venv}"], copy) as call:
        wait_for(lambda: list((copy / "results").rglob("last.pt")), call)
        to_one(call, signal.SIGTERM)
        ended(call, copy)
    assert call.returncode != 0


@pytest.mark.parametrize(
    ("number", "gpus"),
    [
        (signal.SIGTERM, "1"),
        (signal.SIGHUP, "1"),
        (signal.SIGINT, "1"),
        (signal.SIGTERM, "2"),
        (signal.SIGHUP, "2"),
    ],
)
def test_a_signal_ends_a_training_of_one_and_of_two_processes(
    copy: Path, number: int, gpus: str
) -> None:
    """A verb that is typed by hand, and its ranks."""
    last = copy / ENCODER.replace("encoder.pt", "last.pt")
    with begun(pretrain(copy, "--gpus", gpus), copy) as call:
        wait_for(last.exists, call)
        to_one(call, number)
        ended(call, copy)
    assert call.returncode in (130, 128 + number)  # the latter where it was out of time
    if call.returncode == 130:
        assert said(copy).splitlines()[-1].endswith("run the same command again to go on")
        assert "Traceback" not in said(copy)
    half = [path.name for path in last.parent.iterdir() if path.name.startswith(".last.pt.")]
    assert [name for name in half if not name.endswith(".lock")] == []


WORKING = """
import time
from pstl import interruption
from pstl.data import pool
if __name__ == "__main__":
    with interruption.heeding():
        list(pool.each(time.sleep, [0.5] * 10_000, 2))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_work_on_several_cores(tmp_path: Path, number: int) -> None:
    """Its workers hold the archive, and memory."""
    with begun([sys.executable, "-c", WORKING], tmp_path) as call:
        wait_for(lambda: len(everybody(tmp_path)) > 2, call)
        to_all(call, number)
        ended(call, tmp_path)
    assert call.returncode != 0


STUCK = """
import hashlib, time
from pstl import interruption
interruption.heed(patience=0.5)
while True:
    try:
        print(flush=True)
        {what}
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.parametrize(
    "what", ["time.sleep(100)", "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"]
)
def test_what_does_not_heed_a_signal_ends_all_the_same(what: str) -> None:
    """Code that catches everything, and C code in which no signal is seen."""
    words = [sys.executable, "-c", STUCK.format(what=what)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.terminate()
        process.wait()
    assert process.returncode == 143


def test_who_ignores_a_hangup_goes_on() -> None:
    """nohup starts what shall outlive its terminal."""
    code = "import signal; from pstl import interruption; interruption.heed(); "
    code += "print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    words = ["nohup", sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.stdout == "True\n"


def test_a_verb_gives_the_handlers_back() -> None:
    """Whoever calls it from Python has handlers of their own."""
    earlier = signal.getsignal(signal.SIGTERM)
    with interruption.heeding():
        assert signal.getsignal(signal.SIGTERM) != earlier
    assert signal.getsignal(signal.SIGTERM) == earlier


def test_a_verb_leaves_no_file_open() -> None:
    """Thousands of calls in one process would end in one that can open nothing."""
    for _ in range(3):
        with interruption.heeding():
            pass
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with interruption.heeding():
            pass
    watchers = [each for each in threading.enumerate() if each.name.startswith("heeding")]
    for watcher in watchers:
        watcher.join()
    assert len(set(os.listdir("/proc/self/fd")) - before) <= 1
