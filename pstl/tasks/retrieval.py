"""Retrieval: test clips query the training clips; a hit has the query's class."""

from typing import Literal

import torch

from pstl.config import Frozen
from pstl.metrics import average_precision
from pstl.ops.neighbours import blocks, similarity
from pstl.tasks._features import FeatureSet
from pstl.tasks._result import Result

RANKS = (1, 5, 10)


class Config(Frozen):
    """Cosine, as in the field."""

    metric: Literal["cosine", "euclidean"] = "cosine"


def run(features: FeatureSet, cfg: Config, seed: int, device: torch.device) -> Result:
    """r1, r5, r10: share of queries with a hit among the first k; map: mean over queries of average precision. In percent."""
    gallery, queries = (torch.from_numpy(f).to(device) for f in (features.train, features.test))
    y, y_query = (torch.from_numpy(f).to(device) for f in (features.y_train, features.y_test))
    found = {f"r{k}": torch.zeros((), device=device, dtype=torch.double) for k in RANKS}
    precision = torch.zeros((), device=device, dtype=torch.double)
    for part in blocks(len(queries), len(gallery)):
        order = similarity(queries[part], gallery, cfg.metric).argsort(dim=1, descending=True)
        hits = y[order] == y_query[part, None]
        for k in RANKS:
            found[f"r{k}"] += hits[:, :k].any(1).sum()
        precision += average_precision(hits).sum()
    metrics = {name: 100 * float(count) / len(queries) for name, count in found.items()}
    return Result({**metrics, "map": 100 * float(precision) / len(queries)}, setting=cfg.metric)
