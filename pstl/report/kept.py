"""Kept results (results/measured/) quoted in pages: numbers in README.md and docs/ are put there by a command, never typed.

A page marks the place: <!-- results: FOLDER; task=linear,knn; stream=joint --> ... <!-- end of results -->. FOLDER is a folder with
comparison.csv, or one that holds such folders; what follows keeps only the rows with these values.
"""

import csv
import re
from dataclasses import fields
from pathlib import Path

from pstl.errors import UserError
from pstl.files import atomic
from pstl.report import markdown
from pstl.report.rows import NOT_APPLICABLE, NOT_RUN
from pstl.report.tables import BOUNDS, NONE, Line, headlines, main_metrics

PLACE = re.compile(r"(?P<start><!-- results: (?P<what>[^\n]*?) -->)\n.*?(?P<end><!-- end of results -->)", re.S)
CHOICES = ("task", "method", "stream", "dataset", "split", "setting")
UNITS = {"mpjpe": "mm"}


def quote(page: str | Path, root: str | Path = ".") -> int:
    """Fill every marked place of a page anew. Returns: how many there are.   root: what FOLDER is relative to.

    Raises: UserError for a page without a mark, or a folder without results.
    """
    page = Path(page)
    try:
        text = page.read_text()
    except OSError as error:
        raise UserError(f"{page}: cannot be read ({error.strerror})") from None
    filled, places = PLACE.subn(lambda match: f"{match['start']}\n{block(match['what'], Path(root))}\n{match['end']}", text)
    if not places:
        raise UserError(f"{page}: no place for results; mark one with <!-- results: FOLDER --> and <!-- end of results -->")
    if filled != text:
        with atomic(page) as new:
            new.write_text(filled)
    return places


def block(what: str, root: Path) -> str:
    """What stands in one marked place: one table, or one under a heading for every folder below."""
    folder, *choices = (part.strip() for part in what.split(";"))
    chosen = {name: values.split(",") for name, _, values in (choice.partition("=") for choice in choices)}
    if unknown := set(chosen) - set(CHOICES):
        raise UserError(f"results: {what}: unknown {', '.join(sorted(unknown))}; known: {', '.join(CHOICES)}")
    if (root / folder / "comparison.csv").is_file():
        return table(root / folder, chosen)
    below = sorted(path.parent for path in (root / folder).glob("*/comparison.csv"))
    if not below:
        raise UserError(f"results: {folder}: no comparison.csv there; name a folder of results/measured")
    return "\n\n".join(f"### {path.name}\n\n{table(path, chosen)}" for path in below)


def table(folder: Path, chosen: dict[str, list[str]]) -> str:
    """The headline of one kept suite: for each task its main metric, ours beside the papers'."""
    lines = read(folder / "comparison.csv")
    judged = main_metrics(lines)
    shown = [line for line in headlines(lines) if line.metric == judged.get(line.task) and line.mean is not None]
    shown = [line for line in shown if all(str(getattr(line, name)) in values for name, values in chosen.items())]
    shown.sort(key=lambda line: list(judged).index(line.task))
    if not shown:
        raise UserError(f"{folder}/comparison.csv: no row is left by {chosen}; see the values in that file")
    header = ["data", "task", "method", "stream", "ours", "seeds", "paper", "difference"]
    return markdown.table(header, [_row(line) for line in shown])


def read(path: Path) -> list[Line]:
    """Lines as `tables.comparison_csv` wrote them. Raises: UserError for another file."""
    with open(path, newline="") as stream:
        found = list(csv.DictReader(stream))
    names = {f.name for f in fields(Line)}
    # Tables kept earlier have no reasons and no intervals.
    if not found or names - set(found[0]) - {"reason"} or set(found[0]) - names - set(BOUNDS):
        raise UserError(f"{path}: not a table of 'python -m pstl report'; expected the columns {', '.join(sorted(names))}")
    return [_line(row) for row in found]


def _line(row: dict[str, str]) -> Line:
    words = ("", NONE, NOT_RUN, NOT_APPLICABLE)
    numbers = {name: None if row[name] in words else float(row[name]) for name in ("mean", "std", "published", "difference")}
    counts = {name: int(row[name]) for name in ("seeds", "seeds_asked")}
    reason = row.get("reason") or (NOT_RUN if numbers["mean"] is None else "")
    own = {name: value for name, value in row.items() if name not in BOUNDS}
    return Line(**{**own, **numbers, **counts, "reason": reason})  # type: ignore[arg-type]


def _row(line: Line) -> list[str]:
    spread = "" if line.std is None else f" ± {line.std:.1f}"
    unit = f" {UNITS[line.metric]}" if line.metric in UNITS else ""
    ours = line.reason if line.mean is None else f"{line.mean:.1f}{spread}{unit}"
    seeds = str(line.seeds) if line.seeds == line.seeds_asked else f"{line.seeds} of {line.seeds_asked}"
    task = line.task + (f" ({line.setting})" if line.setting else "")
    paper = NONE if line.published is None else f"{line.published:g}"
    difference = NONE if line.difference is None else f"{line.difference:+.1f}"
    return [f"{line.dataset}, {line.split}", f"{task}: {line.metric}", line.method, line.stream, ours, seeds, paper, difference]
