"""Class scores of test clips: each class's accuracy and F1, and what is taken for what."""

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pstl import paths
from pstl.config import Cell, Run
from pstl.evaluation import scores
from pstl.evaluation.scores import Scores
from pstl.files import csv_text
from pstl.report.rows import AXES

CELL = ("dataset", "split", "task", *AXES, "batch_norm", "method", "stream")
CLASSES = (*CELL, "class", "clips", "seeds", "accuracy", "f1")
CONFUSION = (*CELL, "true", "predicted", "count")


class Scored(NamedTuple):
    """What a cell said of its test clips.

    predicted: (N,) class of the highest score; (0,) of a task that keeps no scores.
    classes: how many there are, 0 likewise.
    clips: the test clips, with their true classes y (N,), and what they are of; without scores.
    """

    cell: Cell
    predicted: np.ndarray
    classes: int
    clips: Scores

    @property
    def right(self) -> np.ndarray:
        """(N,) bool, whether each clip was classified right."""
        return self.predicted == self.clips.y


class Confused(NamedTuple):
    """counts: (true class, predicted class), summed over seeds.   names: of the classes."""

    counts: np.ndarray
    names: list[str]
    seeds: int


def read_scores(cells: Iterable[Cell]) -> list[Scored]:
    """What the cells that have a file of scores said, in the order of the cells."""
    scored = []
    for cell in cells:
        path = paths.scores(cell)
        if os.path.lexists(path):
            said = scores.read(path)
            points = said.points
            classes = points.shape[1] if points.size else 0
            predicted = points.argmax(1) if classes else np.zeros(0, int)
            clips = replace(said, points=points[:0])  # the scores themselves would fill the memory
            scored.append(Scored(cell, predicted, classes, clips))
    return scored


def class_names(run: Run, count: int) -> list[str]:
    """Names of the classes, from the data set's spec; numbers where it has none for them."""
    from pstl.registry import dataset_names, load_dataset

    numbers = [str(i + 1) for i in range(count)]
    if run.dataset not in dataset_names():
        return numbers
    classes = list(load_dataset(run.dataset).spec.classes)
    return classes if len(classes) >= count else numbers


def matrices(scored: Iterable[Scored]) -> dict[tuple[str, ...], Confused]:
    """Confusion matrices by CELL."""
    confused: dict[tuple[str, ...], Confused] = {}
    for cell, predicted, classes, clips in scored:
        if not classes:
            continue
        run = cell.run
        named = cell.identity
        axes = [str(named[axis]) for axis in AXES]
        key = (run.dataset, run.split, cell.task, *axes, cell.batch_norm, run.method, run.stream)
        empty = Confused(np.zeros((classes, classes), np.int64), class_names(run, classes), 0)
        before = confused.get(key, empty)
        np.add.at(before.counts, (clips.y, predicted), 1)
        confused[key] = before._replace(seeds=before.seeds + 1)
    return confused


def per_class_csv(confused: dict[tuple[str, ...], Confused]) -> str:
    """A line per cell and class, over all its seeds, in percent; a class without clips has none."""
    lines = []
    for key, (counts, names, seeds) in confused.items():
        for i in np.flatnonzero(counts.sum(1)):
            clips, predicted = int(counts[i].sum()), int(counts[:, i].sum())
            accuracy = 100 * counts[i, i] / clips
            f1 = 200 * counts[i, i] / (clips + predicted)
            lines.append([*key, names[i], clips // seeds, seeds, f"{accuracy:.4f}", f"{f1:.4f}"])
    return csv_text(CLASSES, lines)


def confusion_csv(confused: dict[tuple[str, ...], Confused]) -> str:
    """A line per cell, true and predicted class; what never happened is left out."""
    lines = []
    for key, (counts, names, _) in confused.items():
        for true, predicted in np.argwhere(counts):
            lines.append([*key, names[true], names[predicted], counts[true, predicted]])
    return csv_text(CONFUSION, lines)
