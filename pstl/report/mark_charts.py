"""Charts of single numbers: rows of marks with their intervals, and points of two numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pstl.report.charts import PLAIN, WIDTH, Chart, Entry, Span
from pstl.report.colours import NEUTRAL, Look

ROW = 0.19  # height of a row of marks
FEW = 20  # points that have room for notes and intervals


@dataclass(frozen=True)
class Mark:
    """One number in a row.   low, high: its interval.   beside: other numbers of the same cell.

    beside: kind (a key of BESIDE) -> number.
    """

    row: str
    value: float
    text: str
    low: float | None = None
    high: float | None = None
    beside: Sequence[tuple[str, float]] = ()
    look: Look = PLAIN


# Numbers beside ours -> what they are called, and their looks.
BESIDE = {
    "raw": ("its coordinates", Look(NEUTRAL, 1, "raw")),
    "untrained": ("untrained", Look(NEUTRAL, 0, "untrained")),
    "published": ("published", Look(NEUTRAL, 2)),
}


@dataclass(frozen=True)
class Marks(Chart):
    """Rows of numbers with intervals; floors and published numbers in the same rows.

    label: of the axis.   span: its ends.
    """

    marks: Sequence[Mark]
    label: str
    span: Span

    @property
    def size(self) -> tuple[float, float]:
        """A row for each number, and room for the longest name."""
        longest = max(len(mark.row) for mark in self.marks)
        return WIDTH + 0.07 * max(0, longest - 20), 0.7 + ROW * len(self.marks)

    @property
    def legend(self) -> list[Entry]:
        """What stands beside our numbers."""
        kinds = dict.fromkeys(kind for mark in self.marks for kind, _ in mark.beside)
        return [Entry(*BESIDE[kind], line=False) for kind in kinds]

    def draw(self, axis: Any) -> None:
        """From the first row on top to the last."""
        axis.set(xlabel=self.label, xlim=self.span, ylim=(len(self.marks) - 0.4, -0.6))
        axis.grid(axis="x")
        for row, mark in enumerate(self.marks):
            end = mark.value
            for kind, value in mark.beside:
                _draw_mark(axis, value, row, BESIDE[kind][1])
                end = max(end, value)
            if mark.low is not None and mark.high is not None:
                axis.plot([mark.low, mark.high], [row, row], color=mark.look.tone, linewidth=1.6)
                end = max(end, mark.high)
            _draw_mark(axis, mark.value, row, mark.look)
            place = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
            text = axis.annotate(mark.text, (end, row), fontsize="x-small", **place)
            text.set_in_layout(False)  # inside the axes; measuring hundreds takes long
        axis.set_yticks(range(len(self.marks)), [mark.row for mark in self.marks], fontsize="small")
        axis.tick_params(axis="y", length=0)


def _draw_mark(axis: Any, x: float, y: float, look: Look) -> None:
    face = "none" if look.floor else look.tone
    point = {"color": look.tone, "markersize": 5, "markerfacecolor": face}
    axis.plot(x, y, marker=look.marker, linestyle="", zorder=3, **point)


@dataclass(frozen=True)
class Point:
    """One point with a name.   note: written beside it.   low, high: the interval of y."""

    name: str
    note: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    look: Look = PLAIN


@dataclass(frozen=True)
class Points(Chart):
    """Points in a plane; x is logarithmic."""

    points: Sequence[Point]
    x_label: str
    y_label: str

    @property
    def size(self) -> tuple[float, float]:
        """Higher than curves are: points have to be kept apart."""
        return WIDTH, WIDTH * 0.8

    @property
    def legend(self) -> list[Entry]:
        """Each name once."""
        entries = (Entry(point.name, point.look, line=False) for point in self.points)
        return list(dict.fromkeys(entries))

    def draw(self, axis: Any) -> None:
        """Marks, where they are few with notes and intervals."""
        few = len(self.points) <= FEW
        for point in self.points:
            if few and point.low is not None and point.high is not None:
                ends = [point.low, point.high]
                axis.plot([point.x, point.x], ends, color=point.look.tone, linewidth=1)
            _draw_mark(axis, point.x, point.y, point.look)
            place = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
            if few:
                axis.annotate(point.note, (point.x, point.y), fontsize="x-small", **place)
        axis.set(xlabel=self.x_label, ylabel=self.y_label, xscale="log")
        axis.margins(x=0.15)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.grid(axis="both")
