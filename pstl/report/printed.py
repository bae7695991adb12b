"""Published numbers beside ours on the page: their columns, what is subtracted from what, and where they stand."""

from pstl.report import alike, document, text
from pstl.report.document import Number, linked
from pstl.report.tables import NONE, Line

HEADER = (
    "published",
    "epoch",
    alike.MINUS,
    alike.LIKE,
    "source",
)  # where somebody printed a number
PROTOCOLS = "Protocols differ: see docs/protocols.md before taking a point for a result."


class Sources:
    """Where published numbers stand, by numbers: in full they would take half of a table's width."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, source: str) -> str:
        return f"[{self.numbers.setdefault(source, len(self.numbers) + 1)}]"

    def table(self) -> str:
        body = [[f"[{number}]", linked(source)] for source, number in self.numbers.items()]
        return document.table("Sources", ("number", "source"), body)


def cells(line: Line, sources: Sources) -> list[str]:
    """Cells of HEADER."""
    if line.published is None:
        return [Number(NONE), "", Number(NONE), Number(NONE), ""]
    mark = f" {text.ASSUMED}" if line.assumed else ""
    minus, like = line.mean_minus_published, line.like_minus_published
    return [
        Number(f"{line.published}{mark}"), alike.SAID_BY_KIND[line.published_kind],
        Number(NONE if minus is None else f"{minus:+.1f}"), Number(NONE if like is None else f"{like:+.1f}"), sources.mark(line.source),
    ]  # fmt: skip


def explained(lines: list[Line]) -> list[str]:
    """What the columns of HEADER mean, and why a difference is missing; nothing where nobody printed a number."""
    printed = [line for line in lines if line.published is not None]
    if not printed:
        return []
    missing: dict[str, list[str]] = {}
    for line in printed:
        if line.why_not:
            missing.setdefault(line.why_not, []).append(
                f"{line.task}, {line.method}, {line.stream}"
            )
    why = [
        f"No {alike.LIKE} difference for {'; '.join(names)}: {reason}."
        for reason, names in missing.items()
    ]
    words = (
        [alike.EXPLAINED, text.MARKED]
        if any(line.assumed for line in printed)
        else [alike.EXPLAINED]
    )
    plain = [
        word.replace("*", "").replace("`", "").replace("in a footnote", "below") for word in words
    ]
    return [*plain, PROTOCOLS, *why]
