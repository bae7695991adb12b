"""Pictures of a suite: how training went, headline accuracies side by side, curves over a setting. The same inputs give the same bytes."""

import re
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pstl.config import FUSED, Run
from pstl.files import atomic
from pstl.report.panels import charts
from pstl.report.rows import Epochs, Results
from pstl.report.tables import Line, headlines, unswept

COLOURS = {"joint": "C0", "bone": "C1", "motion": "C2", "3s": "C3"}


def curves(path: Path, results: Results) -> None:
    """Training loss of every run: one panel per data set, split and method, a colour per stream, a line per seed."""
    panels: dict[str, list[tuple[Run, Epochs]]] = {}
    for name, epochs in results.curves.items():
        run = Run.parse(name)
        panels.setdefault(f"{run.method} on {run.dataset}, {run.split}", []).append((run, epochs))
    figure, axes = _panels(len(panels), 3.4)
    for axis, (title, lines) in zip(axes, panels.items(), strict=False):
        named: set[str] = set()
        for run, epochs in lines:
            x, y = [e["epoch"] for e in epochs], [e["loss"] for e in epochs]
            style = {
                "color": COLOURS.get(run.stream, "C4"),
                "marker": "." if len(x) == 1 else "",
                "linewidth": 1,
            }
            axis.plot(x, y, label=None if run.stream in named else run.stream, **style)
            named.add(run.stream)
        axis.set(title=title, xlabel="epoch", ylabel="training loss, mean over batches")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize="small", title="stream, a line per seed", title_fontsize="small")
    _empty(axes, len(panels), "no training curve yet")
    _save(figure, path)


def accuracy(path: Path, lines: list[Line]) -> None:
    """Headline top1 of every method: one panel per data set, split and task, one bar per method and stream.

    Whiskers: one sample standard deviation over seeds, where there are several. Black mark: the published number, where there is
    one of which nothing is assumed.
    """
    panels: dict[str, list[Line]] = {}
    for line in unswept(headlines(lines)):
        if line.metric == "top1" and line.mean is not None:
            task = (
                f"{line.task} ({line.setting})"
                if line.setting and line.stream != FUSED
                else line.task
            )
            panels.setdefault(f"{task}\n{line.dataset}, {line.split}", []).append(line)
    longest = max((len(shown) for shown in panels.values()), default=4)
    figure, axes = _panels(len(panels), 1.2 + 0.26 * longest)
    for axis, (title, shown) in zip(axes, panels.items(), strict=False):
        place = list(range(len(shown)))
        axis.barh(
            place,
            [line.mean for line in shown],
            color=[COLOURS.get(line.stream, "C4") for line in shown],
        )
        for y, line in zip(place, shown, strict=True):
            mean = line.mean or 0.0  # lines without one are not here
            axis.text(mean + (line.std or 0.0) + 2, y, f"{mean:.1f}", fontsize="small", va="center")
            if line.std is not None:
                axis.errorbar(line.mean, y, xerr=line.std, color="black", capsize=2, linewidth=1)
            if line.comparable is not None:
                axis.plot(line.comparable, y, "k|", markersize=12)
        axis.set(xlabel="top-1 accuracy, %  (whisker: 1 std, | published)", xlim=(0, 118))
        axis.set_title(title, fontsize="small")
        axis.set_yticks(
            place, [f"{line.method}, {line.stream}" for line in shown], fontsize="small"
        )
        axis.invert_yaxis()
    _empty(axes, len(panels), "no accuracy yet")
    _save(figure, path)


def settings(path: Path, lines: list[Line]) -> None:
    """Curves over a number in the settings, such as joints lost: a panel per task, rest of the setting and split, a line per method.

    Of metrics top1, or what the task has instead. Whiskers: one sample standard deviation over seeds.
    """
    panels: dict[tuple[str, str], dict[str, list[tuple[float, Line]]]] = {}
    for split in dict.fromkeys((line.dataset, line.split) for line in lines):
        for (task, title, x_label), found in charts(
            [line for line in lines if (line.dataset, line.split) == split]
        ).items():
            if not title.startswith("top1_"):
                panels[f"{task}: {title}\n{', '.join(split)}", x_label] = found
    figure, axes = _panels(len(panels), 3.2)
    for axis, ((title, x_label), found) in zip(axes, panels.items(), strict=False):
        for number, (name, points) in enumerate(found.items()):
            x, y = [value for value, _ in points], [line.mean for _, line in points]
            spread = [line.std or 0.0 for _, line in points]
            axis.errorbar(
                x,
                y,
                yerr=spread,
                label=name,
                color=f"C{number}",
                marker="o",
                markersize=3,
                capsize=2,
                linewidth=1,
            )
        axis.set(xlabel=x_label, ylabel=re.split(r"[ ,\n]", title.split(": ")[1])[0])
        axis.set_title(title, fontsize="small")
        axis.set_ylim(bottom=0)
        axis.legend(fontsize="small")
    _empty(axes, len(panels), "no curve over a setting")
    _save(figure, path)


def few_labels(path: Path, found: dict[str, dict[float, Line]]) -> None:
    """Accuracy against the share of labels (pstl.report.shares): a line per method. Whiskers as above."""
    figure, axes = _panels(1, 4.0)
    for name, shares in found.items():
        shown = {100 * share: line for share, line in shares.items() if line.mean is not None}
        means, spread = (
            [line.mean for line in shown.values()],
            [line.std or 0.0 for line in shown.values()],
        )
        axes[0].errorbar(
            list(shown),
            means,
            yerr=spread,
            marker="o",
            markersize=4,
            capsize=2,
            linewidth=1,
            label=name,
        )
    axes[0].set(xlabel="labelled training clips, %", ylabel="top-1 accuracy, %  (whisker: 1 std)")
    if found:
        axes[0].legend(fontsize="small")
    else:
        axes[0].set_axis_off()
        _empty(axes, 0, "no method saw a share of the labels")
    _save(figure, path)


def trace(path: Path, rows: list[dict[str, Any]]) -> None:
    """Accuracy against pre-training steps (rows of pstl.hub.trace): one panel per task, a line per batch-norm variant."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure, axes = _panels(len(tasks), 3.4)
    for axis, task in zip(axes, tasks, strict=False):
        for norm, style in (("recalibrated", "o-"), ("released", "s--")):
            shown = [row for row in rows if row["task"] == task and row["batch_norm"] == norm]
            axis.plot(
                [row["steps"] for row in shown],
                [row["top1"] for row in shown],
                style,
                markersize=4,
                label=f"batch norm {norm}",
            )
        axis.set(
            title=f"{task}: {rows[0]['run']}",
            xlabel="pre-training steps",
            ylabel="top-1 accuracy, %",
        )
        axis.title.set_fontsize("small")
        axis.legend(fontsize="small")
    _empty(axes, len(tasks), "nothing probed yet")
    _save(figure, path)


def _panels(number: int, height: float) -> tuple[Any, list[Any]]:
    """A figure with at least one axis, at most three in a row, each `height` inches high."""
    columns = max(1, min(3, number))
    rows = max(1, -(-number // columns))
    figure = Figure(figsize=(5.2 * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _empty(axes: list[Any], used: int, text: str) -> None:
    """Say that there is nothing to draw, and hide axes that are left over."""
    for axis in axes[used:]:
        axis.set_axis_off()
    if not used:
        axes[0].text(0.5, 0.5, text, ha="center", va="center")


def _save(figure: Any, path: Path) -> None:
    with atomic(path) as new:
        figure.savefig(new, format="png", dpi=100, metadata={"Software": None})
