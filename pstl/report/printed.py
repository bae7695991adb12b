"""Published numbers beside ours on the page: what is subtracted from what, and where they stand."""

from pstl.report import alike, text
from pstl.report.document import Cells, Table, Text, number
from pstl.report.tables import NONE, Line, signed

# Columns for a number that somebody printed.
HEADER = ("published", "epoch", alike.MINUS, alike.LIKE, "source")
PROTOCOLS = "Protocols differ: see docs/protocols.md before taking a point for a result."


class Sources:
    """Where published numbers stand, by numbers: in full they would take half a table's width."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, source: str) -> str:
        """The number of a source in brackets; a new one gets the next."""
        return f"[{self.numbers.setdefault(source, len(self.numbers) + 1)}]"

    def table(self) -> Table:
        """Numbers and sources."""
        rows: list[Cells] = []
        for source, place in self.numbers.items():
            rows.append([f"[{place}]", Text(source, "source")])
        return Table("Sources", ("number", "source"), rows)


def cells(line: Line, sources: Sources) -> Cells:
    """Cells of HEADER."""
    if line.published is None:
        return [number(NONE), "", number(NONE), number(NONE), ""]
    mark = f" {text.ASSUMED}" if line.assumed else ""
    return [
        number(f"{line.published}{mark}"),
        alike.SAID_BY_KIND[line.published_kind],
        number(signed(line.mean_minus_published)),
        number(signed(line.like_minus_published)),
        sources.mark(line.published_source),
    ]


def explained(lines: list[Line]) -> list[str]:
    """What the columns of HEADER mean, and why a difference is missing.

    Nothing where nobody printed a number.
    """
    printed = [line for line in lines if line.published is not None]
    if not printed:
        return []
    cells_by_reason: dict[str, list[str]] = {}
    for line in printed:
        if line.why_not:
            cell = f"{line.task}, {line.method}, {line.stream}"
            cells_by_reason.setdefault(line.why_not, []).append(cell)
    notes = [_plain(alike.EXPLAINED)]
    if any(line.assumed for line in printed):
        notes.append(_plain(text.MARKED))
    notes.append(PROTOCOLS)
    for reason, names in cells_by_reason.items():
        notes.append(f"No {alike.LIKE} difference for {'; '.join(names)}: {reason}.")
    return notes


def _plain(markdown: str) -> str:
    """A sentence of a markdown page for this one, which has no footnotes."""
    return markdown.replace("*", "").replace("`", "").replace("in a footnote", "below")
