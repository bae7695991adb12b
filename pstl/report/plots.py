"""Pictures of a suite: each is drawn by one function, for files, papers and the page alike."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pstl.config import Run
from pstl.report import (
    few_labels,
    few_labels_panels,
    headline_panels,
    moved_tables,
    panels,
    setting_panels,
    tested,
)
from pstl.report.charts import Chart, Curve, Curves, parted
from pstl.report.colours import Look, look_of, looks
from pstl.report.drawing import grid, save
from pstl.report.joined import Joined
from pstl.report.tables import Line, as_shown, by_split

# Name of a picture -> what is said where there is nothing to draw.
NOTHING = {
    "curves": "no training curve yet",
    "accuracy": "no accuracy yet",
    "settings": "no curve over a setting",
    "labels": "no method saw a share of the labels",
    "moved": "no encoder has been moved to other data",
    "cost": "no accuracy of a trained encoder yet",
}


def write_all(suite: Joined, out: Path) -> None:
    """Write every picture to a folder, as .png."""
    for name, charts in every(suite).items():
        save(grid(charts, NOTHING[name]), out / f"{name}.png")


def every(suite: Joined) -> dict[str, Sequence[Chart]]:
    """Name of each picture -> its charts."""
    rules = few_labels.label_rules(suite.results)
    return {
        "curves": panels.training(suite.results, suite.looks),
        **of_lines(suite.lines, suite.looks, rules, clips_of(suite)),
        "cost": panels.costs(suite.lines, suite.results, suite.looks),
    }


def of_lines(
    lines: list[Line],
    looks_of: Mapping[str, Look],
    rules: Mapping[str, str],
    clips: Mapping[tuple[str, str], int],
) -> dict[str, Sequence[Chart]]:
    """The pictures that follow from lines alone, as in every().

    rules: as from few_labels.label_rules().   clips: (data set, split) -> test clips, where known.
    """
    return {
        "accuracy": headline_panels.accuracy(lines, looks_of, clips),
        "settings": settings(as_shown(lines), looks_of),
        "labels": few_labels_panels.charts(lines, rules, looks_of),
        "moved": moved_tables.charts(lines),
    }


def clips_of(suite: Joined) -> dict[tuple[str, str], int]:
    """(data set, split) -> test clips, where class scores say it."""
    return tested.of_scores(suite.scored).clips


def settings(lines: list[Line], looks_of: Mapping[str, Look]) -> list[Curves]:
    """Curves over a number in the settings, of every data set and split."""
    drawn = []
    for split, of_split in by_split(lines).items():
        for chart in setting_panels.over_settings(of_split, looks_of):
            drawn.append(replace(chart, title=f"{chart.title}\n{', '.join(split)}"))
    return drawn


def trace(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Accuracy against pre-training steps (rows of pstl.hub.trace): a chart per task.

    A line per run and batch-norm variant.
    """
    by_task: dict[str, dict[tuple[str, str], dict[float, float]]] = {}
    for row in rows:
        of_task = by_task.setdefault(row["task"], {})
        of_task.setdefault((row["run"], row["batch_norm"]), {})[row["steps"]] = row["top1"]
    drawn: list[Curves] = []
    for task, lines in by_task.items():
        chosen = looks(Run.parse(run).method for run, _ in lines)
        variants: dict[str, int] = {}
        curves = []
        for (run, norm), points in lines.items():
            variant = variants.setdefault(norm, len(variants))
            look = look_of(Run.parse(run).method, chosen)._replace(variant=variant)
            steps = sorted(points)
            curves.append(Curve(f"{run}, {norm}", steps, [points[s] for s in steps], look=look))
        drawn += parted(Curves(task, task, curves, "pre-training steps", "top-1 accuracy, %"))
    save(grid(drawn, "nothing probed yet"), path)
