"""Ranks of the gallery rows of a query's class: values are sorted, not rows.

Distances decide where values cannot.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from pstl.ops import neighbours
from pstl.ops.distances import Comparison, product, slices

MOST_QUERIES = 256  # at once: more are no faster
# Into which the largest possible product is cut: whole numbers are sorted in half the time.
STEPS = 2.0**30
FEW = 2  # doubtful ranks of a query for which nothing else is prepared


def hit_ranks(
    queries: Tensor, wanted: Tensor, gallery: Tensor, classes: Tensor, metric: str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Ranks, from 1, of the gallery rows of each query's class, in neighbours.nearest()'s order.

    queries: (Q, D), wanted: (Q,) classes, gallery: (G, D), classes: (G,); metric as there.
    Yields: numbers of some queries, (n,), and ranks (n, hits) float64, ascending; infinity fills up
    the rows of classes with fewer hits.
    """
    size = max(1, min(MOST_QUERIES, len(queries), neighbours.BLOCK_ELEMENTS // len(gallery)))
    order = classes.argsort(stable=True)
    pairs = Comparison(queries, gallery, metric, torch.float64, order)
    ranking = Ranking(pairs, order, classes[order], size)
    for chosen in wanted.argsort(stable=True).split(size):
        yield chosen, ranking(chosen, wanted[chosen])


class Asked(NamedTuple):
    """Queries that are ranked together.

    queries: (n,) their numbers.   near: (n, G) their products with the sorted gallery, in steps.
    margin: (n, 1) of these, in steps.   first, end: (n, 1) where in the gallery their class is.
    """

    queries: Tensor
    near: Tensor
    margin: Tensor
    first: Tensor
    end: Tensor

    def of(self, rows: Tensor) -> "Asked":
        """Some of them.   rows: (m,) their places among these."""
        return Asked(*(column[rows] for column in self))

    def hits(self, rows: Tensor, places: Tensor) -> Tensor:
        """Whether these places in the gallery are of the class of these queries, both (m,)."""
        return (places >= self.first[rows, 0]) & (places < self.end[rows, 0])


class Ranking:
    """A gallery sorted by class, and room for the products of so many queries with it.

    order: (G,) numbers of the rows, classes: (G,) ascending.
    """

    def __init__(self, pairs: Comparison, order: Tensor, classes: Tensor, size: int) -> None:
        self.pairs, self.order, self.classes = pairs, order, classes
        self.largest = torch.linalg.vector_norm(pairs.right, dim=1).max()
        self.near = pairs.right.new_empty(size, len(classes))
        self.steps = pairs.right.new_empty(size, len(classes), dtype=torch.int32)

    def __call__(self, chosen: Tensor, wanted: Tensor) -> Tensor:
        """Ranks (n, hits) of the rows of class `wanted` for some queries, (n,) each."""
        left, margin = self.pairs.left(chosen)
        step = torch.linalg.vector_norm(left, dim=1, keepdim=True) * self.largest
        step = torch.maximum(step, 4 * margin) / STEPS
        near = product(left / step, self.pairs.right, self.near)
        first = torch.searchsorted(self.classes, wanted[:, None])
        end = torch.searchsorted(self.classes, wanted[:, None], right=True)
        asked = Asked(chosen, near, margin / step, first, end)
        column = first + torch.arange(max(1, int((end - first).max())), device=near.device)
        rank = self.ranks(asked, column)
        return rank.double().masked_fill_(column >= end, torch.inf)

    def ranks(self, asked: Asked, column: Tensor) -> Tensor:
        """Ranks (n, hits) of products of these columns, of the largest first.

        Beyond `end` anything.

        Whole steps are sorted, and only ranks that this leaves in doubt cost more.
        """
        total = asked.near.shape[1]
        value = asked.near.gather(1, column.clamp(max=total - 1))
        value = -ascending(value.neg_().masked_fill_(column >= asked.end, torch.inf))
        values = ascending(self.steps[: len(value)].copy_(asked.near))
        # Cut off, not rounded: numbers two apart are of products more than one apart.
        steps, gap = value.clamp(min=-1.5 * STEPS).int(), asked.margin.ceil().int()
        low = torch.searchsorted(values, steps - gap)
        beyond = (low + 1).clamp(max=total - 1)
        alone = (low == beyond) | (values.gather(1, beyond) > steps + gap)
        rank, doubtful = total - low, ~alone & (column < asked.end)
        row, hit = doubtful.nonzero(as_tuple=True)
        window = torch.zeros_like(rank)
        if len(row) > FEW * len(rank):
            high = torch.searchsorted(values, steps + gap, right=True)
            # Hits among themselves need no order: the ranks they take are the same.
            negative = (-steps).contiguous()
            first = torch.searchsorted(negative, negative - gap)
            last = torch.searchsorted(negative, negative + gap, right=True)
            others = high - low - last + first
            rank = torch.where(doubtful, total - high + column - asked.first - first + 1, rank)
            window = (high - low).masked_fill_(~doubtful | (others == 0), 0)
        elif len(row):
            high = torch.searchsorted(values[row], (steps + gap)[row, hit, None], right=True)
            window[row, hit] = high[:, 0] - low[row, hit]
        self.settle(asked, value, rank, window)
        return rank

    def settle(self, asked: Asked, value: Tensor, rank: Tensor, window: Tensor) -> None:
        """Put right the ranks (n, hits) which so many others may share.

        Where it is 0, the rank is certain.
        """
        total, width = self.pairs.right.shape
        doubtful = window > 0
        if not bool(doubtful.any()):
            return
        slow = doubtful.sum(1) * total + window.sum(1) * width > total * width // 4
        if bool(slow.any()):
            rows = slow.nonzero()[:, 0]
            row, number = self.by_distance(asked.of(rows)).nonzero(as_tuple=True)
            rank[rows[row], within(row)] = number + 1
        row, hit = (doubtful & ~slow[:, None]).nonzero(as_tuple=True)
        for part in slices(len(row), total, neighbours.BLOCK_ELEMENTS // 4):
            found = self.one_by_one(asked.of(row[part]), value[row[part]], hit[part, None])
            rank[row[part], hit[part]] = found

    def one_by_one(self, asked: Asked, value: Tensor, hit: Tensor) -> Tensor:
        """Ranks (n,) of single hits, (n, 1) of the products `value` (n, hits).

        Those certainly above are
        counted, and those too close are put in order.
        """
        mine = value.gather(1, hit)
        above, off = (value > mine + asked.margin).sum(1), asked.near - mine
        item, column = (off.abs() <= asked.margin).nonzero(as_tuple=True)
        rank = (off > asked.margin).sum(1) + 1
        if len(item) == len(rank):  # nobody else is close
            return rank
        number = self.order[column]
        order = self.pairs.order(item, self.pairs.distance(asked.queries[item], number), number)
        item, own = item[order], asked.hits(item, column)[order]
        place, item = within(item)[own], item[own]
        right = within(item) == (hit[:, 0] - above)[item]
        return rank.index_add(0, item[right], place[right])

    def by_distance(self, asked: Asked) -> Tensor:
        """Which ranks are hits, (n, G) bool, where nearly everything is too close."""
        place_of = self.order.argsort()
        hits = []
        for part in slices(len(asked.queries), len(place_of), neighbours.BLOCK_ELEMENTS // 8):
            place = place_of[self.pairs.all_ordered(asked.queries[part])[0]]
            hits.append((place >= asked.first[part]) & (place < asked.end[part]))
        return torch.cat(hits)


def within(group: Tensor) -> Tensor:
    """How many of its own group come before each, (n,).   group: (n,) ascending."""
    return torch.arange(len(group), device=group.device) - torch.searchsorted(group, group)


def ascending(values: Tensor) -> Tensor:
    """Rows (n, G) sorted, in place where that is faster."""
    if values.device.type != "cpu":
        return values.sort(dim=1).values
    values.numpy().sort(axis=1)  # fifteen times as fast as torch's, which keeps where they were
    return values
