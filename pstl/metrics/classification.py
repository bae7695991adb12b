"""Accuracy, confusion and F1 of class scores, exact over samples."""

import numpy as np
import torch
from torch import Tensor

from pstl.metrics.clips import ClipMetrics, on_clips
from pstl.metrics.metric import Metric
from pstl.ops.finite import check_rows

TOP1 = Metric("top1", title="Top-1 accuracy in percent", share_of_clips=True, unseen_shown=True)
TOP1_BEST = Metric("top1_best", label="top1, best epoch")
TOP5 = Metric("top5", share_of_clips=True)
MACRO_F1 = Metric("macro_f1", label="macro F1")
BEST_EPOCH = Metric("best_epoch", unit="epochs")
TOP1_EQUAL = Metric("top1_equal", label="top1, equal weights")  # of fused streams
TOP1_AT_EPOCH = Metric("top1_epoch_{}")

ACCURACIES = (TOP1, TOP5, MACRO_F1)
LOOKS = (TOP1, TOP1_BEST, TOP5, MACRO_F1, BEST_EPOCH)  # with the best of several epochs


def top_k(scores: Tensor, y: Tensor, k: int) -> Tensor:
    """Percent of rows whose class is among the k highest scores.

    scores: (N, classes), y: (N,).
    Of equal scores the lower class number comes first, as in argmax; NaN is above
    everything, so that it is never right.   Returns: scalar, on the device.

    >>> float(top_k(torch.tensor([[.1, .9], [.8, .2], [.7, .3]]), torch.tensor([1, 0, 1]), 1))
    66.66...
    """
    own = scores.gather(1, y[:, None])
    before = torch.arange(scores.shape[1], device=y.device) < y[:, None]
    ahead = ~(scores <= own) | ((scores == own) & before)
    return 100 * (ahead.sum(1) < min(k, scores.shape[1])).double().mean()


def confusion(scores: Tensor, y: Tensor) -> Tensor:
    """How often clips of one class (rows) are taken for another (columns).

    scores: (N, classes), y: (N,).   Returns: (classes, classes) int64.
    """
    classes = scores.shape[1]
    return torch.bincount(y * classes + scores.argmax(1), minlength=classes**2).view(
        classes, classes
    )


def macro_f1(matrix: Tensor) -> Tensor:
    """Mean F1 in percent over the classes that occur, as truth or as prediction.   matrix: of
    confusion().

    >>> float(macro_f1(torch.tensor([[1, 1], [0, 2]])))  # F1 2/3 and 4/5
    73.3...
    """
    right, asked, said = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    f1 = 2 * right.double() / (asked + said).clamp(min=1)
    return 100 * f1[(asked + said) > 0].mean()


def classification_metrics(scores: Tensor, y: Tensor) -> dict[str, float]:
    """top1, top5 and macro_f1 in percent.

    scores: (N, classes), y: (N,).
    Raises: UserError for scores that are not finite: what is compared with NaN is false, and that
    would be an accuracy.
    """
    check_rows(
        scores.detach().cpu().numpy(),
        "scores of the test clips",
        "clip {}".format,
        "lower the rate at which this task trains",
    )
    accuracy = {f"top{k}": float(top_k(scores, y, k)) for k in (1, 5)}
    return accuracy | {"macro_f1": float(macro_f1(confusion(scores, y)))}


def classified_clips(scores: Tensor, y: Tensor, unseen: np.ndarray) -> ClipMetrics:
    """The same of all test clips, and of those that repeat no training clip.

    scores: (N, classes), y: (N,), unseen: (N,) bool.
    """
    return on_clips(lambda clips: classification_metrics(scores[clips], y[clips]), unseen)
