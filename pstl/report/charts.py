"""Every chart of the project: what it shows, and how matplotlib draws it on an axis."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import matplotlib
import numpy as np

from pstl.report.colours import MARKERS, PALETTE

INK, GRID = "#1b1b1b", "#dcdcdc"
RIGHT, WRONG = "#004e8c", "#be4600"  # of a confusion matrix: on and off the diagonal
MANY_POINTS = 12  # of a curve; fewer have a marker each
MANY_CLASSES = 20  # of a confusion matrix; fewer have their names and percentages
HIGHEST = 118  # end of an axis of percentages, with room for the number behind a bar
WIDTH, HEIGHT = 4.6, 2.8  # of a chart, in inches
ABOUT = "about: "  # begins the gid of an artist that explains itself when pointed at


class Entry(NamedTuple):
    """One name in a legend."""

    name: str
    colour: int
    dashed: bool = False


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
    """One line of a chart.   spread: half the width of a band around y, or empty."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float] = ()
    colour: int = 0
    dashed: bool = False


@dataclass(frozen=True)
class Curves(Chart):
    """Lines over one axis.   logarithmic: of y."""

    curves: Sequence[Curve]
    x_label: str
    y_label: str
    logarithmic: bool = False

    @property
    def legend(self) -> list[Entry]:
        """A name for each line; lines that look alike share one."""
        entries = (Entry(curve.name, curve.colour, curve.dashed) for curve in self.curves)
        return list(dict.fromkeys(entries))

    def draw(self, axis: Any) -> None:
        """Lines with bands; the points of short ones have a marker each."""
        named: set[Entry] = set()
        for curve in self.curves:
            tone = colour(curve.colour)
            entry = Entry(curve.name, curve.colour, curve.dashed)
            few = len(curve.x) <= MANY_POINTS
            axis.plot(
                curve.x,
                curve.y,
                color=tone,
                linestyle="--" if curve.dashed else "-",
                linewidth=1.4,
                marker=MARKERS[curve.colour % len(MARKERS)] if few else "",
                markersize=4,
                label=None if entry in named else curve.name,
            )
            named.add(entry)
            if curve.spread:
                y, spread = np.array(curve.y), np.array(curve.spread)
                axis.fill_between(curve.x, y - spread, y + spread, color=tone, alpha=0.18, lw=0)
        axis.set(xlabel=self.x_label, ylabel=self.y_label)
        axis.grid(axis="y")
        if self.logarithmic:
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("")
        positions = itertools.chain.from_iterable(curve.x for curve in self.curves)
        if all(float(x).is_integer() for x in positions):
            axis.xaxis.get_major_locator().set_params(integer=True)


@dataclass(frozen=True)
class Bar:
    """One bar.   low, high: its interval.   mark: another number of the same cell."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    mark: float | None = None
    colour: int = 0


@dataclass(frozen=True)
class Bars(Chart):
    """Horizontal bars of percentages, with whiskers and marks."""

    bars: Sequence[Bar]
    label: str

    @property
    def size(self) -> tuple[float, float]:
        """A row for each bar, and room for the longest name."""
        longest = max(len(bar.name) for bar in self.bars)
        return WIDTH + 0.07 * max(0, longest - 20), 0.7 + 0.24 * len(self.bars)

    def draw(self, axis: Any) -> None:
        """From the first bar on top to the last."""
        rows = range(len(self.bars))
        values = [bar.value for bar in self.bars]
        axis.barh(rows, values, color=[colour(bar.colour) for bar in self.bars])
        for row, bar in zip(rows, self.bars, strict=True):
            end = bar.value
            if bar.low is not None and bar.high is not None:
                low, high = max(bar.low, 0.0), min(bar.high, 100.0)
                whisker = [[max(bar.value - low, 0)], [max(high - bar.value, 0)]]
                axis.errorbar(bar.value, row, xerr=whisker, color=INK, capsize=2, linewidth=1)
                end = max(end, high)
            if bar.mark is not None:
                axis.plot(bar.mark, row, "|", color=INK, markersize=12, markeredgewidth=2)
            axis.text(end + 2, row, f"{bar.value:.1f}", fontsize="small", va="center")
        axis.set(xlabel=self.label, xlim=(0, HIGHEST))
        axis.set_xticks(range(0, 101, 20))
        axis.set_yticks(rows, [bar.name for bar in self.bars], fontsize="small")
        axis.invert_yaxis()


@dataclass(frozen=True)
class Confusion(Chart):
    """Rows are true classes, columns predictions, shade and number are shares of the row.

    counts: (classes, classes).
    """

    counts: np.ndarray
    names: Sequence[str]

    @property
    def size(self) -> tuple[float, float]:
        """Cells that hold a number where there are numbers."""
        if len(self.names) > MANY_CLASSES:
            return WIDTH, WIDTH
        side = 0.6 + 0.26 * len(self.names)
        return side + 0.07 * max(map(len, self.names)), side

    def draw(self, axis: Any) -> None:
        """Blue on the diagonal, vermilion off it, nothing where nothing was predicted."""
        count = len(self.names)
        shares = self.counts / self.counts.sum(1, keepdims=True).clip(min=1)
        image = np.zeros((count, count, 4))
        image[..., :3] = matplotlib.colors.to_rgb(WRONG)
        image[np.eye(count, dtype=bool), :3] = matplotlib.colors.to_rgb(RIGHT)
        image[..., 3] = np.where(shares > 0, 0.08 + 0.92 * shares, 0)
        axis.imshow(image, interpolation="none")
        axis.set_anchor("W")  # room is made for names as if it began at the left
        axis.spines[:].set_visible(True)
        if count > MANY_CLASSES:
            every = range(0, count, 10)
            numbers = [str(i + 1) for i in every]
            axis.set_xticks(every, numbers)
            axis.set_yticks(every, numbers)
            return
        axis.set_xticks(range(count), [str(i + 1) for i in range(count)])
        axis.set_yticks(range(count), [f"{self.names[i]} {i + 1}" for i in range(count)])
        axis.tick_params(length=0)
        for true, predicted in np.argwhere(shares > 0):
            share = float(shares[true, predicted])
            tone = "white" if share > 0.55 else INK
            place = {"ha": "center", "va": "center", "fontsize": "x-small", "color": tone}
            text = axis.text(predicted, true, f"{100 * share:.0f}", **place)
            text.set_in_layout(False)  # inside the picture; measuring hundreds takes long


@dataclass(frozen=True)
class Map(Chart):
    """Clips in a plane: colour and letter say the class, so that it can be read without colours.

    points: (N, 2), in units that mean nothing.   classes: (N,), numbers of names.
    """

    points: np.ndarray
    classes: np.ndarray
    names: Sequence[str]

    @property
    def size(self) -> tuple[float, float]:
        """A square."""
        return WIDTH, WIDTH

    def draw(self, axis: Any) -> None:
        """A letter for each clip."""
        for label in np.unique(self.classes):
            points = self.points[self.classes == label]
            number = int(label)
            shape = {"marker": f"${letter(number)}$", "s": 34, "linewidths": 0}
            axis.scatter(points[:, 0], points[:, 1], color=colour(number), **shape)
        axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        axis.spines[:].set_visible(True)


@dataclass(frozen=True)
class Span:
    """One interval of a class, in frames.   opacity: 0 to 1."""

    start: float
    end: float
    label: int
    opacity: float = 1.0


@dataclass(frozen=True)
class Timeline(Chart):
    """Intervals in time, a row for each source.   rows: (name, its intervals)."""

    rows: Sequence[tuple[str, Sequence[Span]]]
    frames: float
    classes: Sequence[str]
    wide: ClassVar[bool] = True

    @property
    def size(self) -> tuple[float, float]:
        """As wide as a page."""
        return 7.0, 0.4 + 0.28 * len(self.rows)

    @property
    def legend(self) -> list[Entry]:
        """Letters of the classes."""
        return class_legend(self.classes)

    def draw(self, axis: Any) -> None:
        """Intervals with the letters of their classes."""
        for row, (_, spans) in enumerate(self.rows):
            for span in spans:
                length = span.end - span.start
                tone = {"color": colour(span.label), "alpha": span.opacity, "linewidth": 0}
                (patch,) = axis.barh(row, length, left=span.start, height=0.8, **tone)
                name = self.classes[span.label]
                patch.set_gid(f"{ABOUT}{name}, frames {span.start:g} to {span.end:g}")
                if length > self.frames / 45:
                    middle = (span.start + span.end) / 2
                    place = {"ha": "center", "va": "center", "fontsize": "small"}
                    axis.text(middle, row, letter(span.label), color="white", **place)
        axis.set(xlim=(0, self.frames), ylim=(len(self.rows) - 0.5, -0.5))
        axis.set_yticks(range(len(self.rows)), [name for name, _ in self.rows])
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)


def colour(number: int) -> str:
    """Colour of the series, method or class of this number."""
    return PALETTE[number % len(PALETTE)]


def letter(number: int) -> str:
    """A to Z, then a to z, then numbers."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return letters[number] if number < len(letters) else str(number + 1)


def class_legend(names: Sequence[str]) -> list[Entry]:
    """Letters and colours of classes."""
    return [Entry(f"{letter(number)} {name}", number) for number, name in enumerate(names)]
