"""Exact similarity search in blocks of queries, so that memory stays bounded for 100,000 x 100,000 clips."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK_ELEMENTS = 2**25  # similarities held at once: 256 MiB in float64


def blocks(queries: int, gallery: int) -> Iterator[slice]:
    """Slices over the queries, each small enough for its similarities with the whole gallery."""
    size = max(1, BLOCK_ELEMENTS // max(1, gallery))
    return (slice(i, min(i + size, queries)) for i in range(0, queries, size))


def similarity(queries: Tensor, gallery: Tensor, metric: str) -> Tensor:
    """Larger is nearer: cosine, or minus the Euclidean distance.   (Q, D), (G, D) -> (Q, G) float64.

    In double precision, because untrained encoders put all clips so close together that float32 cosines tie, and then the
    order of summation would decide who is nearest.
    """
    queries, gallery = queries.double(), gallery.double()
    if metric == "cosine":
        return F.normalize(queries, dim=1) @ F.normalize(gallery, dim=1).T
    return -torch.cdist(queries, gallery)


def nearest(queries: Tensor, gallery: Tensor, k: int, metric: str) -> Tensor:
    """Indices of the k nearest gallery rows of every query, nearest first.   Returns: (Q, k) int64."""
    parts = [similarity(queries[part], gallery, metric).topk(k, dim=1).indices for part in blocks(len(queries), len(gallery))]
    return torch.cat(parts)
