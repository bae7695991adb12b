"""How sure a mean is: an interval that holds the true value in 95 of 100 repetitions, and what it is an interval over."""

import math
from typing import NamedTuple

# Student's t, two-sided 95 %, for 1 to 30 degrees of freedom; beyond that it is the normal's within 2 %.
T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
NORMAL = 1.960


class Interval(NamedTuple):
    """In the unit of the mean, not cut off at 0 or 100: few seeds know little. `over`: "seeds", or "clips" where there is one seed only."""

    low: float
    high: float
    over: str


def over_seeds(mean: float, std: float, seeds: int) -> Interval:
    """Student's interval of a mean of `seeds` >= 2 values with sample standard deviation `std`.

    >>> [round(v, 2) for v in over_seeds(50.0, 2.0, 4)[:2]]
    [46.82, 53.18]
    """
    quantile = T[seeds - 2] if seeds - 2 < len(T) else NORMAL
    half = quantile * std / math.sqrt(seeds)
    return Interval(mean - half, mean + half, "seeds")


def over_clips(percent: float, clips: int) -> Interval:
    """Wilson's interval of a share of `clips` test clips: what another draw of test clips would do. It knows nothing of other seeds.

    >>> [round(v, 2) for v in over_clips(50.0, 100)[:2]]
    [40.38, 59.62]
    """
    p, z2 = percent / 100, NORMAL**2
    centre = (p + z2 / (2 * clips)) / (1 + z2 / clips)
    half = NORMAL / (1 + z2 / clips) * math.sqrt(p * (1 - p) / clips + z2 / (4 * clips**2))
    return Interval(100 * (centre - half), 100 * (centre + half), "clips")
