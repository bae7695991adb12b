"""Methods x tasks, the answer of a suite: what its first screen shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pstl.config import FUSED
from pstl.report import declared, summary
from pstl.report.few_labels import RULE
from pstl.report.flags import ONE_SEED, Flag, Flags
from pstl.report.gains import Gain
from pstl.report.labels import share_label, task_label
from pstl.report.summary import BASELINE
from pstl.report.tables import Line
from pstl.report.tested import Tested

SHADES = (2.0, 5.0, 10.0, 20.0)  # points of a gain from which a cell is one shade darker


class Column(NamedTuple):
    """A task with its setting, where it has several, on one split."""

    dataset: str
    split: str
    task: str
    setting: str


class Head(NamedTuple):
    """The head of a column.   says: what the number is."""

    name: str
    says: str


class Entry(NamedTuple):
    """A cell.   shade: -4 to 4, by the gain.   about: all that is known of it, in words.

    text: the number, or "not run", "n/a", or nothing where the suite does not ask for it.
    """

    text: str = ""
    span: str = ""
    shade: int = 0
    best: bool = False
    about: str = ""
    flags: Sequence[Flag] = ()
    is_number: bool = False


class Row(NamedTuple):
    """A method in one stream."""

    name: str
    entries: list[Entry]


@dataclass(frozen=True)
class Matrix:
    """splits: name and number of columns of each.   flags: those that stand beside a number."""

    splits: list[tuple[str, int]]
    heads: list[Head]
    rows: list[Row]

    @property
    def flags(self) -> list[Flag]:
        """Every flag that stands in it, once."""
        seen: dict[Flag, None] = {}
        for row in self.rows:
            for entry in row.entries:
                seen.update(dict.fromkeys(entry.flags))
        return list(seen)

    @property
    def shaded(self) -> bool:
        """Whether a number has a gain of some points."""
        return any(entry.shade for row in self.rows for entry in row.entries)

    @property
    def of_one_seed(self) -> bool:
        """Whether every number is of one seed, so that it is said once."""
        numbers = [entry for row in self.rows for entry in row.entries if entry.is_number]
        return bool(numbers) and all(ONE_SEED in entry.flags for entry in numbers)

    @property
    def without_one_seed(self) -> "Matrix":
        """The same without the sign of one seed beside its numbers."""
        rows = []
        for row in self.rows:
            entries = []
            for entry in row.entries:
                flags = [flag for flag in entry.flags if flag != ONE_SEED]
                entries.append(entry._replace(flags=flags))
            rows.append(Row(row.name, entries))
        return Matrix(self.splits, self.heads, rows)

    @property
    def numbers(self) -> list[str]:
        """What the numbers of each column are."""
        names: dict[str, dict[str, None]] = {}
        for head in self.heads:
            names.setdefault(head.says, {})[head.name] = None
        return [f"{', '.join(of)}: {says}." for says, of in names.items()]

    @property
    def reasons(self) -> list[str]:
        """Why cells make no sense, once each."""
        seen: dict[str, None] = {}
        for row in self.rows:
            for entry in row.entries:
                if entry.text == "n/a":
                    seen[entry.about] = None
        return list(seen)


def shown(lines: Sequence[Line]) -> list[Line]:
    """The lines of a matrix: the headline of each task and method, one metric per task.

    Floors stand in it only where they are beside nothing: with others they are the ground that a
    gain is counted from. lines: not renamed.
    """
    return summary.answers(list(lines))


def build(
    lines: Sequence[Line], gains: Mapping[Line, Gain], flags: Flags, tested: Tested
) -> Matrix:
    """The matrix of these lines, as from shown(); the best rows of the fullest column first."""
    columns = _columns(lines)
    by_place: dict[str, dict[Column, Line]] = {}
    for line in lines:
        by_place.setdefault(_row_name(line), {}).setdefault(_column(line, columns), line)
    best = _best(by_place.values())
    rows = []
    for name in _ordered(by_place, columns):
        entries = []
        for column in columns:
            if column not in by_place[name]:
                entries.append(Entry())
                continue
            line = by_place[name][column]
            entry = _entry(line, gains.get(line), tested)
            entries.append(entry._replace(best=line in best, flags=flags.get(line, ())))
        rows.append(Row(name, entries))
    splits: dict[str, int] = {}
    for column in columns:
        place = f"{column.dataset}, {column.split}"
        splits[place] = splits.get(place, 0) + 1
    heads = [_head(column, lines, columns) for column in columns]
    return Matrix(list(splits.items()), heads, rows)


def _entry(line: Line, gain: Gain | None, tested: Tested) -> Entry:
    """A cell but for what it is among others."""
    name = f"{_row_name(line)}, {_task(line)}"
    if line.mean is None:
        word, _, why = line.reason.partition(": ")
        return Entry(word, about=f"{name}: {why or word}")
    metric = declared.metrics().of(line.metric)
    text, span = metric.text(line.mean), line.span_on(tested.clips_of(line))
    bounds = f"{metric.text(span.low)}–{metric.text(span.high)}" if span else ""
    seeds = "1 seed" if line.seeds == 1 else f"{line.seeds_text} seeds"
    about = [f"{name}: {text} {metric.unit or '%'}", seeds]
    if span:
        about.append(f"95 % interval over {span.over} {bounds}")
    if gain:
        about.append(gain.text)
    return Entry(text, bounds, _shade(gain), about="; ".join(about), is_number=True)


def _shade(gain: Gain | None) -> int:
    if gain is None:
        return 0
    steps = sum(abs(gain.points) >= shade for shade in SHADES)
    return steps if gain.points > 0 else -steps


def _row_name(line: Line) -> str:
    baseline = _baseline(line)
    if baseline:
        return f"{baseline} (baseline)"
    floor = " (floor)" if line.floor else ""
    share = f" {share_label(line.labels)}" if _of_method(line) else ""
    return f"{line.encoder}{share}{floor}, {line.stream}"


def _task(line: Line) -> str:
    """A task as columns name it: with a share of labels where the task draws it."""
    return task_label(line.task, "" if _of_method(line) else line.labels, line.protocol)


def _of_method(line: Line) -> bool:
    """Whether a share of labels is what the method has learnt from, not what the task draws."""
    return bool(line.labels) and RULE not in line.setting


def _baseline(line: Line) -> str:
    for part in line.setting.split(";"):
        if part.startswith(BASELINE):
            return part.removeprefix(BASELINE)
    return ""


def _columns(lines: Sequence[Line]) -> list[Column]:
    """Splits in their order, and on each the tasks in theirs."""
    columns: dict[Column, None] = {}
    for line in lines:
        if line.stream != FUSED and not _baseline(line):
            columns[Column(line.dataset, line.split, _task(line), line.setting)] = None
    for line in lines:
        column = Column(line.dataset, line.split, _task(line), line.setting)
        if not any(column[:3] == other[:3] for other in columns):
            columns[column] = None
    splits = list(dict.fromkeys(column[:2] for column in columns))
    tasks = list(dict.fromkeys(column[:3] for column in columns))
    return sorted(columns, key=lambda c: (splits.index(c[:2]), tasks.index(c[:3])))


def _column(line: Line, columns: Sequence[Column]) -> Column:
    """Where a line stands; fused scores and baselines in the first column of their task."""
    own = Column(line.dataset, line.split, _task(line), line.setting)
    if own in columns:
        return own
    return next(column for column in columns if column[:3] == own[:3])


def _head(column: Column, lines: Sequence[Line], columns: Sequence[Column]) -> Head:
    several = sum(column[:3] == other[:3] for other in columns) > 1
    name = f"{column.task} ({column.setting})" if several and column.setting else column.task
    of_column = (line for line in lines if _column(line, columns) == column)
    metric = declared.metrics().of(next(of_column).metric)
    return Head(name, metric.heading or metric.label or metric.name)


def _best(rows: Iterable[Mapping[Column, Line]]) -> set[Line]:
    """The best lines of every column, as printed: equal texts are equally good."""
    by_column: dict[Column, dict[Line, float]] = {}
    for row in rows:
        for column, line in row.items():
            if line.mean is not None:
                by_column.setdefault(column, {})[line] = line.mean
    best: set[Line] = set()
    for means in by_column.values():
        metric = declared.metrics().of(next(iter(means)).metric)
        top = max(means.values()) if metric.higher_is_better else min(means.values())
        best |= {line for line, mean in means.items() if metric.text(mean) == metric.text(top)}
    return best


def _ordered(rows: Mapping[str, Mapping[Column, Line]], columns: Sequence[Column]) -> list[str]:
    """Names of rows, the best in the fullest column first, those without a number in it last."""
    if not columns:
        return list(rows)
    filled = {column: 0 for column in columns}
    for row in rows.values():
        for column, line in row.items():
            filled[column] += line.mean is not None
    fullest = max(columns, key=lambda column: filled[column])

    def place(name: str) -> float:
        line = rows[name].get(fullest)
        if line is None or line.mean is None:
            return float("inf")
        better = declared.metrics().of(line.metric).higher_is_better
        return -line.mean if better else line.mean

    return sorted(rows, key=place)
