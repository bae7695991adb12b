"""Charts of what was said of single clips: confusions, maps of features, timelines, motions."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pstl import paths
from pstl.config import Cell
from pstl.encoding import feature_file
from pstl.report import class_charts, embedding, poses
from pstl.report.charts import Entry
from pstl.report.class_charts import Confusion, Map, Span, Timeline
from pstl.report.confusion import Scored, class_names
from pstl.report.document import Table, number
from pstl.report.labels import cell_label, from_source
from pstl.report.poses import Moving
from pstl.report.rows import read_cell_file

RECORDINGS = 2  # of one cell that are shown as timelines
TIMELINES = 6  # on a page
PALEST = 0.25  # opacity of a detection of score 0

Counted = dict[tuple[str, str, str], np.ndarray]  # method, stream, task -> (true, predicted)


def confusions(scored: Iterable[Scored]) -> tuple[list[Confusion], Table]:
    """One matrix per method and stream, summed over seeds, of the first task with class scores.

    Also the accuracy of every class, a column per matrix.
    """
    sums: Counted = {}
    first_task: dict[tuple[str, str], str] = {}
    names: list[str] = []
    for cell, predicted, classes, clips in scored:
        if not classes:
            continue
        method, task = from_source(cell.run.method, cell.source), cell_label(cell)
        stream = cell.run.stream
        if first_task.setdefault((method, stream), task) != task:
            continue
        names = names or class_names(cell.run, classes)
        matrix = sums.setdefault((method, stream, task), np.zeros((classes, classes)))
        np.add.at(matrix, (clips.y, predicted), 1)
    drawn = [_confusion(key, matrix, names) for key, matrix in sums.items()]
    return drawn, _each_class(sums, names)


def _confusion(key: tuple[str, str, str], matrix: np.ndarray, names: list[str]) -> Confusion:
    method, stream, task = key
    wrong = matrix - np.diag(matrix.diagonal())
    true, predicted = np.unravel_index(int(wrong.argmax()), wrong.shape)
    most = f"; most often {names[true]} is taken for {names[predicted]}" if wrong.any() else ""
    right = 100 * matrix.trace() / matrix.sum()
    alt = f"Confusion matrix of {method}, {stream}, {task}: {right:.1f} % right{most}"
    return Confusion(f"{method}, {stream} ({task})", alt, matrix, names)


def _each_class(sums: Counted, names: list[str]) -> Table:
    """Accuracy of every class in percent, and what it is taken for where no picture says so."""
    unsaid = len(names) > class_charts.MANY_CLASSES
    columns = []
    for matrix in sums.values():
        wrong = matrix - np.diag(matrix.diagonal())
        column = []
        for row, errors in zip(matrix, wrong, strict=True):
            taken = f" ({names[int(errors.argmax())]})" if unsaid and errors.any() else ""
            share = 100 * (row.sum() - errors.sum()) / max(row.sum(), 1)
            column.append(number(f"{share:.1f}{taken}"))
        columns.append(column)
    rows = []
    for number_of_class, cells in enumerate(zip(*columns, strict=True)):
        rows.append([names[number_of_class], *cells])
    header = ["class", *(", ".join(key) for key in sums)]
    return Table("Accuracy of each class", header, rows)


def maps(cells: Iterable[Cell]) -> tuple[list[Map], str]:
    """Test features of each method, its first stream and seed, and what made the maps."""
    drawn: dict[str, Map] = {}
    made, names = "", list[str]()
    for cell in cells:
        run = cell.run
        path = paths.features(run, cell.batch_norm)
        if cell.fused or run.method in drawn or not os.path.lexists(path):
            continue
        features, y = feature_file.read_test(path)
        chosen = embedding.chosen(len(features))
        points, made = embedding.to_plane(features[chosen].reshape(len(chosen), -1))
        names = names or class_names(run, int(y.max()) + 1)
        alt = (
            f"Map of {len(chosen)} test clips by their {run.method} features, {run.stream}; "
            "classes that are told apart lie apart"
        )
        title = f"{run.method}, {run.stream}, seed {run.seed}"
        drawn[run.method] = Map(title, alt, points, y[chosen], names)
    return list(drawn.values()), made


def timelines(cells: Iterable[Cell]) -> list[Timeline]:
    """Detected intervals under the true ones: the first recordings that each method left."""
    shown: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for cell in cells:
        content = read_cell_file(cell) or {}
        for entry in content.get("timelines", [])[:RECORDINGS]:
            title = f"{cell_label(cell)}: {entry['name']}"
            _, by_method = shown.setdefault(title, (entry, {}))
            by_method.setdefault(cell.run.method, entry["found"])
    return [_timeline(title, *group) for title, group in list(shown.items())[:TIMELINES]]


def _timeline(title: str, entry: dict[str, Any], by_method: dict[str, Any]) -> Timeline:
    truth = [Span(start, end, int(label)) for start, end, label in entry["truth"]]
    rows: list[tuple[str, Sequence[Span]]] = [("truth", truth)]
    counts = []
    for method, intervals in by_method.items():
        spans = []
        for start, end, label, score in intervals:
            opacity = PALEST + (1 - PALEST) * min(1.0, score)
            spans.append(Span(start, end, int(label), opacity))
        rows.append((method, spans))
        counts.append(f"{method} finds {len(spans)}")
    alt = f"{title}: {len(truth)} true intervals; {', '.join(counts)}"
    return Timeline(title, alt, rows, entry["frames"], entry["classes"])


def motions(cells: Iterable[Cell]) -> list[Moving]:
    """Predicted motion over the true one: the first of each method, of simulated people only."""
    drawn: list[Moving] = []
    methods = set()
    for cell in cells:
        method = cell.run.method
        entries = (read_cell_file(cell) or {}).get("motions", [])
        if method not in methods:
            drawn += [poses.prediction(entry, method, cell.task) for entry in entries]
        if entries:
            methods.add(method)
    return drawn


def map_legend(drawn: Sequence[Map]) -> list[Entry]:
    """Letters of the classes, which all maps share."""
    return class_charts.class_legend(drawn[0].names) if drawn else []
