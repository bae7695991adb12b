"""Retrieval: test clips query the training clips; a hit has the query's class."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from pstl.config import Frozen
from pstl.metrics import average_precision
from pstl.ops.neighbours import blocks, similarity
from pstl.tasks._features import FeatureSet
from pstl.tasks._measures import distance, normalised, on_clips
from pstl.tasks._result import Result


class Config(Frozen):
    """Cosine, as in the field."""

    ranks: tuple[Annotated[int, Field(ge=1)], ...] = (1, 5, 10)
    metric: Literal["cosine", "euclidean"] = "cosine"
    normalise: Literal["none", "centred", "standardised"] = "none"  # by mean, or mean and deviation, of each feature's training clips


def run(features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
    """r<k> for every k of ranks: share of queries with a hit among the first k; map: mean over queries of average precision. In percent.

    Exact, computed in blocks of queries.
    """
    gallery, queries = (side.to(device) for side in normalised(features.train, features.test, cfg.normalise))
    y, y_query = (torch.from_numpy(f).to(device) for f in (features.y_train, features.y_test))
    firsts, precisions = [], []
    for part in blocks(len(queries), len(gallery)):
        order = similarity(queries[part], gallery, cfg.metric).argsort(dim=1, descending=True, stable=True)
        hits = y[order] == y_query[part, None]
        firsts.append(hits.int().argmax(1))
        precisions.append(average_precision(hits))
    first, precision = torch.cat(firsts), torch.cat(precisions)

    def measure(kept: Tensor) -> dict[str, float]:
        some = first[kept], precision[kept]
        found = {f"r{k}": 100 * float(((some[0] < k) & (some[1] > 0)).double().mean()) for k in cfg.ranks}
        return found | {"map": 100 * float(some[1].mean())}

    return Result(on_clips(measure, features.unseen), setting=distance(cfg.metric, cfg.normalise))
