"""Motion carried on without a network: the baselines that whatever is learnt must leave behind.

All give offsets (N, predict, V, 3) in metres to the last pose seen. What they have to choose is
chosen on training windows.
"""

from typing import NamedTuple

import numpy as np

from pstl.tasks._forecasts import Forecasts

# What damped_velocity() tries: of each step, how much is left in the next.
DAMPINGS = tuple(np.arange(0.5, 0.99, 0.02).round(2).tolist())
# What ridge() tries: frames that it sees, and the penalty on the mean squared error.
FRAMES, STRENGTHS = (5, 10), (1e-6, 1e-5, 1e-4, 1e-3)
FOLDS = 5  # of the training recordings; each strength is tried on those it has not seen
THINNED = 5  # of windows that overlap every so many are enough to choose by


def carried_on(train: Forecasts, test: Forecasts) -> dict[str, np.ndarray]:
    """The rows that need no regression."""
    return {
        "baseline=zero velocity": zero_velocity(test),
        "baseline=constant velocity": damped(test, 1.0),
        "baseline=damped velocity": damped_velocity(train, test),
    }


def zero_velocity(test: Forecasts) -> np.ndarray:
    """Nobody moves."""
    return np.zeros_like(test.future)


def damped_velocity(train: Forecasts, test: Forecasts) -> np.ndarray:
    """Every joint slows down: each step is the one before times what suits training windows best.

    That is the error of the joints, in the mean over actions, windows, frames and joints.
    """
    tried = train.part(slice(None, None, THINNED))
    errors = []
    for damping in DAMPINGS:
        wrong = _distances(damped(tried, damping), tried.targets)
        errors.append(_over_actions(wrong, tried.action))
    return damped(test, DAMPINGS[int(np.argmin(errors))])


def damped(side: Forecasts, damping: float) -> np.ndarray:
    """Each step is that one before it times a factor; 1: constant velocity, as in the last step."""
    step = side.seen[:, -1:] - side.seen[:, -2:-1]
    gone = np.full(side.future.shape[1], damping, step.dtype).cumprod().cumsum()
    return step * gone[None, :, None, None]


class Moments(NamedTuple):
    """Sums over some windows: of their number, x, y, x x' and x y'."""

    windows: int
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray

    def less(self, other: "Moments") -> "Moments":
        """Without windows that were among them."""
        return Moments(
            self.windows - other.windows,
            self.x - other.x,
            self.y - other.y,
            self.xx - other.xx,
            self.xy - other.xy,
        )


def ridge(train: Forecasts, test: Forecasts) -> np.ndarray:
    """Linear regression on the last frames, in closed form.

    How many frames and how strong a penalty: those with the least error, in the mean over actions,
    on training recordings that were left out, a fifth at a time.
    """
    x, y = _inputs(train), train.targets.reshape(len(train.seen), -1).astype(np.float64)
    folds = train.recording % FOLDS
    everything = _moments(x, y)
    parts = [_moments(x[folds == fold], y[folds == fold]) for fold in range(FOLDS)]
    width = 3 * train.seen.shape[2]
    errors: dict[tuple[int, float], float] = {}
    for frames in FRAMES:
        columns = min(frames * width, x.shape[1])
        for strength in STRENGTHS:
            wrong = np.zeros(len(x))
            for fold in range(FOLDS):
                shown = np.flatnonzero(folds == fold)[::THINNED]
                told = _solved(everything.less(parts[fold]), columns, strength)
                wrong[shown] = _distances(_applied(told, x[shown]), train.targets[shown])
            errors[columns, strength] = _over_actions(wrong, train.action)
    columns, strength = min(errors, key=lambda tried: errors[tried])
    offsets = _applied(_solved(everything, columns, strength), _inputs(test))
    return offsets.reshape(test.future.shape).astype(np.float32)


def _inputs(side: Forecasts) -> np.ndarray:
    """The last pose, then how far poses before it were from it, the latest first.

    Returns: (N, frames 3V) float64.
    """
    frames = min(max(FRAMES), side.seen.shape[1])
    last = side.seen[:, : -frames - 1 : -1].astype(np.float64)
    last[:, 1:] -= last[:, :1]
    return last.reshape(len(last), -1)


def _moments(x: np.ndarray, y: np.ndarray) -> Moments:
    return Moments(len(x), x.sum(0), y.sum(0), x.T @ x, x.T @ y)


def _solved(sums: Moments, columns: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (columns, outputs) and offset of the regression on the first columns of x."""
    count = max(1, sums.windows)
    x, y = sums.x[:columns] / count, sums.y / count
    xx = sums.xx[:columns, :columns] / count - np.outer(x, x) + strength * np.eye(columns)
    weights = np.linalg.solve(xx, sums.xy[:columns] / count - np.outer(x, y))
    return weights, y - x @ weights


def _applied(told: tuple[np.ndarray, np.ndarray], x: np.ndarray) -> np.ndarray:
    weights, offset = told
    return x[:, : len(weights)] @ weights + offset


def _over_actions(errors: np.ndarray, action: np.ndarray) -> float:
    """The mean of the actions' means, where windows were tried.   Both: (N,)."""
    tried = errors > 0
    means = [errors[tried & (action == each)].mean() for each in np.unique(action[tried])]
    return float(np.mean(means)) if means else 0.0


def _distances(offsets: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mean distance of the joints in each window.

    offsets: (N, ...), as many numbers as targets (N, F, V, 3).   Returns: (N,).
    """
    apart = offsets.reshape(targets.shape) - targets
    distances: np.ndarray = np.linalg.norm(apart, axis=-1).mean((1, 2))
    return distances
