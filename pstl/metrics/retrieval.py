"""Average precision of ranked neighbours."""

import torch
from torch import Tensor

from pstl.metrics.metric import Metric

RECALL_AT_1 = Metric("r1", share_of_clips=True, unseen_shown=True)
RECALL = Metric("r{}", share_of_clips=True)
MEAN_AVERAGE_PRECISION = Metric("map", title="Mean average precision in percent", unseen_shown=True)


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

    ranks: (Q, hits) float64 from 1, ascending; infinity where a query has fewer.
    Returns: (Q,) float64.
    """
    number = torch.arange(1, ranks.shape[1] + 1, device=ranks.device)
    return (number / ranks).sum(1) / ranks.isfinite().sum(1).clamp(min=1)
