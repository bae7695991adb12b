"""Figures of one suite as HTML: training, confusion, maps of features, curves over a setting, timelines."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pstl import paths
from pstl.config import Cell, Params, Run
from pstl.encoding import feature_file
from pstl.report import declared, document, embedding, motions, svg
from pstl.report.confusion import class_names, read_scores
from pstl.report.paired import pairs
from pstl.report.rows import Epochs, Results, read_results
from pstl.report.svg import Series
from pstl.report.tables import HEADLINE, Line, headlines

DYNAMIC = 50.0  # a loss that falls by more than this factor is drawn by its logarithm
FEWEST = 3  # values of a setting that make a curve
SHOWN = 8  # charts of that kind; the others open on a click
SAYS = {
    "joints": "joints lost",
    "frames": "share of frames lost",
}


def training(results: Results) -> str:
    """Loss by epoch: one chart per method and split, a colour per stream, a line per seed."""
    charts: dict[str, list[tuple[Run, Epochs]]] = defaultdict(list)
    for name, epochs in results.curves.items():
        run = Run.parse(name)
        if len(epochs) > 1:
            charts[f"{run.method} on {run.dataset}, {run.split}"].append((run, epochs))
    return document.grid(
        document.figure(title, _losses(title, found)) for title, found in charts.items()
    )


def _losses(title: str, found: list[tuple[Run, Epochs]]) -> str:
    values = [e["loss"] for _, epochs in found for e in epochs]
    log = min(values) > 0 and max(values) / min(values) > DYNAMIC
    streams = list(dict.fromkeys(run.stream for run, _ in found))
    height = np.log10 if log else float
    series = [
        Series(
            f"{run.stream}, seed {run.seed}", [e["epoch"] for e in epochs], [float(height(e["loss"])) for e in epochs],
            colour=streams.index(run.stream), dashed=run.seed > 0,
        )
        for run, epochs in found
    ]  # fmt: skip
    ends = ", ".join(
        f"{run.stream} seed {run.seed} ends at {epochs[-1]['loss']:.3g}" for run, epochs in found
    )
    return svg.lines(
        series,
        "epoch",
        "log10 of the loss" if log else "training loss",
        f"Training loss of {title}: {ends}",
    )


def probes(params: Params, suite: str) -> str:
    """Accuracy of each task by its own epoch, where it has a curve: one chart per task and split, a line per method."""
    charts: dict[str, dict[str, Epochs]] = defaultdict(dict)
    for cell in _headline_cells(params, suite):
        content = read_results(Path(paths.metrics(*cell[:3])))
        curve = [e for e in (content or {}).get("curve", []) if "top1" in e and "epoch" in e]
        if len(curve) > 1:
            charts[f"{cell.task} on {cell.run.dataset}, {cell.run.split}"].setdefault(
                f"{cell.run.method}, {cell.run.stream}", curve
            )
    figures = []
    for title, found in charts.items():
        lines = [
            Series(name, [e["epoch"] for e in c], [e["top1"] for e in c], colour=i)
            for i, (name, c) in enumerate(found.items())
        ]
        ends = ", ".join(f"{s.name} ends at {s.y[-1]:.1f}" for s in lines)
        figures.append(
            document.figure(
                title,
                svg.lines(
                    lines, "epoch of the probe", "top-1 on test clips, %", f"{title}: {ends}"
                ),
            )
        )
    return ("<h3>Tasks by epoch</h3>" + document.grid(figures)) if figures else ""


def of_split(params: Params, suite: str, dataset: str, split: str, lines: list[Line]) -> str:
    """All figures of one data set and split."""
    cells = [
        cell
        for cell in _headline_cells(params, suite)
        if (cell.run.dataset, cell.run.split) == (dataset, split)
    ]
    return (
        curves(lines)
        + timelines(cells)
        + motions.predictions(cells)
        + verdicts(cells, params.together(suite))
        + confusions(cells)
        + maps(cells)
    )


def test_clips(params: Params, suite: str, dataset: str, split: str) -> int:
    """Number of test clips, from the first file of scores there is; 0 if there is none."""
    for cell in params.cells(suite):
        if (
            (cell.run.dataset, cell.run.split) == (dataset, split)
            and (found := read_scores(cell)) is not None
            and len(found.y)
        ):
            return len(found.y)
    return 0


def confusions(cells: list[Cell]) -> str:
    """One matrix per method and stream, summed over seeds, of the first task with class scores."""
    sums: dict[tuple[str, str, str], np.ndarray] = {}
    names: list[str] = []
    for cell in cells:
        found = read_scores(cell)
        if found is None or not found.points.size:
            continue
        scores = found.points
        first = next((key for key in sums if key[:2] == (cell.run.method, cell.run.stream)), None)
        if first is not None and first[2] != cell.task:
            continue
        names = names or class_names(cell.run, scores.shape[1])
        matrix = sums.setdefault(
            (cell.run.method, cell.run.stream, cell.task), np.zeros((scores.shape[1],) * 2)
        )
        np.add.at(matrix, (found.y, scores.argmax(1)), 1)
    figures = [_confusion(key, matrix, names) for key, matrix in sums.items()]
    words = "Rows: true class, columns: predicted class, in percent of the row; summed over seeds."
    return (
        (
            "<h3>Confusion matrices</h3>"
            + document.note(words)
            + document.grid(figures)
            + _each_class(sums, names)
        )
        if figures
        else ""
    )


def _each_class(sums: dict[tuple[str, str, str], np.ndarray], names: list[str]) -> str:
    """Accuracy of every class, a column per matrix."""
    header = ("class", *(", ".join(key) for key in sums))
    shares = {
        key: 100 * matrix.diagonal() / matrix.sum(1).clip(min=1) for key, matrix in sums.items()
    }
    body = [
        [name, *(document.Number(f"{shares[key][i]:.1f}") for key in sums)]
        for i, name in enumerate(names)
        if i < len(next(iter(sums.values())))
    ]
    return document.hidden(
        "Accuracy of each class, %", document.table("Accuracy of each class", header, body)
    )


def verdicts(cells: list[Cell], together: Mapping[str, tuple[str, str]]) -> str:
    """Every two methods on the same test clips, by task and stream: which is better, and how sure that is."""
    body = []
    for (_, _, task, stream, _), a, b, found in pairs(cells, together):
        numbers = (
            f"{found.accuracy_a:.1f}",
            f"{found.accuracy_b:.1f}",
            f"{found.difference:+.1f}",
            f"{found.low:+.1f} to {found.high:+.1f}",
        )
        seeds = f"{found.seeds_a} and {found.seeds_b}"
        sure = "yes" if found.better == "a" else "not told apart"
        body.append(
            [
                task,
                stream,
                a,
                b,
                *(document.Number(n) for n in numbers),
                document.Number(f"{found.p:.4f}"),
                seeds,
                sure,
            ]
        )
    if not body:
        return ""
    header = (
        "task",
        "stream",
        "a",
        "b",
        "a, %",
        "b, %",
        "a − b",
        "95 % interval",
        "p",
        "seeds",
        "a is better than b",
    )
    words = (
        "Paired bootstrap: test clips are drawn again, the same for both, and the seeds of each. With one seed on a side it says nothing "
        "about other seeds; of twenty pairs that are alike, one will be told apart by chance."
    )
    return document.hidden(
        "Is a better than b?",
        document.note(words) + document.table("Pairs of methods", header, body),
    )


def _confusion(key: tuple[str, str, str], matrix: np.ndarray, names: list[str]) -> str:
    method, stream, task = key
    off = matrix - np.diag(matrix.diagonal())
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    most = f"; most often {names[i]} is taken for {names[j]}" if off.any() else ""
    alt = f"Confusion matrix of {method}, {stream}, {task}: {100 * matrix.trace() / matrix.sum():.1f} % right{most}"
    return document.figure(f"{method}, {stream} ({task})", svg.heatmap(matrix.tolist(), names, alt))


def maps(cells: list[Cell]) -> str:
    """Test features of each method, its first stream and seed."""
    figures: list[tuple[str, str]] = []
    made, names = "", list[str]()
    for method, run, norm in dict.fromkeys(
        (c.run.method, c.run, c.batch_norm) for c in cells if not c.fused
    ):
        if any(done == method for done, _ in figures) or not os.path.lexists(
            path := paths.features(run, norm)
        ):
            continue
        features, y = feature_file.read_test(path)
        index = embedding.chosen(len(features))
        points, made = embedding.to_plane(features[index].reshape(len(index), -1))
        names = names or class_names(run, int(y.max()) + 1)
        alt = f"Map of {len(index)} test clips by their {method} features, {run.stream}; classes that are told apart lie apart"
        drawing = svg.scatter(
            [(float(a), float(b)) for a, b in points], y[index].tolist(), names, alt
        )
        figures.append(
            (method, document.figure(f"{method}, {run.stream}, seed {run.seed}", drawing))
        )
    if not figures:
        return ""
    key = svg.legend([(f"{svg.letter(i)} {name}", i, False) for i, name in enumerate(names)])
    words = f"Test clips by {made} of their standardised features, labels not used. Distances between groups mean little; axes mean nothing."
    return (
        "<h3>Features, seen from above</h3>"
        + document.note(words)
        + key
        + document.grid(figure for _, figure in figures)
    )


def curves(lines: list[Line]) -> str:
    """Tasks whose rows differ in one number (joints lost, horizon, threshold, share of labels): that number against the metric."""
    figures = []
    for (task, title, x_label), found in charts(lines).items():
        if title.startswith("top1_"):
            continue  # of the test clips not seen in training: in the table of every number
        series = [_series(i, name, points) for i, (name, points) in enumerate(found.items())]
        alt = f"{task}, {title} against {x_label}: " + "; ".join(
            f"{s.name} from {s.y[0]:.1f} to {s.y[-1]:.1f}" for s in series
        )
        figures.append(
            document.figure(
                f"{task}: {title}", svg.lines(series, x_label, re.split("[ ,]", title)[0], alt)
            )
        )
    if not figures:
        return ""
    more = (
        document.hidden(f"{len(figures) - SHOWN} more", document.grid(figures[SHOWN:]))
        if len(figures) > SHOWN
        else ""
    )
    return "<h3>Curves over a setting</h3>" + document.grid(figures[:SHOWN]) + more


def charts(lines: list[Line]) -> dict[tuple[str, str, str], dict[str, list[tuple[float, Line]]]]:
    """(task, title, name of the number) -> method -> its points in order, at least FEWEST values of the number."""
    found: dict[tuple[str, str, str], dict[str, list[tuple[float, Line]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for line in headlines(lines):
        if line.mean is not None:
            for x_label, value, title in _axes(line):
                found[line.task, f"{title}, {line.stream}", SAYS.get(x_label, x_label)][
                    line.method
                ].append((value, line))
    drawn = {
        key: {
            name: sorted(points, key=lambda p: p[0])
            for name, points in series.items()
            if len({x for x, _ in points}) >= FEWEST
        }
        for key, series in found.items()
    }
    return {key: series for key, series in drawn.items() if series}


def _axes(line: Line) -> list[tuple[str, float, str]]:
    """Numbers a line could be drawn against: (name of the number, value, what is drawn)."""
    found = []
    metric = declared.metrics().of(line.metric)
    number = metric.number(line.metric)
    if metric.over and number is not None:
        found.append((metric.over, number, metric.name.removesuffix("_{}")))
    parts = [part for part in line.setting.split(";") if part]
    for part in parts:
        name, _, value = part.partition("=")
        if re.fullmatch(r"-?\d+(\.\d+)?", value):
            rest = ";".join(p for p in parts if p != part)
            found.append((name, float(value), line.metric + (f" ({rest})" if rest else "")))
    return found


def _series(number: int, name: str, points: list[tuple[float, Line]]) -> Series:
    spread = [line.std or 0.0 for _, line in points]
    means = [line.mean or 0.0 for _, line in points]
    return Series(name, [x for x, _ in points], means, spread if any(spread) else (), colour=number)


def timelines(cells: list[Cell]) -> str:
    """Detected intervals under the true ones: the first recordings of each method that left a "timelines" list beside its rows.

    Each entry: {"name", "frames", "classes", "truth": [[start, end, class]], "found": [[start, end, class, score]]}, in frames.
    """
    shown: dict[str, dict[str, Any]] = {}
    for cell in cells:
        for entry in (read_results(Path(paths.metrics(*cell[:3]))) or {}).get("timelines", [])[:2]:
            group = shown.setdefault(f"{cell.task}: {entry['name']}", {"entry": entry, "found": {}})
            group["found"].setdefault(cell.run.method, entry["found"])
    figures = []
    for title, group in list(shown.items())[:6]:
        entry = group["entry"]
        rows = [("truth", [(a, b, int(c), 1.0) for a, b, c in entry["truth"]])]
        rows += [
            (m, [(a, b, int(c), 0.25 + 0.75 * min(1.0, s)) for a, b, c, s in found])
            for m, found in group["found"].items()
        ]
        alt = f"{title}: {len(entry['truth'])} true intervals; " + ", ".join(
            f"{m} finds {len(f)}" for m, f in group["found"].items()
        )
        key = svg.legend(
            [(f"{svg.letter(i)} {name}", i, False) for i, name in enumerate(entry["classes"])]
        )
        figures.append(
            document.figure(
                title,
                document.wide(title, svg.timeline(rows, entry["frames"], entry["classes"], alt))
                + key,
            )
        )
    words = "Frames from left to right; a paler interval has a lower score."
    return (
        ("<h3>Detections against the truth</h3>" + document.note(words) + "".join(figures))
        if figures
        else ""
    )


def _headline_cells(params: Params, suite: str) -> list[Cell]:
    """Cells of each method's headline batch-norm variant, in grid order."""
    cells = params.cells(suite)
    norms: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for cell in cells:
        norms[cell.run.dataset, cell.run.split, cell.run.method].add(cell.batch_norm)
    best = {key: HEADLINE if HEADLINE in found else min(found) for key, found in norms.items()}
    return [
        cell
        for cell in cells
        if cell.batch_norm == best[cell.run.dataset, cell.run.split, cell.run.method]
    ]
