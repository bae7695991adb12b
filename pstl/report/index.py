"""index.html over all suites, kept or run: what each is and says, and what moved between them."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote as url_quote

from pstl.errors import UserError
from pstl.files import write_text
from pstl.report import declared, document, kept, paper, quote, shifts
from pstl.report.document import Cells, Section, Table, Text, number
from pstl.report.headline import headline
from pstl.report.kept import PAGE, Tables
from pstl.report.paper import same_method
from pstl.report.rows import MACHINE, Row
from pstl.report.shift_page import moved_table
from pstl.report.tables import Line, headlines, main_metrics, signed

COMPARISONS = "comparisons"  # folder beside the index: pages of `pstl compare --page`
PAPERS = "papers"
SHOWN = 15  # cells of one comparison on the page


class Link(NamedTuple):
    """Where something lies, relative to the page."""

    text: str
    href: str


@dataclass(frozen=True)
class Entry:
    """One suite in the list.   links: the first is the one its name leads to."""

    name: str
    suite: str
    summary: str
    headline: str
    links: list[Link]
    datasets: list[str]
    methods: list[str]
    tasks: list[str]
    date: str
    cost: str
    machine: str


@dataclass(frozen=True)
class Suites(Section):
    """The list of suites.   damaged: what could not be read, and why."""

    folds = "never"
    entries: list[Entry]
    damaged: list[str]
    roots: list[str]


@dataclass(frozen=True)
class Comparisons(Section):
    """What moved between every two suites that share cells.   pages: made by hand, see PAGES."""

    every: Table
    details: list[tuple[str, list[str], Table]]
    pages: list[Link]


@dataclass(frozen=True)
class Papers(Section):
    """Papers with a page, and where ours stand beside theirs."""

    pages: list[tuple[Link, int, int]]
    beside: Table


class Suite(NamedTuple):
    """Tables and the lines of their comparison."""

    tables: Tables
    lines: list[Line]


def build(roots: Sequence[Path], out: Path) -> list[str]:
    """Write the page. Returns: what could not be read, a line each.

    roots: folders below which tables lie, see kept.folders().
    """
    suites, damaged = [], []
    for folder in kept.folders(roots):
        try:
            suites.append(Suite(kept.read(folder), quote.read(folder / "comparison.csv")))
        except UserError as error:
            damaged.append(str(error))
    home = out.parent
    sections: list[Section] = [
        Suites(
            "suites",
            "Suites",
            "suites.html",
            [_entry(suite, home) for suite in suites],
            damaged,
            [root.as_posix() for root in roots],
        )
    ]
    if suites:
        sections += [_comparisons(suites, home), _papers(suites, home)]
    write_text(out, document.page("pstl: every suite", sections))
    return damaged


def _entry(suite: Suite, home: Path) -> Entry:
    tables, lines = suite
    methods = dict.fromkeys(line.method for line in lines if not line.floor)
    links = [_link(tables.folder / PAGE, home, "tables")]
    links += [_link(tables.folder / "rows.csv", home, "rows")]
    page = tables.folder.parent / "report" / "index.html"
    if tables.folder.name == "tables" and page.is_file():
        links.insert(0, _link(page, home, "page"))
    return Entry(
        tables.name,
        tables.suite,
        tables.summary,
        headline(lines),
        links,
        list(dict.fromkeys(line.dataset for line in lines)),
        list(methods),
        list(dict.fromkeys(line.task for line in lines)),
        _date(tables.folder / "rows.csv"),
        tables.facts.get("wall time", "").partition(":")[0],
        tables.facts.get("machine", "") or tables.facts.get("device", ""),
    )


def _comparisons(suites: list[Suite], home: Path) -> Comparisons:
    rows: list[Cells] = []
    details = []
    for a, b in combinations(suites, 2):
        pair = shifts.between(a.tables.name, _judged(a), b.tables.name, _judged(b))
        if not pair.shared:
            continue
        command = f"python -m pstl compare {a.tables.folder} {b.tables.folder}"
        counts = [number(str(len(pair.of(verdict)))) for verdict in shifts.VERDICTS]
        alike = ", ".join(each.column for each in pair.differences if each.column in MACHINE)
        shared = number(str(len(pair.shared)))
        rows.append([pair.a, pair.b, shared, *counts, alike, Text(command, "code")])
        if moved := pair.of(shifts.BETTER, shifts.WORSE, shifts.UNJUDGED)[:SHOWN]:
            title = f"{pair.a} and {pair.b}"
            details.append((title, shifts.sentences(pair), moved_table(title, moved)))
    header = ["a", "b", "cells in both", *(f"b {name}" for name in shifts.VERDICTS)]
    pages = [_link(path, home, path.stem) for path in sorted((home / COMPARISONS).glob("*.html"))]
    return Comparisons(
        "comparisons",
        "What moved between suites",
        "shifts.html",
        Table("Suites with cells in common", [*header, "computed otherwise", "all of it"], rows),
        details,
        pages,
    )


def _judged(suite: Suite) -> list[Row]:
    """Rows of the metrics that tasks are judged by; a page of all would hold a thousand."""
    judged = main_metrics(suite.lines)
    return [row for row in suite.tables.rows if row["metric"] == judged.get(row["task"])]


def _papers(suites: list[Suite], home: Path) -> Papers:
    beside: list[Cells] = []
    counts: dict[str, int] = {}
    for suite in suites:
        for line in headlines(suite.lines):
            if line.published is None or line.mean is None:
                continue
            name = same_method(line.method)
            counts[name] = counts.get(name, 0) + 1
            beside.append(_beside(suite, line))
    pages = []
    for path in sorted((home / PAPERS).glob("*.md")):
        file = paper.FOLDER / f"{path.stem}.csv"
        known = paper.read(file) if file.is_file() else []
        printed = sum(row.source != paper.UNVERIFIED for row in known)
        link = _link(path, home, path.stem)
        pages.append((link, printed, counts.get(same_method(path.stem), 0)))
    header = ["method", "data", "task", "stream", "ours", "printed", "like for like", "suite"]
    return Papers(
        "papers",
        "Papers: theirs beside ours",
        "papers.html",
        pages,
        Table("Numbers beside printed ones", header, beside),
    )


def _beside(suite: Suite, line: Line) -> Cells:
    metric = declared.metrics().of(line.metric)
    ours = metric.text(line.mean or 0.0)
    if line.span:
        ours += f" [{metric.text(line.span.low)}, {metric.text(line.span.high)}]"
    return [
        line.encoder,
        f"{line.dataset}, {line.split}",
        f"{line.label}: {line.metric}",
        line.stream,
        number(ours),
        number(f"{line.published:g}{' ?' if line.assumed else ''}"),
        number(signed(line.like_minus_published)),
        suite.tables.name,
    ]


def _link(path: Path, home: Path, words: str) -> Link:
    relative = Path(os.path.relpath(path, home)).as_posix()
    return Link(words, url_quote(relative))


def _date(file: Path) -> str:
    """When a table was made: of a kept one its last commit, of others the file's date."""
    git = ["git", "log", "-1", "--format=%cs", "--", file.name]
    try:
        said = subprocess.run(git, capture_output=True, text=True, timeout=30, cwd=file.parent)
        committed = said.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        committed = ""
    return committed or time.strftime("%Y-%m-%d", time.localtime(file.stat().st_mtime))
