"""The mean over a data set's folds, which papers print, as a row beside those of the folds."""

import statistics

from pstl.registry import dataset_names, load_dataset
from pstl.report.paper import FOLDS
from pstl.report.rows import AXES, Row

CELL = ("dataset", "task", *AXES, "setting", "batch_norm", "method", "stream", "metric", "seed")
Group = dict[str, Row]  # split -> the row of one cell and seed


def with_means(rows: list[Row]) -> list[Row]:
    """The rows, and one of the split FOLDS for each cell and seed that has a row in every fold.

    It has the mean over the folds, or where a fold has no number none, and that fold's reason.
    """
    folds = {dataset: _folds_of(dataset) for dataset in {row["dataset"] for row in rows}}
    groups: dict[tuple[str, ...], Group] = {}
    for row in rows:
        if row["split"] in folds[row["dataset"]]:
            cell = tuple(row[name] for name in CELL)
            groups.setdefault(cell, {})[row["split"]] = row
    means = []
    for group in groups.values():
        of_cell = list(group.values())
        if len(of_cell) == len(folds[of_cell[0]["dataset"]]):
            means.append(_mean(of_cell))
    return [*rows, *means]


def _folds_of(dataset: str) -> tuple[str, ...]:
    """Of a data set that kept rows may name and that is no more, none."""
    if dataset not in dataset_names():
        return ()
    return load_dataset(dataset).spec.folds


def _mean(of_cell: list[Row]) -> Row:
    """One cell's rows of all folds as one; what is not of the number is the last fold's."""
    lacking = [row for row in of_cell if row["value"] is None]
    mean = None if lacking else statistics.fmean(row["value"] for row in of_cell)
    checksum = "+".join(str(row["data_checksum"]) for row in of_cell)
    reason = lacking[0]["reason"] if lacking else ""
    changed = {"split": FOLDS, "value": mean, "reason": reason, "data_checksum": checksum}
    return {**of_cell[-1], **changed}
