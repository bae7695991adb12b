"""What AimCLR adds to InfoNCE: distributions that follow another, and neighbours as positives.

Source: Guo et al., AAAI 2022, https://arxiv.org/abs/2112.03590; AimCLR spec 1.
"""

import torch
from torch import Tensor


def follow(log_p: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of distributions with one that they follow and that learns nothing from it.

    log_p: (..., n, K) logarithms, target: (n, K) logarithms.
    Returns: (...), averaged over n; the target's entropy where both are equal.
    """
    return -(target.detach().exp() * log_p).sum(-1).mean(-1)


def neighbours(scores: Tensor, count: int) -> Tensor:
    """Positives of each row: its own pair, and what any kind of its query finds nearest.

    scores: (kinds, n, 1 + K), the own pair first, then negatives.   count: nearest of each kind.
    Returns: (n, 1 + K) bool, of each row 1 + count to 1 + kinds * count places.
    """
    nearest = scores[..., 1:].topk(count, dim=-1).indices + 1  # (kinds, n, count)
    places = nearest.transpose(0, 1).flatten(1)
    positive = torch.zeros(scores.shape[1:], dtype=torch.bool, device=scores.device)
    positive[:, 0] = True
    return positive.scatter_(1, places, True)


def positives_nce(log_p: Tensor, positive: Tensor) -> Tensor:
    """InfoNCE of several positives: the mean over them of -log p, averaged over rows.

    log_p: (n, K), positive: (n, K) bool.   Returns: scalar.
    """
    return -((log_p * positive).sum(1) / positive.sum(1)).mean()
