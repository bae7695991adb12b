"""Points with intervals about a line: gains over floors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pstl.report.charts import INK, Chart
from pstl.report.colours import PALETTE


class Point(NamedTuple):
    """One row.   low, high: its interval, None if nothing is known."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Forest(Chart):
    """A row a point: blue right of 0, vermilion left of it, black if its interval holds 0."""

    points: Sequence[Point]
    label: str

    @property
    def size(self) -> tuple[float, float]:
        """A row for each point, and room for the longest name."""
        longest = max(len(point.name) for point in self.points)
        return 3.6 + 0.07 * longest, 0.55 + 0.17 * len(self.points)

    def draw(self, axis: Any) -> None:
        """From the first point on top to the last."""
        axis.axvline(0, color=INK, linewidth=0.8)
        for row, point in enumerate(self.points):
            low = point.value if point.low is None else point.low
            high = point.value if point.high is None else point.high
            tone = INK
            if low > 0:
                tone = PALETTE[0]
            if high < 0:
                tone = PALETTE[1]
            axis.plot([low, high], [row, row], color=tone, linewidth=1.6)
            axis.plot(point.value, row, "o", color=tone, markersize=4)
        axis.set(xlabel=self.label, ylim=(len(self.points) - 0.4, -0.6))
        axis.set_yticks(range(len(self.points)), [point.name for point in self.points])
        axis.tick_params(axis="y", length=0, labelsize="small")
        axis.xaxis.set_label_position("top")  # in sight where the page cuts a long list
        axis.xaxis.tick_top()
        axis.grid(axis="x")
        axis.spines[["left", "bottom"]].set_visible(False)
        axis.spines["top"].set_visible(True)
