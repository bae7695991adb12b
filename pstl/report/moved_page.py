"""Matrices of moved encoders as a section of the page."""

from dataclasses import dataclass

from pstl.report import moved
from pstl.report.document import Section, Table, Text, number
from pstl.report.moved_tables import EXPLAINED, HEADING, Grid, charts, rows_of
from pstl.report.tables import Line
from pstl.report.text import Notes


@dataclass(frozen=True)
class Moved(Section):
    """What templates/moved.html shows."""

    words: str
    charts: list[Grid]
    tables: list[Table]


def section(lines: list[Line]) -> list[Moved]:
    """The page's section; none where no encoder has been moved."""
    matrices = moved.matrices(lines)
    if not matrices:
        return []
    tables_ = []
    for matrix in matrices:
        header, body = rows_of(matrix, Notes())
        rows: list[list[str | Text]] = []
        for first, *cells in body:
            rows.append([first, *map(number, cells)])
        tables_.append(Table(matrix.title, header, rows))
    return [Moved("moved", HEADING, "moved.html", EXPLAINED, charts(lines), tables_)]
