"""Numbers that can be trusted: finite, and so small that their squares are finite too.

What is compared with NaN is false, so an encoder that gives NaN for every clip still gets an
accuracy. It is looked for where numbers leave: features and scores as they are made, weights once
an epoch, every file as it is written and read. Free of torch.
"""

from collections.abc import Callable

import numpy as np

from pstl.errors import UserError

LARGEST = 1e15  # of what is summed and squared in float32, which ends at 3.4e38
AGAIN = "train them again with a lower rate, or get another copy"
DIVERGED = f"the weights have diverged or are damaged: {AGAIN}"


def stray(values: np.ndarray) -> int | None:
    """Index of the first of values (N, ...) that holds NaN, infinity or more than LARGEST.

    Returns: None if none does.
    """
    if values.dtype.kind != "f" or not values.size:
        return None
    if np.maximum(values.max(), -values.min()) <= LARGEST:  # false for NaN; no copy of gigabytes
        return None
    rows = np.abs(values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1))
    return int(np.argmin((rows <= LARGEST).all(1)))


def check_rows(
    values: np.ndarray,
    what: str,
    name: Callable[[int], str] = "row {}".format,
    then: str = DIVERGED,
) -> None:
    """Raises: UserError naming the first of values (N, ...) that is not to be trusted.

    name: of a row.   then: what to do.
    """
    row = stray(values)
    if row is not None:
        raise UserError(f"{what}: {name(row)} of {len(values)} {holds(values[row])}; {then}")


def holds(values: np.ndarray) -> str:
    """What is wrong with values that are not to be trusted.

    >>> holds(np.array([1.0, np.nan])), holds(np.array([-np.inf, 0.0])), holds(np.array([1e30]))
    ('holds NaN', 'holds infinity', 'holds 1e+30, above 1e+15')
    """
    if np.isnan(values).any():
        return "holds NaN"
    largest = float(np.abs(values).max())
    return "holds infinity" if np.isinf(largest) else f"holds {largest:.3g}, above {LARGEST:g}"
