"""k nearest neighbours among the training clips (PSTL spec 11: k = 1, cosine)."""

import torch
from pydantic import Field
from torch import Tensor

from pstl.contracts import Task
from pstl.encoding.feature_file import FeatureSet
from pstl.metrics.classification import MACRO_F1, TOP1, classification_metrics
from pstl.metrics.clips import on_clips
from pstl.ops.neighbours import nearest
from pstl.records import Result
from pstl.tasks._features import Distance, OnFeatures


class Config(OnFeatures):
    """The field's usual choice."""

    k: int = Field(1, ge=1)
    metric: Distance = "cosine"


class NearestNeighbours(Task[FeatureSet, Config]):
    """Majority among the nearest training clips."""

    classifies = True
    one_protocol = True
    settings = Config
    metrics = (TOP1, MACRO_F1)

    def run(self, features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
        """top1 and macro_f1 by majority among the k neighbours; ties go to the nearest.

        Exact, computed in blocks.

        The scores are the votes, so that streams are fused by voting.
        """
        features.check_sides("knn")
        train, test = (side.float() for side in cfg.sides(features, device))
        y, y_test = (
            torch.from_numpy(side).to(device) for side in (features.y_train, features.y_test)
        )
        index, closeness = nearest(test, train, cfg.k, cfg.metric)
        closeness = (
            (1 + closeness) / 2 if cfg.metric == "cosine" else 1 / (1 - closeness)
        )  # from 0, far, to 1
        scores = votes(y[index], closeness, len(features.meta["classes"]))

        def measure(kept: Tensor) -> dict[str, float]:
            """Metrics of some test clips (n,), by their numbers."""
            found = classification_metrics(scores[kept], y_test[kept])
            return {
                name: found[name] for name in ("top1", "macro_f1")
            }  # k neighbours name k classes at most

        metrics = on_clips(measure, features.unseen)
        return Result(
            metrics,
            setting=cfg.setting(f"k={cfg.k}", cfg.metric),
            scores=scores.cpu().numpy(),
        )


def votes(classes: Tensor, closeness: Tensor, count: int) -> Tensor:
    """Votes of neighbours.   classes, closeness in [0, 1]: (N, k), nearest first.

    Returns: (N, count) float64.

    Where votes are equal, the class of the nearest neighbour among them is ahead, and where those
    are equally near, as between fused streams, the one whose neighbour is closer.
    """
    k = classes.shape[1]
    rank = torch.arange(k, 0, -1, device=classes.device, dtype=torch.double) / (
        k * k * (k + 1)
    )  # less than a vote
    ahead = rank + closeness / (
        2 * k**3 * (k + 1)
    )  # all closeness together is less than a step of rank
    found = torch.zeros(len(classes), count, device=classes.device, dtype=torch.double)
    found.scatter_add_(1, classes, torch.ones_like(ahead))
    return found + torch.zeros_like(found).scatter_reduce_(1, classes, ahead, "amax")


TASK = NearestNeighbours()
