"""Metrics of test clips, with and without those that repeat training clips."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pstl.metrics.metric import UNSEEN


class ClipMetrics(dict[str, float]):
    """Metrics of test clips, made by on_clips().

    `<name>_unseen` stands beside each where some test clips repeat training clips.
    """


def on_clips(measure: Callable[[Tensor], dict[str, float]], unseen: np.ndarray) -> ClipMetrics:
    """Metrics of all test clips, and of those that repeat no training clip, where there are both.

    Every task on clips gives its metrics this way: none can forget the second figure, and one rule
    says what it is.
    measure: (N,) bool, the test clips that count -> their metrics, as if there were no others.
    unseen: (N,) bool, False for test clips that repeat training clips.
    """
    metrics = ClipMetrics(measure(torch.ones(len(unseen), dtype=torch.bool)))
    if unseen.any() and not unseen.all():
        without_copies = measure(torch.from_numpy(unseen))
        metrics |= {f"{name}{UNSEEN}": value for name, value in without_copies.items()}
    return metrics
