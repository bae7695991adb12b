"""The common probe: multinomial logistic regression on standardised features.

Papers' probes differ in optimiser, rate and length so much that rankings change with them. This one
has an exact answer that depends on the features only, and is the same for all of them. Its L2
strength is chosen on training clips alone.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pstl.config import CLIP, Factor
from pstl.contracts import Task
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.standardise import Normalisation, principal_axes
from pstl.errors import UserError
from pstl.metrics.classification import ACCURACIES, classified_clips
from pstl.ops.class_scores import LinearScores
from pstl.records import Result
from pstl.rng import numpy_generator
from pstl.tasks._features import OnFeatures
from pstl.tasks._logistic import Regressions, logits, minimise

log = logging.getLogger(__name__)


class Config(OnFeatures):
    """Our own protocol."""

    normalise: Normalisation = "standardised"
    # L2: the loss is the mean cross-entropy plus strength / 2 times the squared weights;
    # scikit-learn's C is 1 / (strength * clips).
    strengths: tuple[Factor, ...] = Field((10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5), min_length=1)
    folds: int = Field(5, ge=2)
    # Largest entry of the gradient at the end, in units in which every weight's curvature there is
    # 1: so it means the same at weak strengths, where hardly any clip bends the loss.
    tolerance: float = Field(3e-6, gt=0)
    iterations: int = Field(3000, ge=1)  # Newton's steps at most, per strength


class Probe(Task[FeatureSet, Config]):
    """Logistic regression, solved exactly."""

    classifies = True
    settings = Config
    metrics = ACCURACIES

    def run(self, features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
        """Accuracies and macro F1 of the strength that is best on held-out training clips.

        Of equals the strongest is taken. In float64. The seed decides the folds only. The curve has
        a record per strength: its accuracy on held-out clips, and which was chosen.
        Raises: UserError if a side of the split has no clips, or the training side fewer than
        folds.
        """
        features.check_sides("probe", least=cfg.folds)
        scores, curve = solved(features, cfg, seed, device)
        y_test = torch.from_numpy(features.y_test).to(device)
        metrics = classified_clips(scores, y_test, features.unseen)
        return Result(metrics, cfg.setting(), scores=scores.float().cpu().numpy(), curve=curve)

    def classifier(
        self, features: FeatureSet, cfg: Config, seed: int, device: torch.device
    ) -> LinearScores:
        """The layer whose scores run() gives. The test clips are not looked at.

        Whatever is done to features before them, scores are a linear layer of features: they are
        asked for at the mean of the training clips, and a step from it along each feature.
        Raises: UserError for a probe on other features than an encoder's own.
        """
        if cfg.pooling != CLIP:
            raise UserError(f"probe with pooling {cfg.pooling}: expected {CLIP} for a classifier")
        centre = features.train.mean(0)
        steps = centre + np.diag(np.maximum(1, np.abs(centre)))
        places = np.concatenate([centre[None], steps]).astype(np.float32)
        scores, _ = solved(replace(features, test=places), cfg, seed, device)
        scores, walked = scores.cpu(), torch.from_numpy(places).double()
        along = (walked[1:] - walked[0]).diagonal()
        weight = ((scores[1:] - scores[0]) / along[:, None]).T.contiguous()
        return LinearScores(weight, scores[0].clone(), walked[0].clone())


def solved(
    features: FeatureSet, cfg: Config, seed: int, device: torch.device
) -> tuple[Tensor, list[dict[str, float]]]:
    """Scores (N_test, classes) float64 by the strength that is best on held-out clips, fitted to
    all of training, and the curve.
    """
    sides = (side.double() for side in cfg.sides(features, device))
    train, test = in_principal_axes(*sides)
    y = torch.from_numpy(features.y_train).to(device)
    dealt = folds(features.y_train, cfg.folds, numpy_generator(seed, "probe"))
    fold = torch.from_numpy(dealt).to(device)
    problem = Regressions(train, y, shares_of(fold, cfg.folds), 0.0)
    curve, most, chosen = [], -1, 0
    best = start = train.new_zeros(cfg.folds, len(features.meta["classes"]), train.shape[1])
    for strength, weights in path(problem, start, cfg):
        right = int((held_out(train, weights, fold) == y).sum())
        curve.append({"l2": strength, "cv_top1": 100 * right / len(y), "chosen": 0.0})
        if right > most:
            most, best, chosen = right, weights, len(curve) - 1
    curve[chosen]["chosen"] = 1.0
    everything = torch.full_like(problem.shares[:1], 1 / len(y))
    problem = Regressions(train, y, everything, curve[chosen]["l2"])
    best = fit(problem, best.mean(0, keepdim=True), cfg)
    return logits(test, best)[0].T.contiguous(), curve


def shares_of(fold: Tensor, count: int) -> Tensor:
    """What each clip counts in the mean of each problem, which sees all folds but one.

    fold: (N,).   Returns: (count, N) float64, rows of sum 1.
    """
    seen = (fold != torch.arange(count, device=fold.device)[:, None]).double()
    return seen / seen.sum(1, keepdim=True)


def path(problem: Regressions, start: Tensor, cfg: Config) -> Iterator[tuple[float, Tensor]]:
    """Each strength, strongest first, and its weights (problems, classes, D)."""
    before = weights = start
    for strength in sorted(cfg.strengths, reverse=True):
        # Weights grow with the logarithm of what is left of the strength: as far again as from
        # the one before last to the last is a good place to start from.
        solved = fit(replace(problem, strength=strength), 2 * weights - before, cfg)
        before, weights = weights, solved
        yield strength, solved


def fit(problem: Regressions, start: Tensor, cfg: Config) -> Tensor:
    """Weights (problems, classes, D) of least loss, sought from others."""
    weights, steep = minimise(problem, start, cfg.tolerance, cfg.iterations)
    if steep > cfg.tolerance:
        ended = f"ended with a gradient of {steep:.1e}, expected {cfg.tolerance:.1e}"
        log.warning("probe: strength %g %s", problem.strength, ended)
    return weights


def held_out(x: Tensor, weights: Tensor, fold: Tensor) -> Tensor:
    """What each clip, (N,), is taken for by the problem that has not seen its fold."""
    return logits(x, weights).argmax(1).gather(0, fold[None])[0]


def folds(y: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Which fold each clip belongs to, (N,) from 0.

    Every class is dealt out evenly, each going on where the last one stopped.
    """
    order = np.lexsort((rng.random(len(y)), y))
    fold = np.empty(len(y), np.int64)
    fold[order] = np.arange(len(y)) % count
    return fold


def in_principal_axes(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides turned to the principal axes of the training clips, with a last column of ones.

    Turning changes no norm, so no answer either; where the features are more than the clips, what
    lies outside their span is 0 in every solution and is left out.
    train: (N, D), test: (Q, D).   Returns: (N, min(N, D) + 1), (Q, min(N, D) + 1).
    """
    train, test = principal_axes(train, test)
    return with_ones(train), with_ones(test)


def with_ones(x: Tensor) -> Tensor:
    """(N, D) -> (N, D + 1)."""
    return torch.cat([x, torch.ones_like(x[:, :1])], 1)


TASK = Probe()
