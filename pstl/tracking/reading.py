"""A suite's results read back from MLflow alone, so that tables can be made without its files."""

import json
from typing import Any

from pstl.config import Cell, Params
from pstl.errors import UserError
from pstl.files import taking_apart
from pstl.report import rows as report
from pstl.report.rows import Epochs, Results, Row
from pstl.tracking import artifacts, names, scores, store
from pstl.tracking.artifacts import STORED
from pstl.tracking.scores import Scores


def results_from_mlflow(params: Params, suite: str, uri: str = "") -> Results:
    """The results of the last import; equal to report.rows.from_files at that time.

    Raises: UserError if the store holds no run of this suite, one in the form of an earlier
    version, or a score that is not the one in its table.
    """
    client, address = store.connect(params, uri, create=False)
    place = store.shown(address)
    again = f"run 'python -m pstl track --suite {suite}'"
    stored = {}
    for run in store.runs_of(client, suite):
        if run.data.tags.get(names.CURRENT) == "yes":
            stored[run.data.tags[names.RUN]] = run
    if not stored:
        raise UserError(f"{place}: no run of suite {suite!r}; {again} first")
    earlier = [run for run in stored.values() if run.data.tags.get(names.FORM) != names.LAYOUT]
    if earlier:
        raise UserError(
            f"{place}: {len(earlier)} runs of suite {suite!r} are in the form of another version "
            f"of pstl; {again} here, which replaces them"
        )
    cells, not_applicable = params.grid(suite), params.not_applicable(suite)
    kept = {}
    for name in dict.fromkeys(str(cell.run) for cell in cells):
        if name in stored:
            with store.reported(address):
                kept[name] = _Kept(client, address, stored[name], again)

    def read(cell: Cell) -> list[Row] | str | None:
        if cell.run in not_applicable:
            return not_applicable[cell.run]
        name = str(cell.run)
        return kept[name].content(cell, set(cells)) if name in kept else None

    rows = report.collect(cells, read, params.floor_kinds(suite))
    _check(kept, scores.of_rows(rows), place, again)
    records = {name: one.record for name, one in kept.items() if one.record}
    curves = {name: one.curve for name, one in kept.items() if one.curve}
    return Results(rows, records, curves)


class _Kept:
    """What the store keeps of a run."""

    def __init__(self, client: Any, address: str, run: Any, again: str) -> None:
        def text(name: str) -> str:
            return artifacts.get_text(client, address, run, name) or ""

        where = f"{store.shown(address)}: {run.data.tags[names.RUN]}"
        table = text(names.SCORES)
        if not table:
            raise UserError(f"{where}: its file {names.SCORES} is gone; {again}")
        self.metrics: dict[str, float] = run.data.metrics
        with taking_apart(where, STORED):
            self.rows = names.rows_of(table)
            if not all(row["value"] is None or report.sound(row["value"]) for row in self.rows):
                raise ValueError("a value that is no finite number")
            self.record: dict[str, Any] = json.loads(text(names.RECORD) or "{}")
            lines = text(names.CURVE).splitlines()
            self.curve: Epochs = [json.loads(line) for line in lines]

    def content(self, cell: Cell, requested: set[Cell]) -> list[Row] | str | None:
        """As report.rows.read_cell gives it."""
        named = cell.identity
        fields = ("task", *report.AXES)
        rows = [row for row in self.rows if all(row[key] == named[key] for key in fields)]
        for row in rows:
            if not row["metric"] and row["batch_norm"] == cell.batch_norm:
                return str(row["reason"])
        rows = [row for row in rows if row["metric"]]
        return [row for row in rows if report.belongs(row, cell, requested)] or None


def _check(kept: dict[str, _Kept], shown: Scores, place: str, again: str) -> None:
    """Raises: UserError if a score that MLflow shows is not the number of its run's table."""
    for name, one in kept.items():
        for score, value in shown.of(one.rows).items():
            metric = one.metrics.get(score, value)
            if metric != value:
                said = f"{score} is {metric}, its table says {value}"
                raise UserError(f"{place}: {name}: {said}; {again}")
