"""The common probe beside scikit-learn: the same strengths, folds and clips, as far converged.

scikit-learn stops by the largest entry of the gradient, whatever the loss bends like, and what that
means changes with the strength: at its own tolerance, 1e-4, losses of weak strengths end at twice
the least one and more. Here it has, at each strength, the loosest tolerance that reaches our loss,
in steps of `STEP` and never looser than at stronger ones; a try that does not is not counted.
"""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from benchmarks.methods import clock
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.standardise import standardised
from pstl.rng import numpy_generator
from pstl.tasks import probe
from pstl.tasks._logistic import Regressions

OTHER = "scikit-learn"
LOOSEST, TIGHTEST, STEP = 1e-4, 1e-12, 3.0  # tolerances; the loosest is its own
NEAR = 1e-6  # of our loss, by which its may be higher
CPU = torch.device("cpu")


@dataclass
class Search:
    """What scikit-learn finds, and the seconds that the fits which reach our losses take."""

    x: np.ndarray
    y: np.ndarray
    seconds: float = 0.0
    above: float = 0.0  # by how much of our loss its ended higher, at most
    tolerances: dict[float, float] = field(default_factory=dict)  # by strength
    models: dict[float, Any] = field(default_factory=dict)  # by strength, of the last fold
    right: dict[float, int] = field(default_factory=dict)

    def fit(self, model: Any, rows: np.ndarray, strength: float, loss: float) -> Any:
        """The model after a fit to some rows that reaches a loss, from where it stands."""
        loosest = min(self.tolerances.values(), default=LOOSEST)
        tolerance = self.tolerances.get(strength, loosest)
        while True:
            c = 1 / (strength * len(rows))
            fitted = copy.deepcopy(model).set_params(C=c, tol=tolerance)
            x, y = self.x[rows], self.y[rows]
            began = clock(CPU)
            fitted.fit(x, y)
            seconds = clock(CPU) - began
            above = loss_of(fitted, x, y, strength) / loss - 1
            if above <= NEAR or tolerance < TIGHTEST:
                break
            tolerance /= STEP
        self.tolerances[strength], self.models[strength] = tolerance, fitted
        self.seconds += seconds
        self.above = max(self.above, above)
        return fitted


def beside(features: FeatureSet, cfg: probe.Config) -> dict[str, Any]:
    """Ours and scikit-learn's choice and fit; {} where it is not installed.

    Returns: `seconds` and `other_seconds`, `ratio` (its for each of ours), the chosen `l2` and
    `top1` of both, and how far its loss ended above ours at most, as a share (`above`).
    """
    try:
        from sklearn.base import clone
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return {}
    began = clock(CPU)
    result = probe.TASK.run(features, cfg, 0, CPU)
    seconds = clock(CPU) - began
    fold = probe.folds(features.y_train, cfg.folds, numpy_generator(0, "probe"))
    losses = our_losses(features, fold, cfg)
    began = clock(CPU)
    train = features.train.astype(np.float64)
    mean, deviation = train.mean(0), train.std(0)
    search = Search((train - mean) / deviation, features.y_train, clock(CPU) - began)
    model = LogisticRegression(warm_start=True, max_iter=100_000)
    with warnings.catch_warnings():  # of what its next version will change
        warnings.simplefilter("ignore")
        for number in range(cfg.folds):
            search_fold(search, model, fold == number, losses, number)
        chosen = max(search.right, key=lambda strength: (search.right[strength], strength))
        began = clock(CPU)
        model = search.models[chosen]
        if len(model.classes_) < len(np.unique(search.y)):
            model = clone(model)  # a fold may lack a class: there is no solution to start from
        model.set_params(C=1 / (chosen * len(train)))
        model.fit(search.x, search.y)
        other_seconds = search.seconds + clock(CPU) - began
    test = (features.test - mean) / deviation
    return {
        "against": OTHER,
        "seconds": seconds,
        "other_seconds": other_seconds,
        "ratio": other_seconds / seconds,
        "l2": next(record["l2"] for record in result.curve if record["chosen"]),
        "other_l2": chosen,
        "top1": result.metrics["top1"],
        "other_top1": 100 * model.score(test, features.y_test),
        "above": search.above,
    }


def search_fold(
    search: Search, model: Any, out: np.ndarray, losses: dict[float, Sequence[float]], number: int
) -> None:
    """All strengths without one fold.   out: (N,) bool, its clips."""
    rows = np.flatnonzero(~out)
    for strength, loss in losses.items():
        model = search.fit(model, rows, strength, loss[number])
        right = int((model.predict(search.x[out]) == search.y[out]).sum())
        search.right[strength] = search.right.get(strength, 0) + right


def our_losses(
    features: FeatureSet, fold: np.ndarray, cfg: probe.Config
) -> dict[float, Sequence[float]]:
    """What our solutions leave, by strength from the strongest: a loss for each fold."""
    sides = standardised(features.train, features.test)
    train, _ = probe.in_principal_axes(*sides)
    y = torch.from_numpy(features.y_train)
    shares = probe.shares_of(torch.from_numpy(fold), cfg.folds)
    problem = Regressions(train, y, shares, 0.0)
    start = train.new_zeros(cfg.folds, len(features.meta["classes"]), train.shape[1])
    losses: dict[float, Sequence[float]] = {}
    for strength, weights in probe.path(problem, start, cfg):
        losses[strength] = Regressions(train, y, shares, strength).values(weights)[0].tolist()
    return losses


def loss_of(model: Any, x: np.ndarray, y: np.ndarray, strength: float) -> float:
    """What scikit-learn's model leaves of what the probe minimises."""
    chance = model.predict_log_proba(x)
    column = np.searchsorted(model.classes_, y)
    loss = -chance[np.arange(len(y)), column].mean()
    return float(loss + strength / 2 * (model.coef_**2).sum())
