"""Tables of kept results (results/measured/), made again from their rows."""

import csv
import math
import re
from pathlib import Path
from typing import NamedTuple

from pstl.config import EARLIER_FUSED, FUSED, Compared, Params, comparison_key, floor_kind
from pstl.errors import UserError
from pstl.files import Kind, read_text, reading, write_text
from pstl.report import floors, markdown, plots
from pstl.report.compare import compare
from pstl.report.drawing import grid, save
from pstl.report.joined import looks_of
from pstl.report.paper import Published, load
from pstl.report.rows import AXES, FIELDS, LATER, NOT_RUN, Row
from pstl.report.tables import Line, comparison_csv

ROWS = Kind("table of rows", "take it from git again", "name a folder of results/measured")
PAGE = Kind("page of kept results", "take it from git again", "name a folder of results/measured")


def rebuild(params: Params, folder: str | Path) -> None:
    """Make comparison.csv and comparison.md of kept results again, from rows.csv beside them.

    Published numbers are today's. What rows do not hold stays as it is: the head of comparison.md,
    the plots, the summary.
    Raises: UserError for a folder without these files.
    """
    kept = read(params, Path(folder))
    sections = markdown.body(kept.lines, kept.published, kept.rules)
    write_text(kept.folder / "comparison.csv", comparison_csv(kept.lines))
    text = "\n\n".join([kept.head.rstrip("\n"), *sections])
    write_text(kept.folder / "comparison.md", text + "\n")


def redraw(params: Params, folder: str | Path) -> None:
    """Draw the pictures of kept results again that follow from rows, where there is something.

    Raises: UserError for a folder without these files.
    """
    kept = read(params, Path(folder))
    looks = looks_of(kept.lines, params)
    for name, charts in plots.of_lines(kept.lines, looks, kept.rules, {}).items():
        path = kept.folder / f"{name}.png"
        if charts:
            save(grid(charts, ""), path)
        else:
            path.unlink(missing_ok=True)


class Kept(NamedTuple):
    """Kept rows beside today's published numbers.

    head: of comparison.md.   rules: as from few_labels.label_rules().
    """

    folder: Path
    head: str
    lines: list[Line]
    published: list[Published]
    rules: dict[str, str]


def read(params: Params, folder: Path) -> Kept:
    """Read one folder. Raises: UserError for a folder without these files."""
    rows, page = rows_of(folder), read_text(folder / "comparison.md", PAGE)
    head, _, _ = page.partition("\n## ")
    suite, published = suite_of(head, folder), load()
    today = suite in params.suites
    # A suite of another day: how it evaluated is not said.
    unknown = {_key(row): Compared(row["task"], own=False) for row in rows}
    compared = params.compared(suite) if today else {}
    floors_of = floors.beside(params, suite) if today else {}
    name_floors(params, suite if today else "", rows)
    lines = compare(rows, published, {**unknown, **compared}, floors_of)
    rules = _label_rules(params, suite, rows) if today else {}
    return Kept(folder, head, lines, published, rules)


def rows_of(folder: Path) -> list[Row]:
    """rows.csv as `tables.rows_csv` wrote it. Raises: UserError for another file."""
    with reading(folder / "rows.csv", ROWS):
        text = (folder / "rows.csv").read_text("utf-8")
    return rows_from(text, f"{folder}/rows.csv")


def rows_from(text: str, where: str) -> list[Row]:
    """The rows of a table that is not a file.   where: what a message calls it."""
    try:
        rows: list[Row] = list(csv.DictReader(text.splitlines()))
        if any(None in row or None in row.values() for row in rows):
            raise ValueError("a row with fewer or more cells than columns")
    except (ValueError, csv.Error) as error:
        raise UserError(f"{where}: not a {ROWS.name} ({error}); {ROWS.again}") from None
    if not rows or set(FIELDS) - set(LATER) - set(rows[0]):
        raise UserError(
            f"{where}: not a table of 'python -m pstl report'; "
            f"expected the columns {', '.join(FIELDS)}"
        )
    for number, row in enumerate(rows):
        row.update({axis: row.get(axis, "") for axis in AXES})
        row["stream"] = FUSED if row["stream"] == EARLIER_FUSED else row["stream"]
        row["value"] = _value(row["value"], f"{where}, row {number + 1}")
        row["floor"] = row.get("floor", "")
        row["reason"] = row.get("reason") or ("" if row["value"] is not None else NOT_RUN)
    return rows


def suite_of(head: str, folder: Path) -> str:
    """The suite that a page is of, by its first line. Raises: UserError for another page."""
    match = re.match(r"# Results of the suite `([^`]+)`", head)
    if match is None:
        raise UserError(
            f"{folder}/comparison.md: expected '# Results of the suite `NAME`' in its first line"
        )
    return match[1]


def _key(row: Row) -> str:
    return comparison_key(row["method"], row["task"], row["source"], row["protocol"])


def name_floors(params: Params, suite: str, rows: list[Row]) -> None:
    """Say of rows of earlier versions which methods learn nothing.

    suite: empty for one of another day.
    """
    entries = params.entries(suite) if suite else params.entries_in_paper()
    kinds: dict[str, str] = {}
    for name in dict.fromkeys(row["method"] for row in rows):
        if name in entries.method_names:
            kinds[name] = floor_kind(entries.method(name))
    for row in rows:
        row["floor"] = row["floor"] or kinds.get(row["method"], "")


def _label_rules(params: Params, suite: str, rows: list[Row]) -> dict[str, str]:
    """Method entry -> the rule that drew its labels, from its settings: the runs are not kept."""
    entries = params.methods.keys() | params.suite_named(suite).methods.keys()
    rules: dict[str, str] = {}
    for name in dict.fromkeys(row["method"] for row in rows):
        if name in entries:
            method = params.method(suite, name)
            if method.labels is not None:
                rules[name] = method.label_rule
    return rules


def _value(text: str, where: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise UserError(f"{where}: value {text!r}, expected a finite number or nothing")
    return value
