"""Charts of few labels: accuracy against the share of labels, all methods in one."""

from collections.abc import Mapping
from dataclasses import replace

from pstl.report.charts import MOST, Curve, Curves, banded, parted, same_x, same_y
from pstl.report.colours import Look, look_of
from pstl.report.few_labels import by_share
from pstl.report.tables import Line, by_split


def charts(lines: list[Line], rules: Mapping[str, str], looks: Mapping[str, Look]) -> list[Curves]:
    """Accuracy against the share of labels: a chart per data set and split.

    Bands: one sample standard deviation over seeds.
    """
    drawn: list[Curves] = []
    for split, of_split in by_split(lines).items():
        by_task: dict[str, list[Curve]] = {}
        for name, by_fraction in by_share(of_split, rules).items():
            curve = _over_shares(name, by_fraction, looks)
            if curve:
                task = next(iter(by_fraction.values())).task
                by_task.setdefault(task, []).append(curve)
        drawn += _charts(", ".join(split), by_task)
    return drawn


def _charts(place: str, by_task: Mapping[str, list[Curve]]) -> list[Curves]:
    """One for all tasks, or where their lines are too many one for each, before all others."""
    every: list[Curve] = []
    for curves in by_task.values():
        every += curves
    if not every:
        return []
    if len(every) <= MOST:
        return [_chart(f"few labels\n{place}", every)]
    charts: list[Curves] = []
    for task, curves in by_task.items():
        for part in parted(_chart(f"few labels: {task}\n{place}", curves)):
            charts.append(replace(part, behind=every))
    return same_y(same_x(charts))


def _chart(title: str, curves: list[Curve]) -> Curves:
    ends = [f"{curve.name} {curve.y[0]:.1f} at {curve.x[0]:g} %" for curve in curves]
    alt = f"Accuracy by the share of labels, {title}: {'; '.join(ends)}"
    x_label, y_label = "labelled training clips, %", "top-1 accuracy, %  (band: 1 std)"
    return Curves(title, alt, curves, x_label, y_label)


def _over_shares(
    name: str, by_fraction: Mapping[float, Line], looks: Mapping[str, Look]
) -> Curve | None:
    points = []
    for share, line in by_fraction.items():
        if line.mean is not None:
            points.append((100 * share, line.mean, line.std or 0.0))
    return banded(name, points, look_of(name, looks)) if points else None
