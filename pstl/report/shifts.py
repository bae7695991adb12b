"""What moved between two tables: of two suites, two runs of one, or two commits of a kept table."""

import math
import os
import statistics
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pstl import paths
from pstl.errors import UserError
from pstl.report import declared, interval, rebuild
from pstl.report.compare import KEY
from pstl.report.rows import MACHINE, Row
from pstl.report.tables import NONE
from pstl.report.text import table

ROWS = "rows.csv"
# What the rows of two tables may differ in besides the number: what was run, and on what.
SETTINGS = ("git", "data_checksum", "settings_digest", "weights", "labelled")
NAMED = {"git": "code", "data_checksum": "data", "settings_digest": "settings"}
NOT_RECORDED = "not recorded"
SHOWN = 12  # characters of a digest
MOST = 5  # values of one column that are written out

SAME = "the same"  # to the last digit, in every seed
LAST_DIGITS = "last digits"  # below what tables print
BETTER, WORSE = "better", "worse"  # the interval leaves out 0
WITHIN = "not told apart"
UNJUDGED = "too few seeds"
VERDICTS = (BETTER, WORSE, UNJUDGED, WITHIN, LAST_DIGITS, SAME)
PAIRED, WELCH = "seed by seed", "over the seeds of each"


class Shift(NamedTuple):
    """One cell that both tables have, from a to b.

    cell: its key, by name.   low, high: 95 % interval of the difference, None where it is not
    known.   how: what the interval is over, PAIRED or WELCH.
    """

    cell: dict[str, str]
    mean_a: float
    mean_b: float
    seeds_a: int
    seeds_b: int
    difference: float
    low: float | None
    high: float | None
    how: str
    verdict: str

    @property
    def name(self) -> str:
        """The cell in words."""
        c = self.cell
        task = c["task"] + (f" ({c['setting']})" if c["setting"] else "")
        axes = [f"{name}={c[name]}" for name in ("labels", "source", "protocol") if c[name]]
        place = f"{c['dataset']}, {c['split']}"
        return (
            f"{place}: {' '.join([task, *axes])}, {c['method']}, {c['stream']}, {c['batch_norm']}"
        )


class Difference(NamedTuple):
    """A column in which shared cells differ.   a, b: its values there.   cells: how many differ."""

    column: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    cells: int


class Shifts(NamedTuple):
    """Two tables.

    recorded: columns of MACHINE that one of them states.   lost, new: cells that one alone has a
    number of.
    """

    a: str
    b: str
    shared: list[Shift]
    differences: list[Difference]
    recorded: list[str]
    lost: int
    new: int

    def of(self, *verdicts: str) -> list[Shift]:
        """Cells with these verdicts, the largest difference first."""
        chosen = [shift for shift in self.shared if shift.verdict in verdicts]
        return sorted(chosen, key=lambda shift: -abs(shift.difference))

    @property
    def judged(self) -> int:
        """Cells of which an interval is known."""
        return len(self.of(BETTER, WORSE, WITHIN))


def is_table(name: str) -> bool:
    """Whether this names tables: a suite that was run, a folder with rows.csv, such a file, or
    COMMIT:FOLDER.
    """
    path = _folder(name)
    return ":" in name or path.name == ROWS or os.path.lexists(path / ROWS)


def _folder(name: str) -> Path:
    """The folder of tables that a name stands for: of a suite, the tables that its run made."""
    tables = Path(paths.results(name)) / "tables"
    return tables if "/" not in name and os.path.lexists(tables / ROWS) else Path(name)


def compare(a: str, b: str) -> Shifts:
    """Two tables as the command line names them, see is_table().

    Raises: UserError for what is no table, or a commit that does not hold it.
    """
    return between(a, read(a), b, read(b))


def read(name: str) -> list[Row]:
    """The rows of a table."""
    commit, colon, place = name.partition(":")
    if not colon:
        path = _folder(name)
        return rebuild.rows_of(path.parent if path.name == ROWS else path)
    file = place if place.endswith(ROWS) else f"{place.rstrip('/')}/{ROWS}"
    if not commit or commit.startswith("-"):
        raise UserError(f"{name}: expected COMMIT:FOLDER, e.g. HEAD~1:results/measured/nwucla-cpu")
    try:
        shown = subprocess.run(
            ["git", "show", f"{commit}:./{file}"], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"{name}: git does not answer ({error}); name a folder") from None
    if shown.returncode:
        reason = (shown.stderr.strip().splitlines() or ["nothing said"])[0]
        raise UserError(f"{name}: {reason}; see git log -- {file}")
    return rebuild.rows_from(shown.stdout, name)


def between(name_a: str, rows_a: Iterable[Row], name_b: str, rows_b: Iterable[Row]) -> Shifts:
    """What moved from a to b."""
    a, b = _cells(rows_a), _cells(rows_b)
    shared = [key for key in a if key in b]
    shifts = [_shift(key, a[key], b[key]) for key in shared]
    differences = []
    for column in (*SETTINGS, *MACHINE):
        if difference := _difference(column, [(a[key], b[key]) for key in shared]):
            differences.append(difference)
    states = [row for key in shared for row in (*a[key].values(), *b[key].values())]
    recorded = [column for column in MACHINE if any(row.get(column) for row in states)]
    return Shifts(
        name_a, name_b, shifts, differences, recorded, len(a.keys() - b), len(b.keys() - a)
    )


Seeds = dict[str, Row]  # seed -> its row


def _cells(rows: Iterable[Row]) -> dict[tuple[str, ...], Seeds]:
    cells: dict[tuple[str, ...], Seeds] = {}
    for row in rows:
        if row["value"] is not None:
            cells.setdefault(tuple(row[name] for name in KEY), {})[str(row["seed"])] = row
    return cells


def _shift(key: tuple[str, ...], a: Seeds, b: Seeds) -> Shift:
    cell = dict(zip(KEY, key, strict=True))
    values_a = [row["value"] for row in a.values()]
    values_b = [row["value"] for row in b.values()]
    mean_a, mean_b = statistics.fmean(values_a), statistics.fmean(values_b)
    numbers = (mean_a, mean_b, len(a), len(b), mean_b - mean_a)
    if a.keys() == b.keys():
        steps = [b[seed]["value"] - row["value"] for seed, row in a.items()]
        if verdict := _unmoved(cell["metric"], steps):
            return Shift(cell, *numbers, None, None, "", verdict)
        span, how = (_student(steps) if len(steps) > 1 else None), PAIRED
    else:
        span, how = (_welch(values_a, values_b) if min(len(a), len(b)) > 1 else None), WELCH
    if span is None:
        return Shift(cell, *numbers, None, None, "", UNJUDGED)
    return Shift(cell, *numbers, *span, how, _verdict(cell["metric"], span))


def _unmoved(metric: str, steps: list[float]) -> str:
    """What is to be said where no seed has moved by what tables print; "" where one has."""
    printed = 0.5 * 10 ** -declared.metrics().of(metric).decimals
    if not any(steps):
        return SAME
    return LAST_DIGITS if all(abs(step) < printed for step in steps) else ""


def _verdict(metric: str, span: tuple[float, float]) -> str:
    low, high = span
    if low <= 0 <= high:
        return WITHIN
    return BETTER if (low > 0) == declared.metrics().of(metric).higher_is_better else WORSE


def _student(steps: list[float]) -> tuple[float, float]:
    """Interval of the mean step from seed to the same seed."""
    mean, deviation = statistics.fmean(steps), statistics.stdev(steps)
    span = interval.over_seeds(mean, deviation, len(steps), percent=False)
    return span.low, span.high


def _welch(a: list[float], b: list[float]) -> tuple[float, float]:
    """Interval of the difference of two means with spreads of their own.   Source: Welch, 1947."""
    from scipy import stats  # an extra, as in interval.py

    parts = [statistics.variance(values) / len(values) for values in (a, b)]
    difference, error = statistics.fmean(b) - statistics.fmean(a), math.sqrt(sum(parts))
    if not error:
        return difference, difference
    counts = (len(a), len(b))
    freedom = sum(parts) ** 2 / sum(p**2 / (n - 1) for p, n in zip(parts, counts, strict=True))
    half = float(stats.t.ppf((1 + interval.CONFIDENCE) / 2, freedom)) * error
    return difference - half, difference + half


def _difference(column: str, pairs: list[tuple[Seeds, Seeds]]) -> Difference | None:
    """How two tables differ in a column; None if they do not, or neither states it."""
    all_a: dict[str, None] = {}
    all_b: dict[str, None] = {}
    cells = 0
    for a, b in pairs:
        here_a, here_b = _values(column, a), _values(column, b)
        if here_a != here_b:
            cells += 1
            all_a |= dict.fromkeys(here_a)
            all_b |= dict.fromkeys(here_b)
    return Difference(column, tuple(sorted(all_a)), tuple(sorted(all_b)), cells) if cells else None


def _values(column: str, seeds: Seeds) -> tuple[str, ...]:
    return tuple(sorted({str(row.get(column, "")) for row in seeds.values()}))


def said(values: tuple[str, ...]) -> str:
    """Values of a column as a reader sees them."""
    shown = [(value[:SHOWN] if _is_digest(value) else value) or NOT_RECORDED for value in values]
    more = f" and {len(shown) - MOST} more" if len(shown) > MOST else ""
    return ", ".join(shown[:MOST]) + more


def _is_digest(value: str) -> bool:
    return len(value) > SHOWN and set(value) <= set("0123456789abcdef")


def sentences(shifts: Shifts) -> list[str]:
    """What is to be said before any table."""
    counts = [f"{len(shifts.of(verdict))} {verdict}" for verdict in VERDICTS]
    lines = [f"{len(shifts.shared)} cells in both: {', '.join(counts)}"]
    if shifts.lost or shifts.new:
        lines.append(f"{shifts.lost} cells in a alone, {shifts.new} in b alone")
    if shifts.judged:
        chance = shifts.judged / 20
        lines.append(
            f"{shifts.judged} differences have a 95 % interval; where nothing moved, about "
            f"{chance:.0f} of them would leave out 0 by chance"
        )
    machine = [each for each in shifts.differences if each.column in MACHINE]
    if machine:
        names = ", ".join(each.column for each in machine)
        lines.append(f"they were not computed alike, so last digits may differ: {names}")
    elif shifts.recorded:
        lines.append(f"both were computed alike: {', '.join(shifts.recorded)}")
    if missing := [name for name in MACHINE if name not in shifts.recorded]:
        lines.append(f"not recorded of either: {', '.join(missing)}")
    return lines


def text(shifts: Shifts) -> str:
    """The comparison to read on a terminal: what moved, and what the two differ in."""
    blocks = [f"a  {shifts.a}\nb  {shifts.b}", "\n".join(sentences(shifts))]
    if shifts.differences:
        rows = []
        for each in shifts.differences:
            name = NAMED.get(each.column, each.column)
            rows.append([name, said(each.a), said(each.b), str(each.cells)])
        blocks.append(table(["differ in", "a", "b", "cells"], rows))
    moved = shifts.of(BETTER, WORSE, UNJUDGED)
    if moved:
        rows = [[row[0], *row[2:]] for row in map(cells_of, moved)]
        blocks.append(table(["cell", "metric", "a", "b", "b − a", "95 % interval", "b is"], rows))
    return "\n\n".join(blocks) + "\n"


def cells_of(shift: Shift) -> list[str]:
    """A cell in words, how its interval was made, metric, a, b, difference, interval, verdict."""
    metric = declared.metrics().of(shift.cell["metric"])
    bounds = NONE
    if shift.low is not None and shift.high is not None:
        bounds = f"{metric.text(shift.low, '+')} to {metric.text(shift.high, '+')}"
    return [
        shift.name,
        shift.how,
        shift.cell["metric"],
        f"{metric.text(shift.mean_a)} ({shift.seeds_a})",
        f"{metric.text(shift.mean_b)} ({shift.seeds_b})",
        metric.text(shift.difference, "+"),
        bounds,
        shift.verdict,
    ]


def as_record(shifts: Shifts) -> dict[str, Any]:
    """The same for a program."""
    return {
        "a": shifts.a,
        "b": shifts.b,
        "lost": shifts.lost,
        "new": shifts.new,
        "differences": [each._asdict() for each in shifts.differences],
        "cells": [shift._asdict() for shift in shifts.shared],
    }
