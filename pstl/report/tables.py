"""Ours against theirs: rows become one line per cell, with mean, deviation over seeds, the published number and differences."""

import re
import statistics
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace
from typing import Any

from pstl.config import FUSED, Compared
from pstl.errors import UserError
from pstl.report import declared, interval, paper
from pstl.report.alike import RELEASED, Beside, Ours, beside
from pstl.report.paper import Published
from pstl.report.rows import FIELDS, NOT_RUN, Row
from pstl.report.text import csv_text

KEY = ("dataset", "split", "task", "setting", "batch_norm", "method", "stream", "metric")
Groups = dict[tuple[str, ...], list[Row]]  # KEY -> a row for each seed
NONE = "-"  # no such number exists: one seed has no deviation, nobody published the cell
BOUNDS = (
    "low",
    "high",
)  # columns of the 95 % interval, which follows from mean, deviation and number of seeds
MINUS = ("mean_minus_published", "like_minus_published")
MOST_SETTINGS = 12  # of one task in a headline
HEADLINE = "recalibrated"  # the better-founded statistics of batch norm; "released" is what the papers' code does


@dataclass(frozen=True)
class Line:
    """One cell of the comparison. `mean` is None if no seed has a number, and `reason` says why; `std` is None if fewer than two have."""

    dataset: str
    split: str
    task: str
    setting: str
    batch_norm: str
    method: str
    stream: str
    metric: str
    mean: float | None
    std: float | None
    seeds: int  # that were run
    seeds_asked: int
    published: float | None
    published_kind: (
        str  # which look at the test clips theirs is: one of paper.KINDS; "" without a number
    )
    assumed: str  # what decides a comparison and is not stated of theirs, blanks between; then nothing is subtracted
    mean_minus_published: float | None  # this line's mean minus theirs, whatever the kinds
    like: (
        float | None
    )  # ours of the kind theirs is: batch norm as released, best tested epoch or last
    like_minus_published: float | None
    why_not: str  # why there is no like_minus_published
    source: str
    reason: str = ""  # "not run", or "n/a: ..." where the cell makes no sense

    @property
    def span(self) -> interval.Interval | None:
        """95 % interval of the mean over seeds; None if fewer than two have a number."""
        return (
            None
            if self.mean is None or self.std is None
            else interval.over_seeds(self.mean, self.std, self.seeds)
        )

    @property
    def comparable(self) -> float | None:
        """The published number, if it may be subtracted from ours: what a chart may mark beside it."""
        apart = self.mean is not None and self.mean_minus_published is None
        return None if self.assumed or apart else self.published


COLUMNS = tuple(
    name for f in fields(Line) for name in ((f.name, *BOUNDS) if f.name == "std" else (f.name,))
)  # of comparison.csv


def compare(
    rows: list[Row], published: list[Published], tasks: Mapping[str, Compared] | None = None
) -> list[Line]:
    """Join ours and theirs: one line per data set, split, task, setting, batch norm, method, stream and metric, in grid order.

    tasks: entry of params.yaml -> what it may be compared with (Params.published_tasks). One that is not
    named there has the name of the published task, and is taken for everybody's protocol.
    Raises: UserError for rows of one cell that are of different data.
    """
    groups: Groups = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in KEY), []).append(row)
    _check_same_data(rows)
    return [_line(key, groups, published, tasks or {}) for key in groups]


def _check_same_data(rows: list[Row]) -> None:
    """Raises: UserError if what is averaged, or subtracted from one number, is of different data: seeds and states of the norms."""
    seen: dict[tuple[str, ...], str] = {}
    for row in rows:
        if row["value"] is None:
            continue
        cell = tuple(row[name] for name in KEY if name not in ("batch_norm", "metric", "setting"))
        first, own = seen.setdefault(cell, row["data_checksum"]), row["data_checksum"]
        if own != first:
            named = f"{' '.join(cell)}, seed {row['seed']}, batch norm {row['batch_norm']}"
            raise UserError(
                f"{named}: of other data than the rows beside it (data_checksum {own[:16]}, not {first[:16]}); run the task again"
            )


def headline_norm(lines: list[Line], dataset: str, split: str, method: str) -> str:
    """Which batch-norm variant a method's headline is: recalibrated where the suite asks for it, else the one it asks for."""
    norms = [
        line.batch_norm
        for line in lines
        if (line.dataset, line.split, line.method) == (dataset, split, method)
    ]
    return HEADLINE if HEADLINE in norms else norms[0]


def main_metrics(lines: list[Line]) -> dict[str, str]:
    """Task -> the metric it is judged by; tasks that have no such metric are left out."""
    reported: dict[str, list[str]] = {}
    for line in lines:
        reported.setdefault(line.task, []).append(line.metric)
    main = {task: declared.metrics().main(names) for task, names in reported.items()}
    return {task: metric.name for task, metric in main.items() if metric}


def headlines(lines: list[Line]) -> list[Line]:
    """The lines of each method's headline batch-norm variant."""
    return [
        line
        for line in lines
        if line.batch_norm == headline_norm(lines, line.dataset, line.split, line.method)
    ]


def merge_transfers(lines: list[Line], together: Mapping[str, tuple[str, str]]) -> list[Line]:
    """Lines of a transfer under the task they are one of, with the source as part of the method's name.   together: of Params."""
    shown = []
    for line in lines:
        task, source = together.get(line.task, (line.task, ""))
        setting = (
            line.setting.partition(";")[2]
            if line.setting.startswith("source=") and source
            else line.setting
        )
        shown.append(
            replace(line, task=task, setting=setting, method=from_source(line.method, source))
        )
    return shown


def from_source(method: str, source: str) -> str:
    """How a method is called whose encoder comes from another data set."""
    return f"{method} from {source}" if source else method


def unswept(lines: list[Line]) -> list[Line]:
    """The lines without those of tasks tried in more settings than a headline holds, such as lost joints: those are drawn as curves."""
    settings: dict[tuple[str, str, str], set[str]] = {}
    for line in lines:
        if line.stream != FUSED:
            settings.setdefault((line.dataset, line.split, line.task), set()).add(line.setting)
    return [
        line
        for line in lines
        if len(settings.get((line.dataset, line.split, line.task), ())) <= MOST_SETTINGS
    ]


def summary(lines: list[Line]) -> dict[str, Any]:
    """data set -> split -> method -> stream -> {task_metric: mean}, what has no number left out.

    Headline numbers carry no prefix, the other batch-norm variant's begin with released_. A task with several settings names them.
    """
    settings: dict[str, set[str]] = {}
    for line in lines:
        settings.setdefault(line.task, set()).add("" if line.stream == FUSED else line.setting)
    tree: dict[str, Any] = {}
    for line in lines:
        if line.mean is None:
            continue
        several = len(settings[line.task] - {""}) > 1
        name = "_".join([line.task, line.metric, *([_slug(line.setting)] if several else [])])
        if line.batch_norm != headline_norm(lines, line.dataset, line.split, line.method):
            name = f"{line.batch_norm}_{name}"
        leaf = (
            tree.setdefault(line.dataset, {})
            .setdefault(line.split, {})
            .setdefault(line.method, {})
            .setdefault(line.stream, {})
        )
        leaf[name] = round(line.mean, 4)
    return tree


def rows_csv(rows: list[Row]) -> str:
    """Every single row; where the value is empty, the reason is not."""
    columns = (*FIELDS, "reason")
    return csv_text(columns, [[_exact(row[name]) for name in columns] for row in rows])


def comparison_csv(lines: list[Line]) -> str:
    """One row per line, numbers with four decimals; low and high are the 95 % interval over seeds."""
    cells = []
    for line in lines:
        values = dict(zip((f.name for f in fields(Line)), astuple(line), strict=True))
        values["mean"] = line.reason.partition(":")[0] if line.mean is None else f"{line.mean:.4f}"
        values["std"] = "" if line.std is None else f"{line.std:.4f}"
        values["published"] = NONE if line.published is None else str(line.published)
        values["like"] = NONE if line.like is None else f"{line.like:.4f}"
        for name in MINUS:
            difference = getattr(line, name)
            values[name] = NONE if difference is None else f"{difference:+.4f}"
        values["source"] = line.source or NONE
        values |= dict(
            zip(
                BOUNDS,
                (f"{bound:.4f}" for bound in line.span[:2]) if line.span else ("", ""),
                strict=True,
            )
        )
        cells.append([str(values[name]) for name in COLUMNS])
    return csv_text(COLUMNS, cells)


def _line(
    key: tuple[str, ...], groups: Groups, published: list[Published], tasks: Mapping[str, Compared]
) -> Line:
    cell = dict(zip(KEY, key, strict=True))
    rows = groups[key]
    run = [row["value"] for row in rows if row["value"] is not None]
    mean = statistics.fmean(run) if run else None
    wanted = {name: value for name, value in cell.items() if name != "batch_norm"}
    compared = tasks.get(cell["task"], Compared(cell["task"]))
    theirs = paper.find(published, **{**wanted, "task": compared.task})
    side = None
    if theirs:
        ours = Ours(cell["method"], cell["setting"], cell["metric"], mean, compared.of)
        side = beside(theirs[0], ours, lambda metric: _released(cell, metric, groups))
    given: dict[str, Any] = {**cell, **_theirs(side)}
    return Line(
        **given,
        mean=mean,
        std=statistics.stdev(run) if len(run) > 1 else None,  # of a sample: divided by n - 1
        seeds=len(run),
        seeds_asked=len(rows),
        source=_sources(theirs),
        reason=_reason(rows) if mean is None else "",
    )


def _theirs(side: Beside | None) -> dict[str, Any]:
    """Fields of a line that are about the published number."""
    found = side or Beside(None, "", "", None, None, None, "")
    return {
        "published": found.published,
        "published_kind": found.kind,
        "assumed": found.assumed,
        "mean_minus_published": found.minus,
        "like": found.like,
        "like_minus_published": found.like_minus,
        "why_not": found.why_not,
    }


def _released(cell: Mapping[str, str], metric: str, groups: Groups) -> float | str:
    """Our mean of this cell, of another metric and with released batch norm; or why there is none.

    It is of the same seeds as the cell's own mean, so that the two differences are of the same runs.
    """
    wanted = {**cell, "batch_norm": RELEASED, "metric": metric}
    rows = groups.get(tuple(wanted[name] for name in KEY))
    if rows is None:
        return f"ours has no {metric} with batch norm as released here"
    run = [row for row in rows if row["value"] is not None]
    if not run:
        return f"ours, {metric} with batch norm as released: {_reason(rows)}"
    own = groups[tuple(cell[name] for name in KEY)]
    seeds, others = _seeds(run), _seeds([row for row in own if row["value"] is not None])
    if seeds != others:
        return f"ours, {metric} with batch norm as released: run with seeds {seeds}, the number beside it with {others or 'none'}"
    return statistics.fmean(row["value"] for row in run)


def _seeds(rows: list[Row]) -> str:
    return ", ".join(sorted(str(row["seed"]) for row in rows))


def _reason(rows: list[Row]) -> str:
    """Why there is no number: a seed that makes no sense says more than one that was not run."""
    return min((row["reason"] for row in rows), key=lambda reason: reason == NOT_RUN)


def _sources(theirs: list[Published]) -> str:
    """Where the first number was printed; others that name a different value are added with it."""
    if not theirs:
        return ""
    others = [p for p in theirs[1:] if p.value != theirs[0].value]
    also = [
        f"also {p.value}{f' (assumed: {p.assumed})' if p.assumed else ''}: {p.source}"
        for p in others
    ]
    return "; ".join([theirs[0].source, *also])


def _slug(setting: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", setting).strip("_")


def _exact(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
