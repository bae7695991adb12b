"""Panels of numbers over a setting: few of them, all methods in each, on the same axes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from pstl.report import declared
from pstl.report.charts import MOST, Curve, Curves, banded, parted, same_x, same_y
from pstl.report.colours import Look, look_of
from pstl.report.sweeps import LOSSES, Points, Series, Sweep, sweeps
from pstl.report.tables import RIVAL, TUNED, Line

SIDES = (RIVAL, TUNED)  # of a setting, which are said of a line


class Drawn(NamedTuple):
    """One line before it has a name.   rival: what of the encoder's own stands in its place.

    parts: stream and parts of the setting.
    """

    who: str
    look: Look
    rival: str
    parts: dict[str, str]
    points: Points


def over_settings(lines: list[Line], looks: Mapping[str, Look]) -> list[Curves]:
    """A panel for each number in the settings, its lines of all methods, with bands of one std.

    It shows the first metric of its task; the others stand in the table of every number. Where it
    counts what is lost, a second panel is of the points that each method loses of its own. Where
    there would be too many lines a panel each has one value of what else differs: stream, probe,
    and so on.
    lines: as tables.as_shown() names them.
    """
    by_task: dict[tuple[str, ...], list[Curves]] = {}
    first: dict[tuple[str, ...], str] = {}
    for sweep, of_sweep in sweeps(lines).items():
        task = (sweep.dataset, sweep.split, sweep.task)
        if sweep.metric == first.setdefault((*task, sweep.over), sweep.metric):
            panels = same_x(_panels(sweep, _drawn(of_sweep, looks)))
            by_task.setdefault((*task, sweep.metric), []).extend(panels)
    charts: list[Curves] = []
    for of_task in by_task.values():
        charts += same_y(of_task)
        charts += same_y([_relative(chart) for chart in of_task if _is_loss(chart)])
    return charts


def _is_loss(chart: Curves) -> bool:
    """Whether it counts what is lost, from nothing on."""
    return chart.x_label in LOSSES and all(curve.x[0] == 0 for curve in chart.curves)


def _relative(chart: Curves) -> Curves:
    """Minus each curve's own first value: curves that start apart hide which falls more."""
    curves, ends = [], []
    for curve in chart.curves:
        y = [value - curve.y[0] for value in curve.y]
        curves.append(Curve(curve.name, curve.x, y, look=curve.look))
        ends.append(f"{curve.name} {y[-1]:+.1f}")
    title = f"{chart.title}, minus its own with nothing lost"
    alt = f"{title}: {'; '.join(ends)}"
    y_label = f"{chart.y_label}, points lost"
    return replace(chart, title=title, alt=alt, curves=curves, y_label=y_label, behind=())


def _drawn(of_sweep: Mapping[Series, Points], looks: Mapping[str, Look]) -> list[Drawn]:
    """Encoders and their rivals; a rival that is the same beside every encoder is one line."""
    drawn: list[Drawn] = []
    rivals: dict[tuple[str, ...], dict[Series, Points]] = {}
    for series, points in of_sweep.items():
        if series.rival:
            key = (series.stream, *series.setting)
            rivals.setdefault(key, {})[series] = points
        else:
            look = look_of(series.encoder, looks)
            drawn.append(Drawn(series.encoder, look, "", series.parts, points))
    for beside in rivals.values():
        drawn += _rivals(beside, looks)
    return drawn


def _rivals(beside: Mapping[Series, Points], looks: Mapping[str, Look]) -> list[Drawn]:
    """One rival beside each encoder: once, if it is the same beside all."""
    if len({_numbers(points) for points in beside.values()}) == 1:
        series, points = next(iter(beside.items()))
        return [Drawn(series.rival, look_of(series.rival, looks), "", series.parts, points)]
    drawn = []
    for series, points in beside.items():
        name, look = f"{series.encoder}, {series.rival}", look_of(series.encoder, looks)
        drawn.append(Drawn(name, look, series.rival, series.parts, points))
    return drawn


def _panels(sweep: Sweep, drawn: list[Drawn]) -> list[Curves]:
    """Charts of one sweep, parted by what differs until they can be read."""
    names = _differing(drawn)
    common = [_said(drawn[0], name) for name in drawn[0].parts if name not in (*names, *SIDES)]
    apart: list[str] = []
    groups = _grouped(drawn, apart)
    while names and max(map(len, groups.values())) > MOST:
        apart.append(names.pop(0))
        groups = _grouped(drawn, apart)
    panels: list[Curves] = []
    for values, group in groups.items():
        title = ", ".join([f"{sweep.task}: {sweep.metric}", *filter(None, values), *common])
        curves = _curves(group, names)
        unit = declared.metrics().of(sweep.metric).unit or "%"
        ends = [f"{curve.name} from {curve.y[0]:.1f} to {curve.y[-1]:.1f}" for curve in curves]
        alt = f"{title} against {sweep.over}: {'; '.join(ends)}"
        panels += parted(Curves(title, alt, curves, sweep.over, f"{sweep.metric}, {unit}"))
    return panels


def _differing(drawn: list[Drawn]) -> list[str]:
    """Names of what differs between lines; rivals are not tuned, which is no difference."""
    values: dict[str, set[str]] = {}
    for line in drawn:
        for name in line.parts:
            values.setdefault(name, set())
    for name, of_name in values.items():
        of_name |= {line.parts.get(name, "") for line in drawn}
    values.pop(RIVAL, None)
    values.setdefault(TUNED, set()).discard("")
    return [name for name, of_name in values.items() if len(of_name) > 1]


def _grouped(drawn: list[Drawn], names: list[str]) -> dict[tuple[str, ...], list[Drawn]]:
    groups: dict[tuple[str, ...], list[Drawn]] = {}
    for line in drawn:
        key = tuple(_said(line, name) for name in names)
        groups.setdefault(key, []).append(line)
    return groups


def _curves(group: list[Drawn], names: list[str]) -> list[Curve]:
    """Lines of one panel: what differs between them is in their names and dashes."""
    variants: dict[tuple[str, ...], int] = {}
    curves = []
    for line in group:
        said = tuple(_said(line, name) for name in names)
        variant = variants.setdefault((line.rival, *said), len(variants))
        name = ", ".join([line.who, *filter(None, said)])
        points = [(x, of_x.mean or 0.0, of_x.std or 0.0) for x, of_x in line.points]
        curves.append(banded(name, points, line.look._replace(variant=variant)))
    return curves


def _said(line: Drawn, name: str) -> str:
    """What is said of a line where a part of its setting differs from others'."""
    value = line.parts.get(name, "")
    return value if name in ("stream", value) or not value else f"{name}={value}"


def _numbers(points: Points) -> tuple[tuple[float, float], ...]:
    return tuple((value, line.mean or 0.0) for value, line in points)
