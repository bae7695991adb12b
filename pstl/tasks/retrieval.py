"""Retrieval: test clips query the training clips; a hit has the query's class."""

import torch
from torch import Tensor

from pstl.config import Count
from pstl.contracts import Task
from pstl.encoding.feature_file import FeatureSet
from pstl.metrics.clips import on_clips
from pstl.metrics.retrieval import MEAN_AVERAGE_PRECISION, RECALL, RECALL_AT_1, precision_at
from pstl.ops.ranking import hit_ranks
from pstl.records import Result
from pstl.tasks._features import Distance, OnFeatures


class Config(OnFeatures):
    """Cosine, as in the field."""

    ranks: tuple[Count, ...] = (1, 5, 10)
    metric: Distance = "cosine"


class Retrieval(Task[FeatureSet, Config]):
    """Training clips ranked by their distance to each test clip."""

    one_protocol = True
    settings = Config
    metrics = (RECALL_AT_1, RECALL, MEAN_AVERAGE_PRECISION)

    def run(self, features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
        """r<k> for every k of ranks: share of queries with a hit among the first k; map: mean over
        queries of average precision. In percent.

        Exact, computed in blocks of queries; of equally near clips the one with the lower number
        comes first.
        """
        features.check_sides("retrieval")
        gallery, queries = (side.float() for side in cfg.sides(features, device))
        y, y_query = (torch.from_numpy(f).to(device) for f in (features.y_train, features.y_test))
        first = torch.empty(len(queries), dtype=torch.double, device=device)
        precision = torch.empty_like(first)
        for some, ranks in hit_ranks(queries, y_query, gallery, y, cfg.metric):
            first[some], precision[some] = ranks[:, 0], precision_at(ranks)

        def measure(kept: Tensor) -> dict[str, float]:
            """Metrics of some queries (n,), by their numbers."""
            shares = {f"r{k}": (first[kept] <= k).double() for k in cfg.ranks} | {
                "map": precision[kept]
            }
            return {name: 100 * float(values.mean()) for name, values in shares.items()}

        return Result(on_clips(measure, features.unseen), setting=cfg.setting(cfg.metric))


TASK = Retrieval()
