"""Every cell of a suite's grid as rows of one schema; without a number, a row has a reason."""

import os
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from pstl import paths
from pstl.config import Cell, Params, Run
from pstl.errors import UserError
from pstl.evaluation import result_file
from pstl.files import read_json
from pstl.ops.finite import LARGEST
from pstl.train import curve

AXES = ("labels", "source", "protocol")  # "" where a cell is on none
FIELDS = (
    "task", "dataset", "split", "stream", *AXES, "setting", "method", "metric", "value", "seed",
    "batch_norm", "run_id", "device", "seconds", "peak_mb", "git", "data_checksum",
    "settings_digest", "precision", "labelled", "weights", "torch", "threads", "processor",
)  # fmt: skip
COMPUTED_BY = ("torch", "threads", "processor")
MACHINE = ("precision", "device", *COMPUTED_BY)  # what may change last digits
LATER = (*AXES, "precision", "labelled", "weights", *COMPUTED_BY)  # earlier versions lack them
NOT_RUN = "not run"
NOT_APPLICABLE = "n/a"
RELEASED = "released"  # the state that papers test in; a recalibrated cell may have its rows, too


Row = dict[str, Any]
CellKind = tuple[str, ...]
Shape = tuple[str, str, str]  # batch norm ("" for the cell's own), setting, metric
NO_WORDS: Row = dict.fromkeys((*LATER, "floor", "reason"), "")
Epochs = list[dict[str, float]]


class RunRecord(BaseModel):
    """What run.json may hold, as far as it is shown."""

    seconds: float = 0.0
    ended: float = 0.0
    peak_mb: float = 0.0
    parameters: int = 0
    run_id: str = ""
    git: str = ""
    device: str = ""
    machine: str = ""
    versions: dict[str, str] = {}
    settings: dict[str, Any] = {}


class Results(NamedTuple):
    """What a suite has produced so far.

    rows: in the order of the grid; `value` is None where there is no number, and `reason` then says
    why: "not run", or "n/a: ..."; `floor` is what a method is that learns nothing, raw or
    untrained.
    runs: str(run) -> its run.json.   curves: str(run) -> one dict per epoch of pre-training.
    """

    rows: list[Row]
    runs: dict[str, dict[str, Any]]
    curves: dict[str, Epochs]


def from_files(params: Params, suite: str) -> Results:
    """Read what the jobs wrote under results/.

    Raises: UserError for a file that is not of this cell or not readable.
    """
    cells = params.grid(suite)
    runs, curves = {}, {}
    for run in dict.fromkeys(cell.run for cell in cells):
        if (record := read_run(run)) is not None:
            runs[str(run)] = record
        if epochs := read_curve(run):
            curves[str(run)] = epochs
    without = params.not_applicable(suite)
    kinds = params.floor_kinds(suite)
    rows = collect(cells, lambda cell: without.get(cell.run) or read_cell(cell), kinds)
    return Results(rows, runs, curves)


def collect(
    cells: Iterable[Cell],
    read: Callable[[Cell], list[Row] | str | None],
    kinds: Mapping[str, str],
) -> list[Row]:
    """The rows of every cell, in order.

    read: gives None for a cell that was not run, and a reason for one that makes no sense.
    kinds: method -> which floor it is, "" for none.
    A cell without numbers gets one row for each (setting, metric) its task has elsewhere on the
    split, so that no table leaves it out.
    """
    content = {cell: read(cell) for cell in cells}
    shapes = _shapes(content)
    table = []
    for cell, rows in content.items():
        if not isinstance(rows, list):
            reason = NOT_RUN if rows is None else f"{NOT_APPLICABLE}: {rows}"
            shape = shapes.get(_kind(cell), [("", "", "top1")])
            rows = [_without_number(cell, *key, reason) for key in shape]
        for row in rows:
            if belongs(row, cell, content):
                table.append({**NO_WORDS, **row, "floor": kinds[cell.run.method]})
    return table


def _shapes(content: Mapping[Cell, list[Row] | str | None]) -> dict[CellKind, list[Shape]]:
    """Kind of cell -> what its rows differ in, in their order."""
    shapes: dict[CellKind, dict[Shape, None]] = {}
    for cell, rows in content.items():
        if not isinstance(rows, list):
            continue
        shape = shapes.setdefault(_kind(cell), {})
        for row in rows:
            norm = row["batch_norm"] if row["batch_norm"] != cell.batch_norm else ""
            shape[norm, row["setting"], row["metric"]] = None
    return {kind: list(shape) for kind, shape in shapes.items()}


def belongs(row: Row, cell: Cell, asked: Container[Cell]) -> bool:
    """Whether a row of a cell's file stands in the tables.

    A task that trains the encoder has its weights in the released state of the batch norms, too.
    Those rows stand where no cell of their own is asked for.

    asked: every cell of the suite.
    """
    norm = row["batch_norm"]
    return norm == cell.batch_norm or replace(cell, batch_norm=norm) not in asked


def read_cell(cell: Cell) -> list[Row] | str | None:
    """Rows of one cell's metrics file, or why it makes no sense; None if there is no file.

    A setting that makes no sense for this method is a row without a value and with its reason.
    Raises: UserError if the file holds something else.
    """
    path = Path(paths.metrics(cell))
    if (content := read_results(path)) is None:
        return None
    if reason := content.get("not_applicable"):
        return str(reason)
    rows = content.get("rows")
    if not rows:
        raise UserError(
            f"{path}: no rows, expected at least one; delete the file and run the task again"
        )
    metrics = dict.fromkeys(str(row.get("metric")) for row in rows)
    checked = [_checked(row, cell, path) for row in rows]
    for setting, why in content.get("without", {}).items():
        reason = f"{NOT_APPLICABLE}: {why}"
        for metric in metrics:
            checked.append(_without_number(cell, "", setting, metric, reason))
    return checked


def read_run(run: Run) -> dict[str, Any] | None:
    """run.json of a run; None if there is none (fused scores have none)."""
    path = Path(paths.run(run)) / "run.json"
    if not os.path.lexists(path):
        return None
    record: dict[str, Any] = read_json(path, curve.RECORD, RunRecord)
    return record


def read_curve(run: Run) -> Epochs:
    """curve.jsonl of a run, one dict per epoch; empty if there is none."""
    path = Path(paths.run(run)) / "curve.jsonl"
    return curve.read(path) if os.path.lexists(path) else []


def read_results(path: str | Path) -> dict[str, Any] | None:
    """What a task wrote; None if there is no such file.

    Raises: UserError if it holds something else.
    """
    return result_file.read(path) if os.path.lexists(path) else None


def read_cell_file(cell: Cell) -> dict[str, Any] | None:
    """What a cell's task wrote, rows and all; None if there is no such file."""
    return read_results(paths.metrics(cell))


def _checked(row: Row, cell: Cell, path: Path) -> Row:
    row = {**dict.fromkeys(LATER, ""), **row}
    if set(row) != set(FIELDS):
        wrong = ", ".join(sorted(set(row) ^ set(FIELDS)))
        raise UserError(
            f"{path}: row with missing or unknown fields ({wrong}); "
            "delete the file and run the task again"
        )
    expected = cell.identity
    identity = {key: row[key] for key in expected}
    if identity not in (expected, expected | {"batch_norm": RELEASED}):
        raise UserError(
            f"{path}: rows of {identity}, expected {expected}; "
            "delete the file and run the task again"
        )
    for key in ("value", "seconds", "peak_mb"):
        if not sound(row[key]):
            named = row["metric"] if key == "value" else f"{key} of {row['metric']}"
            raise UserError(
                f"{path}: {named} is {row[key]!r}, expected a finite number; run the task again"
            )
    ordered = {name: row[name] for name in FIELDS}
    return ordered | {"value": float(row["value"])}


def sound(value: Any) -> bool:
    """Whether a value is a number that means and spreads can be taken of."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _kind(cell: Cell) -> tuple[str, ...]:
    """What decides which rows a cell has."""
    fused = "fused" if cell.fused else ""
    return cell.run.dataset, cell.run.split, cell.task, cell.protocol, fused


def _without_number(cell: Cell, norm: str, setting: str, metric: str, reason: str) -> Row:
    """A row without a value.   norm: the state of the batch norms, empty for the cell's own."""
    row: Row = dict.fromkeys(FIELDS, "")
    row |= cell.identity
    row |= {"setting": setting, "metric": metric, "value": None}
    row["batch_norm"] = norm or cell.batch_norm
    return row | {"reason": reason}
