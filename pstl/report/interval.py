"""95 % intervals of a mean, over seeds or over test clips."""

import math
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95  # two-sided
NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """In the unit of the mean, not cut off at 0 or 100: few seeds know little.

    over: "seeds", or "clips" where there is one seed only.
    """

    low: float
    high: float
    over: str


def over_seeds(mean: float, std: float, seeds: int) -> Interval:
    """Student's interval of a mean of `seeds` >= 2 values with sample standard deviation `std`.

    >>> [round(v, 2) for v in over_seeds(50.0, 2.0, 4)[:2]]
    [46.82, 53.18]
    """
    from scipy import stats  # an extra; here, because most of what shows a table needs no interval

    # Three decimals, as printed tables have them and the kept tables were made with.
    quantile = round(float(stats.t.ppf((1 + CONFIDENCE) / 2, seeds - 1)), 3)
    half = quantile * std / math.sqrt(seeds)
    return Interval(mean - half, mean + half, "seeds")


def over_clips(percent: float, clips: int) -> Interval:
    """Wilson's interval of a share of `clips` test clips: what another draw of clips would do.

    It knows nothing of other seeds.   Source: Wilson, JASA 1927.

    >>> [round(v, 2) for v in over_clips(50.0, 100)[:2]]
    [40.38, 59.62]
    """
    p, z2 = percent / 100, NORMAL**2
    centre = (p + z2 / (2 * clips)) / (1 + z2 / clips)
    half = NORMAL / (1 + z2 / clips) * math.sqrt(p * (1 - p) / clips + z2 / (4 * clips**2))
    return Interval(100 * (centre - half), 100 * (centre + half), "clips")
