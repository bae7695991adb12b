"""Pictures of a suite as files: training, accuracies, settings, shares of labels, moves."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pstl.config import FUSED
from pstl.report import moved_tables, panels
from pstl.report.charts import Bar, Bars, Curve, Curves
from pstl.report.drawing import grid, save_png
from pstl.report.few_labels import by_share, label_rules
from pstl.report.joined import Joined
from pstl.report.tables import Line, as_shown, headlines, unswept

TOGETHER = 10  # curves of a chart whose names leave room for them
BAR_LABEL = "top-1 accuracy, %  (whisker: 1 std, | published)"


def write_all(suite: Joined, out: Path) -> None:
    """Write curves, accuracy, settings, labels and moved as .png to a folder."""
    lines = suite.lines
    shown = as_shown(lines)
    shares = by_share(lines, label_rules(suite.results))
    drawn = {
        "curves": grid(panels.training(suite.results), "no training curve yet"),
        "accuracy": grid(accuracy(shown), "no accuracy yet"),
        "settings": grid(settings(shown), "no curve over a setting"),
        "labels": grid(few_labels(shares), "no method saw a share of the labels"),
        "moved": grid(moved_tables.charts(lines), "no encoder has been moved to other data"),
    }
    for name, figure in drawn.items():
        save_png(figure, out / f"{name}.png")


def accuracy(lines: list[Line]) -> list[Bars]:
    """Headline top1 of every method: a chart per data set, split and task, a bar per stream.

    Whiskers: one sample standard deviation over seeds, where there are several. Mark: the published
    number, where there is one of which nothing is assumed.
    """
    by_chart: dict[str, list[Line]] = {}
    for line in unswept(headlines(lines)):
        if line.metric == "top1" and line.mean is not None:
            setting = line.setting if line.stream != FUSED else ""
            task = f"{line.task} ({setting})" if setting else line.task
            by_chart.setdefault(f"{task}\n{line.dataset}, {line.split}", []).append(line)
    streams = list(dict.fromkeys(line.stream for line in lines))
    charts = []
    for title, shown in by_chart.items():
        bars = [_bar(line, streams) for line in shown]
        charts.append(Bars(title, title, bars, BAR_LABEL))
    return charts


def _bar(line: Line, streams: list[str]) -> Bar:
    mean = line.mean or 0.0  # lines without one are not drawn
    low = high = None
    if line.std is not None:
        low, high = mean - line.std, mean + line.std
    name = f"{line.method}, {line.stream}"
    return Bar(name, mean, low, high, line.comparable, streams.index(line.stream))


def settings(lines: list[Line]) -> list[Curves]:
    """Curves over a number in the settings: a chart per split, task and rest of the setting."""
    by_split: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        by_split.setdefault((line.dataset, line.split), []).append(line)
    drawn = []
    for split, of_split in by_split.items():
        for chart in panels.over_settings(of_split):
            drawn.append(replace(chart, title=f"{chart.title}\n{', '.join(split)}"))
    return drawn


def few_labels(shares: dict[str, dict[float, Line]]) -> list[Curves]:
    """Accuracy against the share of labels (report.few_labels): one chart, a line per method; a
    chart per task where one would hold more than can be told apart.

    Bands: one sample standard deviation over seeds.
    """
    charts: dict[str, list[Curve]] = {}
    for number, (name, by_fraction) in enumerate(shares.items()):
        x, means, spread = [], [], []
        for share, line in by_fraction.items():
            if line.mean is not None:
                x.append(100 * share)
                means.append(line.mean)
                spread.append(line.std or 0.0)
        task = line.task if len(shares) > TOGETHER else ""
        curve = Curve(name, x, means, spread, colour=number)
        charts.setdefault(f"few labels, {task}".rstrip(", "), []).append(curve)
    names = ("labelled training clips, %", "top-1 accuracy, %  (band: 1 std)")
    return [Curves(title, title, curves, *names) for title, curves in charts.items()]


def trace(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Accuracy against pre-training steps (rows of pstl.hub.trace): a chart per task.

    A line per batch-norm variant.
    """
    by_task: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in rows:
        norms = by_task.setdefault(f"{row['task']}: {row['run']}", {})
        norms.setdefault(row["batch_norm"], []).append(row)
    drawn = []
    for title, norms in by_task.items():
        curves = []
        for number, (norm, of_norm) in enumerate(norms.items()):
            x, y = [row["steps"] for row in of_norm], [row["top1"] for row in of_norm]
            curves.append(Curve(f"batch norm {norm}", x, y, colour=number, dashed=number > 0))
        drawn.append(Curves(title, title, curves, "pre-training steps", "top-1 accuracy, %"))
    save_png(grid(drawn, "nothing probed yet"), path)
