import pytest
import torch

from pstl.ops import neighbours


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_blocked_search_equals_the_plain_one(metric, monkeypatch):
    """Blocks bound memory and must not change an answer."""
    queries, gallery = torch.randn(23, 8, dtype=torch.double), torch.randn(40, 8, dtype=torch.double)
    if metric == "cosine":
        distance = 1 - torch.nn.functional.cosine_similarity(queries[:, None], gallery[None], dim=2)
    else:
        distance = (queries[:, None] - gallery[None]).norm(dim=2)
    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", 100)
    assert torch.equal(neighbours.nearest(queries, gallery, 5, metric), distance.argsort(dim=1)[:, :5])
    assert max(s.stop - s.start for s in neighbours.blocks(23, 40)) == 2
