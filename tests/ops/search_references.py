"""Search once more in plain Python, with exact fractions.

What is faster is held against it where everything ties.
"""

from fractions import Fraction

import numpy as np


def order(query: list[int], gallery: list[list[int]], metric: str) -> list[int]:
    """Gallery rows of whole numbers, nearest first, of equals the lower number first."""
    return sorted(range(len(gallery)), key=lambda i: (distance(query, gallery[i], metric), i))


def distance(query: list[int], row: list[int], metric: str) -> Fraction:
    """What grows with the distance.

    Its square, or, for one query, minus the square of the cosine with its sign.
    """
    if metric == "euclidean":
        return Fraction(sum((a - b) ** 2 for a, b in zip(query, row, strict=True)))
    dot, size = sum(a * b for a, b in zip(query, row, strict=True)), sum(b * b for b in row)
    return -Fraction(dot * abs(dot), size) if size else Fraction(0)


def average_precision(hits: list[bool]) -> float:
    """Mean over the hits of the share of hits up to each; 0 without one."""
    shares = [sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]
    return sum(shares) / len(shares) if shares else 0.0


def majority(classes: list[int]) -> int:
    """The class with most votes, of equals the one that comes first.

    classes: of the neighbours, nearest first.
    """
    return max(dict.fromkeys(classes), key=classes.count)


def crowded(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Queries and gallery of whole numbers, (Q, D) and (G, D) float32, in which much is equal or
    nothing has a direction.
    """
    width, sizes = int(rng.integers(1, 5)), rng.integers(1, 12, 2)
    queries, gallery = (rng.integers(-2, 3, (size, width)) for size in sizes)
    if kind == "collapsed":
        queries[:], gallery[:] = 7, 7
    elif kind == "duplicates":
        gallery = gallery[rng.integers(0, min(2, len(gallery)), len(gallery))]
        queries[0] = gallery[0]
    elif kind == "zeros":
        gallery[rng.random(len(gallery)) < 0.5] = 0
        queries[rng.random(len(queries)) < 0.5] = 0
    return queries.astype(np.float32), gallery.astype(np.float32)
