"""The nearest rows of a gallery, exactly.

Products in float32 leave candidates, distances in float64 decide.
"""

import torch
from torch import Tensor

from pstl.ops.distances import Comparison, product

BLOCK_ELEMENTS = 2**24  # numbers held at once beside the inputs: 128 MiB in float64
GROUP = 64  # products of which only the largest is looked at, unless that is large enough
PLENTY = 64  # candidates for each query that are more than products should leave


def nearest(queries: Tensor, gallery: Tensor, k: int, metric: str) -> tuple[Tensor, Tensor]:
    """The k nearest gallery rows of every query, nearest first; of equals the lower number first.

    (Q, D), (G, D) -> (Q, k) int64 numbers of rows and (Q, k) float64 similarities, the cosine or
    minus the Euclidean distance; k at most G. What differs by rounding only is equal. The answer is
    the same for any block and device; beside the inputs memory grows with Q k and G D only.
    """
    k = min(k, len(gallery))
    index = torch.zeros(len(queries), k, dtype=torch.int64, device=gallery.device)
    distance = torch.zeros(len(queries), k, dtype=torch.double, device=gallery.device)
    if not index.numel():
        return index, distance
    search = Search(queries, gallery, k, metric)
    for start in range(0, len(queries), search.side):
        chosen = torch.arange(start, min(start + search.side, len(queries)), device=gallery.device)
        index[chosen], distance[chosen] = search(chosen)
    return index, search.pairs(torch.float32).similarity(distance)


class Search:
    """The k nearest of one block of queries after the other."""

    def __init__(self, queries: Tensor, gallery: Tensor, k: int, metric: str) -> None:
        self.compared, self.k = (queries, gallery, metric), k
        self.side = max(1, int(BLOCK_ELEMENTS**0.5) // 4)
        self.group = max(1, min(GROUP, len(gallery) // (8 * k)))
        self.kept: dict[torch.dtype, Comparison] = {}

    def __call__(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers and distances (n, k) of the nearest rows of some queries (n,)."""
        for dtype in (torch.float32, torch.float64):
            candidates = self.candidates(chosen, dtype)
            if candidates is not None:
                return self.decided(chosen, *candidates)
        rows = max(1, BLOCK_ELEMENTS // (8 * len(self.compared[1])))
        values, places = [], []
        for some in chosen.split(rows):
            number, distance = self.pairs(torch.float32).all_ordered(some)
            values.append(distance[:, : self.k])
            places.append(number[:, : self.k])
        return torch.cat(places), torch.cat(values)

    def pairs(self, dtype: torch.dtype) -> Comparison:
        """With products in this type; float64 is made only where float32 leaves too many
        candidates.
        """
        if dtype not in self.kept:
            self.kept[dtype] = Comparison(*self.compared, dtype)
        return self.kept[dtype]

    def candidates(self, chosen: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        """Pairs of a query and a gallery row, the k nearest of each query among them.

        chosen: (n,) queries.
        Returns: places in `chosen` and rows, (pairs,) each, rows in ascending order; None if
        products in this type leave too many.
        """
        left, margin = self.pairs(dtype).left(chosen)
        best = left.new_full((len(left), self.k), -torch.inf)
        found: list[tuple[Tensor, ...]] = []
        for start, right in self.tiles(self.pairs(dtype).right):
            near = product(left, right).unflatten(1, (-1, self.group))
            top = near.amax(2)
            best = self.better(best, near, top)
            least = best[:, -1:] - margin.to(dtype)
            query, group = (top >= least).nonzero(as_tuple=True)
            values = near[query, group]
            which, place = (values >= least[query]).nonzero(as_tuple=True)
            number = start + group[which] * self.group + place
            found.append((query[which], number, values[which, place]))
            if sum(len(part[0]) for part in found) > len(left) * max(PLENTY, 8 * self.k):
                return None
        query, number, value = (torch.cat(parts) for parts in zip(*found, strict=True))
        kept = value >= least[query, 0]
        return query[kept], number[kept]

    def better(self, best: Tensor, near: Tensor, top: Tensor) -> Tensor:
        """The k largest products so far, (n, k), largest first."""
        if self.k == 1:
            return torch.maximum(best, top.amax(1, keepdim=True))
        more = near.flatten(1)
        more = more.topk(min(self.k, more.shape[1]), dim=1).values
        return torch.cat([best, more], 1).topk(self.k, dim=1).values

    def decided(self, chosen: Tensor, query: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest k of each query's candidates: numbers and distances, (n, k) each."""
        pairs = self.pairs(torch.float32)
        distance = pairs.distance(chosen[query], number)
        order = pairs.order(query, distance, number)
        counts = torch.bincount(query, minlength=len(chosen))
        first = (counts.cumsum(0) - counts)[:, None] + torch.arange(self.k, device=query.device)
        return number[order][first], distance[order][first]

    def tiles(self, right: Tensor) -> list[tuple[int, Tensor]]:
        """Factors (G, D) of the gallery in parts of whole groups, with numbers of first rows."""
        step = self.group * max(1, 2 * self.side // self.group)
        parts = [(start, right[start : start + step]) for start in range(0, len(right), step)]
        start, last = parts[-1]
        if missing := -len(last) % self.group:
            filling = last.new_zeros(missing, last.shape[1])
            filling[:, -1] = -torch.finfo(last.dtype).max / 4  # farther than everything
            parts[-1] = start, torch.cat([last, filling])
        return parts
