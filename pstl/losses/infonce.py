"""InfoNCE against a queue of negatives, or within the batch.

Source: van den Oord et al., 2018, https://arxiv.org/abs/1807.03748; MoCo, He et al., CVPR 2020,
https://arxiv.org/abs/1911.05722; SCD-Net spec 5.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from pstl.errors import ShapeError
from pstl.ops.dtypes import at_least_float32


def logits(query: Tensor, key: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Similarities over temperature, the positive pair first.

    query: (n, D) or (kinds, n, D), several kinds of queries that share keys and negatives: one
    product serves them all.
    key: (n, D).
    negatives: (K, D).
    All rows of unit length.
    Returns: (n, 1 + K) or (kinds, n, 1 + K), float32 also under autocast.
    """
    if query.shape[-2:] != key.shape or negatives.shape[1:] != key.shape[1:]:
        shapes = tuple(query.shape), tuple(key.shape), tuple(negatives.shape)
        raise ShapeError(
            f"queries, keys and negatives of shapes {shapes}: expected (..., n, D), (n, D) and (K, "
            "D)"
        )
    with torch.autocast(query.device.type, enabled=False):
        query, key, negatives = query.float(), key.float(), negatives.float()
        positive = (query * key).sum(-1, keepdim=True)
        return torch.cat([positive, query @ negatives.T], dim=-1) / temperature


def info_nce(query: Tensor, key: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """-log of the share of the positive pair in the softmax over logits(), averaged over n.

    Returns: scalar, or one per kind.
    """
    scores = logits(query, key, negatives, temperature)
    return -F.log_softmax(scores, dim=-1)[..., 0].mean(-1)


def batch_logits(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """Cosine of every query with every key over temperature.

    The positive pairs stand on the diagonal.

    query, key: (n, D), of any length.   Returns: (n, n), at least float32, also under autocast.
    """
    if query.shape != key.shape or query.dim() != 2:
        shapes = f"{tuple(query.shape)}, {tuple(key.shape)}"
        raise ShapeError(f"queries and keys of shapes {shapes}: expected two (n, D) of one shape")
    with torch.autocast(query.device.type, enabled=False):
        query = F.normalize(at_least_float32(query), dim=1)
        key = F.normalize(at_least_float32(key), dim=1)
        return query @ key.T / temperature
