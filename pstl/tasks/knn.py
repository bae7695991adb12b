"""k nearest neighbours among the training clips (spec section 11: k = 1, cosine)."""

from typing import Literal

import torch
import torch.nn.functional as F

from pstl.config import Frozen
from pstl.ops.neighbours import nearest
from pstl.tasks._features import FeatureSet
from pstl.tasks._result import Result


class Config(Frozen):
    """The field's usual choice."""

    k: int = 1
    metric: Literal["cosine", "euclidean"] = "cosine"


def run(features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
    """top1 by majority among the k neighbours; ties go to the class of the nearest. Exact, computed in blocks."""
    train, test = (torch.from_numpy(f).to(device) for f in (features.train, features.test))
    y, y_test = (torch.from_numpy(f).to(device) for f in (features.y_train, features.y_test))
    k = min(cfg.k, len(train))
    neighbours = y[nearest(test, train, k, cfg.metric)]  # (N_test, k), nearest first
    votes = F.one_hot(neighbours, len(features.meta["classes"])).double()
    # The small bonus falls with the rank and never outweighs a vote.
    bonus = torch.linspace(1, 0, k + 1, device=device, dtype=torch.double)[:k] / (k + 1)
    predicted = (votes * (1 + bonus / k)[None, :, None]).sum(1).argmax(1)
    correct = 100 * (predicted == y_test).double()
    metrics = {"top1": float(correct.mean())}
    if not features.unseen.all():
        metrics["top1_unseen"] = float(correct[torch.from_numpy(features.unseen).to(device)].mean())
    return Result(metrics, setting=f"k={cfg.k};{cfg.metric}")
