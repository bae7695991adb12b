"""Every headline number as a mark with its interval, floors and published numbers beside it."""

from collections.abc import Mapping

from pstl.records import FLOORS
from pstl.report import declared, tables
from pstl.report.charts import Span
from pstl.report.colours import Look, floor_of, look_of
from pstl.report.few_labels import is_of_few_labels
from pstl.report.labels import share_label
from pstl.report.mark_charts import Mark, Marks
from pstl.report.paper import STREAMS
from pstl.report.tables import RIVAL, TUNED, Line

PERCENT = (0.0, 112.0)  # with room for the number behind a mark
# Parts of a setting that are said of a row, or of all fused ones.
OF_A_ROW = (RIVAL, TUNED, *STREAMS)
Panel = tuple[str, str, str, str, str]  # data set, split, task, metric, setting


def accuracy(
    lines: list[Line],
    looks: Mapping[str, Look],
    clips: Mapping[tuple[str, str], int],
) -> list[Marks]:
    """A chart per split and task, best first, every percentage on the same axis.

    The metric is what the task is judged by. A row per method and stream, fused ones among them;
    the floors that the suite has made for a method stand in its row. What is drawn over shares of
    labels is not drawn here.
    clips: (data set, split) -> test clips, where known.
    """
    charts = []
    for place, of_panel in panels_of(lines).items():
        charts.append(_chart(place, of_panel, looks, clips.get(place[:2], 0)))
    return charts


def panels_of(lines: list[Line]) -> dict[Panel, list[Line]]:
    """The lines of each chart, with a number each."""
    judged = tables.main_metrics(lines)
    for line in lines:
        judged.setdefault(line.task, line.metric)
    panels: dict[Panel, list[Line]] = {}
    for line in tables.unswept(tables.headlines(lines)):
        if line.mean is None or is_of_few_labels(line):
            continue
        if line.metric == judged[line.task]:
            place = (line.dataset, line.split, line.task, line.metric, _setting(line))
            panels.setdefault(place, []).append(line)
    return panels


def _setting(line: Line) -> str:
    """The setting that the rows of a chart have in common."""
    parts = line.setting.split(";")
    return ";".join(part for part in parts if part.partition("=")[0] not in OF_A_ROW)


def _chart(place: Panel, lines: list[Line], looks: Mapping[str, Look], clips: int) -> Marks:
    dataset, split, task, name, setting = place
    metric = declared.metrics().of(name)
    if any(line.minus_floor(kind) is not None for line in lines for kind in FLOORS):
        lines = [line for line in lines if not floor_of(line.method)]
    up = -1 if metric.higher_is_better else 1
    lines = sorted(lines, key=lambda line: up * (line.mean or 0.0))
    several = len({line.stream for line in lines}) > 1
    marks: dict[Mark, None] = {}  # a rival that is the same beside every encoder has one row
    for line in lines:
        row = _row(line, several)
        look = look_of(line.rival or line.method, looks)
        if several and not line.rival:
            look = look._replace(shape=STREAMS.index(line.stream))
        marks[_mark(row, line, look, clips)] = None
    title = ", ".join(filter(None, [f"{task}: {name}", setting, dataset, split]))
    said = ", ".join(f"{mark.row} {mark.text}" for mark in marks)
    unit = metric.unit or "%"
    span = PERCENT if unit == "%" else _span(marks)
    return Marks(title, f"{title}: {said}", list(marks), f"{name}, {unit}", span)


def _row(line: Line, several: bool) -> str:
    """What a number is of: the encoder or its rival, the stream, and what only it has."""
    said = [line.rival or line.encoder]
    if several:
        said.append(line.stream)
    if line.labels:
        said.append(share_label(line.labels))
    if line.protocol:
        said.append("its own protocol")
    return ", ".join(said)


def _mark(row: str, line: Line, look: Look, clips: int) -> Mark:
    mean = line.mean or 0.0
    beside: list[tuple[str, float]] = []
    for kind in FLOORS:
        minus = line.minus_floor(kind)
        if minus is not None:
            beside.append((kind, mean - minus))
    if line.comparable is not None:
        beside.append(("published", line.comparable))
    span = line.span_on(clips)
    low, high = (span.low, span.high) if span else (None, None)
    text = declared.metrics().of(line.metric).text(mean)
    return Mark(row, mean, text, low, high, tuple(beside), look)


def _span(marks: Mapping[Mark, None]) -> Span:
    """Ends of an axis in another unit than percent."""
    numbers = [0.0]
    for mark in marks:
        numbers += [mark.value, *(value for _, value in mark.beside)]
    return 0.0, 1.12 * max(numbers)
