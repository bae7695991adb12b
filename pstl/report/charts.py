"""Charts of numbers: what each shows, and how matplotlib draws it on an axis."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from pstl.report.colours import Look

INK, GRID = "#1b1b1b", "#dcdcdc"
RIGHT, WRONG = "#004e8c", "#be4600"  # of matrices: right and wrong, gain and loss
MANY_POINTS = 12  # of a curve; fewer have a marker each
WIDTH, HEIGHT = 4.6, 2.8  # of a chart, in inches
SMALL = (2.3, 1.5)  # the same where there are many
ABOUT = "about: "  # begins the gid of an artist that explains itself when pointed at
MOST = 12  # lines of one chart that can be told apart
AT_ONCE = 8  # lines in colour where there are more
MARGIN = 0.05  # of an axis beyond its data

Span = tuple[float, float]
PLAIN = Look(0, 0)


class Entry(NamedTuple):
    """One name in a legend.   line: whether it is drawn as one, or as a marker alone."""

    name: str
    look: Look
    line: bool = True


@dataclass(frozen=True)
class Chart:
    """What a picture shows.   title: above it.   alt: the same for those who cannot see it."""

    title: str
    alt: str
    wide: ClassVar[bool] = False  # whether it scrolls by itself where the screen is narrow

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return WIDTH, HEIGHT

    @property
    def legend(self) -> list[Entry]:
        """Names that stand beside the picture."""
        return []

    def draw(self, axis: Any) -> None:
        """Draw everything but title and legend."""
        raise NotImplementedError


@dataclass(frozen=True)
class Curve:
    """One line of a chart: one y for each x, ascending.   low, high: of a band, or empty.

    Raises: ValueError for points that are of several lines.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    look: Look = PLAIN

    def __post_init__(self) -> None:
        """A line that goes up at one x joins what does not belong together."""
        if any(after <= before for before, after in zip(self.x, self.x[1:], strict=False)):
            raise ValueError(f"{self.name}: several y at one x, or out of order: {self.x}")


def banded(name: str, points: Sequence[tuple[float, float, float]], look: Look) -> Curve:
    """A line with a band around it.   points: x, y and half the height of the band there."""
    x, y, low, high = [], [], [], []
    for position, value, spread in points:
        x.append(position)
        y.append(value)
        low.append(value - spread)
        high.append(value + spread)
    return Curve(name, x, y, look=look) if low == high else Curve(name, x, y, low, high, look)


@dataclass(frozen=True)
class Curves(Chart):
    """Lines over one axis.

    behind: lines of the other charts of the same axes, drawn pale.   x_span, y_span: ends of the
    axes where several charts share them.   logarithmic: of y.
    small: for one of many.   entries: the legend, where it is not a name for each line.
    """

    curves: Sequence[Curve]
    x_label: str
    y_label: str
    logarithmic: bool = False
    behind: Sequence[Curve] = ()
    x_span: Span | None = None
    y_span: Span | None = None
    small: bool = False
    entries: Sequence[Entry] = ()

    @property
    def size(self) -> tuple[float, float]:
        """Smaller where there are many."""
        return SMALL if self.small else (WIDTH, HEIGHT)

    @property
    def legend(self) -> list[Entry]:
        """A name for each line."""
        if self.entries:
            return list(self.entries)
        return list(dict.fromkeys(Entry(curve.name, curve.look) for curve in self.curves))

    def draw(self, axis: Any) -> None:
        """Lines with bands; the points of short ones have a marker each."""
        for curve in self.behind:
            axis.plot(curve.x, curve.y, color=GRID, linewidth=0.8, zorder=1)
        for curve in self.curves:
            _draw_curve(axis, curve)
        axis.set(xlabel=self.x_label, ylabel=self.y_label)
        axis.grid(axis="y")
        if self.logarithmic:
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("")
        places = list(itertools.chain.from_iterable(curve.x for curve in self.curves))
        if self.x_span or len(set(places)) == 1:
            axis.set_xlim(self.x_span or span_of(places))
        if self.y_span and not self.logarithmic:
            axis.set_ylim(self.y_span)
        if all(float(x).is_integer() for x in places):
            axis.xaxis.get_major_locator().set_params(integer=True)


def _draw_curve(axis: Any, curve: Curve) -> None:
    look = curve.look
    few = len(curve.x) <= MANY_POINTS
    axis.plot(
        curve.x,
        curve.y,
        color=look.tone,
        linestyle=look.dash,
        linewidth=1.0 if look.floor else 1.5,
        marker=look.marker if few else "",
        markersize=4,
        markerfacecolor="none" if look.floor else look.tone,
    )
    if len(curve.low):
        axis.fill_between(curve.x, curve.low, curve.high, color=look.tone, alpha=0.15, lw=0)


def same_x(charts: Sequence[Curves]) -> list[Curves]:
    """The same charts on one horizontal axis."""
    numbers: list[float] = []
    for chart in charts:
        for curve in chart.curves:
            numbers += curve.x
    return [replace(chart, x_span=span_of(numbers)) for chart in charts]


def same_y(charts: Sequence[Curves]) -> list[Curves]:
    """The same charts on one vertical axis, so that they can be compared at a glance."""
    numbers: list[float] = []
    for chart in charts:
        for curve in chart.curves:
            numbers += [*curve.y, *curve.low, *curve.high]
    return [replace(chart, y_span=span_of(numbers)) for chart in charts]


def parted(chart: Curves) -> list[Curves]:
    """A chart of many lines as several on the same axes, each with some before all others.

    Those that end highest come first.
    """
    if len(chart.curves) <= MOST:
        return [chart]
    ordered = sorted(chart.curves, key=lambda curve: -curve.y[-1])
    parts = []
    for start in range(0, len(ordered), AT_ONCE):
        shown = ordered[start : start + AT_ONCE]
        title = f"{chart.title} ({start + 1} to {start + len(shown)} of {len(ordered)})"
        parts.append(replace(chart, title=title, curves=shown, behind=ordered))
    return same_y(same_x(parts))


def span_of(numbers: Iterable[float]) -> Span:
    """Ends of an axis that shows these numbers; a single one stands in its middle.

    >>> span_of([0.0, 100.0]), span_of([20.0])
    ((-5.0, 105.0), (0.0, 40.0))
    """
    ordered = sorted(numbers)
    low, high = ordered[0], ordered[-1]
    if low == high:
        return (0.0, 2.0 * low) if low > 0 else (low - 1.0, high + 1.0)
    beyond = MARGIN * (high - low)
    return low - beyond, high + beyond
