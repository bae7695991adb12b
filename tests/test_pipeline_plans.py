"""What the workflow plans to do, before it does anything."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from snakemake_calls import TINY, changed, command, environment, planned, snakemake, write

from pstl.config import load
from pstl.registry import load_dataset, task_traits


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
        (
            TINY,
            ("siute=tiny",),
            "siute: unknown; known: suite=NAME, params=FILE, archives=FOLDER, container=IMAGE",
        ),
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
