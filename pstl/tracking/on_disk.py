"""A suite's runs as they lie on disk, ready to be stored."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pstl import paths
from pstl.config import Cell, Params, Run
from pstl.config import digest as short_hash
from pstl.files import checksum
from pstl.report import rows as report
from pstl.report.rows import Epochs, Row
from pstl.tracking.names import LAYOUT, allowed, keyed

LARGEST_ENCODER = 32 * 2**20  # bytes; bigger encoders stay on disk only
# Prefixes of a run's own training: a parent also shows the curves of its tasks.
TRAINING_CURVES = ("train", "curve")
# Columns of a curve about the machine: MLflow shows what begins with system/ on a page of its own.
MACHINE = {
    "seconds": "system/epoch_seconds",
    "clips_per_second": "system/clips_per_second",
    "cpu_percent": "system/cpu_percent",
    "peak_mb": "system/peak_mb",
}
Requested = set[Cell]  # every cell of a suite


class Point(NamedTuple):
    """One value of a curve.   step: the epoch.   seconds: since the start."""

    key: str
    step: int
    seconds: float
    value: float


class TrackedTask(NamedTuple):
    """One task on one run: what its child shows.

    name: {batch norm}.{cell}.   settings: the task's section of params.yaml.
    """

    name: str
    rows: list[Row]
    history: list[Point]
    settings: dict[str, Any]


class TrackedRun(NamedTuple):
    """One run: what its parent shows.

    record: run.json.   rows: by metric key.   reasons: {batch norm}.{cell} -> why it makes no
    sense for this run.   digest: of the contents of `files`.
    """

    run: Run
    run_id: str
    record: dict[str, Any]
    rows: dict[str, Row]
    reasons: dict[str, str]
    history: list[Point]
    tasks: list[TrackedTask]
    files: list[Path]
    digest: str


def tracked_runs(params: Params, suite: str) -> Iterator[TrackedRun]:
    """Every run of the grid that has results, in grid order.

    Raises: UserError for a results file that cannot be read.
    """
    cells_of: dict[Run, list[Cell]] = {}
    for cell in params.cells(suite):
        cells_of.setdefault(cell.run, []).append(cell)
    requested = set(params.grid(suite))
    for run, cells in cells_of.items():
        tracked = _tracked_run(params, run, cells, requested)
        if tracked.record or tracked.rows or tracked.reasons:
            yield tracked


def points(prefix: str, epochs: Epochs) -> Iterator[Point]:
    """Every value of a curve, epoch by epoch."""
    elapsed = 0.0
    machine = MACHINE if prefix in TRAINING_CURVES else {}
    for number, epoch in enumerate(epochs):
        elapsed += epoch.get("seconds", 0.0)
        step = int(epoch.get("epoch", number))
        for name, value in epoch.items():
            if name != "epoch":
                key = machine.get(name) or allowed(f"{prefix}.{name}")
                yield Point(key, step, elapsed, float(value))


def _tracked_run(params: Params, run: Run, cells: list[Cell], requested: Requested) -> TrackedRun:
    record = report.read_run(run) or {}
    history = list(points("train", report.read_curve(run)))
    rows: dict[str, Row] = {}
    reasons: dict[str, str] = {}
    tasks: list[TrackedTask] = []
    for cell in cells:
        name = f"{cell.batch_norm}.{cell.name}"
        table = report.read_cell(cell)
        curve = _curve(cell)
        history += points(f"{name}.curve", curve)
        if isinstance(table, str):
            reasons[name] = table
        elif table is not None:
            shown = [row for row in table if report.belongs(row, cell, requested)]
            settings = _settings(params, cell)
            rows |= keyed(cell.name, shown)
            tasks.append(TrackedTask(name, shown, list(points("curve", curve)), settings))
    run_ids = [
        record.get("run_id"),
        *(row["run_id"] for row in rows.values()),
        short_hash(str(run)),
    ]
    run_id = next(identity for identity in run_ids if identity)
    files = _files(run, cells)
    digest = _digest(run, files)
    return TrackedRun(run, run_id, record, rows, reasons, history, tasks, files, digest)


def _curve(cell: Cell) -> Epochs:
    """How a task's own training went; empty if it has none."""
    path = paths.metrics(cell)
    content = report.read_results(path) or {}
    epochs: Epochs = content.get("curve", [])
    return epochs


def _settings(params: Params, cell: Cell) -> dict[str, Any]:
    """The task's section of params.yaml; empty for a task that has none any more."""
    if cell.task not in params.tasks:
        return {}
    return params.task_of(cell).model_dump(exclude={"summary"})


def _files(run: Run, cells: list[Cell]) -> list[Path]:
    """The run's files that are stored with it, as far as they are there."""
    folder = Path(paths.run(run))
    results = [folder / f"{cell.batch_norm}/{cell.name}.json" for cell in cells]
    files = [folder / "run.json", folder / "curve.jsonl", *results]
    encoder = folder / "encoder.pt"
    if encoder.is_file() and encoder.stat().st_size <= LARGEST_ENCODER:
        files.append(encoder)
    return [file for file in files if file.is_file()]


def _digest(run: Run, files: list[Path]) -> str:
    """SHA-256 of what a run's files hold, and of the layout in which they are stored."""
    folder = Path(paths.run(run))
    contents = [f"{file.relative_to(folder)} {checksum(file)}" for file in files]
    return hashlib.sha256("\n".join([LAYOUT, str(run), *contents]).encode()).hexdigest()
