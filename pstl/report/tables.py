"""Lines of the comparison: which of them are shown, and as csv and JSON."""

from dataclasses import dataclass, fields, replace
from typing import Any

from pstl.config import FUSED
from pstl.files import csv_text
from pstl.metrics.metric import UNSEEN
from pstl.records import FLOORS
from pstl.report import declared, interval
from pstl.report.labels import from_source, task_label
from pstl.report.rows import FIELDS, Row

NONE = "-"  # no such number exists: one seed has no deviation, nobody published the cell
# Columns of the 95 % interval, which follows from mean, deviation and number of seeds.
BOUNDS = ("low", "high")
MINUS = ("mean_minus_raw", "mean_minus_untrained", "mean_minus_published", "like_minus_published")
DIGITS = 4  # of a deviation, as in comparison.csv
MOST_SETTINGS = 12  # of one task in a headline
PARTS = {"subset", "windows"}  # parts of a setting that say which test items were counted
RIVAL = "baseline"  # the part of a setting that says what stands in the encoder's place
TUNED = "tune"  # the part that says what of the encoder is trained
# The better-founded statistics of batch norm; "released" is what the papers' code does.
HEADLINE = "recalibrated"


@dataclass(frozen=True)
class Line:
    """One cell of the comparison.

    labels: share of the training labels; "" where all or none are seen.   source: dataset/split of
    the run whose encoder is used; "" for its own.   protocol: method whose paper's protocol it is;
    "" as all methods share the task.
    mean: None if no seed has a number; `reason` then is "not run", or "n/a: ..." where the cell
    makes no sense.   std: over seeds, None if fewer than two have a number.
    seeds: that were run, of seeds_asked.
    floor: which floor the method itself is, raw or untrained; "" for one that learns.
    mean_minus_raw: minus the coordinates of its own recipe; mean_minus_untrained: minus its own
    encoder untrained, of the same seeds; None where that floor has no number.
    published_kind: which look at the test clips theirs is, one of paper.KINDS; "" without a number.
    assumed: what decides a comparison and is not stated of theirs, blanks between; nothing is
    subtracted then.
    mean_minus_published: whatever the kinds.   like: ours of the kind theirs is: batch norm as
    released, best tested epoch or last.   why_not: why there is no like_minus_published.
    """

    dataset: str
    split: str
    task: str
    labels: str
    source: str
    protocol: str
    setting: str
    batch_norm: str
    method: str
    stream: str
    metric: str
    mean: float | None
    std: float | None
    seeds: int
    seeds_asked: int
    floor: str
    mean_minus_raw: float | None
    mean_minus_untrained: float | None
    published: float | None
    published_kind: str
    assumed: str
    mean_minus_published: float | None
    like: float | None
    like_minus_published: float | None
    why_not: str
    published_source: str
    reason: str = ""

    @property
    def label(self) -> str:
        """The task with its axes, as tables name it."""
        return task_label(self.task, self.labels, self.protocol)

    @property
    def encoder(self) -> str:
        """The method, and the data its encoder comes from where these are others."""
        return from_source(self.method, self.source, bool(self.floor))

    @property
    def seeds_text(self) -> str:
        """How many seeds have a number, and of how many where some are missing."""
        if self.seeds == self.seeds_asked:
            return str(self.seeds)
        return f"{self.seeds} of {self.seeds_asked}"

    @property
    def span(self) -> interval.Interval | None:
        """95 % interval of the mean over seeds; None if fewer than two have a number."""
        if self.mean is None or self.std is None:
            return None
        percent = declared.metrics().of(self.metric).percent
        return interval.over_seeds(self.mean, self.std, self.seeds, percent)

    def span_on(self, clips: int) -> interval.Interval | None:
        """The same; of one seed over test clips, if the metric is a share of these `clips`.

        So it is where all seeds gave one number: that they agree is no certainty.
        """
        if self.mean is None or (self.std is not None and round(self.std, DIGITS) > 0):
            return self.span
        share = declared.metrics().of(self.metric).share_of_clips
        counted = share and clips and not self.metric.endswith(UNSEEN)
        return interval.over_clips(self.mean, clips) if counted else None

    @property
    def rival(self) -> str:
        """What stands in the encoder's place; empty for itself."""
        named = [part for part in self.setting.split(";") if part.startswith(f"{RIVAL}=")]
        return named[0].removeprefix(f"{RIVAL}=") if named else ""

    def minus_floor(self, kind: str) -> float | None:
        """Ours minus one of its floors, raw or untrained."""
        return self.mean_minus_raw if kind == "raw" else self.mean_minus_untrained

    @property
    def comparable(self) -> float | None:
        """The published number, if it may be subtracted from ours: what a chart may mark."""
        apart = self.mean is not None and self.mean_minus_published is None
        return None if self.assumed or apart else self.published


def _columns() -> tuple[str, ...]:
    """Of comparison.csv: a line's fields, with the interval after the deviation."""
    names = [field.name for field in fields(Line)]
    after = names.index("std") + 1
    return (*names[:after], *BOUNDS, *names[after:])


COLUMNS = _columns()


def by_split(lines: list[Line]) -> dict[tuple[str, str], list[Line]]:
    """(data set, split) -> its lines, both in their order."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.dataset, line.split), []).append(line)
    return groups


def has_published(lines: list[Line]) -> bool:
    """Whether somebody printed a number for one of them."""
    return any(line.published is not None for line in lines)


def has_floors(lines: list[Line]) -> bool:
    """Whether one of them has a floor with a number."""
    differences = (line.minus_floor(kind) for line in lines for kind in FLOORS)
    return any(minus is not None for minus in differences)


def signed(difference: float | None) -> str:
    """A difference in points with its sign, as tables show it."""
    return NONE if difference is None else f"{difference:+.1f}"


def headline_norm(lines: list[Line], dataset: str, split: str, method: str) -> str:
    """Which batch-norm variant a method's headline is.

    Recalibrated where the suite asks for it, else the first one it asks for.
    """
    cell = (dataset, split, method)
    for line in headlines(lines):
        if (line.dataset, line.split, line.method) == cell:
            return line.batch_norm
    raise KeyError(cell)


def main_metrics(lines: list[Line]) -> dict[str, str]:
    """Task -> the metric it is judged by; tasks that have none are left out."""
    by_task: dict[str, dict[str, None]] = {}
    for line in lines:
        by_task.setdefault(line.task, {})[line.metric] = None
    judged = {}
    for task, names in by_task.items():
        metric = declared.metrics().main(names)
        if metric:
            judged[task] = metric.name
    return judged


def headlines(lines: list[Line]) -> list[Line]:
    """The lines of each method's headline batch-norm variant."""
    norms: dict[tuple[str, str, str], str] = {}
    for line in lines:
        cell = (line.dataset, line.split, line.method)
        norms.setdefault(cell, line.batch_norm)
        if line.batch_norm == HEADLINE:
            norms[cell] = HEADLINE
    return [i for i in lines if i.batch_norm == norms[i.dataset, i.split, i.method]]


def as_shown(lines: list[Line]) -> list[Line]:
    """Lines as tables name them: the axes beside the task, the source beside the method.

    So a fine-tuned encoder of another data set stands beside the same network from scratch.
    """
    return [replace(line, task=line.label, method=line.encoder) for line in lines]


def of_a_part(line: Line) -> bool:
    """Whether a line is of some test items alone, or of others than its task is judged by."""
    named = {part.partition("=")[0] for part in line.setting.split(";")}
    return bool(named & PARTS)


def unswept(lines: list[Line]) -> list[Line]:
    """The lines that a headline holds: of the whole test side, and not of tasks that have more
    settings, such as lost joints, which are drawn as curves.
    """
    lines = [line for line in lines if not of_a_part(line)]
    settings: dict[tuple[str, str, str], set[str]] = {}
    for line in lines:
        of_task = settings.setdefault((line.dataset, line.split, line.task), set())
        if line.stream != FUSED:
            of_task.add(line.setting)
    return [i for i in lines if len(settings[i.dataset, i.split, i.task]) <= MOST_SETTINGS]


def rows_csv(rows: list[Row]) -> str:
    """Every single row; where the value is empty, the reason is not."""
    columns = (*FIELDS, "floor", "reason")
    lines = []
    for row in rows:
        lines.append([_exact(row[name]) for name in columns])
    return csv_text(columns, lines)


def comparison_csv(lines: list[Line]) -> str:
    """One row per line, numbers with four decimals.

    low and high are the 95 % interval over seeds.
    """
    return csv_text(COLUMNS, [_comparison_row(line) for line in lines])


def _comparison_row(line: Line) -> list[str]:
    cells = {field.name: str(getattr(line, field.name)) for field in fields(Line)}
    word = line.reason.partition(":")[0]
    cells["mean"] = _decimals(line.mean, word)
    cells["std"] = _decimals(line.std, "")
    cells["published"] = NONE if line.published is None else str(line.published)
    cells["like"] = _decimals(line.like, NONE)
    for name in MINUS:
        cells[name] = _decimals(getattr(line, name), NONE, sign="+")
    cells["published_source"] = line.published_source or NONE
    low, high = (line.span.low, line.span.high) if line.span else (None, None)
    cells["low"] = _decimals(low, "")
    cells["high"] = _decimals(high, "")
    return [cells[name] for name in COLUMNS]


def _decimals(number: float | None, nothing: str, sign: str = "") -> str:
    """Four decimals; `nothing` where there is no number."""
    return nothing if number is None else f"{number:{sign}.4f}"


def _exact(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
