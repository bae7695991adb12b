"""What moved between a golden file and the code as it is, one line each."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple


class Tolerance(NamedTuple):
    """How far a number may be from the golden one: absolute, or a share of it."""

    absolute: float
    relative: float

    def holds(self, golden: float, now: float, scale: float) -> bool:
        """scale: what an absolute difference is measured in, at least 1."""
        allowed = max(self.absolute * max(scale, 1.0), self.relative * abs(golden))
        return math.isfinite(now) and abs(golden - now) <= allowed


EXACTLY = Tolerance(0.0, 0.0)
NEARLY = Tolerance(1e-9, 1e-9)


def moved(golden: Any, now: Any, tolerance: Tolerance, place: str = "") -> Iterator[str]:
    """A line for everything that is not what it was.

    Numbers that are not whole may differ within the tolerance. A sum is measured against the sum of
    absolute values beside it.
    """
    if isinstance(golden, dict) and isinstance(now, dict):
        yield from moved_in_mapping(golden, now, tolerance, place)
    elif isinstance(golden, list) and isinstance(now, list):
        if len(golden) != len(now):
            yield f"{place}: {len(golden)} were {len(now)}"
        for number, (before, after) in enumerate(zip(golden, now, strict=False)):
            yield from moved(before, after, tolerance, f"{place}[{number}]")
    elif isinstance(golden, float) and isinstance(now, float):
        if not tolerance.holds(golden, now, 1.0):
            yield changed(place, golden, now)
    elif golden != now:
        yield changed(place, golden, now)


def moved_in_mapping(golden: dict, now: dict, tolerance: Tolerance, place: str) -> Iterator[str]:
    for name in golden.keys() | now.keys():
        where = f"{place} > {name}" if place else str(name)
        if name not in now:
            yield f"{where}: is gone"
        elif name not in golden:
            yield f"{where}: is new"
        elif name == "sum" and "absolute sum" in golden:
            if not tolerance.holds(golden[name], now[name], golden["absolute sum"]):
                yield changed(where, golden[name], now[name])
        else:
            yield from moved(golden[name], now[name], tolerance, where)


def changed(place: str, golden: Any, now: Any) -> str:
    return f"{place}: was {golden!r}, is {now!r}"
