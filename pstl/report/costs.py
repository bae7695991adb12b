"""What a suite took: seconds and cells, counted here once and shown everywhere the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pstl.config import Cell
from pstl.report.rows import AXES, Results, Row

CELL = ("dataset", "split", "method", "stream", "seed", "batch_norm", "task", *AXES)

Key = tuple[str, ...]  # values of CELL


class Spent(NamedTuple):
    """What one task took.   cells: that have a number.   seconds: of all of them."""

    cells: int
    seconds: float


@dataclass(frozen=True)
class Costs:
    """runs: str(run) -> seconds of its pre-training.   tasks: task -> what it took."""

    runs: dict[str, float]
    tasks: dict[str, Spent]

    @property
    def of_training(self) -> float:
        """Seconds of pre-training in all."""
        return sum(self.runs.values())

    @property
    def of_tasks(self) -> float:
        """Seconds of tasks in all."""
        return sum(spent.seconds for spent in self.tasks.values())


def costs(results: Results, cells: Iterable[Cell]) -> Costs:
    """What runs and tasks took, as far as they have numbers.   cells: that the suite asks for."""
    runs = {name: run_seconds(record) for name, record in results.runs.items()}
    seconds: dict[str, dict[Key, float]] = {}
    for row in asked(results, cells):
        if row["value"] is not None:
            seconds.setdefault(row["task"], {})[cell_key(row)] = float(row["seconds"])
    tasks = {task: Spent(len(cells), sum(cells.values())) for task, cells in seconds.items()}
    return Costs(runs, tasks)


def run_seconds(record: Mapping[str, Any]) -> float:
    """What a run's training took, as its run.json says; 0 where that says nothing."""
    return float(record.get("seconds", 0))


def asked(results: Results, cells: Iterable[Cell]) -> list[Row]:
    """Rows of the cells that a suite asks for.

    States of the batch norms that came along with a cell of another state are left out. All rows of
    a cell carry the cell's seconds.
    """
    keys = {cell_key(cell.identity) for cell in cells}
    return [row for row in results.rows if cell_key(row) in keys]


def cell_key(row: Row) -> Key:
    """Which cell a row is of."""
    return tuple(str(row[name]) for name in CELL)
