"""A suite's runs as they lie on disk, ready to be stored."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pstl import paths
from pstl.config import Cell, Params, Run
from pstl.config import digest as short_hash
from pstl.files import checksum
from pstl.report import rows as report
from pstl.report.rows import NO_WORDS, Epochs, Row
from pstl.tracking.names import CURVE, LAYOUT, RECORD, allowed
from pstl.tracking.scores import Scores

LARGEST_ENCODER = 32 * 2**20  # bytes; bigger encoders stay on disk only
# Columns of a curve that are no curves.
NOT_DRAWN = ("epoch", "step", "ended")
# Columns of a curve about the machine: MLflow shows what begins with system/ on a page of its own.
MACHINE = {
    "seconds": "system/epoch_seconds",
    "clips_per_second": "system/clips_per_second",
    "cpu_percent": "system/cpu_percent",
    "peak_mb": "system/peak_mb",
}


class Point(NamedTuple):
    """One value of a curve.   step: the epoch.   seconds: when it ended, since the start."""

    key: str
    step: int
    seconds: float
    value: float


class Span(NamedTuple):
    """When something ran, in seconds since 1970.   recorded: or taken from the dates of files."""

    start: float
    end: float
    recorded: bool


class TrackedTask(NamedTuple):
    """One task on one run.

    name: {batch norm}/{cell}.   rows: of its own state of the batch norms and setting.
    settings: the task's section of params.yaml.
    """

    name: str
    rows: list[Row]
    history: list[Point]
    settings: dict[str, Any]
    span: Span


class TrackedRun(NamedTuple):
    """One run of the grid.

    record: run.json.   scores: its headline, metric names and values.   table: every row; of a task
    that makes no sense for the run one without a metric, which says why.
    digest: of all that is stored of it.
    """

    run: Run
    run_id: str
    record: dict[str, Any]
    scores: dict[str, float]
    table: list[Row]
    history: list[Point]
    tasks: list[TrackedTask]
    files: list[Path]
    span: Span
    digest: str


def tracked_runs(params: Params, suite: str, headline: Scores) -> Iterator[TrackedRun]:
    """Every run of the grid that has results, in grid order.   headline: which are its scores.

    Raises: UserError for a results file that cannot be read.
    """
    cells_of: dict[Run, list[Cell]] = {}
    for cell in params.cells(suite):
        cells_of.setdefault(cell.run, []).append(cell)
    requested = set(params.grid(suite))
    for run, cells in cells_of.items():
        record = report.read_run(run) or {}
        table: list[Row] = []
        tasks: list[TrackedTask] = []
        for cell in cells:
            rows = _rows(cell, requested)
            table += rows
            if any(row["metric"] for row in rows):
                tasks.append(_task(params, cell, rows))
        if record or table:
            yield _tracked(run, cells, record, table, tasks, headline)


def points(prefix: str, epochs: Epochs) -> Iterator[Point]:
    """Every value of a curve, epoch by epoch."""
    elapsed = 0.0
    start = began(epochs)
    for number, epoch in enumerate(epochs):
        elapsed += epoch.get("seconds", 0.0)
        ended = epoch["ended"] - start if start else elapsed
        step = int(epoch.get("epoch", number))
        for name, value in epoch.items():
            if name not in NOT_DRAWN:
                key = MACHINE.get(name) or allowed(f"{prefix}/{name}")
                yield Point(key, step, ended, float(value))


def began(epochs: Epochs) -> float:
    """When the first epoch began; 0 for curves of earlier versions, which do not say."""
    if not epochs or not all("ended" in epoch for epoch in epochs):
        return 0.0
    return epochs[0]["ended"] - epochs[0].get("seconds", 0.0)


def _rows(cell: Cell, requested: set[Cell]) -> list[Row]:
    """Rows of a cell's file as the store holds them; none if there is no file."""
    content = report.read_cell(cell)
    if content is None:
        return []
    if isinstance(content, str):
        empty: Row = dict.fromkeys(report.FIELDS, "")
        return [{**NO_WORDS, **empty, **cell.identity, "value": None, "reason": content}]
    rows = [row for row in content if report.belongs(row, cell, requested)]
    return [{"reason": "", **row} for row in rows]


def _task(params: Params, cell: Cell, rows: list[Row]) -> TrackedTask:
    content = report.read_results(paths.metrics(cell)) or {}
    curve: Epochs = content.get("curve", [])
    # A task that has no section any more has no settings.
    section = params.task_of(cell) if cell.task in params.tasks else None
    settings = section.model_dump(exclude={"summary"}) if section else {}
    first = rows[0]
    own = [row for row in rows if row["setting"] == first["setting"]]
    own = [row for row in own if row["batch_norm"] == first["batch_norm"]]
    span = _span(float(first["seconds"]), content, Path(paths.metrics(cell)))
    history = list(points("epochs", curve))
    return TrackedTask(f"{cell.batch_norm}/{cell.name}", own, history, settings, span)


def _tracked(
    run: Run,
    cells: list[Cell],
    record: dict[str, Any],
    table: list[Row],
    tasks: list[TrackedTask],
    headline: Scores,
) -> TrackedRun:
    named = [record.get("run_id"), *(row["run_id"] for row in table), short_hash(str(run))]
    run_id = next(identity for identity in named if identity)
    epochs = report.read_curve(run)
    if record:
        span = _span(float(record.get("seconds", 0)), record, Path(paths.run(run), RECORD))
        span = span._replace(start=began(epochs) or span.start)
    else:  # fused scores, which are not trained
        spans = [task.span for task in tasks] or [Span(0.0, 0.0, recorded=False)]
        recorded = all(span.recorded for span in spans)
        span = Span(min(s.start for s in spans), max(s.end for s in spans), recorded)
    files = _files(run, cells)
    shown = headline.of(table)
    said = [LAYOUT, str(run), json.dumps([shown, [task.settings for task in tasks]], default=str)]
    folder = Path(paths.run(run))
    said += [f"{file.relative_to(folder)} {checksum(file)}" for file in files]
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest()
    history = list(points("train", epochs))
    return TrackedRun(run, run_id, record, shown, table, history, tasks, files, span, digest)


def _span(seconds: float, content: dict[str, Any], file: Path) -> Span:
    """When a job ran that took so long and says when it ended, or whose file does."""
    ended = float(content.get("ended", 0.0))
    end = ended or file.stat().st_mtime
    return Span(end - seconds, end, recorded=bool(ended))


def _files(run: Run, cells: list[Cell]) -> list[Path]:
    """The run's files that are stored with it, as far as they are there."""
    folder = Path(paths.run(run))
    results = [folder / f"{cell.batch_norm}/{cell.name}.json" for cell in cells]
    files = [folder / RECORD, folder / CURVE, *results]
    encoder = folder / "encoder.pt"
    if encoder.is_file() and encoder.stat().st_size <= LARGEST_ENCODER:
        files.append(encoder)
    return [file for file in files if file.is_file()]
