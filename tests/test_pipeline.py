"""The graph as a whole: what is planned, what stops it, what runs again, and what a killed run
leaves.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from snakemake_calls import changed, command, environment, planned, snakemake, write

from pstl import paths
from pstl.config import Run, load

if find_spec("snakemake") is None:
    pytest.skip(
        "snakemake is not installed: this is a machine for the compute core only",
        allow_module_level=True,
    )


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The finished folder again, with dates kept: a test may change it."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    return folder


@pytest.mark.slow
def test_every_cell_reaches_the_tables(finished: Path) -> None:
    """A number that is computed and not reported, or reported and not computed, is the worst kind
    of table.
    """
    params = load(finished / "params.yaml")
    for cell in params.cells("tiny"):
        rows = json.loads((finished / paths.metrics(cell)).read_text())["rows"]
        assert {(row["method"], row["stream"], row["task"]) for row in rows} == {
            (cell.run.method, cell.run.stream, cell.task)
        }
        assert all(0 <= row["value"] <= 100 for row in rows)
    reported = (finished / "results/tiny/tables/rows.csv").read_text().splitlines()
    computed = sum(
        len(json.loads((finished / paths.metrics(cell)).read_text())["rows"])
        for cell in params.cells("tiny")
    )
    assert len(reported) == 1 + computed
    assert json.loads((finished / "results/tiny/tables/summary.json").read_text())


@pytest.mark.slow
def test_a_folder_holds_what_its_meta_stands_for(finished: Path) -> None:
    """Object storage carries only the files that are named.

    One that is forgotten is missing on the next machine.
    """
    for meta in (
        *finished.glob("data/sequences/*/meta.json"),
        *finished.glob("data/arrays/*/*/meta.json"),
    ):
        named = paths.stood_for(str(meta.relative_to(finished)))
        assert {finished / name for name in named} | {meta} == set(meta.parent.rglob("*"))
    assert paths.stood_for("data/labels/synthetic/xsub/d0.json") == []
    assert paths.stood_for("results/tiny/runs/synthetic/xsub/pstl/joint/s0/run.json") == []


@pytest.mark.slow
def test_nothing_is_left_of_the_process_that_forks_jobs(finished: Path) -> None:
    """It ends with its Snakemake, has nothing to complain of, and leaves no socket behind."""
    assert (finished / ".snakemake/preloaded.log").read_text() == ""
    while list((finished / ".snakemake").glob("fork-*")):
        time.sleep(0.01)


@pytest.mark.slow
def test_a_second_call_does_nothing(root: Path, finished: Path) -> None:
    """People call again to be sure; that must cost seconds and change no number."""
    code, output = snakemake(root, finished)
    assert code == 0
    assert "Nothing to be done" in output


@pytest.mark.slow
def test_a_report_has_a_caption_for_each_of_its_parts(
    root: Path, finished: Path, tmp_path: Path
) -> None:
    """Snakemake's own report is what its users send around, with no page of ours beside it."""
    page = tmp_path / "report.html"
    code, said = snakemake(root, finished, "--report", str(page))
    assert code == 0, said
    text = page.read_text()
    for caption in sorted((root / "workflow/report").glob("*.rst")):
        first = caption.read_text().partition("``")[0].split()[:5]
        assert " ".join(first) in text, caption.name


def test_dates_and_raw_recordings_do_not_matter(root: Path, copy: Path) -> None:
    """A clone that pulled its data has other dates and no recordings.

    Contents decide, so it has nothing to do either.
    """
    for path in sorted(copy.rglob("*"), reverse=True):
        if path.is_file() and ".snakemake" not in path.parts:
            path.touch()
    shutil.rmtree(copy / "data/raw")
    code, output = snakemake(root, copy)
    assert code == 0
    assert "Nothing to be done" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "jobs"),
    [
        (
            changed("methods.pstl.train", lr=4.0e-3),
            {"pretrain": 2, "features": 2, "evaluate": 2, "fuse": 1},
        ),
        (changed("tasks.linear", epochs=3), {"evaluate": 2, "fuse": 1}),
        (changed("tasks.knn", summary="the same, described"), {}),
        (changed("suites.tiny", summary="described anew"), {}),
    ],
)
def test_an_edit_runs_what_depends_on_it(
    root: Path, finished: Path, tmp_path: Path, params: dict[str, Any], jobs: dict[str, int]
) -> None:
    """Too little run again and tables mix settings.

    Too much, and an edited word costs a GPU day.
    """
    write(tmp_path, params)
    code, output = snakemake(root, finished, "-n", "--config", f"params={tmp_path / 'params.yaml'}")
    assert code == 0
    after = {"report": 1, "page": 1, "track": 1, "all": 1} if jobs else {}
    assert Counter(planned(output)) == Counter({**jobs, **after})


def running(folder: Path, *words: str) -> list[int]:
    """Ids of this folder's processes whose command line has all these words. Linux only."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            line = (process / "cmdline").read_bytes().split(b"\0")
            if (process / "cwd").readlink() == folder and all(
                word.encode() in line for word in words
            ):
                found.append(int(process.name))
        except OSError:
            continue
    return found


@contextmanager
def started(root: Path, folder: Path, target: str) -> Iterator[subprocess.Popen[str]]:
    """Snakemake at work in `folder`; whatever the test does, nothing of it is left afterwards."""
    with open(folder / "said.log", "w") as said:
        snake = subprocess.Popen(
            command(root, target),
            cwd=folder,
            env=environment(),
            stdout=said,
            stderr=said,
            text=True,
        )
        try:
            yield snake
        finally:
            snake.kill()
            snake.wait()
            for process in running(folder, "pretrain"):
                os.kill(process, signal.SIGKILL)


def wait_for(what: Callable[[], Any], snake: subprocess.Popen[str]) -> Any:
    """Poll `what()` until it gives something true while Snakemake runs."""
    while not (value := what()):
        assert snake.poll() is None, (
            "the run ended before it could be disturbed: give it more epochs"
        )
        time.sleep(0.01)
    return value


def clear(root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """What `make run` does before it starts Snakemake."""
    return subprocess.run(
        [sys.executable, str(root / "workflow/resume.py")],
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")
def test_killed_twice_gives_the_same_weights(root: Path, copy: Path) -> None:
    """Machines go away in the night.

    The training job is killed, then Snakemake itself; the weights are those of a quiet night.
    """
    import torch

    write(copy, changed("methods.pstl.train", epochs=24))
    run = Run.parse("tiny/synthetic/xsub/pstl/joint/s0")
    encoder = copy / paths.encoder(run)
    last, log = encoder.with_name("last.pt"), encoder.with_name("pretrain.log")
    (copy / "quiet").mkdir()
    pretrain = [
        sys.executable,
        "-m",
        "pstl",
        "pretrain",
        "--run",
        str(run),
        "--array",
        "data/arrays/synthetic/resize50",
    ]
    quiet = {**environment(), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*pretrain, "--out", "quiet/encoder.pt"],
        cwd=copy,
        env=quiet,
        check=True,
        stderr=subprocess.DEVNULL,
    )

    with started(root, copy, paths.encoder(run)) as snake:
        wait_for(last.exists, snake)
        job = wait_for(lambda: running(copy, "pretrain"), snake)
        for process in job:
            os.kill(process, signal.SIGKILL)
        log.unlink()  # what is read below is the second attempt's
        again = wait_for(lambda: set(running(copy, "pretrain")) - set(job), snake)
        wait_for(lambda: log.exists() and log.read_text().count("epoch ") >= 2, snake)
        for process in again:
            os.kill(process, signal.SIGSTOP)  # it cannot notice that its Snakemake goes
        snake.kill()
        snake.wait()
        resumed_at = int(log.read_text().partition("epoch ")[2].partition("/")[0])
        assert resumed_at > 1, "the second attempt began anew instead of going on from last.pt"
        assert not encoder.exists()
        assert again & set(running(copy, "pretrain")), (
            "the orphan should still be at work: without it this test shows nothing"
        )
        cleared = clear(root, copy)
        assert cleared.returncode == 0, cleared.stderr
        assert not running(copy, "pretrain")

    code, output = snakemake(root, copy, paths.encoder(run))
    assert code == 0, output
    assert not last.exists()
    states = [
        torch.load(path, weights_only=True)["state"]
        for path in (encoder, copy / "quiet/encoder.pt")
    ]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to find processes")
def test_two_calls_in_one_folder_and_no_orphan(root: Path, copy: Path) -> None:
    """A second call must neither end the jobs of the first nor work beside it.

    A killed call's jobs must not go on without it.
    """
    write(copy, changed("methods.pstl.train", epochs=1000))
    with started(
        root, copy, paths.encoder(Run.parse("tiny/synthetic/xsub/pstl/joint/s0"))
    ) as snake:
        jobs = wait_for(lambda: running(copy, "pretrain"), snake)
        # that which forks, the job it has forked, and who waits for the job
        wait_for(lambda: len(running(copy, "serve")) == 3, snake)
        refused = clear(root, copy)
        assert refused.returncode == 1
        assert "another snakemake is at work" in refused.stderr
        code, output = snakemake(
            root, copy, paths.encoder(Run.parse("tiny/synthetic/xsub/pstl/joint/s0"))
        )
        assert code == 1
        assert "Directory cannot be locked" in output
        assert set(jobs) <= set(running(copy, "pretrain"))
        snake.kill()
        snake.wait()
        # without anybody's help: nothing writes here any more when the next call comes
        while running(copy, "pretrain") or running(copy, "serve"):
            time.sleep(0.01)
