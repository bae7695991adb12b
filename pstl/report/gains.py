"""By how much a method is above the stronger of its two floors, and how sure that is."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pstl.records import FLOORS
from pstl.report import declared
from pstl.report.interval import Interval
from pstl.report.labels import from_source, share_label
from pstl.report.paired import Pair
from pstl.report.tables import Line
from pstl.report.tested import Tested

SAME = 1e-6  # points within which two means are one
WORDS = {"raw": "coordinates", "untrained": "the untrained encoder"}
EXPLAINED = (
    "Gain: points over the stronger of two floors, the coordinates of the method's own recipe as "
    "features and its own encoder untrained. Its 95 % interval is of the paired test on the same "
    "test clips, or, where class scores are not there, made of the intervals of the two numbers "
    "(Newcombe)."
)


class Gain(NamedTuple):
    """Points, more is better whatever the metric.

    kind: of the stronger floor.   low, high: the 95 % interval, None if nothing is known.
    """

    kind: str
    points: float
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """+5.2 over the untrained encoder [+1.0, +9.4]."""
        words = f"{self.points:+.1f} over {WORDS[self.kind]}"
        if self.low is not None and self.high is not None:
            words += f" [{self.low:+.1f}, {self.high:+.1f}]"
        return words


def gains(lines: Sequence[Line], pairs: Iterable[Pair], tested: Tested) -> dict[Line, Gain]:
    """The gain of every line that has a floor with a number.   lines: not renamed."""
    floors: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        if line.floor and line.mean is not None:
            floors.setdefault(_place(line), []).append(line)
    tests = {}
    for pair in pairs:
        tests[_group(pair, pair.labels), frozenset((pair.a, pair.b))] = pair
    found = {}
    for line in lines:
        kinds = [kind for kind in FLOORS if line.minus_floor(kind) is not None]
        if line.mean is None or not kinds:
            continue
        sign = 1 if declared.metrics().of(line.metric).higher_is_better else -1
        kind = min(kinds, key=lambda kind: sign * (line.minus_floor(kind) or 0.0))
        points = line.minus_floor(kind) or 0.0
        floor = _floor(line, kind, points, floors.get(_place(line), ()))
        span = _span(line, floor, tests, tested) if floor else None
        low, high = (span.low, span.high) if span else (None, None)
        if span and sign < 0:
            low, high = -span.high, -span.low
        found[line] = Gain(kind, sign * points, low, high)
    return found


def _floor(line: Line, kind: str, points: float, floors: Iterable[Line]) -> Line | None:
    """The line of this floor: of its kind and place the one with the mean that was subtracted."""
    for floor in floors:
        minus = (line.mean or 0.0) - (floor.mean or 0.0)
        if floor.floor == kind and abs(minus - points) < SAME:
            return floor
    return None


Tests = dict[tuple[tuple[str, ...], frozenset[str]], Pair]


def _span(line: Line, floor: Line, tests: Tests, tested: Tested) -> Interval | None:
    """The interval of ours minus the floor."""
    if line.metric == "top1" and (pair := _test(line, floor, tests)):
        low, high = pair.verdict.low, pair.verdict.high
        turned = pair.a == floor.encoder
        return Interval(-high, -low, "clips") if turned else Interval(low, high, "clips")
    clips = tested.clips_of(line)
    ours, theirs = line.span_on(clips), floor.span_on(clips)
    if ours is None or theirs is None or line.mean is None or floor.mean is None:
        return None
    return minus(line.mean, ours, floor.mean, theirs)


def minus(a: float, of_a: Interval, b: float, of_b: Interval) -> Interval:
    """The interval of a - b from those of two independent numbers.

    Source: Newcombe, Statistics in Medicine 1998, method 10: each limit is as far from a - b as the
    root of the summed squares of the distances of the two limits that it comes from.

    >>> of_a, of_b = Interval(70.0, 88.0, "clips"), Interval(50.0, 69.0, "clips")
    >>> low, high, _ = minus(80.0, of_a, 60.0, of_b)
    >>> round(low, 2), round(high, 2)
    (6.55, 32.81)
    """
    below = math.hypot(a - of_a.low, of_b.high - b)
    above = math.hypot(of_a.high - a, b - of_b.low)
    return Interval(a - b - below, a - b + above, of_a.over)


def _test(line: Line, floor: Line, tests: Tests) -> Pair | None:
    """The paired test of a line and its floor.

    A share of labels is the task's, or that of the method, which then has it in its name.
    """
    ways = [(line.labels, line.encoder)]
    if line.labels:
        method = f"{line.method} {share_label(line.labels)}"
        ways.append(("", from_source(method, line.source)))
    for labels, name in ways:
        if pair := tests.get((_group(line, labels), frozenset((name, floor.encoder)))):
            return pair
    return None


def _place(line: Line) -> tuple[str, ...]:
    """What a line and its floors share."""
    return (
        line.dataset, line.split, line.task, line.source, line.protocol, line.stream, line.metric,
    )  # fmt: skip


def _group(of: Line | Pair, labels: str) -> tuple[str, ...]:
    """What the two cells of a test share."""
    return of.dataset, of.split, of.task, labels, of.protocol, of.stream, of.batch_norm
