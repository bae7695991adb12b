"""Ours minus the floors of the same cell: what training has added to posture and to chance weights.

Which cell is a floor of which is said by the settings (config/floors.py), not by names.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from pstl.config import Params
from pstl.report.paper import FOLDS
from pstl.report.rows import AXES, Row

MINUS = {"raw": "ours − coordinates", "untrained": "ours − untrained"}
EXPLAINED = (
    f"*{MINUS['raw']}*: minus the coordinates of the method's own recipe and stream as features; "
    f"*{MINUS['untrained']}*: minus its own encoder untrained, of the same seeds and fed alike."
)
# What names a cell whatever its seed.
CELL = ("dataset", "split", "task", *AXES, "batch_norm", "method", "stream")

Key = tuple[str, ...]  # values of CELL
Floors = Mapping[Key, Mapping[str, Key]]  # cell -> kind of floor -> its floor


def beside(params: Params, suite: str) -> Floors:
    """The floors of every cell of a suite, and of the means over folds."""
    cells: dict[Key, dict[str, Key]] = {}
    for cell, floors in params.floors(suite).items():
        for split in (cell.run.split, FOLDS):
            of_split = {kind: {**floor.identity, "split": split} for kind, floor in floors.items()}
            own = key_of({**cell.identity, "split": split})
            cells[own] = {kind: key_of(floor) for kind, floor in of_split.items()}
    return cells


def key_of(cell: Mapping[str, Any]) -> Key:
    """What names a cell, from its identity or one of its rows."""
    return tuple(str(cell[name]) for name in CELL)


def minus(ours: Sequence[Row], floor: Sequence[Row], kind: str) -> float | None:
    """Mean of ours minus that of a floor; None where one has none, or is of other seeds.

    ours, floor: rows of one cell, setting and metric, one for each seed. Coordinates have no seed,
    but labels may be drawn by it: where they have every seed of ours, and more, those count.
    """
    mine = {row["seed"]: row["value"] for row in ours if row["value"] is not None}
    theirs = {row["seed"]: row["value"] for row in floor if row["value"] is not None}
    if kind == "raw" and mine.keys() <= theirs.keys():
        theirs = {seed: theirs[seed] for seed in mine}
    if not mine or not theirs or (kind != "raw" and mine.keys() != theirs.keys()):
        return None
    return statistics.fmean(mine.values()) - statistics.fmean(theirs.values())
