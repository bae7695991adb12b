"""What a job reads and runs, as pstl/graph.py says, beside what its process really loads."""

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import own_clips
import pytest
import released
import small_world
import yaml

import pstl
from pstl import code_hash, graph, paths
from pstl.code_hash import PACKAGE
from pstl.config import Params, Run, load
from pstl.graph import Job
from pstl.records import READS
from pstl.registry import task_traits

HERE = Path(__file__).parent
RUN = Run.parse(small_world.RUN)
SIMULATED = {
    "synthetic": {"performers": 2, "cameras": 1, "repetitions": 1},
    "synthetic_untrimmed": {"performers": 2},
}
TORCH_FREE = ("fetch", "parse", "recordings", "prepare", "labels", "leakage")
# In the hash of a job that does not come to it here. Tables can also be read from MLflow, by an
# import inside a function. Templates are hashed as one folder: some are of the index over suites,
# some of suites with moved encoders or with what clips show. What MLflow is told is named by the
# module that also sets printed numbers beside it.
NOT_REACHED = {
    "report": ("tracking/",),
    "page": (
        "tracking/", "report/templates/moved.html", "report/templates/moved_cells.html",
        "report/templates/predicted.html", "report/templates/papers.html",
        "report/templates/suites.html", "report/templates/shifts.html",
    ),
    "track": ("report/published/",),
}  # fmt: skip
# What only the command line loads: how words are parsed, which GPU a job is given, what reads the
# settings' paths. Whether these files are in a hash is not asked.
COMMAND_LINE = (
    "__main__.py", "cli.py", "commands/", "orphan_guard.py", "environment.py", "checkout.py",
    "graph.py", "code_hash.py", "paths.py", "train/devices.py", "locks.py", "interruption.py",
)  # fmt: skip


def words(text: str) -> list[str]:
    return text.split()


LOST_JOINTS = {
    "joints": [3], "parts": False, "frames": [0.5], "by": ["zeros"],
    "probes": {"knn": {}, "linear": {"epochs": 1}, "probe": {"strengths": [1.0], "folds": 2}},
}  # fmt: skip
JOBS: dict[str, tuple[Job, list[str]]] = {
    "fetch": (Job("fetch", "synthetic"), words("fetch synthetic --out raw/s")),
    "fetch_untrimmed": (
        Job("fetch", "synthetic_untrimmed"),
        words("fetch synthetic_untrimmed --out raw/u"),
    ),
    "parse": (
        Job("parse", "synthetic"),
        words("parse synthetic --raw raw/s --out out/sequences --jobs 1"),
    ),
    "recordings": (
        Job("recordings", "synthetic_untrimmed"),
        words("parse synthetic_untrimmed --untrimmed --raw raw/u --out out/recordings --jobs 1"),
    ),
    "prepare": (Job("prepare", "nwucla", "resize50"), small_world.VERBS["prepare"]),
    "labels": (Job("labels", "nwucla"), small_world.VERBS["labels"]),
    "leakage": (Job("leakage", "nwucla"), small_world.VERBS["leakage"]),
    "pretrain": (Job("pretrain", run=RUN), small_world.VERBS["pretrain"]),
    "features": (Job("features", run=RUN), small_world.VERBS["features"]),
    "fuse": (Job("fuse"), small_world.VERBS["fuse"]),
    "report": (Job("report", suite="tiny"), small_world.VERBS["report"]),
    "page": (Job("page", suite="tiny"), small_world.VERBS["page"]),
    "track": (Job("track", suite="tiny"), words("track --suite tiny --out out/track.json")),
}
JOBS |= {
    "fetch_declared": (Job("fetch", "mine"), words("fetch mine --out raw/m")),
    "parse_declared": (
        Job("parse", "mine"), words("parse mine --raw raw/m --out out/mine --jobs 1"),
    ),
}  # fmt: skip
THEIRS = Run.parse("theirs/nwucla/xview/theirs/joint/s0")
JOBS["import"] = (Job("import", run=THEIRS), words(f"import-run --run {THEIRS} --out out/t.pt"))
JOBS |= {
    task: (Job("evaluate", run=RUN, task=task), small_world.VERBS[task])
    for task in small_world.TASKS
}


@pytest.fixture(scope="module")
def world(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world again, with two simulated data sets, and every probe of lost_joints."""
    folder = tmp_path_factory.mktemp("graph") / "world"
    shutil.copytree(small, folder)
    own_clips.write_folder(folder / "mine")
    mine = own_clips.DECLARED | {"path": str(folder / "mine")}
    declared = {"datasets": SIMULATED | {"mine": mine}}
    content = yaml.safe_load((folder / "params.yaml").read_text()) | declared
    content["tasks"]["lost_joints"] = LOST_JOINTS
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    sha256 = released.write_released(folder / "theirs.pt", "kinect_v1")
    method = released.entry("nwucla/xview", file="theirs.pt", sha256=sha256)
    suite = {"summary": "", "methods": {"theirs": method}}
    suite["experiments"] = [small_world.CELL | {"methods": ["theirs"], "tasks": ["knn"]}]
    (folder / "suites/theirs.yaml").write_text(yaml.safe_dump(suite))
    return folder


@pytest.fixture(scope="module")
def params(world: Path) -> Params:
    return load(world / "params.yaml")


@pytest.fixture(scope="module")
def loaded(world: Path) -> dict[str, dict[str, Any]]:
    """What the process of each job has loaded."""
    folder = world / "loaded"
    folder.mkdir()
    light = {name: line for name, (_, line) in JOBS.items() if name.startswith(TORCH_FREE)}
    heavy = {name: line for name, (_, line) in JOBS.items() if name not in light}
    done = subprocess.run(
        [sys.executable, str(HERE / "loaded_files.py"), str(folder)],
        input=json.dumps({"light": light, "heavy": heavy}),
        cwd=world,
        env={
            **os.environ,
            "PYTHONPATH": str(HERE.parent),
            "CUDA_VISIBLE_DEVICES": "",
            "MLFLOW_TRACKING_URI": "sqlite:///tracked.db",
        },
        capture_output=True,
        text=True,
    )
    records = {name: folder / f"{name}.json" for name in JOBS}
    missing = [name for name, record in records.items() if not record.exists()]
    assert not missing, done.stderr[-4000:]
    loaded = {name: json.loads(record.read_text()) for name, record in records.items()}
    failed = [name for name, record in loaded.items() if record["code"]]
    assert not failed, done.stderr[-4000:]
    return loaded


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that may be edited."""
    folder = tmp_path_factory.mktemp("package") / "pstl"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def moved(params: Params, package: Path) -> dict[str, set[str]]:
    """For every job the files whose edit moves its hash."""
    moved: dict[str, set[str]] = {name: set() for name in JOBS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_hash, "PACKAGE", package)
        before = {name: graph.code(params, job) for name, (job, _) in JOBS.items()}
        for path in sorted(package.rglob("*")):
            if path.is_dir():
                continue
            content = path.read_bytes()
            path.write_bytes(content + b"\nEDITED = 1\n")
            for name, (job, _) in JOBS.items():
                if graph.code(params, job) != before[name]:
                    moved[name].add(str(path.relative_to(package)))
            path.write_bytes(content)
    return moved


@pytest.mark.parametrize("name", list(JOBS))
def test_an_edit_of_a_file_moves_the_hash_where_the_job_loads_it_and_nowhere_else(
    name: str, loaded: dict[str, dict[str, Any]], moved: dict[str, set[str]]
) -> None:
    """A file that is missed leaves old numbers standing; one too many trains for nothing."""
    asked = {file for file in loaded[name]["files"] if not file.startswith(COMMAND_LINE)}
    hashed = {file for file in moved[name] if not file.startswith(COMMAND_LINE)}
    hashed = {file for file in hashed if not file.startswith(NOT_REACHED.get(name, ()))}
    # a package that holds nothing is not told apart from one that was not loaded
    hashed -= {file for file in hashed - asked if file.endswith("__init__.py")}
    asked -= {file for file in asked - hashed if is_empty(file)}
    assert asked == hashed


def is_empty(file: str) -> bool:
    """Whether a package's own file holds nothing but its docstring."""
    if not file.endswith("__init__.py"):
        return False
    statements = ast.parse((Path(pstl.__file__).parent / file).read_text()).body
    return all(isinstance(each, ast.Expr) for each in statements)


@pytest.mark.parametrize("name", [name for name in JOBS if name.startswith(TORCH_FREE)])
def test_jobs_that_compute_no_gradient_do_without_torch(
    name: str, loaded: dict[str, dict[str, Any]]
) -> None:
    """Its import takes two seconds of every job, and data jobs run where it is not installed."""
    assert "torch" not in loaded[name]["packages"]


def test_comments_docstrings_and_formatting_are_no_edits(params: Params, package: Path) -> None:
    """Whoever explains a line of the loss must not train for a week for it."""
    jobs = [job for job, _ in JOBS.values()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_hash, "PACKAGE", package)
        before = [graph.code(params, job) for job in jobs]
        for name in ("train/pretrain.py", "data/prepare.py", "evaluation/run.py"):
            path = package / name
            source = path.read_text()
            lines = source.replace("\n\n\ndef ", "\n\n\n\n# A remark.\ndef ").splitlines()
            lines[0] = '"""Said differently."""' if lines[0].endswith('"""') else '"""Said.'
            path.write_text("\n".join(lines) + "\n")
            assert [graph.code(params, job) for job in jobs] == before
            path.write_text(source)


def test_a_body_that_a_job_does_not_use_is_not_its_code(params: Params, moved: Any) -> None:
    """Correcting a table of CMU's 38 joints must not train NW-UCLA's encoders again."""
    assert "skeletons/kinect_v1.py" in moved["pretrain"]
    for other in ("cmu38", "kinect_v2", "msr20", "sbu15", "utd20"):
        assert f"skeletons/{other}.py" not in moved["pretrain"]
    assert not {"train/loop.py", "train/pretrain.py"} & moved["knn"]


@pytest.mark.parametrize("task", list(small_world.TASKS))
def test_inputs_are_what_the_task_needs(params: Params, task: str) -> None:
    """A file that is not named is not waited for; one too many runs a job again for nothing."""
    cell = next(c for c in params.cells("tiny") if c.task == task and not c.fused)
    read = graph.inputs(params, cell).read()
    assert set(read) == set(READS[task_traits(params.task_of(cell).kind).needs])
    assert len(set(read.values())) == len(read)
    home = paths.run(cell.run)
    for name in ("encoder", "features", "snapshots"):
        assert read.get(name, home).startswith(home)


def test_a_fused_cell_reads_the_scores_of_its_streams(params: Params) -> None:
    """Scores of another seed or task add up to a number as well."""
    cell = next(cell for cell in params.cells("tiny") if cell.fused)
    files = graph.scores(params, cell)
    assert set(files) == set(cell.fused or {}) == {"joint", "bone"}
    for stream, path in files.items():
        run = cell.run.model_copy(update={"stream": stream})
        assert path == paths.scores(replace(cell, run=run, fused=None))
