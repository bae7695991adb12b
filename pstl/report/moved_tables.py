"""Matrices of moved encoders as tables and charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import matplotlib
import numpy as np

from pstl.report import declared, moved
from pstl.report.charts import INK, RIGHT, WRONG, Chart
from pstl.report.markdown_cells import value
from pstl.report.moved import Matrix
from pstl.report.tables import NONE, Line
from pstl.report.text import Notes, table

HEADING = "Moved between data sets"
EXPLAINED = (
    "Rows: whose training clips the encoder learnt from; columns: whose clips it is evaluated on. "
    "In brackets: points over the same encoder untrained. At the end the floors of the target."
)
BESIDE = {"raw": "coordinates", "untrained": "untrained"}
LEAST = 0.08  # shade of the smallest gain


@dataclass(frozen=True)
class Grid(Chart):
    """Numbers of sources (rows) and targets (columns), shaded by the points over untrained.

    texts: (sources, targets), empty where there is none.   gains: as many, NaN where unknown.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    texts: Sequence[Sequence[str]]
    gains: np.ndarray
    wide: ClassVar[bool] = True

    @property
    def size(self) -> tuple[float, float]:
        """Cells that hold two lines."""
        longest = max(map(len, self.rows))
        return 0.6 + 0.08 * longest + 1.15 * len(self.columns), 0.8 + 0.42 * len(self.rows)

    def draw(self, axis: Any) -> None:
        """Blue where pre-training gained, vermilion where it lost."""
        image = np.zeros((*self.gains.shape, 4))
        image[..., :3] = matplotlib.colors.to_rgb(RIGHT)
        image[self.gains < 0, :3] = matplotlib.colors.to_rgb(WRONG)
        sizes = np.nan_to_num(np.abs(self.gains))
        shades = LEAST + (0.8 - LEAST) * sizes / max(float(sizes.max()), 1.0)
        image[..., 3] = np.where(np.isnan(self.gains), 0, shades)
        axis.imshow(image, interpolation="none", aspect="auto")
        axis.set_xticks(
            range(len(self.columns)), [name.replace("/", "/\n") for name in self.columns]
        )
        axis.set_yticks(range(len(self.rows)), self.rows)
        axis.tick_params(length=0)
        for row, texts in enumerate(self.texts):
            for column, text in enumerate(texts):
                tone = "white" if image[row, column, 3] > 0.55 else INK
                place = {"ha": "center", "va": "center", "fontsize": "small", "color": tone}
                axis.text(column, row, text, **place)


def blocks(lines: list[Line], notes: Notes) -> list[str]:
    """The same as blocks of comparison.md."""
    matrices = moved.matrices(lines)
    if not matrices:
        return []
    written = [f"## {HEADING}", EXPLAINED]
    for matrix in matrices:
        written += [f"### {matrix.title}", table(*rows_of(matrix, notes))]
    return written


def charts(lines: list[Line]) -> list[Grid]:
    """A picture of each matrix that has a number."""
    drawn = []
    for matrix in moved.matrices(lines):
        if any(line.mean is not None for line in matrix.lines.values()):
            drawn.append(_grid(matrix))
    return drawn


def rows_of(matrix: Matrix, notes: Notes) -> tuple[list[str], list[list[str]]]:
    """Header and rows: sources, then floors."""
    metric = declared.metrics().of(matrix.metric)
    body = []
    for source in matrix.sources:
        row = [source]
        for target in matrix.targets:
            line, gain = matrix.lines.get((source, target)), matrix.gain(source, target)
            text = "" if line is None else value(line, notes)
            row.append(text if gain is None else f"{text} [{metric.text(gain, '+')}]")
        body.append(row)
    for kind in matrix.floors:
        floors = [matrix.floor(target, kind) for target in matrix.targets]
        texts = [NONE if floor is None else metric.text(floor) for floor in floors]
        body.append([f"*{BESIDE[kind]}*", *texts])
    return ["from", *matrix.targets], body


def _grid(matrix: Matrix) -> Grid:
    metric = declared.metrics().of(matrix.metric)
    gains = np.full((len(matrix.sources) + len(matrix.floors), len(matrix.targets)), np.nan)
    texts, said = [], []
    for row, source in enumerate(matrix.sources):
        of_row = []
        for column, target in enumerate(matrix.targets):
            line, gain = matrix.lines.get((source, target)), matrix.gain(source, target)
            text = "" if line is None or line.mean is None else metric.text(line.mean)
            if gain is not None:
                gains[row, column] = gain
                text += f" ({metric.text(gain, '+')})"
            said += [f"{source} to {target} {text}"] if text else []
            of_row.append(text)
        texts.append(of_row)
    for kind in matrix.floors:
        floors = [matrix.floor(target, kind) for target in matrix.targets]
        texts.append(["" if floor is None else metric.text(floor) for floor in floors])
    rows = [*(f"from {source}" for source in matrix.sources), *map(BESIDE.get, matrix.floors)]
    title = f"{matrix.title}: {metric.name}"
    alt = f"{title}. {'; '.join(said)}"
    return Grid(title, alt, [str(row) for row in rows], matrix.targets, texts, gains)
