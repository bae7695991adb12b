"""Looks at the test clips during a training: what papers print that choose their epoch by them.

The last epoch is the result. Looks change nothing, and choose nothing but the best of them.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from torch import Tensor

from pstl.metrics.classification import classification_metrics
from pstl.metrics.clips import on_clips
from pstl.metrics.metric import UNSEEN

Record = dict[str, float]
Curve = Sequence[Record]  # one record per epoch, {"epoch": from 0, ...}


def states(batch_norm: str, kept: bool = False) -> dict[str, str]:
    """Batch-norm state -> the name of its accuracy in a curve.

    The run's own, and beside a recalibrated one the released, in which papers test.
    kept: training has left the statistics as they were, so there are no others.
    """
    if kept or batch_norm == "released":
        return {batch_norm: "top1"}
    return {batch_norm: "top1", "released": "top1_released"}


def record(
    scores: Mapping[str, Tensor], y: Tensor, unseen: np.ndarray, named: Mapping[str, str]
) -> Record:  # fmt: skip
    """What a look adds to its epoch's record: top1 of every state, with and without repeated clips.

    scores: by state, (N, classes).   y: (N,).   unseen: (N,) bool.   named: as from states().
    """

    def top1(kept: Tensor) -> Record:
        """Accuracies of some clips (n,), by their numbers."""
        return {
            name: classification_metrics(scores[norm][kept], y[kept])["top1"]
            for norm, name in named.items()
        }

    return on_clips(top1, unseen)


def best_of(values: Mapping[int, float]) -> Record:
    """top1_best, and best_epoch, the first that reached it.

    values: by epoch from 1, ascending.
    """
    epoch = max(values, key=lambda each: values[each])
    return {"top1_best": values[epoch], "best_epoch": epoch}


def best(curve: Curve, name: str) -> Record:
    """best_of() the epochs looked at.   name: of the accuracy in those records that have one."""
    found: Record = {}
    for end, values in _looked(curve, name):
        found |= {f"{key}{end}": value for key, value in best_of(values).items()}
    return found


def at(curve: Curve, epochs: Sequence[int], name: str) -> Record:
    """top1_epoch_<n> of each of these epochs, from 1, all of which were looked at."""
    found: Record = {}
    for end, values in _looked(curve, name):
        found |= {f"top1_epoch_{epoch}{end}": values[epoch] for epoch in epochs}
    return found


def _looked(curve: Curve, name: str) -> Iterator[tuple[str, dict[int, float]]]:
    """Accuracies by epoch from 1, of all test clips and, where it is told, of those never seen."""
    for end in ("", UNSEEN):
        if name + end in curve[-1]:
            looked = [each for each in curve if name + end in each]
            yield end, {int(each["epoch"]) + 1: each[name + end] for each in looked}
