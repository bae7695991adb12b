"""Paired tests as `paired.as_csv` wrote them, read again."""

import csv
import os
from pathlib import Path

from pstl.files import Kind, reading
from pstl.report.paired import HEADER, Pair, Verdict

FILE = Kind("table of paired tests", "take it from git again", "name a folder of kept results")
WHOLE = ("clips", "seeds_a", "seeds_b")


def read(path: str | Path) -> list[Pair]:
    """Its pairs; none where there is no such file, because no class scores were kept.

    Raises: UserError for another file.
    """
    if not os.path.lexists(path):
        return []
    with reading(path, FILE), Path(path).open(encoding="utf-8", newline="") as file:
        return [_pair(row) for row in csv.DictReader(file)]


def _pair(row: dict[str, str]) -> Pair:
    cells = [row[name] for name in HEADER]
    named = len(Pair._fields) - 1
    numbers: list[float | int | str] = []
    for name, cell in zip(Verdict._fields, cells[named:], strict=True):
        if name in WHOLE:
            numbers.append(int(cell))
        else:
            numbers.append(cell if name == "better" else float(cell))
    return Pair._make([*cells[:named], Verdict._make(numbers)])
