"""Charts of classes: confusions, maps of features, detected intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import matplotlib
import numpy as np

from pstl.report.charts import ABOUT, INK, RIGHT, WIDTH, WRONG, Chart, Entry
from pstl.report.colours import METHODS, PALETTE, Look

MANY_CLASSES = 20  # of a confusion matrix; fewer have their names and percentages


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
    """Colour of the class of this number."""
    return PALETTE[number % METHODS]


def letter(number: int) -> str:
    """A to Z, then a to z, then numbers."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return letters[number] if number < len(letters) else str(number + 1)


def class_legend(names: Sequence[str]) -> list[Entry]:
    """Letters and colours of classes."""
    entries = []
    for number, name in enumerate(names):
        entries.append(Entry(f"{letter(number)} {name}", Look(number % METHODS, 0)))
    return entries
