"""Numbers over a number in the settings: joints lost, horizon, overlap, whatever rows differ in.

A line is one encoder in one setting, but for the number: rows that differ in anything else are
never joined.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pstl.metrics.metric import UNSEEN
from pstl.report import declared
from pstl.report.tables import RIVAL, Line, headlines, of_a_part

FEWEST = 3  # values of a setting that make a curve
# A part of a setting -> what its axis is called.
SAYS = {"joints": "joints lost", "frames": "share of frames lost"}
LOSSES = tuple(SAYS.values())  # at 0 nothing is lost
Points = list[tuple[float, Line]]  # values of the number, ascending, each with its line


class Sweep(NamedTuple):
    """What is drawn over one number: the same for all lines."""

    dataset: str
    split: str
    task: str
    metric: str
    over: str


class Series(NamedTuple):
    """What one line is of.   setting: all of it but the number, in parts."""

    encoder: str
    stream: str
    setting: tuple[str, ...]

    @property
    def parts(self) -> dict[str, str]:
        """Stream and the parts of the setting by their names; one without a value is its own."""
        named = {"stream": self.stream}
        for part in self.setting:
            name, _, value = part.partition("=")
            named[name] = value or name
        return named

    @property
    def rival(self) -> str:
        """What stands in the encoder's place; empty for itself."""
        return self.parts.get(RIVAL, "")


def sweeps(lines: Sequence[Line]) -> dict[Sweep, dict[Series, Points]]:
    """Every number over a number, of the headline norm and of the whole test side.

    lines: as tables.as_shown() names them.   A series has at least FEWEST values.
    """
    every: dict[Sweep, dict[Series, dict[float, Line]]] = {}
    sources: dict[str, set[str]] = {}
    for line in lines:
        sources.setdefault(line.method, set()).add(line.source)
    for line in headlines(list(lines)):
        if line.mean is None or of_a_part(line) or line.metric.endswith(UNSEEN):
            continue
        for metric, over, value, rest in _numbers(line):
            sweep = Sweep(line.dataset, line.split, line.task, metric, over)
            several = len(sources[line.method]) > 1
            encoder = f"{line.method} ({line.source})" if several else line.method
            series = Series(encoder, line.stream, rest)
            every.setdefault(sweep, {}).setdefault(series, {})[value] = line
    drawn: dict[Sweep, dict[Series, Points]] = {}
    for sweep, of_sweep in every.items():
        for series, points in of_sweep.items():
            if len(points) >= FEWEST:
                drawn.setdefault(sweep, {})[series] = sorted(points.items(), key=_first)
    return drawn


def by_condition(
    drawn: dict[Sweep, dict[Series, Points]],
) -> dict[tuple[Sweep, str, tuple[str, ...]], dict[str, Points]]:
    """Sweep, stream and setting -> encoder -> its points: who can be compared with whom."""
    groups: dict[tuple[Sweep, str, tuple[str, ...]], dict[str, Points]] = {}
    for sweep, of_sweep in drawn.items():
        for series, points in of_sweep.items():
            key = (sweep, series.stream, series.setting)
            groups.setdefault(key, {})[series.encoder] = points
    return groups


def _numbers(line: Line) -> Iterator[tuple[str, str, float, tuple[str, ...]]]:
    """Numbers a line could be drawn against: metric, name of the number, value, other parts."""
    metric = declared.metrics().of(line.metric)
    number = metric.number(line.metric)
    parts = tuple(filter(None, line.setting.split(";")))
    if metric.over and number is not None:
        yield metric.name.removesuffix("_{}"), metric.over, number, parts
    for part in parts:
        name, _, value = part.partition("=")
        if re.fullmatch(r"-?\d+(\.\d+)?", value):
            rest = tuple(other for other in parts if other != part)
            yield line.metric, SAYS.get(name, name), float(value), rest


def _first(point: tuple[float, Line]) -> float:
    return point[0]
