"""Charts of training and of settings: losses, tasks by epoch, and numbers over a setting."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from pstl.config import Cell, Run
from pstl.report import declared
from pstl.report.charts import Curve, Curves
from pstl.report.labels import cell_label, from_source
from pstl.report.rows import Epochs, Results, read_cell_file
from pstl.report.tables import Line, headlines

Points = list[tuple[float, Line]]  # a value of a setting, and its line
# (task, title, name of the number) -> method -> its points in order
Charts = dict[tuple[str, str, str], dict[str, Points]]

DYNAMIC = 50.0  # a loss that falls by more than this factor is drawn by its logarithm
FEWEST = 3  # values of a setting that make a curve
# A part of a setting -> what its axis is called.
SAYS = {"joints": "joints lost", "frames": "share of frames lost"}
LOSSES = tuple(SAYS.values())  # at 0 nothing is lost


def training(results: Results, shortest: int = 1) -> list[Curves]:
    """Loss by epoch: one chart per method and split, a colour per stream, a line per seed.

    shortest: epochs that a run must have.
    """
    runs: dict[str, list[tuple[Run, Epochs]]] = defaultdict(list)
    for name, epochs in results.curves.items():
        run = Run.parse(name)
        if len(epochs) >= shortest:
            runs[f"{run.method} on {run.dataset}, {run.split}"].append((run, epochs))
    return [_losses(title, of_chart) for title, of_chart in runs.items()]


def _losses(title: str, runs: list[tuple[Run, Epochs]]) -> Curves:
    streams = list(dict.fromkeys(run.stream for run, _ in runs))
    curves, ends, losses = [], [], []
    for run, epochs in runs:
        y = [epoch["loss"] for epoch in epochs]
        x = [epoch["epoch"] for epoch in epochs]
        number = streams.index(run.stream)
        name = f"{run.stream}, other seeds" if run.seed else run.stream
        curves.append(Curve(name, x, y, colour=number, dashed=run.seed > 0))
        ends.append(f"{run.stream} seed {run.seed} ends at {y[-1]:.3g}")
        losses += y
    falls = min(losses) > 0 and max(losses) / min(losses) > DYNAMIC
    alt = f"Training loss of {title}: {', '.join(ends)}"
    return Curves(title, alt, curves, "epoch", "training loss", logarithmic=falls)


def tasks_by_epoch(cells: Iterable[Cell]) -> list[Curves]:
    """Accuracy of each task by its own epoch, where it has a curve: a chart per task and split.

    A line per method and stream: the first seed that has one.
    """
    charts: dict[str, dict[str, Epochs]] = defaultdict(dict)
    for cell in cells:
        content = read_cell_file(cell) or {}
        curve = [e for e in content.get("curve", []) if "top1" in e and "epoch" in e]
        if len(curve) > 1:
            title = f"{cell_label(cell)} on {cell.run.dataset}, {cell.run.split}"
            encoder = from_source(cell.run.method, cell.source)
            charts[title].setdefault(f"{encoder}, {cell.run.stream}", curve)
    return [_by_epoch(title, of_chart) for title, of_chart in charts.items()]


def _by_epoch(title: str, named: dict[str, Epochs]) -> Curves:
    curves, ends = [], []
    for number, (name, epochs) in enumerate(named.items()):
        y = [epoch["top1"] for epoch in epochs]
        curves.append(Curve(name, [epoch["epoch"] for epoch in epochs], y, colour=number))
        ends.append(f"{name} ends at {y[-1]:.1f}")
    alt = f"{title}: {', '.join(ends)}"
    return Curves(title, alt, curves, "epoch of the probe", "top-1 on test clips, %")


def over_settings(lines: list[Line]) -> list[Curves]:
    """Tasks whose rows differ in one number (joints lost, horizon, threshold, share of labels).

    That number against the metric, with a band of one standard deviation over seeds. Where it
    counts what is lost, a second chart is of the points that each method loses of its own.
    """
    drawn = []
    for (task, title, x_label), methods in charts(lines).items():
        if title.startswith("top1_"):
            continue  # of the test clips not seen in training: in the table of every number
        curves, ends = [], []
        for number, (name, points) in enumerate(methods.items()):
            curve = _series(number, name, points)
            curves.append(curve)
            ends.append(f"{name} from {curve.y[0]:.1f} to {curve.y[-1]:.1f}")
        alt = f"{task}, {title} against {x_label}: {'; '.join(ends)}"
        metric = metric_of(title)
        chart = Curves(f"{task}: {title}", alt, curves, x_label, metric)
        drawn.append(chart)
        if x_label in LOSSES and all(curve.x[0] == 0 for curve in curves):
            drawn.append(_relative(chart))
    return drawn


def metric_of(title: str) -> str:
    """The metric that the title of a chart begins with."""
    return re.split("[ ,]", title)[0]


def _relative(chart: Curves) -> Curves:
    """The same minus each curve's own first value."""
    curves, ends = [], []
    for curve in chart.curves:
        y = [value - curve.y[0] for value in curve.y]
        curves.append(replace(curve, y=y, spread=()))
        ends.append(f"{curve.name} {y[-1]:+.1f}")
    title = f"{chart.title}, minus its own with nothing lost"
    y_label = f"{chart.y_label}, points from nothing lost"
    return Curves(title, f"{title}: {'; '.join(ends)}", curves, chart.x_label, y_label)


def charts(lines: list[Line]) -> Charts:
    """What over_settings() draws.

    A method has at least FEWEST values of the number.
    """
    every: Charts = {}
    for line in headlines(lines):
        if line.mean is None:
            continue
        for x_label, value, title in _axes(line):
            chart = (line.task, f"{title}, {line.stream}", SAYS.get(x_label, x_label))
            methods = every.setdefault(chart, {})
            methods.setdefault(line.method, []).append((value, line))
    drawn: Charts = {}
    for chart, methods in every.items():
        for method, points in methods.items():
            values = {value for value, _ in points}
            if len(values) >= FEWEST:
                points.sort(key=lambda point: point[0])
                drawn.setdefault(chart, {})[method] = points
    return drawn


def _axes(line: Line) -> list[tuple[str, float, str]]:
    """Numbers a line could be drawn against: (name of the number, value, what is drawn)."""
    axes = []
    metric = declared.metrics().of(line.metric)
    number = metric.number(line.metric)
    if metric.over and number is not None:
        axes.append((metric.over, number, metric.name.removesuffix("_{}")))
    parts = list(filter(None, line.setting.split(";")))
    for part in parts:
        name, _, value = part.partition("=")
        if re.fullmatch(r"-?\d+(\.\d+)?", value):
            rest = ";".join(other for other in parts if other != part)
            title = f"{line.metric} ({rest})" if rest else line.metric
            axes.append((name, float(value), title))
    return axes


def _series(number: int, name: str, points: Points) -> Curve:
    x, means, spread = [], [], []
    for value, line in points:
        x.append(value)
        means.append(line.mean or 0.0)
        spread.append(line.std or 0.0)
    return Curve(name, x, means, spread if any(spread) else (), colour=number)
