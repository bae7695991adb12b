"""What the stored test scores of a suite say beyond accuracy: each class's accuracy and F1, and what is taken for what."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pstl import paths
from pstl.config import Cell, Run
from pstl.evaluation import scores
from pstl.evaluation.scores import Scores
from pstl.report.text import csv_text

CLASSES = (
    "dataset",
    "split",
    "task",
    "batch_norm",
    "method",
    "stream",
    "class",
    "clips",
    "seeds",
    "accuracy",
    "f1",
)
CONFUSION = (
    "dataset",
    "split",
    "task",
    "batch_norm",
    "method",
    "stream",
    "true",
    "predicted",
    "count",
)


def read_scores(cell: Cell) -> Scores | None:
    """Class scores of one cell's test clips; None if there is no such file. Empty scores: the task keeps no classes."""
    path = Path(paths.scores(*cell[:3]))
    return scores.read(path) if os.path.lexists(path) else None


def class_names(run: Run, count: int) -> list[str]:
    """Names of the classes, from the data set's spec; numbers where it has none for them."""
    from pstl.registry import load_dataset, names

    known = (
        list(load_dataset(run.dataset).spec.classes)
        if run.dataset in names("data.datasets")
        else []
    )
    return known if len(known) >= count else [str(i + 1) for i in range(count)]


def matrices(cells: Iterable[Cell]) -> dict[tuple[str, ...], tuple[np.ndarray, list[str], int]]:
    """Confusion matrices (true, predicted), summed over seeds, with the names of the classes and the number of seeds.

    By (dataset, split, task, batch norm, method, stream).
    """
    sums: dict[tuple[str, ...], np.ndarray] = {}
    seeds: dict[tuple[str, ...], int] = defaultdict(int)
    names: dict[tuple[str, ...], list[str]] = {}
    for cell in cells:
        found, run = read_scores(cell), cell.run
        if found is None or not found.points.size:
            continue
        key = (run.dataset, run.split, cell.task, cell.batch_norm, run.method, run.stream)
        points = found.points
        np.add.at(
            sums.setdefault(key, np.zeros((points.shape[1],) * 2, np.int64)),
            (found.y, points.argmax(1)),
            1,
        )
        names[key] = class_names(run, points.shape[1])
        seeds[key] += 1
    return {key: (matrix, names[key], seeds[key]) for key, matrix in sums.items()}


def per_class_csv(found: dict[tuple[str, ...], tuple[np.ndarray, list[str], int]]) -> str:
    """A line per cell and class, over all its seeds, in percent; a class without test clips has none."""
    lines = []
    for key, (matrix, names, seeds) in found.items():
        for i in np.flatnonzero(matrix.sum(1)):
            asked, said = int(matrix[i].sum()), int(matrix[:, i].sum())
            accuracy, f1 = 100 * matrix[i, i] / asked, 200 * matrix[i, i] / (asked + said)
            lines.append([*key, names[i], asked // seeds, seeds, f"{accuracy:.4f}", f"{f1:.4f}"])
    return csv_text(CLASSES, lines)


def confusion_csv(found: dict[tuple[str, ...], tuple[np.ndarray, list[str], int]]) -> str:
    """A line per cell, true and predicted class; what never happened is left out."""
    return csv_text(
        CONFUSION,
        [
            [*key, names[i], names[j], matrix[i, j]]
            for key, (matrix, names, _) in found.items()
            for i, j in np.argwhere(matrix)
        ],
    )
