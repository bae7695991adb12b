"""The method's own classifier, as training left it: PSP's protocol, and supervised training's."""

import torch

from pstl.config import Frozen
from pstl.metrics import top_k
from pstl.tasks._features import FeatureSet
from pstl.tasks._result import NotApplicable, Result


class Config(Frozen):
    """Nothing to set."""


def run(features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
    """top1 and top5 of the last epoch's classifier on the test clips. Raises: NotApplicable if the encoder came without one."""
    if features.scores is None:
        why = "the classifier was trained with other statistics" if features.meta["batch_norm"] != "released" else "it learnt no classes"
        raise NotApplicable(f"this encoder has no classifier of its own: {why}")
    scores, y = torch.from_numpy(features.scores).to(device), torch.from_numpy(features.y_test).to(device)
    metrics = {"top1": float(top_k(scores, y, 1)), "top5": float(top_k(scores, y, 5))}
    if not features.unseen.all():
        unseen = torch.from_numpy(features.unseen).to(device)
        metrics["top1_unseen"] = float(top_k(scores[unseen], y[unseen], 1))
    return Result(metrics, scores=features.scores)
