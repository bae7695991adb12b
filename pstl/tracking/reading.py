"""A suite's results read back from MLflow alone, so that tables can be made without its files."""

import json
from typing import Any

from pstl.config import Cell, Params
from pstl.errors import UserError
from pstl.report import rows as report
from pstl.report.rows import Epochs, Results, Row
from pstl.tracking import names, store


def results_from_mlflow(params: Params, suite: str, uri: str = "") -> Results:
    """The results of the last import; equal to report.rows.from_files at that time.

    Raises: UserError if the store holds no run of this suite, or a value that is not finite.
    """
    client, address = store.connect(params, uri, create=False)
    stored = {
        run.data.tags[names.RUN]: run
        for run in store.runs_of(client, suite)
        if run.data.tags.get(names.CURRENT) == "yes"
    }
    place = store.shown(address)
    if not stored:
        remedy = f"run 'python -m pstl track --suite {suite}' first"
        raise UserError(f"{place}: no run of suite {suite!r}; {remedy}")
    cells, not_applicable = params.grid(suite), params.not_applicable(suite)
    requested = set(cells)
    tables: dict[str, list[Row]] = {}
    records: dict[str, dict[str, Any]] = {}
    curves: dict[str, Epochs] = {}
    for name in dict.fromkeys(str(cell.run) for cell in cells):
        if name not in stored:
            continue
        tables[name] = stored_rows(stored[name], place)
        if record := json.loads(stored[name].data.tags[names.RECORD]):
            records[name] = record
        if epochs := _losses(client, stored[name]):
            curves[name] = epochs

    def read(cell: Cell) -> list[Row] | str | None:
        name = str(cell.run)
        if cell.run in not_applicable:
            return not_applicable[cell.run]
        rows = [row for row in tables.get(name, []) if _is_of(row, cell)]
        rows = [row for row in rows if report.belongs(row, cell, requested)]
        tags = stored[name].data.tags if name in stored else {}
        return rows or tags.get(names.reason_tag(f"{cell.batch_norm}.{cell.name}"))

    kinds = params.floor_kinds(suite)
    return Results(report.collect(cells, read, kinds), records, curves)


def _is_of(row: Row, cell: Cell) -> bool:
    """Whether a stored row is of a cell's task, in any state of the batch norms."""
    named = cell.identity
    return all(row.get(name, "") == named[name] for name in ("task", *report.AXES))


def stored_rows(run: Any, address: str) -> list[Row]:
    """Rows of one stored run in their order.

    A row's tag says what it is of, with its place as "value"; the value itself is the metric, if
    there is one.
    Raises: UserError for a value that is not finite.
    """
    rows: list[tuple[int, Row]] = []
    for tag, text in run.data.tags.items():
        if not tag.startswith(names.ROW):
            continue
        key, row = tag.removeprefix(names.ROW), json.loads(text)
        value = run.data.metrics.get(key)
        if value is not None and not report.sound(value):
            source = f"{key} of {run.data.tags[names.RUN]}"
            raise UserError(f"{address}: {source} is {value}; import that suite again")
        rows.append((row["value"], {**row, "value": value}))
    return [row for _, row in sorted(rows, key=lambda entry: entry[0])]


def _losses(client: Any, run: Any) -> Epochs:
    """The training loss of a stored run, epoch by epoch."""
    history = client.get_metric_history(run.info.run_id, "train.loss")
    epochs = [{"epoch": metric.step, "loss": metric.value} for metric in history]
    return sorted(epochs, key=lambda epoch: epoch["epoch"])
