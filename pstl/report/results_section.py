"""One data set and split on the page: ours beside the papers', and what scores and features say."""

from dataclasses import dataclass
from typing import ClassVar

from pstl.config import FUSED, Cell
from pstl.report import (
    alike,
    class_panels,
    declared,
    few_labels,
    few_labels_panels,
    floors,
    headline_panels,
    markdown,
    paired,
    paper,
    printed,
    setting_panels,
    tables,
)
from pstl.report.charts import Curves, Entry
from pstl.report.class_charts import Confusion, Map, Timeline
from pstl.report.document import Cells, Section, Table, Text, number
from pstl.report.flags import Flags
from pstl.report.labels import task_label
from pstl.report.mark_charts import Marks
from pstl.report.markdown_cells import over_floor
from pstl.report.material import Material
from pstl.report.paper import Published
from pstl.report.poses import Moving
from pstl.report.tables import NONE, Line, headlines

VALUES = ("ours", "std", "seeds", "95 % interval")
FLAGS = "but"
OVER_FLOORS = tuple(floors.MINUS.values())


@dataclass(frozen=True)
class Split:
    """Lines of one data set and split.

    clips: test clips, 0 if that is unknown.   flags: of each line.
    """

    name: str
    lines: list[Line]
    clips: int
    flags: Flags


@dataclass(frozen=True)
class ResultsSection(Section):
    """What templates/results.html shows; what is empty is left out."""

    folds: ClassVar = "open"
    headline: str
    clips: int
    repeats: str
    headlines: list[Table]
    explained: list[str]
    marks: list[Marks]
    every: Table
    sources: Table
    published: Table
    curves: list[Curves]
    timelines: list[Timeline]
    motions: list[Moving]
    pairs: Table
    confusions: list[Confusion]
    classes: Table
    maps: list[Map]
    maps_by: str
    maps_legend: list[Entry]

    @property
    def terms(self) -> dict[str, str]:
        """What the heads of all tables of numbers mean, once."""
        terms: dict[str, str] = {}
        for table in (*self.headlines, self.every):
            terms |= table.filled.terms
        return terms


def build(content: Material, dataset: str, split: str) -> ResultsSection:
    """The section of one split."""
    own = tables.by_split(content.lines)[dataset, split]
    lines = tables.as_shown(own)
    flagged = {}
    for renamed, line in zip(lines, own, strict=True):
        flagged[renamed] = content.flags.get(line, ())
    published = [p for p in content.published if (p.dataset, p.split) == (dataset, split)]
    cells = [cell for cell in content.headline_cells if _is_of(cell, dataset, split)]
    scored = [each for each in content.scored if _is_of(each.cell, dataset, split)]
    compared = [pair for pair in content.pairs if (pair.dataset, pair.split) == (dataset, split)]
    clips = content.tested.clips_of(own[0])
    part = Split(f"{dataset}, {split}", lines, clips, flagged)
    shown = main_lines(lines)
    repeats = markdown.REPEATS.replace("*", "") if markdown.has_unseen(lines) else ""
    confusions, classes = class_panels.confusions(scored)
    floor_methods = {line.method for line in own if line.floor}
    learnt = [cell for cell in cells if cell.run.method not in floor_methods]
    maps, made_by = class_panels.maps(learnt or cells)  # floors would be half of the maps
    sources = printed.Sources()
    by_metric = headline_tables(part, shown, sources)
    every = every_number(part, sources)
    looks = content.looks
    few = few_labels_panels.charts(own, few_labels.label_rules(content.results), looks)
    curves = [*few, *setting_panels.over_settings(lines, looks)]
    return ResultsSection(
        f"results-{dataset}-{split}",
        part.name,
        "results.html",
        headline=tables.HEADLINE,
        clips=clips,
        repeats=repeats,
        headlines=by_metric,
        explained=printed.explained(shown),
        marks=headline_panels.accuracy(own, looks, content.tested.clips),
        every=every,
        sources=sources.table(),
        published=of_others(part.name, published),
        curves=curves,
        timelines=class_panels.timelines(cells),
        motions=class_panels.motions(cells),
        pairs=pairs(compared),
        confusions=confusions,
        classes=classes,
        maps=maps,
        maps_by=made_by,
        maps_legend=class_panels.map_legend(maps),
    )


def _is_of(cell: Cell, dataset: str, split: str) -> bool:
    return (cell.run.dataset, cell.run.split) == (dataset, split)


def main_lines(lines: list[Line]) -> list[Line]:
    """The headline batch-norm variant of each method, one metric per task.

    The metric is what the task is judged by, else its first.
    """
    judged = tables.main_metrics(lines)
    for line in lines:
        judged.setdefault(line.task, line.metric)
    shown = tables.unswept(headlines(lines))
    return [line for line in shown if line.metric == judged[line.task]]


def headline_tables(part: Split, lines: list[Line], sources: printed.Sources) -> list[Table]:
    """One table per task, narrow enough that a phone shows method, stream and number."""
    by_metric: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        by_metric.setdefault((line.task, line.metric), []).append(line)
    return [_headline(key, of_key, part, sources) for key, of_key in by_metric.items()]


def _headline(
    key: tuple[str, str], lines: list[Line], part: Split, sources: printed.Sources
) -> Table:
    settings = list(_settings(lines))
    title = ": ".join(key)
    if len(settings) == 1:
        title += f" ({settings[0]})"
    several = len(settings) > 1
    columns, rows = _columns(lines), []
    for line in lines:
        star = "" if line.batch_norm == tables.HEADLINE else " *"
        row = [line.method + star, line.stream]
        if several:
            row.append(line.setting)
        rows.append([*row, *_numbers(line, columns, part, sources)])
    header = ["method", "stream"]
    if several:
        header.append("setting")
    return Table(title, [*header, *columns], rows)


def _columns(lines: list[Line]) -> tuple[str, ...]:
    """Names of the columns that hold numbers: ours, over floors, and published, if there are."""
    over = OVER_FLOORS if tables.has_floors(lines) else ()
    return (*VALUES, FLAGS, *over, *(printed.HEADER if tables.has_published(lines) else ()))


def _numbers(line: Line, columns: tuple[str, ...], part: Split, sources: printed.Sources) -> Cells:
    """Cells of these columns, as from _columns()."""
    over: list[str | Text] = []
    for kind, title in floors.MINUS.items():
        if title in columns:
            over.append(number(over_floor(line, kind)))
    compared = printed.cells(line, sources) if printed.HEADER[0] in columns else []
    flags = ", ".join(flag.name for flag in part.flags.get(line, ()))
    return [*_values(line, part.clips), flags, *over, *compared]


def every_number(part: Split, sources: printed.Sources) -> Table:
    """One row per cell."""
    names = ("task", "metric", "method", "stream", "setting", "batch_norm")
    columns, rows = _columns(part.lines), []
    for line in part.lines:
        cell = [getattr(line, name) for name in names]
        rows.append([*cell, *_numbers(line, columns, part, sources)])
    header = [name.replace("_", " ") for name in names]
    return Table(f"Every number of {part.name}", [*header, *columns], rows)


def of_others(name: str, published: list[Published]) -> Table:
    """What others printed on this split, task by task, best first."""
    ordered = sorted(
        published, key=lambda p: (paper.TASKS.index(p.task), p.stream, p.metric, -p.value)
    )
    rows: list[Cells] = []
    for p in ordered:
        cell: Cells = [p.task, p.stream, p.metric, p.setting, p.method, number(str(p.value))]
        epoch, assumed = alike.SAID_BY_KIND[p.kind], ", ".join(p.assumed.split())
        rows.append([*cell, epoch, assumed, p.paper, Text(p.source, "source")])
    header = (
        "task", "stream", "metric", "setting", "method", "value", "epoch", "assumed", "paper",
        "source",
    )  # fmt: skip
    return Table(f"Published numbers on {name}", header, rows)


def pairs(compared: list[paired.Pair]) -> Table:
    """Every two methods on the same test clips: which is better, and how sure that is."""
    rows: list[Cells] = []
    for pair in compared:
        verdict = pair.verdict
        numbers = (
            f"{verdict.accuracy_a:.1f}",
            f"{verdict.accuracy_b:.1f}",
            f"{verdict.difference:+.1f}",
            f"{verdict.low:+.1f} to {verdict.high:+.1f}",
            f"{verdict.p:.4f}",
        )
        seeds = f"{verdict.seeds_a} and {verdict.seeds_b}"
        better = "yes" if verdict.better == "a" else "not told apart"
        task = task_label(pair.task, pair.labels, pair.protocol)
        named = [task, pair.stream, pair.a, pair.b]
        rows.append([*named, *(number(value) for value in numbers), seeds, better])
    header = (
        "task", "stream", "a", "b", "a, %", "b, %", "a − b", "95 % interval", "p", "seeds",
        "a is better than b",
    )  # fmt: skip
    return Table("Pairs of methods", header, rows)


def _settings(lines: list[Line]) -> dict[str, None]:
    """Settings of single streams, in order."""
    return dict.fromkeys(line.setting for line in lines if line.stream != FUSED and line.setting)


def _values(line: Line, clips: int) -> Cells:
    """Cells of VALUES."""
    metric = declared.metrics().of(line.metric)
    ours, deviation, bounds = Text(line.reason, "missing"), NONE, NONE
    if line.mean is not None:
        ours = number(metric.text(line.mean))
    if line.std is not None:
        deviation = metric.text(line.std)
    if span := line.span_on(clips):
        bounds = f"{metric.text(span.low)} to {metric.text(span.high)} ({span.over})"
    return [ours, number(deviation), number(line.seeds_text), number(bounds)]
