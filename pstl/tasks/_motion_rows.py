"""Rows of motion prediction: errors at every horizon, for each action, and in the public unit."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from pstl.metrics.motion import joint_errors
from pstl.tasks._forecasts import Forecasts


class Counted(NamedTuple):
    """horizons: predicted frames, from 1.   scale: of the public unit, None where there is none.

    classes: names of the actions.
    """

    horizons: Sequence[int]
    scale: float | None
    classes: Sequence[str]


def table(
    told: Mapping[str, np.ndarray], test: Forecasts, count: Counted
) -> dict[str, dict[str, float]]:
    """Setting -> metrics over all these windows.

    told: setting -> (N, predict, V, 3) offsets to the last pose seen, metres.
    """
    rows = {}
    for setting, offsets in told.items():
        metrics = prediction_metrics(offsets, test.targets, count.horizons)
        rows[setting] = metrics | in_public_unit(metrics, count.scale)
    return rows


def by_action(
    told: Mapping[str, np.ndarray], test: Forecasts, count: Counted
) -> dict[str, dict[str, float]]:
    """The same of each action's windows, settings with `subset=<action>` at their end."""
    rows: dict[str, dict[str, float]] = {}
    for action, name in enumerate(count.classes):
        chosen = test.action == action
        if chosen.any():
            part = {f"{setting};subset={name}": told[setting][chosen] for setting in told}
            rows |= table(part, test.part(chosen), count)
    return rows


def every_window(
    told: Mapping[str, np.ndarray], test: Forecasts, count: Counted
) -> dict[str, dict[str, float]]:
    """Of each action, and the mean over actions, as papers count that predict every window.

    A long recording counts no more than a short one so. Settings have `windows=all`.
    """
    told = {f"{setting};windows=all": offsets for setting, offsets in told.items()}
    parts = by_action(told, test, count)
    rows = {}
    for setting in told:
        of_actions = [part for name, part in parts.items() if name.startswith(f"{setting};")]
        means = np.mean([list(part.values()) for part in of_actions], axis=0).tolist()
        rows[setting] = dict(zip(of_actions[0], means, strict=True))
    return rows | parts


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
