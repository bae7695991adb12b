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
    index, similarity = neighbours.nearest(queries, gallery, 5, metric)
    assert torch.equal(index, distance.argsort(dim=1)[:, :5])
    assert torch.equal(neighbours.similarity(queries, gallery, metric).argsort(dim=1, descending=True), distance.argsort(dim=1))
    expected = distance.sort(dim=1).values[:, :5]
    torch.testing.assert_close(similarity, 1 - expected if metric == "cosine" else -expected)
    assert max(s.stop - s.start for s in neighbours.blocks(23, 40)) == 2


def test_no_more_than_a_block_is_held(monkeypatch):
    """100,000 x 100,000 similarities are 75 GiB: what is held at once must not grow with the gallery."""
    seen = []
    compared = neighbours._compared

    def watched(queries, gallery, metric):
        seen.append(max(gallery.numel(), queries.numel(), len(queries) * len(gallery)))
        return compared(queries, gallery, metric)

    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", 256)
    monkeypatch.setattr(neighbours, "_compared", watched)
    index, _ = neighbours.nearest(torch.randn(50, 4), torch.randn(900, 4), 3, "cosine")
    assert index.shape == (50, 3)
    assert max(seen) <= 256


def test_clips_that_float32_cannot_tell_apart_are_told_apart():
    """Untrained encoders put clips so close together that float32 cosines tie; the nearest is then an accident."""
    gallery = torch.ones(200, 64) + 1e-6 * torch.randn(200, 64)
    index, similarity = neighbours.nearest(gallery.double() + 1e-12, gallery.double(), 2, "cosine")
    assert torch.equal(index[:, 0], torch.arange(200))
    assert (similarity[:, 0] > similarity[:, 1]).all()
