"""What a suite took: seconds and cells, counted here once and shown everywhere the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pstl.report.joined import Joined
from pstl.report.rows import AXES, Row

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


def costs(everything: Joined) -> Costs:
    """What runs and tasks of a suite took, as far as they have numbers."""
    runs = {name: run_seconds(record) for name, record in everything.results.runs.items()}
    seconds: dict[str, dict[Key, float]] = {}
    for row in asked(everything):
        if row["value"] is not None:
            seconds.setdefault(row["task"], {})[cell_key(row)] = float(row["seconds"])
    tasks = {task: Spent(len(cells), sum(cells.values())) for task, cells in seconds.items()}
    return Costs(runs, tasks)


def run_seconds(record: Mapping[str, Any]) -> float:
    """What a run's training took, as its run.json says; 0 where that says nothing."""
    return float(record.get("seconds", 0))


def asked(everything: Joined) -> list[Row]:
    """Rows of the cells that the suite asks for.

    States of the batch norms that came along with a cell of another state are left out. All rows of
    a cell carry the cell's seconds.
    """
    cells = {cell_key(cell.identity) for cell in everything.params.grid(everything.suite)}
    return [row for row in everything.results.rows if cell_key(row) in cells]


def cell_key(row: Row) -> Key:
    """Which cell a row is of."""
    return tuple(str(row[name]) for name in CELL)
