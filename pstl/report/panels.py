"""Charts of training and of settings: losses, tasks by epoch, and numbers over a setting."""

import re
from collections import defaultdict
from collections.abc import Iterable

from pstl.config import Cell, Run
from pstl.report import declared
from pstl.report.charts import Curve, Curves
from pstl.report.labels import cell_label, from_source
from pstl.report.rows import Epochs, Results, read_cell_file
from pstl.report.tables import Line, headlines

DYNAMIC = 50.0  # a loss that falls by more than this factor is drawn by its logarithm
FEWEST = 3  # values of a setting that make a curve
# A part of a setting -> what its axis is called.
SAYS = {"joints": "joints lost", "frames": "share of frames lost"}


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

    That number against the metric, with a band of one standard deviation over seeds.
    """
    drawn = []
    for (task, title, x_label), methods in charts(lines).items():
        if title.startswith("top1_"):
            continue  # of the test clips not seen in training: in the table of every number
        curves = [
            _series(number, name, points) for number, (name, points) in enumerate(methods.items())
        ]
        ends = [f"{c.name} from {c.y[0]:.1f} to {c.y[-1]:.1f}" for c in curves]
        alt = f"{task}, {title} against {x_label}: {'; '.join(ends)}"
        metric = re.split("[ ,]", title)[0]
        drawn.append(Curves(f"{task}: {title}", alt, curves, x_label, metric))
    return drawn


def charts(lines: list[Line]) -> dict[tuple[str, str, str], dict[str, list[tuple[float, Line]]]]:
    """(task, title, name of the number) -> method -> its points in order.

    A method has at least FEWEST values of the number.
    """
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


def _series(number: int, name: str, points: list[tuple[float, Line]]) -> Curve:
    spread = [line.std or 0.0 for _, line in points]
    means = [line.mean or 0.0 for _, line in points]
    x = [value for value, _ in points]
    return Curve(name, x, means, spread if any(spread) else (), colour=number)
