"""Retrieval: test clips query the training clips; a hit has the query's class."""

from typing import Annotated, Literal

import torch
from pydantic import Field

from pstl.config import Frozen
from pstl.metrics import average_precision
from pstl.ops.neighbours import blocks, similarity
from pstl.tasks._features import FeatureSet
from pstl.tasks._measures import distance, normalised
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
    found = {f"r{k}": torch.zeros((), device=device, dtype=torch.double) for k in cfg.ranks}
    precision = torch.zeros((), device=device, dtype=torch.double)
    for part in blocks(len(queries), len(gallery)):
        order = similarity(queries[part], gallery, cfg.metric).argsort(dim=1, descending=True, stable=True)
        hits = y[order] == y_query[part, None]
        for k in cfg.ranks:
            found[f"r{k}"] += hits[:, :k].any(1).sum()
        precision += average_precision(hits).sum()
    metrics = {name: 100 * float(count) / len(queries) for name, count in found.items()}
    return Result({**metrics, "map": 100 * float(precision) / len(queries)}, setting=distance(cfg.metric, cfg.normalise))
