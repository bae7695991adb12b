"""Ours against theirs: rows become one line per cell, joined with the published numbers."""

import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pstl.config import Compared, comparison_key
from pstl.errors import UserError
from pstl.report import floors, paper
from pstl.report.alike import RELEASED, Beside, Ours, beside
from pstl.report.floors import Floors
from pstl.report.folds import with_means
from pstl.report.labels import full_setting
from pstl.report.paper import Published
from pstl.report.rows import AXES, NOT_RUN, Row
from pstl.report.tables import Line

KEY = (
    "dataset", "split", "task", *AXES, "setting", "batch_norm", "method", "stream", "metric",
)  # fmt: skip
CELL = ("dataset", "split", "task", *AXES, "method", "stream")
Groups = dict[tuple[str, ...], list[Row]]  # KEY -> a row for each seed


def compare(
    rows: list[Row],
    published: list[Published],
    tasks: Mapping[str, Compared] | None = None,
    floors_of: Floors | None = None,
) -> list[Line]:
    """Join ours with their floors and with others' numbers.

    One line for each KEY, in grid order, and for the means over folds.

    tasks: what each method's numbers may be compared with (Params.compared). One that is not named
    there has the name of the published task, and is taken for everybody's protocol.
    floors_of: as from floors.beside().
    Raises: UserError for rows of one cell that are of different data.
    """
    rows = with_means(rows)
    groups: Groups = {}
    for row in rows:
        groups.setdefault(_key(row), []).append(row)
    _check_same_data(rows)
    lines = []
    for key in groups:
        line = _line(key, groups, published, tasks or {})
        lines.append(replace(line, **_floors(key, groups, floors_of or {})))
    return lines


def each_beside(
    rows: list[Row], published: list[Published], tasks: Mapping[str, Compared]
) -> list[tuple[Line, Published]]:
    """Ours beside every number that may stand beside it, also where several were printed."""
    groups: Groups = {}
    for row in with_means(rows):
        groups.setdefault(_key(row), []).append(row)
    pairs = []
    for key in groups:
        for theirs in _find(key, published, tasks):
            pairs.append((_line(key, groups, [theirs], tasks), theirs))
    return pairs


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def _with_number(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["value"] is not None]


def _check_same_data(rows: list[Row]) -> None:
    """Seeds are averaged, and states of the norms subtracted from one number.

    Raises: UserError if they are of different data.
    """
    of_cell: dict[tuple[str, ...], str] = {}
    for row in _with_number(rows):
        cell = tuple(row[name] for name in CELL)
        checksum = row["data_checksum"]
        first = of_cell.setdefault(cell, checksum)
        if checksum != first:
            place = " ".join(filter(None, cell))
            named = f"{place}, seed {row['seed']}, batch norm {row['batch_norm']}"
            raise UserError(
                f"{named}: of other data than the rows beside it (data_checksum "
                f"{checksum[:16]}, not {first[:16]}); run the task again"
            )


def _line(
    key: tuple[str, ...], groups: Groups, published: list[Published], tasks: Mapping[str, Compared]
) -> Line:
    cell = dict(zip(KEY, key, strict=True))
    rows = groups[key]
    run = [row["value"] for row in _with_number(rows)]
    mean = statistics.fmean(run) if run else None
    compared = _compared(cell, tasks)
    theirs = _find(key, published, tasks)
    side = None
    if theirs:
        ours = Ours(_setting(cell, compared), cell["metric"], mean, compared.own)
        side = beside(theirs[0], ours, lambda metric: _released(cell, metric, groups))
    values: dict[str, Any] = {**cell, **_theirs(side)}
    return Line(
        **values,
        mean=mean,
        std=statistics.stdev(run) if len(run) > 1 else None,  # of a sample: divided by n - 1
        seeds=len(run),
        seeds_asked=len(rows),
        floor=rows[0].get("floor", ""),
        mean_minus_raw=None,
        mean_minus_untrained=None,
        published_source=_sources(theirs),
        reason=_reason(rows) if mean is None else "",
    )


def _find(
    key: tuple[str, ...], published: list[Published], tasks: Mapping[str, Compared]
) -> list[Published]:
    """The printed numbers that may stand beside a cell of ours."""
    cell = dict(zip(KEY, key, strict=True))
    compared = _compared(cell, tasks)
    asked = {"task": compared.task, "setting": _setting(cell, compared)}
    return paper.find(published, {**cell, **asked})


def _compared(cell: Mapping[str, str], tasks: Mapping[str, Compared]) -> Compared:
    named = comparison_key(cell["method"], cell["task"], cell["source"], cell["protocol"])
    return tasks.get(named, Compared(cell["task"]))


def _setting(cell: Mapping[str, str], compared: Compared) -> str:
    return full_setting(cell["setting"], cell["labels"], cell["source"], compared.input)


def _floors(key: tuple[str, ...], groups: Groups, floors_of: Floors) -> dict[str, Any]:
    """Fields of a line that are about its floors."""
    cell, differences = dict(zip(KEY, key, strict=True)), {}
    for kind, floor in floors_of.get(floors.key_of(cell), {}).items():
        named = dict(zip(floors.CELL, floor, strict=True))
        rows = groups.get(_key({**cell, **named}), [])
        differences[f"mean_minus_{kind}"] = floors.minus(groups[key], rows, kind)
    return differences


def _theirs(side: Beside | None) -> dict[str, Any]:
    """Fields of a line that are about the published number."""
    side = side or Beside(None, "", "", None, None, None, "")
    return {
        "published": side.published,
        "published_kind": side.kind,
        "assumed": side.assumed,
        "mean_minus_published": side.minus,
        "like": side.like,
        "like_minus_published": side.like_minus,
        "why_not": side.why_not,
    }


def _released(cell: Mapping[str, str], metric: str, groups: Groups) -> float | str:
    """Our mean of this cell, of another metric and with released batch norm; or why there is none.

    It is of the seeds of the cell's own mean, so that the two differences are of the same runs.
    """
    rows = groups.get(_key({**cell, "batch_norm": RELEASED, "metric": metric}))
    if rows is None:
        return f"ours has no {metric} with batch norm as released here"
    run = _with_number(rows)
    if not run:
        return f"ours, {metric} with batch norm as released: {_reason(rows)}"
    seeds = _seeds(run)
    others = _seeds(_with_number(groups[_key(cell)]))
    if seeds != others:
        return (
            f"ours, {metric} with batch norm as released: run with seeds {seeds}, "
            f"the number beside it with {others or 'none'}"
        )
    return statistics.fmean(row["value"] for row in run)


def _seeds(rows: list[Row]) -> str:
    return ", ".join(sorted(str(row["seed"]) for row in rows))


def _reason(rows: list[Row]) -> str:
    """Why there is no number: a seed that makes no sense says more than one that was not run."""
    reasons = [row["reason"] for row in rows]
    return min(reasons, key=lambda reason: reason == NOT_RUN)


def _sources(theirs: list[Published]) -> str:
    """Where the first number was printed; others that name a different value are added with it."""
    if not theirs:
        return ""
    first, *others = theirs
    parts = [first.source]
    for other in others:
        if other.value != first.value:
            assumed = f" (assumed: {other.assumed})" if other.assumed else ""
            parts.append(f"also {other.value}{assumed}: {other.source}")
    return "; ".join(parts)
