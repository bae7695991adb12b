"""Kept results (results/measured/) quoted in pages, so that nobody types a number.

A page marks the place:
<!-- results: FOLDER; task=linear,knn; stream=joint --> ... <!-- end of results -->
FOLDER is a folder with comparison.csv, or one that holds such folders; what follows keeps only the
rows with these values. `layout=matrix` sets tasks side by side, a row for every method.
`facts=wall time,machine` in place of choices quotes the head of its page.
`hub; weights=nwucla/simclr` quotes what cards of the hub say of their files.
"""

import csv
import os
import re
from pathlib import Path
from typing import Any

from pstl.errors import UserError
from pstl.files import Kind, read_text, reading, write_text
from pstl.hub.model_card import read_front_matter
from pstl.hub.places import MODEL_CARD
from pstl.hub.weights import CARD
from pstl.report import declared, text
from pstl.report.alike import LIKE, MINUS, SAID_BY_KIND
from pstl.report.rows import AXES, NOT_APPLICABLE, NOT_RUN, sound
from pstl.report.tables import (
    BOUNDS,
    COLUMNS,
    NONE,
    Line,
    has_published,
    headlines,
    main_metrics,
    of_a_part,
    signed,
)
from pstl.report.tables import MINUS as DIFFERENCES

PLACE = re.compile(
    r"(?P<start><!-- results: (?P<what>[^\n]*?) -->)\n.*?(?P<end><!-- end of results -->)", re.S
)
FACTS = "facts"  # instead of choices: names in the head of comparison.md
LAYOUT, MATRIX = "layout", "matrix"
WEIGHTS = "weights"  # instead of choices: names of weights below FOLDER, which is the hub
TOP1 = ("this file", "raw", "untrained")  # of a card: the file's own and its floors
CHOICES = ("task", "method", "stream", "dataset", "split", "setting", *AXES)
PAGE = Kind("page", "save it as text in UTF-8", "name a page of this project")
TABLE = Kind("table of kept results", "make it again with 'python -m pstl rebuild FOLDER'")


def quote(page: str | Path, root: str | Path = ".") -> int:
    """Fill every marked place of a page anew. Returns: how many there are.

    root: what FOLDER is relative to.
    Raises: UserError for a page without a mark, or a folder without results.
    """
    page = Path(page)
    before = read_text(page, PAGE)

    def filled_place(match: re.Match[str]) -> str:
        """A marked place with its table as it is now."""
        return f"{match['start']}\n{block(match['what'], Path(root))}\n{match['end']}"

    filled, places = PLACE.subn(filled_place, before)
    if not places:
        raise UserError(
            f"{page}: no place for results; "
            "mark one with <!-- results: FOLDER --> and <!-- end of results -->"
        )
    if filled != before:
        write_text(page, filled)
    return places


def block(what: str, root: Path) -> str:
    """What stands in one marked place: one table, or one under a heading for every folder below."""
    folder, *choices = what.split(";")
    folder = folder.strip()
    chosen = {}
    for choice in choices:
        name, _, values = choice.strip().partition("=")
        chosen[name] = values.split(",")
    names, weights = chosen.pop(FACTS, []), chosen.pop(WEIGHTS, [])
    layout = chosen.pop(LAYOUT, [])

    def shown(path: Path) -> str:
        """The table of one folder."""
        if names:
            return facts(path, names)
        lines = chosen_lines(path, chosen)
        return matrix(lines) if layout == [MATRIX] else table(lines)

    if unknown := set(chosen) - set(CHOICES):
        raise UserError(
            f"results: {what}: unknown {', '.join(sorted(unknown))}; "
            f"known: {', '.join((*CHOICES, FACTS, LAYOUT, WEIGHTS))}"
        )
    if weights:
        return cards(root / folder, weights)
    if os.path.lexists(root / folder / "comparison.csv"):
        return shown(root / folder)
    below = sorted(path.parent for path in (root / folder).glob("*/comparison.csv"))
    if not below:
        raise UserError(
            f"results: {folder}: no comparison.csv there; name a folder of results/measured"
        )
    blocks = []
    for path in below:
        blocks += [f"### {path.name}", shown(path)]
    return "\n\n".join(blocks)


def chosen_lines(folder: Path, chosen: dict[str, list[str]]) -> list[Line]:
    """Of one kept suite the main metric of each task, tasks in the order of the table."""
    lines = read(folder / "comparison.csv")
    judged = main_metrics(lines)
    shown = [line for line in headlines(lines) if not of_a_part(line)]
    shown = [line for line in shown if line.metric == judged.get(line.task)]
    for name, values in chosen.items():
        shown = [line for line in shown if str(getattr(line, name)) in values]
    shown = [line for line in shown if line.mean is not None]
    tasks = list(judged)
    shown.sort(key=lambda line: tasks.index(line.task))
    if not shown:
        raise UserError(
            f"{folder}/comparison.csv: no row is left by {chosen}; see the values in that file"
        )
    return shown


def matrix(lines: list[Line]) -> str:
    """A row for every method, a column for every task and stream, ours with its seeds."""
    cells: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    for line in lines:
        column = f"{line.label}, {line.stream}"
        columns += [column] if column not in columns else []
        seeds = f" ({line.seeds_text} seeds)" if line.std is not None else ""
        cells.setdefault(line.encoder, {})[column] = _ours(line) + seeds
    rows = [
        [name, *(row.get(column, NOT_RUN) for column in columns)] for name, row in cells.items()
    ]
    return text.table([f"{lines[0].dataset}, {lines[0].split}", *columns], rows)


def table(shown: list[Line]) -> str:
    """A row for every line: ours beside the papers'."""
    compared = has_published(shown)
    header = ["data", "task", "method", "stream", "ours", "seeds"]
    if compared:
        header += ["published", MINUS, LIKE]
    rows = []
    for line in shown:
        row = _row(line)
        if compared:
            row += _theirs(line)
        rows.append(row)
    return text.table(header, rows)


def facts(folder: Path, names: list[str]) -> str:
    """Rows of these names from the head of a kept page, such as its command and its wall time."""
    head, _, _ = read_text(folder / "comparison.md", PAGE).partition("\n## ")
    rows = []
    for name in names:
        match = re.search(rf"^\| {re.escape(name)} \| (.*) \|$", head, re.M)
        if match is None:
            raise UserError(f"{folder}/comparison.md: no {name!r} in its head; see its first table")
        rows.append([name, match[1].replace("\\|", "|")])
    return text.table(["", ""], rows)


def cards(hub: Path, names: list[str]) -> str:
    """What cards of the hub say of their files: top-1 on the test clips, beside both floors."""
    rows = []
    for name in names:
        card = hub / name / CARD
        with reading(card, MODEL_CARD):
            front = read_front_matter(card.read_text("utf-8"))
            numbers = [f"{front['top1'][key]:.1f}" for key in TOP1]
            rows.append([f"`{name}`", front["trained_on"], front["stream"], *numbers])
    return text.table(["weights", "data", "stream", "top1", "coordinates", "untrained"], rows)


def read(path: Path) -> list[Line]:
    """Lines as `tables.comparison_csv` wrote them. Raises: UserError for another file."""
    with reading(path, TABLE):
        rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise UserError(
            f"{path}: not a table of 'python -m pstl report' as it is now; "
            f"expected the columns {', '.join(COLUMNS)}; "
            f"make it again from its rows with 'python -m pstl rebuild {path.parent}'"
        )
    with reading(path, TABLE):
        return [_line(row) for row in rows]


def _line(row: dict[str, str]) -> Line:
    fields: dict[str, Any] = dict(row)
    for name in BOUNDS:
        del fields[name]
    for name in ("mean", "std", "published", "like", *DIFFERENCES):
        fields[name] = _number(row[name])
    for name in ("seeds", "seeds_asked"):
        fields[name] = int(row[name])
    return Line(**fields)


def _number(text: str) -> float | None:
    if text in ("", NONE, NOT_RUN, NOT_APPLICABLE):
        return None
    number = float(text)
    if not sound(number):
        raise ValueError(f"found {text}, expected a finite number")
    return number


def _row(line: Line) -> list[str]:
    task = line.label
    if line.setting:
        task += f" ({line.setting})"
    return [
        f"{line.dataset}, {line.split}",
        f"{task}: {line.metric}",
        line.encoder,
        line.stream,
        _ours(line),
        line.seeds_text,
    ]


def _ours(line: Line) -> str:
    """The mean with its deviation and unit, as the metric is printed."""
    metric = declared.metrics().of(line.metric)
    ours = line.reason if line.mean is None else metric.text(line.mean)
    if line.std is not None:
        ours += f" ± {metric.text(line.std)}"
    if line.mean is not None and metric.unit:
        ours += f" {metric.unit}"
    return ours


def _theirs(line: Line) -> list[str]:
    if line.published is None:
        return [NONE, NONE, NONE]
    mark = f" {text.ASSUMED}" if line.assumed else ""
    return [
        f"{line.published:g}{mark} ({SAID_BY_KIND[line.published_kind]})",
        signed(line.mean_minus_published),
        signed(line.like_minus_published),
    ]
