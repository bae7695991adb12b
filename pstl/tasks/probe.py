"""The common probe: multinomial logistic regression on standardised features, its L2 strength chosen on training clips alone.

Papers' probes differ in optimiser, rate and length so much that rankings change with them. This one has an exact answer that depends
on the features only, and is the same for all of them.
"""

import logging

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from pstl.config import Factor, Frozen
from pstl.contracts import Result, Task
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.standardise import standardised
from pstl.metrics.classification import ACCURACIES, classified_clips
from pstl.rng import numpy_generator

log = logging.getLogger(__name__)


class Config(Frozen):
    """Ours; nobody's protocol."""

    # L2: the loss is the mean cross-entropy plus strength / 2 times the squared weights; scikit-learn's C is 1 / (strength * clips).
    strengths: tuple[Factor, ...] = Field((10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5), min_length=1)
    folds: int = Field(5, ge=2)
    tolerance: float = Field(
        1e-5, gt=0
    )  # largest entry of the gradient at the end, in units in which the curvature is about 1
    iterations: int = Field(1000, ge=1)  # at most, per strength


class Probe(Task[FeatureSet, Config]):
    """The common probe: logistic regression, solved exactly."""

    classifies = True
    settings = Config
    metrics = ACCURACIES

    def run(self, features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
        """Accuracies and macro F1 of the strength that is best on held-out training clips; of equals the strongest. Exact, in float64.

        The seed decides the folds only. The curve has a record per strength: its accuracy on held-out clips, and which was chosen.
        Raises: UserError if a side of the split has no clips, or the training side fewer than folds.
        """
        features.check_sides("probe", least=cfg.folds)
        train, test, spread = turned(
            *(side.to(device) for side in standardised(features.train, features.test))
        )
        y, y_test = (
            torch.from_numpy(side).to(device) for side in (features.y_train, features.y_test)
        )
        fold = torch.from_numpy(
            folds(features.y_train, cfg.folds, numpy_generator(seed, "probe"))
        ).to(device)
        classes, clips = len(features.meta["classes"]), torch.arange(len(y), device=device)
        # One problem per fold that is held out, and a last one that sees all clips: (problems, N) shares of each clip in a problem's mean.
        shares = torch.cat(
            [
                (fold != torch.arange(cfg.folds, device=device)[:, None]).double(),
                torch.ones_like(y)[None].double(),
            ]
        )
        shares = shares / shares.sum(1, keepdim=True)
        weights = train.new_zeros(train.shape[1] + 1, cfg.folds + 1, classes)
        curve, best = [], (-1, weights[:, -1])
        for strength in sorted(
            cfg.strengths, reverse=True
        ):  # from strong to weak, each starting where the last one ended
            weights = fit(train, y, shares, strength, weights, spread, cfg)
            held_out = logits(train, weights)[clips, fold]
            right = int((held_out.argmax(1) == y).sum())
            curve.append({"l2": strength, "cv_top1": 100 * right / len(y), "chosen": 0.0})
            if right > best[0]:
                best, chosen = (right, weights[:, -1]), len(curve) - 1
        curve[chosen]["chosen"] = 1.0
        scores = logits(test, best[1][:, None])[:, 0]
        return Result(
            classified_clips(scores, y_test, features.unseen),
            scores=scores.float().cpu().numpy(),
            curve=curve,
        )


def fit(
    x: Tensor,
    y: Tensor,
    shares: Tensor,
    strength: float,
    start: Tensor,
    spread: Tensor,
    cfg: Config,
) -> Tensor:
    """Weights of several logistic regressions on the same clips, which differ in the share each clip has.

    x: (N, D) in its principal axes, spread: (D,) mean squares of its columns, y: (N,), shares: (problems, N), each row of sum 1.
    start, returned: (D + 1, problems, classes), the last row biases, which are not penalised. The sum of convex problems is one convex
    problem, and the products with x are shared.
    """
    # Features are so alike that plain L-BFGS takes thousands of steps. In units of 1 / sqrt(curvature) all directions are equally steep.
    p = logits(x, start).softmax(2)
    bend = (p * (1 - p)).mean(
        0
    )  # (problems, classes): the curvature of the mean cross-entropy in a logit
    unit = torch.cat([bend * spread[:, None, None] + strength, bend[None] + strength]).rsqrt()
    scaled = (start / unit).requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        [scaled],
        max_iter=cfg.iterations,
        tolerance_grad=cfg.tolerance,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )
    wanted = y[:, None].expand(-1, len(shares))

    def loss() -> Tensor:
        optimiser.zero_grad(set_to_none=True)
        weights = scaled * unit
        error = F.cross_entropy(
            logits(x, weights).transpose(1, 2), wanted, reduction="none"
        )  # (N, problems)
        total = (error * shares.T).sum() + strength / 2 * weights[:-1].square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    assert scaled.grad is not None
    if (left := float(scaled.grad.abs().max())) > cfg.tolerance:
        log.warning(
            "probe: strength %g ended with a gradient of %.1e after %d iterations",
            strength,
            left,
            cfg.iterations,
        )
    return (scaled * unit).detach()


def logits(x: Tensor, weights: Tensor) -> Tensor:
    """(N, D), (D + 1, problems, classes) -> (N, problems, classes)."""
    return (x @ weights[:-1].flatten(1) + weights[-1].flatten()).unflatten(1, weights.shape[1:])


def folds(y: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Which fold each clip belongs to, (N,) from 0: every class is dealt out evenly, each going on where the last one stopped."""
    order = np.lexsort((rng.random(len(y)), y))
    fold = np.empty(len(y), np.int64)
    fold[order] = np.arange(len(y)) % count
    return fold


def turned(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both in the principal axes of the training clips, and the mean square along each. Turning changes no norm, so no answer either;
    where the features are more than the clips, what lies outside the clips' span is 0 in every solution and is left out.
    """
    if train.shape[1] > len(train):
        basis = torch.linalg.qr(train.T).Q
        train, test = train @ basis, test @ basis
    spread, basis = torch.linalg.eigh(train.T @ train / len(train))
    return train @ basis, test @ basis, spread.clamp(min=0)


TASK = Probe()
