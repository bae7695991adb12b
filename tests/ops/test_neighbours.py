"""Search gives the exact answer of its definition, whatever ties, repeats or is empty, and however
it is cut into blocks.
"""

import numpy as np
import pytest
import torch
from ops.search_references import crowded, order

from pstl.ops import distances, neighbours, ranking
from pstl.ops.neighbours import nearest
from pstl.ops.ranking import hit_ranks

KINDS = ("small", "collapsed", "duplicates", "zeros")
METRICS = ("cosine", "euclidean")


def plain(queries: torch.Tensor, gallery: torch.Tensor, metric: str) -> torch.Tensor:
    """(Q, G) distances in float64, each by itself; 1 - cosine for the cosine."""
    queries, gallery = queries.double(), gallery.double()
    if metric == "cosine":
        return 1 - torch.nn.functional.cosine_similarity(queries[:, None], gallery[None], dim=2)
    return (queries[:, None] - gallery[None]).norm(dim=2)


@pytest.mark.parametrize("elements", [64, 2**24])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_ties_go_to_the_lower_number(kind, metric, elements, monkeypatch):
    """Which of two equally near clips is the nearest must not hang on rounding, on a block's end or
    on the task that asks.
    """
    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", elements)
    rng = np.random.default_rng(0)
    for _ in range(100):
        queries, gallery = crowded(rng, kind)
        expected = [
            order(q, gallery.astype(int).tolist(), metric) for q in queries.astype(int).tolist()
        ]
        k, classes = int(rng.integers(1, 6)), torch.from_numpy(rng.integers(0, 3, len(gallery)))
        wanted, both = (
            torch.from_numpy(rng.integers(0, 4, len(queries))),
            (torch.from_numpy(queries), torch.from_numpy(gallery)),
        )
        index, _ = nearest(*both, k, metric)
        assert index.tolist() == [row[:k] for row in expected]
        for some, ranks in hit_ranks(both[0], wanted, both[1], classes, metric):
            for query, found in zip(some.tolist(), ranks.tolist(), strict=True):
                hits = [
                    rank for rank, i in enumerate(expected[query], 1) if classes[i] == wanted[query]
                ]
                assert [rank for rank in found if rank < np.inf] == hits


@pytest.mark.parametrize("shift", [0.0, 30.0])
@pytest.mark.parametrize("metric", METRICS)
def test_many_features_are_searched_as_by_definition(metric, shift, monkeypatch):
    """Blocks, groups and candidates must not lose a neighbour, also where all clips have much in
    common.
    """
    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", 2**12)
    rng = torch.Generator().manual_seed(0)
    queries, gallery = (torch.randn(size, 24, generator=rng) + shift for size in (150, 1200))
    classes, wanted = (
        torch.randint(0, 7, (1200,), generator=rng),
        torch.randint(0, 8, (150,), generator=rng),
    )
    distance = plain(queries, gallery, metric)
    for k in (1, 3, 40):
        index, similarity = nearest(queries, gallery, k, metric)
        assert torch.equal(index, distance.argsort(dim=1, stable=True)[:, :k])
        expected = distance.sort(dim=1).values[:, :k]
        torch.testing.assert_close(similarity, 1 - expected if metric == "cosine" else -expected)
    hits = classes[distance.argsort(dim=1, stable=True)] == wanted[:, None]
    for some, ranks in hit_ranks(queries, wanted, gallery, classes, metric):
        for query, found in zip(some, ranks, strict=True):
            assert torch.equal(found[found.isfinite()].long(), hits[query].nonzero()[:, 0] + 1)


@pytest.mark.parametrize("metric", METRICS)
def test_what_products_cannot_tell_apart_is_told_by_distances(metric):
    """Clips of an untrained encoder differ in the last digits of float32, some not at all.

    The same answer at every step down to it.
    """
    rng = torch.Generator().manual_seed(0)
    for spread in (1e-2, 1e-4, 1e-5):
        gallery = torch.ones(300, 8) + spread * torch.randn(300, 8, generator=rng)
        gallery[200:] = gallery[:100]
        queries, classes = gallery[:150].clone(), torch.arange(300) % 3
        exact = (queries.double()[:, None] - gallery.double()[None]).norm(dim=2)
        if metric == "cosine":
            exact = (normal(queries)[:, None] - normal(gallery)[None]).norm(dim=2)
        first = exact.argsort(dim=1, stable=True)
        assert torch.equal(nearest(queries, gallery, 5, metric)[0], first[:, :5])
        for some, ranks in hit_ranks(queries, classes[:150], gallery, classes, metric):
            hits = classes[first[some]] == classes[some, None]
            assert torch.equal(ranks.long(), hits.nonzero()[:, 1].view(len(some), -1) + 1)


def normal(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(x.double(), dim=1)


def test_clips_that_float32_cannot_tell_apart_are_told_apart():
    """Untrained encoders put clips so close together that float32 cosines tie.

    The nearest is then an accident.
    """
    gallery = torch.ones(200, 64) + 1e-6 * torch.randn(200, 64)
    index, similarity = nearest(gallery.double() + 1e-12, gallery.double(), 2, "cosine")
    assert torch.equal(index[:, 0], torch.arange(200))
    assert (similarity[:, 0] > similarity[:, 1]).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e14])
@pytest.mark.parametrize("metric", METRICS)
def test_the_size_of_features_changes_no_neighbour(metric, scale):
    """Squares of small and large features leave the range of float32."""
    rng = torch.Generator().manual_seed(0)
    queries, gallery = (
        torch.randn(size, 16, generator=rng, dtype=torch.double) for size in (40, 500)
    )
    expected = nearest(queries, gallery, 3, metric)[0]
    assert torch.equal(
        nearest((queries * scale).float(), (gallery * scale).float(), 3, metric)[0], expected
    )


def test_no_more_than_a_block_is_held(monkeypatch):
    """100,000 x 100,000 similarities are 75 GiB.

    What is held at once must not grow with the gallery.
    """
    seen = []

    def watched(left, right, out=None, product=distances.product):
        seen.append(len(left) * len(right))
        return product(left, right, out)

    monkeypatch.setattr(neighbours, "BLOCK_ELEMENTS", 4096)
    for module in (neighbours, ranking):
        monkeypatch.setattr(module, "product", watched)
    queries, gallery = torch.randn(150, 4), torch.randn(2000, 4)
    assert nearest(queries, gallery, 3, "cosine")[0].shape == (150, 3)
    assert (
        sum(
            len(some)
            for some, _ in hit_ranks(
                queries, torch.arange(150) % 3, gallery, torch.arange(2000) % 3, "cosine"
            )
        )
        == 150
    )
    assert max(seen) <= 4096
    assert len(seen) > 100


def test_nobody_asked_or_nothing_to_search_is_empty():
    """An empty side is no error here: the tasks say it in a person's words."""
    some, none = torch.randn(3, 2), torch.zeros(0, 2)
    assert nearest(none, some, 2, "cosine")[0].shape == (0, 2)
    assert nearest(some, none, 2, "cosine")[0].shape == (3, 0)
