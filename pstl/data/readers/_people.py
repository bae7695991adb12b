"""Numbers of a file as the people of a frame."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from pstl.data.reading import REPAIR
from pstl.errors import UserError
from pstl.records import Person

NUMBERS = (int, float, type(None))
LARGEST = 1e7  # of any coordinate: pixels, millimetres


def numbers(values: Any, where: str) -> np.ndarray:
    """A list of numbers, or a list of such lists, as float64; null and NaN are NaN.

    Raises: UserError for a word, lists of several lengths, or numbers beyond all measure.
    """
    for value in _strangers(values):
        raise UserError(f"{where}: found {repr(value)[:40]}, expected numbers; {REPAIR}")
    try:
        array = np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        raise UserError(f"{where}: joints of different lengths; {REPAIR}") from None
    except OverflowError:  # a whole number of hundreds of digits
        raise UserError(f"{where}: an infinite or absurd number in it; {REPAIR}") from None
    if np.isinf(array).any() or np.nanmax(np.abs(array), initial=0) > LARGEST:
        raise UserError(f"{where}: an infinite or absurd number in it; {REPAIR}")
    return array


def _strangers(values: list[Any]) -> Iterator[Any]:
    """What is neither a number nor null in a list of lists."""
    while values:
        if set(map(type, values)) - {*NUMBERS, list}:
            yield from (value for value in values if type(value) not in (*NUMBERS, list))
        values = list(chain.from_iterable(value for value in values if type(value) is list))


def person(points: np.ndarray, score: np.ndarray | None, track: Any = "") -> Person:
    """One person; a joint without confidence was not seen.

    points: (V, 2 or 3).   score: (V,), or None where there is none.   track: which person it is.
    """
    xyz = np.array(points, dtype=np.float64)
    if score is not None:
        xyz[~(score > 0)] = np.nan
    xyz[np.isnan(xyz).any(axis=1)] = np.nan
    return Person(xyz, "" if track is None else str(track))


def split_flat(values: Any, width: int, where: str, what: str) -> np.ndarray:
    """A flat list x0, y0, c0, x1, ... as (V, width).

    Raises: UserError if it is no list of numbers, or no whole number of joints.
    """
    if not isinstance(values, list):
        raise UserError(f"{where}: {what} is {repr(values)[:30]}, expected a list; {REPAIR}")
    flat = numbers(values, f"{where}: {what}")
    if flat.ndim != 1 or not len(flat) or len(flat) % width:
        count = f"{what} has {flat.size} numbers"
        raise UserError(f"{where}: {count}, expected {width} for every joint; {REPAIR}")
    return flat.reshape(-1, width)


def listed(value: Any, where: str, what: str) -> Sequence[Any]:
    """A list. Raises: UserError for anything else."""
    if not isinstance(value, list):
        raise UserError(f"{where}: {what} is {repr(value)[:30]}, expected a list; {REPAIR}")
    return value
