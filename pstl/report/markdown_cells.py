"""Cells of comparison.md: a mean, and the published number beside it."""

from pstl.report import declared
from pstl.report.alike import EXPLAINED, SAID_BY_KIND
from pstl.report.tables import NONE, Line
from pstl.report.text import ASSUMED, MARKED, Notes


def value(line: Line, notes: Notes, interval: bool = False) -> str:
    """A mean as people print it: 68.3, or 68.3 ± 1.2 (3), or 68.3 (1 of 3) with seeds missing.

    Else "not run", or "n/a" and why.
    interval: add the 95 % interval over seeds: 68.3 ± 1.2 [65.3, 71.3] (3).
    """
    if line.mean is None:
        word, _, why = line.reason.partition(": ")
        return f"{word} {notes.mark(why)}" if why else word
    metric = declared.metrics().of(line.metric)
    text = metric.text(line.mean)
    if line.std is not None:
        text += f" ± {metric.text(line.std)}"
    if interval and line.span:
        text += f" [{metric.text(line.span.low)}, {metric.text(line.span.high)}]"
    if line.seeds < line.seeds_asked:
        return f"{text} ({line.seeds} of {line.seeds_asked})"
    return f"{text} ({line.seeds})" if line.seeds > 1 else text


def theirs(line: Line | None, notes: Notes) -> str:
    """The published number with its source as a footnote."""
    if line is None or line.published is None:
        return NONE
    mark, which = f" {ASSUMED}" if line.assumed else "", SAID_BY_KIND[line.published_kind]
    return f"{line.published}{mark} {notes.mark(f'{which}; {line.published_source}')}"


def minus(line: Line | None) -> str:
    """Ours minus theirs, whatever the kinds."""
    if line is None or line.mean_minus_published is None:
        return NONE
    return declared.metrics().of(line.metric).text(line.mean_minus_published, "+")


def over_floor(line: Line | None, kind: str) -> str:
    """Ours minus one of its floors."""
    difference = line.minus_floor(kind) if line else None
    if line is None or difference is None:
        return NONE if line and not line.floor else ""
    return declared.metrics().of(line.metric).text(difference, "+")


def like(line: Line | None, notes: Notes) -> str:
    """Ours of the kind theirs is, minus theirs, or why there is no such difference."""
    if line is None or line.published is None:
        return NONE
    if line.like_minus_published is None:
        return f"{NONE} {notes.mark(line.why_not)}"
    return declared.metrics().of(line.metric).text(line.like_minus_published, "+")


def explained(lines: list[Line]) -> list[str]:
    """What stands under a table that has published numbers in it."""
    marked = [MARKED] if any(line.assumed for line in lines) else []
    return [EXPLAINED, *marked] if lines else []
