"""Metrics, exact over samples: nothing is averaged over batches."""

import torch
from torch import Tensor


def top_k(scores: Tensor, y: Tensor, k: int) -> Tensor:
    """Percent of rows whose class is among the k highest scores.

    scores: (N, classes), y: (N,).   Of equal scores the lower class number comes first, as in argmax; NaN is above
    everything, so that it is never right.   Returns: scalar, on the device.

    >>> float(top_k(torch.tensor([[.1, .9], [.8, .2], [.7, .3]]), torch.tensor([1, 0, 1]), 1))
    66.66...
    """
    own = scores.gather(1, y[:, None])
    before = torch.arange(scores.shape[1], device=y.device) < y[:, None]
    ahead = ~(scores <= own) | ((scores == own) & before)
    return 100 * (ahead.sum(1) < min(k, scores.shape[1])).double().mean()


def average_precision(hits: Tensor) -> Tensor:
    """Mean precision at the ranks of the hits; 0 where a query has none.

    hits: (Q, G) bool, best rank first.   Returns: (Q,) float64.
    """
    rank = torch.arange(1, hits.shape[1] + 1, device=hits.device)
    precision = hits.cumsum(1, dtype=torch.double).div_(
        rank
    )  # float32 would lose digits among 100,000
    return precision.mul_(hits).sum(1) / hits.sum(1).clamp(min=1)


def precision_at(ranks: Tensor) -> Tensor:
    """The same by the ranks of the hits.

    ranks: (Q, hits) float64 from 1, ascending; infinity where a query has fewer.   Returns: (Q,) float64.
    """
    number = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
    return (number / ranks).sum(1) / ranks.isfinite().sum(1).clamp(min=1)


def confusion(scores: Tensor, y: Tensor) -> Tensor:
    """How often clips of one class (rows) are taken for another (columns).

    scores: (N, classes), y: (N,).   Returns: (classes, classes) int64.
    """
    classes = scores.shape[1]
    return torch.bincount(y * classes + scores.argmax(1), minlength=classes**2).view(
        classes, classes
    )


def macro_f1(matrix: Tensor) -> Tensor:
    """Mean F1 in percent over the classes that occur, as truth or as prediction.   matrix: of confusion().

    >>> float(macro_f1(torch.tensor([[1, 1], [0, 2]])))  # F1 2/3 and 4/5
    73.3...
    """
    right, asked, said = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    f1 = 2 * right.double() / (asked + said).clamp(min=1)
    return 100 * f1[(asked + said) > 0].mean()
