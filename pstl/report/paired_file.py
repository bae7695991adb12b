"""Paired tests as a file: written, and read again where they are kept."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from pstl.files import Kind, csv_text, reading
from pstl.report.paired import Pair, Verdict

FILE = Kind("table of paired tests", "take it from git again", "name a folder of kept results")
HEADER = (
    "dataset", "split", "task", "labels", "protocol", "stream", "batch_norm", "a", "b",
    "accuracy_a", "accuracy_b", "difference", "low", "high", "p", "better", "clips", "seeds_a",
    "seeds_b",
)  # fmt: skip
WHOLE = ("clips", "seeds_a", "seeds_b")


def as_csv(table: Iterable[Pair]) -> str:
    """One line per pair."""
    lines = []
    for pair in table:
        verdict = [f"{v:.4f}" if isinstance(v, float) else v for v in pair.verdict]
        lines.append([*pair[:-1], *verdict])
    return csv_text(HEADER, lines)


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
