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
ROUNDED = 0.01  # the same, where one of them was read from a file
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
    by_line = {}
    for line in lines:
        kinds = [kind for kind in FLOORS if line.minus_floor(kind) is not None]
        if line.mean is None or not kinds:
            continue
        sign = 1 if declared.metrics().of(line.metric).higher_is_better else -1
        kind = min(kinds, key=lambda kind: sign * (line.minus_floor(kind) or 0.0))
        points = line.minus_floor(kind) or 0.0
        span = _span(line, points, _of_kind(floors.get(_place(line), ()), kind), tests, tested)
        low, high = (span.low, span.high) if span else (None, None)
        if span and sign < 0:
            low, high = -span.high, -span.low
        by_line[line] = Gain(kind, sign * points, low, high)
    return by_line


def _of_kind(floors: Iterable[Line], kind: str) -> list[Line]:
    return [floor for floor in floors if floor.floor == kind]


Tests = dict[tuple[tuple[str, ...], frozenset[str]], Pair]


def _span(
    line: Line, points: float, floors: Sequence[Line], tests: Tests, tested: Tested
) -> Interval | None:
    """The interval of ours minus the one of these floors that was subtracted: its points say which.

    By the paired test with it, or where there is none from the intervals of the two means.
    """
    for floor in floors:
        pair = _test(line, floor, tests) if line.metric == "top1" else None
        if pair:
            turned = pair.a == floor.encoder
            sign = -1 if turned else 1
            if abs(sign * pair.verdict.difference - points) < ROUNDED:
                low, high = sorted((sign * pair.verdict.low, sign * pair.verdict.high))
                return Interval(low, high, "clips")
    clips = tested.clips_of(line)
    for floor in floors:
        if line.mean is None or floor.mean is None or abs(line.mean - floor.mean - points) > SAME:
            continue
        ours, theirs = line.span_on(clips), floor.span_on(clips)
        return minus(line.mean, ours, floor.mean, theirs) if ours and theirs else None
    return None


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
