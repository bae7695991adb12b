"""95 % intervals of a mean, over seeds or over test clips."""

import math
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95  # two-sided
NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """In the unit of the mean; of percentages never outside 0 to 100.

    over: "seeds", or "clips" where there is one seed only.
    """

    low: float
    high: float
    over: str


def over_seeds(mean: float, std: float, seeds: int, percent: bool = True) -> Interval:
    """Student's interval of a mean of `seeds` >= 2 values with sample standard deviation `std`.

    percent: the mean is a percentage. Its interval is taken on the scale of log-odds, where the
    deviation is that of the percentage over its slope there, so that it ends before 0 and 100: few
    seeds know little, and yet they know that.

    >>> [round(v, 2) for v in over_seeds(50.0, 2.0, 4)[:2]]
    [46.82, 53.18]
    >>> [round(v, 1) for v in over_seeds(86.7, 13.3, 3)[:2]]
    [27.1, 99.1]
    """
    half = _quantile(seeds - 1) * std / math.sqrt(seeds)
    share = mean / 100
    if not percent or not 0 < share < 1:
        return Interval(mean - half, mean + half, "seeds")
    centre, half = math.log(share / (1 - share)), half / (100 * share * (1 - share))
    return Interval(_percent(centre - half), _percent(centre + half), "seeds")


@cache
def _quantile(freedom: int) -> float:
    """Student's, to three decimals, as in print and as the kept tables were made with."""
    from scipy import stats  # an extra; here, because most of what shows a table needs no interval

    return round(float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)), 3)


def _percent(log_odds: float) -> float:
    """The percentage of these log-odds; tanh, because the exponential of large ones overflows."""
    return 50 * (1 + math.tanh(log_odds / 2))


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
