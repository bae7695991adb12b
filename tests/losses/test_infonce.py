import math

import pytest
import torch
import torch.nn.functional as F

from pstl.errors import ShapeError
from pstl.losses.infonce import batch_logits, info_nce, logits


def rows(*shape):
    return F.normalize(
        torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape) + shape[0])), dim=-1
    )


def slow(query, key, negatives, temperature):
    """The definition, clip by clip."""
    total = 0.0
    for q, k in zip(query, key, strict=True):
        positive = math.exp(float(q @ k) / temperature)
        total -= math.log(
            positive
            / (positive + sum(math.exp(float(q @ other) / temperature) for other in negatives))
        )
    return total / len(query)


def test_value_is_the_definition():
    """-log of the positive's share, averaged over clips.

    The temperature divides every similarity.
    """
    q, k, negatives = rows(6, 8), rows(7, 8)[:6], rows(40, 8)
    assert float(info_nce(q, k, negatives, 0.2)) == pytest.approx(
        slow(q, k, negatives, 0.2), rel=1e-5
    )
    assert float(info_nce(q, k, negatives, 1.0)) == pytest.approx(
        slow(q, k, negatives, 1.0), rel=1e-5
    )


def test_one_product_for_shared_negatives_changes_nothing():
    """Temporal and spatial queries share keys and queue.

    Together they must give what they give apart.
    """
    q, k, negatives = rows(2, 5, 8), rows(5, 8), rows(30, 8)
    together = info_nce(q, k, negatives, 0.2)
    apart = torch.stack([info_nce(part, k, negatives, 0.2) for part in q])
    torch.testing.assert_close(together, apart)


def test_no_information_costs_the_logarithm_of_the_choices():
    """At random initialisation a term is near ln(8193) = 9.01 (SCD-Net spec 5).

    The loss curve's known starting point.
    """
    zero = torch.zeros(3, 4)
    assert float(info_nce(zero, zero, torch.zeros(8192, 4), 0.2)) == pytest.approx(9.011, abs=1e-3)


def test_the_positive_stands_first():
    """Readers of the logits rank column 0."""
    q = rows(4, 8)
    scores = logits(q, q, -q, 0.2)
    torch.testing.assert_close(scores[:, 0], torch.full((4,), 5.0))
    assert scores.shape == (4, 5)


def test_autocast_does_not_round_the_similarities():
    """bf16 has three digits; divided by a temperature of 0.07 the error would be of the order of
    the loss.
    """
    q, k, negatives = rows(6, 8), rows(7, 8)[:6], rows(40, 8)
    exact = q @ negatives.T / 0.2
    with torch.autocast("cpu", torch.bfloat16):
        # What would happen without care.
        assert not torch.allclose((q @ negatives.T).float() / 0.2, exact, atol=1e-3)
        torch.testing.assert_close(logits(q, k, negatives, 0.2)[:, 1:], exact)


def test_shapes_that_do_not_fit_are_refused():
    """A key of another batch would broadcast."""
    with pytest.raises(ShapeError, match="expected"):
        info_nce(rows(6, 8), rows(1, 8), rows(40, 8), 0.2)


def test_batch_logits_are_scaled_cosines():
    """In-batch InfoNCE is the cross-entropy of these against the diagonal.

    The Hi-TRS last-clip loss (Hi-TRS spec 3.4).
    """
    query, key = torch.randn(5, 7) * 3, torch.randn(5, 7)
    expected = [[float(F.cosine_similarity(q, k, dim=0)) / 0.07 for k in key] for q in query]
    torch.testing.assert_close(
        batch_logits(query, key, 0.07), torch.tensor(expected), atol=1e-4, rtol=1e-4
    )
