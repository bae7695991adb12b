"""What every task says about its test clips, and the standardisation that probes share."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pstl.errors import UserError
from pstl.metrics.classification import confusion, macro_f1, top_k
from pstl.metrics.metric import UNSEEN
from pstl.ops.finite import check_rows

ROUNDING = 1e-6  # a deviation below this share of a feature's size is rounding of float32, not a difference between clips


class ClipMetrics(dict[str, float]):
    """Metrics of test clips; `<name>_unseen` stands beside each where some of them repeat training clips. Made by on_clips()."""


def on_clips(measure: Callable[[Tensor], dict[str, float]], unseen: np.ndarray) -> ClipMetrics:
    """Metrics of all test clips, and of those that are no copies of training clips, where there are both kinds.

    measure: (N,) bool, which test clips -> their metrics, as if there were no others.   unseen: (N,) bool, False for copies.
    Every task on clips gives its metrics this way: none can forget the second figure, and one rule says what it is.
    """
    found = ClipMetrics(measure(torch.ones(len(unseen), dtype=torch.bool)))
    if unseen.any() and not unseen.all():
        found |= {
            f"{name}{UNSEEN}": value for name, value in measure(torch.from_numpy(unseen)).items()
        }
    return found


def accuracies(scores: Tensor, y: Tensor) -> dict[str, float]:
    """top1, top5 and macro_f1 in percent.   scores: (N, classes), y: (N,).

    Raises: UserError for scores that are not finite: what is compared with NaN is false, and that would be an accuracy.
    """
    check_rows(
        scores.detach().cpu().numpy(),
        "scores of the test clips",
        "clip {}".format,
        "lower the rate at which this task trains",
    )
    best = {f"top{k}": float(top_k(scores, y, k)) for k in (1, 5)}
    return best | {"macro_f1": float(macro_f1(confusion(scores, y)))}


def measures(scores: Tensor, y: Tensor, unseen: np.ndarray) -> ClipMetrics:
    """What every classification says of its scores.   scores: (N, classes), y: (N,), unseen: (N,) bool."""
    return on_clips(lambda kept: accuracies(scores[kept], y[kept]), unseen)


def check_sides(task: str, train: np.ndarray, test: np.ndarray, least: int = 1) -> None:
    """Raises: UserError if there are fewer than `least` training clips, or no test clips."""
    if len(train) < least or not len(test):
        raise UserError(
            f"{task}: {len(train)} training and {len(test)} test clips; expected at least {least} and 1"
        )


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[Tensor, Tensor]:
    """Both sides with the training clips' mean 0 and deviation 1 in each feature; one that never changes becomes 0.

    (N, D), (Q, D) -> the same shapes, float64, on the CPU.
    """
    mean, deviation = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    scale = np.divide(
        1.0, deviation, out=np.zeros_like(deviation), where=deviation > ROUNDING * np.abs(mean)
    )
    first, second = ((side - mean) * scale for side in (train, test))
    return torch.from_numpy(first), torch.from_numpy(second)


def normalised(train: np.ndarray, test: np.ndarray, how: str) -> tuple[Tensor, Tensor]:
    """Both sides as they are ("none"), "centred" on the training clips' mean, or "standardised".   Returns: the same shapes, float32."""
    if how == "standardised":
        first, second = standardised(train, test)
        return first.float(), second.float()
    shift = train.mean(0, dtype=np.float64) if how == "centred" else np.zeros(train.shape[1])
    # Subtracted in float64: clips of an untrained encoder differ in the last digits only.
    first, second = (
        torch.from_numpy(side if how == "none" else (side - shift).astype(np.float32))
        for side in (train, test)
    )
    return first, second


def distance(metric: str, normalise: str) -> str:
    """How the setting of a row says it; what is usual goes without saying."""
    return metric if normalise == "none" else f"{metric};{normalise}"
