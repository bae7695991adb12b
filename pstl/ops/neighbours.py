"""Exact similarity search in blocks of queries and gallery, so that memory stays bounded for 100,000 x 100,000 clips."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK_ELEMENTS = 2**24  # numbers in a block, of similarities or of features: 128 MiB in float64


def blocks(queries: int, gallery: int) -> Iterator[slice]:
    """Slices over the queries, each small enough for its similarities with the whole gallery."""
    return _slices(queries, gallery)


def similarity(queries: Tensor, gallery: Tensor, metric: str) -> Tensor:
    """Larger is nearer: cosine, or minus the Euclidean distance.   (Q, D), (G, D) -> (Q, G) float64.

    In double precision, because untrained encoders put all clips so close together that float32 cosines tie, and then the
    order of summation would decide who is nearest. Of the gallery a block at a time is doubled.
    """
    queries = _prepared(queries, metric)
    found = queries.new_empty(len(queries), len(gallery))
    for part in _slices(len(gallery), gallery.shape[1]):
        found[:, part] = _compared(queries, _prepared(gallery[part], metric), metric)
    return found


def nearest(queries: Tensor, gallery: Tensor, k: int, metric: str) -> tuple[Tensor, Tensor]:
    """The k nearest gallery rows of every query, nearest first.   Returns: (Q, k) int64 indices, (Q, k) float64 similarities.

    Blocks of queries meet blocks of the gallery, and the best k so far are kept: beside the inputs, memory grows with Q k only.
    """
    k = min(k, len(gallery))
    side = max(k, int(BLOCK_ELEMENTS**0.5))
    indices, similarities = [], []
    for some in _slices(len(queries), max(side, queries.shape[1])):
        block = _prepared(queries[some], metric)
        best = block.new_empty(len(block), 0)
        index = torch.empty(len(block), 0, dtype=torch.int64, device=block.device)
        for part in _slices(len(gallery), max(len(block), gallery.shape[1])):
            found = _compared(block, _prepared(gallery[part], metric), metric)
            value, place = found.topk(min(k, found.shape[1]), dim=1)
            value, place = torch.cat([best, value], 1), torch.cat([index, place + part.start], 1)
            best, order = value.topk(min(k, value.shape[1]), dim=1)
            index = place.gather(1, order)
        indices.append(index)
        similarities.append(best)
    return torch.cat(indices), torch.cat(similarities)


def _slices(rows: int, width: int) -> Iterator[slice]:
    """Slices over rows of which each has `width` numbers in a block."""
    size = max(1, BLOCK_ELEMENTS // max(1, width))
    return (slice(i, min(i + size, rows)) for i in range(0, rows, size))


def _prepared(x: Tensor, metric: str) -> Tensor:
    return F.normalize(x.double(), dim=1) if metric == "cosine" else x.double()


def _compared(queries: Tensor, gallery: Tensor, metric: str) -> Tensor:
    return queries @ gallery.T if metric == "cosine" else -torch.cdist(queries, gallery)
