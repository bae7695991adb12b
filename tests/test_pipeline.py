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
from settings_files import write_settings

from pstl import paths
from pstl.config import Run, load
from pstl.registry import load_dataset, task_traits

if find_spec("snakemake") is None:
    pytest.skip(
        "snakemake is not installed: this is a machine for the compute core only",
        allow_module_level=True,
    )

TINY: dict[str, Any] = {
    "suite": "tiny",
    "datasets": {"synthetic": {"performers": 2, "cameras": 1, "repetitions": 1}},
    "methods": {
        "pstl": {
            "recipe": "resize50",
            "encoder": {"name": "stgcn", "width": 4},
            "train": {"epochs": 2, "batch_size": 8, "lr": 5.0e-3},
            "settings": {"projector_width": 16},
        },
        "raw": {
            "recipe": "resize50", "encoder": {"name": "raw"}, "train": {"epochs": 0, "lr": 1.0},
        },
    },
    "tasks": {"linear": {"epochs": 2}, "knn": {}},
    "suites": {
        "tiny": {
            "summary": "the smallest grid with every kind of job in it",
            "experiments": [
                {
                    "dataset": "synthetic", "splits": ["xsub"], "methods": ["pstl"],
                    "streams": ["joint", "bone"], "batch_norm": ["released"],
                    "tasks": ["linear"],
                    "fuse": {"tasks": ["linear"], "weights": {"joint": 0.6, "bone": 0.4}},
                },
                {
                    "dataset": "synthetic", "splits": ["xsub"], "methods": ["raw"],
                    "batch_norm": ["released"], "tasks": ["knn"],
                },
            ],
        }
    },
}  # fmt: skip
JOBS = {
    "fetch",
    "parse",
    "recordings",
    "prepare",
    "leakage",
    "pretrain",
    "features",
    "evaluate",
    "fuse",
    "report",
    "page",
    "track",
    "all",
}


def command(root: Path, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(root / "Snakefile"),
        "--cores",
        "2",
        *arguments,
    ]


def environment() -> dict[str, str]:
    """CPU only, where equal means equal bit for bit.

    The tracking store of the machine stays out of it.
    """
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "", "MLFLOW_TRACKING_URI": ""}


def snakemake(root: Path, folder: Path, *arguments: str) -> tuple[int, str]:
    """Run Snakemake in `folder`. Returns: exit code, and everything it said."""
    done = subprocess.run(
        command(root, *arguments),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def planned(output: str) -> dict[str, int]:
    """Number of jobs of each rule in the table Snakemake prints."""
    lines = output.partition("Job stats:")[2].splitlines()
    return {
        words[0]: int(words[1])
        for words in map(str.split, lines)
        if len(words) == 2 and words[0] in JOBS and words[1].isdigit()
    }


def write(folder: Path, params: dict[str, Any]) -> None:
    write_settings(folder, params)


def changed(section: str, **values: Any) -> dict[str, Any]:
    """TINY with some values of one section, e.g. "methods.pstl.train", set anew."""
    params = json.loads(json.dumps(TINY))
    inner = params
    for key in section.split("."):
        inner = inner[key]
    inner.update(values)
    return params


def test_builtin_suite_is_planned_in_full(root: Path, tmp_path: Path) -> None:
    """A cell of the grid that no job makes would be missing from the tables for good."""
    params = load(root / "params.yaml")
    runs, cells = params.runs(params.suite), params.cells(params.suite)
    own = [cell for cell in cells if not cell.fused]
    code, output = snakemake(root, tmp_path, "-n", "--config", f"params={root / 'params.yaml'}")
    assert code == 0, output
    jobs = planned(output)
    assert jobs["pretrain"] == len(runs)
    needs = {
        task: task_traits(params.task(params.suite, task).kind).needs
        for task in {cell.task for cell in own}
    }
    assert jobs["features"] == len(
        {(cell.run, cell.batch_norm) for cell in own if needs[cell.task] == "features"}
    )
    assert jobs["evaluate"] == len(own)
    assert jobs.get("fuse", 0) == len(cells) - len(own)
    assert jobs["fetch"] == len({run.dataset for run in runs} | {cell.run.dataset for cell in own})
    assert jobs["parse"] == len({run.dataset for run in runs})
    # Data sets that have recordings of their own are read a second way for the tasks that want them
    # whole.
    whole = {cell.run.dataset for cell in own if needs[cell.task] == "recordings"}
    assert jobs.get("recordings", 0) == len(
        [name for name in whole if load_dataset(name).untrimmed]
    )
    assert jobs["leakage"] == len(
        {(run.dataset, run.split, params.method_of(run).recipe.key) for run in runs}
    )
    assert jobs["report"] == jobs["page"] == jobs["track"] == 1


def test_what_another_suite_trains_is_neither_trained_nor_encoded_twice(
    root: Path, tmp_path: Path
) -> None:
    """Every probe, and a hundred losses, read one encoder and one file of whole features, and both
    are the lending suite's own.
    """
    borrowing = changed("tasks")
    borrowing["tasks"] |= {"lost_joints": {}, "probe": {}, "retrieval": {}}
    tasks = ["lost_joints", "linear", "probe", "knn", "retrieval"]
    lender = borrowing["suites"]["tiny"]
    experiments = [
        {**experiment, "tasks": tasks, "fuse": None} for experiment in lender["experiments"]
    ]
    borrowing["suites"]["again"] = {
        "summary": "",
        "reuse_encoders_from": "tiny",
        "experiments": experiments,
    }
    write(tmp_path, borrowing)
    params = load(tmp_path / "params.yaml")
    cells = params.cells("again")
    code, output = snakemake(root, tmp_path, "-n", "--config", "suite=again")
    jobs = planned(output)
    assert code == 0, output
    assert jobs["features"] == len({(cell.run, cell.batch_norm) for cell in cells})
    assert jobs["evaluate"] == len(cells) == len(tasks) * jobs["features"]
    assert jobs["pretrain"] == len({cell.run for cell in cells})
    assert "pre-train tiny/" in output
    assert "encode tiny/" in output
    assert "pre-train again/" not in output
    assert "encode again/" not in output


@pytest.mark.parametrize(
    ("params", "arguments", "said"),
    [
        (changed("methods.pstl.train", epoch=3), (), "methods.pstl: train.epoch"),
        (changed("methods.pstl.settings", projector_widht=3), (), "projector_widht"),
        (changed("datasets.synthetic", performer=3), (), "datasets.synthetic: performer"),
        (TINY, ("suite=tinny",), "unknown suite 'tinny'; known: tiny"),
        (TINY, ("archives=2024",), "archives=2024: read as int, expected a name"),
        (TINY, ("siute=tiny",), "siute: unknown; known: suite=NAME, params=FILE, archives=FOLDER"),
    ],
)
def test_a_typo_stops_the_run_in_one_line(
    root: Path, tmp_path: Path, params: dict[str, Any], arguments: tuple[str, ...], said: str
) -> None:
    """A typo found after a night of training, or drowned in a traceback, costs the night."""
    write(tmp_path, params)
    code, output = snakemake(root, tmp_path, *(("--config", *arguments) if arguments else ()))
    lines = [
        line
        for line in output.splitlines()
        if not line.startswith("Using workflow specific profile")
    ]
    assert code == 2
    assert len(lines) == 1, output
    assert said in lines[0]
    assert {path.name for path in tmp_path.iterdir()} <= {"params.yaml", "suites", ".snakemake"}


def test_a_dry_run_imports_torch_only_where_settings_were_not_checked(
    root: Path, tmp_path: Path
) -> None:
    """Its import takes longer than the plan; an edited setting is checked again all the same."""
    write(tmp_path, TINY)
    assert "torch" in imported(root, tmp_path)
    assert "torch" not in imported(root, tmp_path)
    write(tmp_path, changed("methods.pstl.settings", projector_width=32))
    assert "torch" in imported(root, tmp_path)


def imported(root: Path, folder: Path) -> set[str]:
    """Packages that a dry run imports."""
    code = """if True:
        import sys
        from snakemake.cli import main
        try:
            main(sys.argv[1:])
        except SystemExit as stop:
            assert not stop.code
        sys.stderr.write("\\nIMPORTED " + " ".join(sys.modules))
    """
    words = command(root, "-n")[3:]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("IMPORTED ")[2].split())


def test_archives_reach_the_fetch_job_and_nothing_else(root: Path, tmp_path: Path) -> None:
    """Where the user's archives lie is no property of the data: moving them must not train anything
    again.
    """
    write(tmp_path, TINY)
    code, output = snakemake(root, tmp_path, "-n", "-p", "--config", "archives=/some where")
    assert code == 0, output
    assert "pstl fetch synthetic" in output
    assert "/some where" not in output


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
def test_a_second_call_does_nothing(root: Path, finished: Path) -> None:
    """People call again to be sure; that must cost seconds and change no number."""
    code, output = snakemake(root, finished)
    assert code == 0
    assert "Nothing to be done" in output


@pytest.mark.slow
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
        while running(
            copy, "pretrain"
        ):  # without anybody's help: nothing writes here any more when the next call comes
            time.sleep(0.01)
