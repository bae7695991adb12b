"""Distances between rows, and products of matrices that nearly tell them, with their error bound.

Cosine is the distance between directions: |u - w|^2 = 2 - 2 cos. So both metrics are one problem,
and close directions keep all digits of their distance, where a cosine of 1 - 1e-17 has lost them.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

CHUNK_ELEMENTS = 2**17  # numbers prepared at once: they stay in the cache
TINY = 2.0**-126  # below it float32 has fewer digits
TIE = 2.0**-48  # distances closer than this are equal: ten times the rounding of float64


class Comparison:
    """Queries (Q, D) and a gallery (G, D) of at least one row, compared by "cosine" or "euclidean".

    A row of zeros has no direction: its cosine with everything is 0. Products are of rows around
    the gallery's mean, so that what all rows have in common costs no digits.
    right: (G, width) factors of the gallery, in `order` if one is given.
    """

    def __init__(
        self,
        queries: Tensor,
        gallery: Tensor,
        metric: str,
        dtype: torch.dtype,
        order: Tensor | None = None,
    ) -> None:
        self.queries, self.gallery, self.cosine = queries, gallery, metric == "cosine"
        sizes = [torch.linalg.vector_norm(side, dim=1) for side in (queries, gallery)]
        self.blanks = self.cosine and any(bool((size == 0).any()) for size in sizes)
        # A power of two, which rounds nothing, keeps the squares of float32 within its range.
        self.unit = torch.ones_like(sizes[1][0], dtype=torch.double)
        if not self.cosine:
            self.unit = torch.ldexp(self.unit, -torch.frexp(sizes[1].max()).exponent)
        parts = list(slices(len(gallery), gallery.shape[1], CHUNK_ELEMENTS))
        sums = torch.stack([self._rows(gallery[part], 0).sum(0) for part in parts])
        self.centre = sums.sum(0) / len(gallery)
        self.right = gallery.new_empty(len(gallery), len(self.centre) + 1, dtype=dtype)
        far = torch.empty_like(sizes[1], dtype=torch.double)
        for part in parts:
            rows = self._around(gallery[part if order is None else order[part]], 0)
            self.right[part, :-1] = rows
            far[part] = rows.square_().sum(1)
        self.radius = far.max().sqrt()
        # What all have in common is taken off: small numbers are those that float32 tells apart.
        self.right[:, -1] = (far.mean() - far) / 2

    def left(self, chosen: slice | Tensor) -> tuple[Tensor, Tensor]:
        """Factors of some queries, (n, width), and their margins (n, 1) float64.

        left @ right.T is larger where the distance is smaller, and certainly so where two products
        differ by more than the margin: in any order of summation a product of n terms is wrong by
        less than n roundings of the sum of its absolute terms (Higham, Accuracy and Stability,
        3.1).
        """
        rows = self._around(self.queries[chosen], 1)
        far = torch.linalg.vector_norm(rows, dim=1, keepdim=True) + self.radius
        rounding = (rows.shape[1] + 16) * torch.finfo(self.right.dtype).eps / 2
        margin = 2 * (rounding * far * self.radius + self.equal(far) * far) + TINY
        return torch.cat([rows, torch.ones_like(far)], 1).to(self.right.dtype), margin

    def distance(self, query: Tensor, other: Tensor) -> Tensor:
        """Distances of pairs.

        query, other: (n,) numbers of queries and of gallery rows.
        (n,) float64.
        """
        made = [torch.zeros(0, dtype=torch.double, device=self.gallery.device)]
        for part in slices(len(query), self.gallery.shape[1], CHUNK_ELEMENTS):
            own, others = self.queries[query[part]], self.gallery[other[part]]
            made.append((self._rows(own, 1) - self._rows(others, 0)).square_().sum(1).sqrt())
        return torch.cat(made) / self.unit

    def all_ordered(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Every gallery row by its distance from some queries (n,): slow, without products.

        Returns: (n, G) numbers of rows, nearest first, and their distances.
        """
        rows, which = self._distinct
        own = self._rows(self.queries[query], 1)
        distance = torch.cdist(own, rows, compute_mode="donot_use_mm_for_euclid_dist")[:, which]
        distance, order = (distance / self.unit).sort(dim=1, stable=True)
        gap = distance.diff(dim=1)
        if bool(((gap > 0) & (gap <= self.equal(distance[:, 1:]))).any()):
            key = torch.arange(len(query), device=query.device).repeat_interleave(order.shape[1])
            again = self.order(key, distance.flatten(), order.flatten())
            order, distance = (x.flatten()[again].view_as(x) for x in (order, distance))
        return order, distance

    def order(self, key: Tensor, distance: Tensor, number: Tensor) -> Tensor:
        """Order of pairs (n,) by a key, then by distance; equal distances by number."""
        order = lexsort(distance, key)
        key, distance = key[order], distance[order]
        apart = distance.diff() > self.equal(distance[1:])
        level = torch.cat([key.new_zeros(min(1, len(key))), (apart | (key.diff() != 0)).cumsum(0)])
        return order[lexsort(number[order], level)]

    def equal(self, distance: Tensor) -> Tensor:
        """By how much another distance (n,) may differ and be equal, as a difference of rounding.

        Returns: same shape.
        """
        return torch.full_like(distance, TIE) if self.cosine else TIE * distance

    def similarity(self, distance: Tensor) -> Tensor:
        """Larger is nearer: the cosine, or minus the Euclidean distance; same shape."""
        return 1 - distance.square() / 2 if self.cosine else -distance

    @cached_property
    def _distinct(self) -> tuple[Tensor, Tensor]:
        """What is compared of the gallery, each row once, and where in it every row is, (G,)."""
        rows, which = torch.unique(self.gallery, dim=0, return_inverse=True)
        return self._rows(rows, 0), which

    def _around(self, x: Tensor, side: int) -> Tensor:
        return self._rows(x, side).sub_(self.centre)

    def _rows(self, x: Tensor, side: int) -> Tensor:
        """What is compared of rows (n, D): their directions, or they themselves in units. float64.

        Zeros get an axis of their own, another one on each side (0: gallery, 1: queries), so that
        they are at right angles to everything.
        """
        x = x.to(torch.double, copy=True)
        if not self.cosine:
            return x.mul_(self.unit)
        size = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        blank = size == 0
        x.div_(size.masked_fill_(blank, 1))
        return torch.cat([x, blank & (side == 0), blank & (side == 1)], 1) if self.blanks else x


def slices(rows: int, width: int, elements: int) -> Iterator[slice]:
    """Slices over rows of which each has `width` numbers in a block of so many elements."""
    size = max(1, elements // max(1, width))
    return (slice(i, min(i + size, rows)) for i in range(0, rows, size))


def lexsort(*keys: Tensor) -> Tensor:
    """Order by the last key, of equals by the one before it, and so on; keys: (n,) each."""
    order = keys[0].argsort(stable=True)
    for key in keys[1:]:
        order = order[key[order].argsort(stable=True)]
    return order


def product(left: Tensor, right: Tensor, out: Tensor | None = None) -> Tensor:
    """left @ right.T in the precision of its factors: the margins do not hold for TF32 or bf16.

    out: at least (n, G), whose first rows are written; fresh memory costs a tenth of the time.
    """
    out = left.new_empty(len(left), len(right)) if out is None else out[: len(left)]
    if left.device.type == "cpu":  # numpy's library is a quarter faster than torch's on an AMD
        np.matmul(left.numpy(), right.numpy().T, out=out.numpy())
        return out
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        return torch.mm(left, right.T, out=out)
    finally:
        torch.set_float32_matmul_precision(before)
