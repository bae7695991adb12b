"""Metrics, exact over samples: nothing is averaged over batches."""

import torch
from torch import Tensor


def top_k(scores: Tensor, y: Tensor, k: int) -> Tensor:
    """Percent of rows whose class is among the k highest scores.   scores: (N, classes), y: (N,).   Returns: scalar, on the device.

    >>> float(top_k(torch.tensor([[.1, .9], [.8, .2], [.7, .3]]), torch.tensor([1, 0, 1]), 1))
    66.66...
    """
    best = scores.topk(min(k, scores.shape[1]), dim=1).indices
    return 100 * (best == y[:, None]).any(1).double().mean()


def average_precision(hits: Tensor) -> Tensor:
    """Mean precision at the ranks of the hits; 0 where a query has none.   hits: (Q, G) bool, best rank first.   Returns: (Q,)."""
    rank = torch.arange(1, hits.shape[1] + 1, device=hits.device)
    precision = hits.cumsum(1) / rank
    return (precision * hits).sum(1) / hits.sum(1).clamp(min=1)
