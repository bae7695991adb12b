"""The method's own classifier, as training left it: PSP's protocol, and supervised training's."""

import torch

from pstl.config import Frozen
from pstl.tasks._features import FeatureSet
from pstl.tasks._measures import measures
from pstl.tasks._result import NotApplicable, Result

CLASSIFIES = True


class Config(Frozen):
    """Nothing to set."""


def run(features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
    """top1, top5 and macro_f1 of the last epoch's classifier on the test clips. Raises: NotApplicable if the encoder came without one."""
    if features.scores is None:
        raise NotApplicable("this encoder has no classifier of its own: it learnt no classes")
    scores, y = torch.from_numpy(features.scores).to(device), torch.from_numpy(features.y_test).to(device)
    return Result(measures(scores, y, features.unseen), scores=features.scores)
