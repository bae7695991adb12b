"""Rows of motion prediction: errors at every horizon, for each action, and in the public unit."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from pstl.metrics.motion import joint_errors
from pstl.tasks._forecasts import Forecasts


def table(
    told: Mapping[str, np.ndarray],
    test: Forecasts,
    horizons: Sequence[int],
    scale: float | None,
    classes: Sequence[str],
) -> dict[str, dict[str, float]]:
    """Setting -> metrics, of all test windows and of each of these classes' that has some.

    told: setting -> (N, predict, V, 3) offsets to the last pose seen, metres.
    horizons: predicted frames, from 1.   scale: of the public unit, None where there is none.
    classes: names, in their order; () if all windows together are enough.
    """
    subsets = {"": np.ones(len(test.seen), bool)}
    for action, name in enumerate(classes):
        subsets[f";subset={name}"] = test.action == action
    rows = {}
    for subset, chosen in subsets.items():
        for setting, offsets in told.items():
            if chosen.any():
                part = prediction_metrics(offsets[chosen], test.targets[chosen], horizons)
                rows[setting + subset] = part | in_public_unit(part, scale)
    return rows


def prediction_metrics(
    offsets: np.ndarray, targets: np.ndarray, horizons: Sequence[int]
) -> dict[str, float]:
    """Errors in millimetres.   Both: (N, predict, V, 3) metres, relative to the last pose seen."""
    errors = joint_errors(torch.from_numpy(offsets), torch.from_numpy(targets))
    metrics = {"mpjpe": float(errors.mean())}
    for frame in horizons:
        metrics[f"mpjpe_{frame}"] = float(errors[frame - 1])
    return metrics


def in_public_unit(metrics: Mapping[str, float], scale: float | None) -> dict[str, float]:
    """The same errors as the data set's public code counts them; none where that says the same."""
    if scale is None:
        return {}
    return {f"public_{name}": scale * value for name, value in metrics.items()}


def gains(rows: Mapping[str, Mapping[str, float]], setting: str) -> dict[str, float]:
    """By how much the same is worse from scratch, and without an encoder, in the same run."""
    ours, differences = rows[setting]["mpjpe"], {}
    # The later of those that are there counts: it has ridge regression beside it, as ours has.
    for name, other in (
        ("below_scratch", "from scratch"),
        ("below_rival", "dct mlp"),
        ("below_rival", "dct mlp and ridge"),
    ):
        if row := rows.get(f"baseline={other}"):
            differences[name] = row["mpjpe"] - ours
    return differences
