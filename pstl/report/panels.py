"""Charts of training: losses by epoch, tasks by their own epochs, accuracy by what it cost."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pstl.config import FUSED, Cell, Run
from pstl.report import declared
from pstl.report.charts import Curve, Curves, Entry, parted
from pstl.report.colours import NEUTRAL, Look, look_of
from pstl.report.labels import cell_label, from_source, share_label, share_text
from pstl.report.mark_charts import Point, Points
from pstl.report.rows import Epochs, Results, read_cell_file
from pstl.report.tables import Line, headlines, main_metrics, unswept

DYNAMIC = 50.0  # a loss that falls by more than this factor is drawn by its logarithm
MANY = 9  # charts of losses; more are drawn small

Looks = Mapping[str, Look]
Seeds = list[Epochs]  # a curve for each seed
Encoder = tuple[str, str, str, str]  # data set, split, method, stream


def training(results: Results, looks: Looks, shortest: int = 1) -> list[Curves]:
    """Loss by epoch: a chart per method and split, a line per stream and share of labels.

    The line is the mean over seeds, its band reaches from the lowest to the highest.
    shortest: epochs that a run must have.
    """
    runs: dict[tuple[str, str, str], dict[str, Seeds]] = {}
    names: dict[str, None] = {}
    for name, epochs in results.curves.items():
        run = Run.parse(name)
        if len(epochs) >= shortest:
            of_chart = runs.setdefault((run.method, run.dataset, run.split), {})
            of_chart.setdefault(_of_run(run), []).append(epochs)
            names[_of_run(run)] = None
    drawn = []
    for (method, dataset, split), streams in runs.items():
        title = f"{method} on {dataset}, {split}"
        drawn.append(_losses(title, streams, list(names), look_of(method, looks)))
    small = len(drawn) > MANY
    return [replace(chart, small=small) for chart in drawn]


def _of_run(run: Run) -> str:
    share = share_text(run.labels)
    return f"{run.stream}, {share_label(share)}" if share else run.stream


def _losses(title: str, streams: Mapping[str, Seeds], names: list[str], look: Look) -> Curves:
    """names: of all charts, so that a dash says the same in each."""
    curves, entries, ends = [], [], []
    for name, seeds in streams.items():
        number = names.index(name)
        curve = over_seeds(name, seeds, "loss", Look(look.colour, number, variant=number))
        curves.append(curve)
        entries.append(Entry(name, Look(NEUTRAL, number, variant=number)))
        ends.append(f"{name} ends at {curve.y[-1]:.3g}, {_counted(len(seeds), 'seed')}")
    heights = [y for curve in curves for y in (*curve.y, *curve.low)]
    falls = min(heights) > 0 and max(heights) / min(heights) > DYNAMIC
    alt = f"Training loss of {title}: {'; '.join(ends)}"
    return Curves(title, alt, curves, "epoch", "training loss", falls, entries=entries)


def over_seeds(name: str, seeds: Sequence[Epochs], metric: str, look: Look) -> Curve:
    """Mean of a number by epoch, with a band from its lowest to its highest seed."""
    by_epoch: dict[float, list[float]] = {}
    for epochs in seeds:
        for epoch in epochs:
            by_epoch.setdefault(epoch["epoch"], []).append(epoch[metric])
    x = sorted(by_epoch)
    y = [statistics.fmean(by_epoch[epoch]) for epoch in x]
    if len(seeds) == 1:
        return Curve(name, x, y, look=look)
    low, high = [min(by_epoch[epoch]) for epoch in x], [max(by_epoch[epoch]) for epoch in x]
    return Curve(name, x, y, low, high, look)


def tasks_by_epoch(cells: Iterable[Cell], looks: Looks) -> list[Curves]:
    """Accuracy of each task by its own epoch, where it has a curve: a chart per task and split.

    A line per method and stream, as in training().
    """
    charts: dict[str, dict[tuple[str, str], Seeds]] = {}
    for cell in cells:
        content = read_cell_file(cell) or {}
        curve = [e for e in content.get("curve", []) if "top1" in e and "epoch" in e]
        if len(curve) > 1:
            title = f"{cell_label(cell)} on {cell.run.dataset}, {cell.run.split}"
            encoder = from_source(cell.run.method, cell.source)
            of_chart = charts.setdefault(title, {})
            of_chart.setdefault((encoder, _of_run(cell.run)), []).append(curve)
    drawn: list[Curves] = []
    for title, lines in charts.items():
        drawn += _by_epoch(title, lines, looks)
    return drawn


def _by_epoch(title: str, lines: Mapping[tuple[str, str], Seeds], looks: Looks) -> list[Curves]:
    variants = list(dict.fromkeys(stream for _, stream in lines))
    curves, ends = [], []
    for (encoder, stream), seeds in lines.items():
        look = look_of(encoder, looks)._replace(variant=variants.index(stream))
        curve = over_seeds(f"{encoder}, {stream}", seeds, "top1", look)
        curves.append(curve)
        ends.append(f"{curve.name} ends at {curve.y[-1]:.1f}")
    alt = f"{title}: {', '.join(ends)}"
    chart = Curves(title, alt, curves, "epoch of the probe", "top-1 on test clips, %")
    return parted(chart)


def costs(lines: list[Line], results: Results, looks: Looks) -> list[Points]:
    """What pre-training took, and what it gave: a chart per split, a point per method and stream.

    Seconds: mean over seeds. Accuracy: of the task that most methods have, with its 95 % interval
    over seeds.
    """
    seconds = _seconds(results)
    by_split: dict[tuple[str, str], list[Line]] = {}
    for line in unswept(headlines(lines)):
        key = (line.dataset, line.split, line.method, line.stream)
        plain = not (line.labels or line.source or line.protocol or line.floor)
        if plain and line.mean is not None and key in seconds:
            by_split.setdefault(key[:2], []).append(line)
    charts: list[Points] = []
    for (dataset, split), of_split in by_split.items():
        judged = main_metrics(of_split)
        shown = [line for line in of_split if line.metric == judged.get(line.task)]
        if shown:
            charts.append(_cost(f"{dataset}, {split}", _most_common(shown), seconds, looks))
    return charts


def _seconds(results: Results) -> dict[Encoder, float]:
    """Data set, split, method and stream -> mean seconds of their runs on all labels or none."""
    every: dict[Encoder, list[float]] = {}
    for name, record in results.runs.items():
        run = Run.parse(name)
        taken = float(record.get("seconds", 0))
        if run.stream != FUSED and run.labels is None and taken > 0:
            every.setdefault((run.dataset, run.split, run.method, run.stream), []).append(taken)
    return {key: statistics.fmean(of_key) for key, of_key in every.items()}


def _most_common(lines: list[Line]) -> list[Line]:
    """The lines of the task and setting that most of them are of."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.task, line.setting), []).append(line)
    return max(groups.values(), key=len)


def _cost(place: str, lines: list[Line], seconds: Mapping[Encoder, float], looks: Looks) -> Points:
    streams = Counter(line.method for line in lines)
    points, said = [], []
    for line in lines:
        x = seconds[line.dataset, line.split, line.method, line.stream]
        y = line.mean or 0.0
        low, high = (line.span.low, line.span.high) if line.span else (None, None)
        note = line.stream if streams[line.method] > 1 else ""
        points.append(Point(line.method, note, x, y, low, high, look_of(line.method, looks)))
        said.append(f"{line.method}, {line.stream} {x:,.0f} s, {y:.1f}")
    task, metric = lines[0].task, lines[0].metric
    title = f"{task}: {metric} by the cost of training, {place}"
    y_label = f"{metric}, {declared.metrics().of(metric).unit or '%'}"
    return Points(title, f"{title}: {'; '.join(said)}", points, "seconds of training", y_label)


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
