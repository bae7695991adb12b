"""A page that says what moved between two tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pstl.files import write_text
from pstl.report import document, shifts
from pstl.report.document import Cells, Section, Table, number
from pstl.report.shifts import Shift, Shifts

HEADER = (
    "cell", "interval", "metric", "a", "b", "b − a", "95 % interval of b − a", "b is",
)  # fmt: skip


@dataclass(frozen=True)
class Moved(Section):
    """Everything about two tables."""

    folds = "never"
    a: str
    b: str
    sentences: list[str]
    differences: Table
    moved: Table
    others: Table


def build(pair: Shifts, out: Path) -> None:
    """Write the page."""
    rows: list[Cells] = []
    for each in pair.differences:
        name = shifts.NAMED.get(each.column, each.column)
        rows.append([name, shifts.said(each.a), shifts.said(each.b), number(str(each.cells))])
    section = Moved(
        "moved",
        "From a to b",
        "moved_cells.html",
        pair.a,
        pair.b,
        shifts.sentences(pair),
        Table("What the two differ in", ["differ in", "a", "b", "cells"], rows),
        moved_table("What moved", pair.of(shifts.BETTER, shifts.WORSE, shifts.UNJUDGED)),
        moved_table("What did not", pair.of(shifts.WITHIN, shifts.LAST_DIGITS, shifts.SAME)),
    )
    write_text(out, document.page("pstl: what moved between two tables", [section]))


def moved_table(caption: str, cells: Sequence[Shift]) -> Table:
    """Cells with both numbers, their difference and how sure it is."""
    rows: list[Cells] = []
    for shift in cells:
        name, how, metric, *numbers, verdict = shifts.cells_of(shift)
        rows.append([name, how, metric, *(number(text) for text in numbers), verdict])
    return Table(caption, HEADER, rows)
