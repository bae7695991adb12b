import math

import pytest
import torch

from pstl.errors import ShapeError
from pstl.losses.ntxent import mutual_neighbours, nt_xent, nt_xent_of_groups


def naive(a, b, temperature):
    """The formula of PSP spec 6, row by row."""
    z = torch.cat([a, b])
    z = z / z.norm(dim=1, keepdim=True)
    n, total = len(a), 0.0
    for i in range(2 * n):
        similar = [math.exp(float(z[i] @ z[k]) / temperature) for k in range(2 * n)]
        total -= math.log(similar[(i + n) % (2 * n)] / (sum(similar) - similar[i]))
    return total / (2 * n)


def test_the_formula():
    """Both directions, the row itself left out, the other stream's row of the same clip as the
    positive.
    """
    a, b = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0)).double()
    assert float(nt_xent(a, b, 0.07)) == pytest.approx(naive(a, b, 0.07))


def test_equal_vectors_give_log_of_the_candidates():
    """All of 2 N - 1 candidates alike: the value of knowing nothing."""
    z = torch.ones(9, 4)
    assert float(nt_xent(z, z, 0.07)) == pytest.approx(math.log(17), rel=1e-5)


def test_levels_do_not_meet():
    """No cross-level terms: three problems in one product are three problems."""
    a, b = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        nt_xent(a, b, 0.2), torch.stack([nt_xent(x, y, 0.2) for x, y in zip(a, b, strict=True)])
    )
    assert nt_xent(a.bfloat16(), b.bfloat16(), 0.2).dtype == torch.float32


def test_streams_of_other_shapes_are_refused():
    """Broadcasting would contrast the wrong clips."""
    with pytest.raises(ShapeError, match="expected twice"):
        nt_xent(torch.ones(4, 3), torch.ones(5, 3), 0.1)


def naive_of_groups(a, b, alike, temperature):
    """As naive(), where every row of a clip that is alike is a positive."""
    z = torch.cat([a, b])
    z = z / z.norm(dim=1, keepdim=True)
    n, total = len(a), 0.0
    for i in range(2 * n):
        similar = [math.exp(float(z[i] @ z[k]) / temperature) for k in range(2 * n)]
        others = sum(similar) - similar[i]
        positives = [k for k in range(2 * n) if k != i and alike[i % n, k % n]]
        total -= sum(math.log(similar[k] / others) for k in positives) / len(positives)
    return total / (2 * n)


def test_the_formula_of_groups():
    """Both views of every like clip pull, each as much as the clip's own other view."""
    a, b = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(2)).double()
    alike = torch.eye(6, dtype=torch.bool)
    alike[0, 4] = alike[4, 0] = alike[1, 2] = alike[2, 1] = alike[0, 2] = alike[2, 0] = True
    expected = naive_of_groups(a, b, alike, 0.1)
    assert float(nt_xent_of_groups(a, b, alike, 0.1)) == pytest.approx(expected)


def test_groups_of_one_are_pairs():
    """Where no clip is like another the loss is SimCLR's."""
    a, b = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(3))
    alone = torch.eye(6, dtype=torch.bool)
    torch.testing.assert_close(nt_xent_of_groups(a, b, alone, 0.1), nt_xent(a, b, 0.1))


def test_a_neighbour_must_be_named_by_both():
    """A clip off all others has a nearest one, too, which has nearer ones."""
    angle = torch.tensor([0.0, 0.1, 0.15, 1.0])
    x = torch.stack([angle.cos(), angle.sin()], dim=1)
    alike = mutual_neighbours(x, 1)
    expected = torch.eye(4, dtype=torch.bool)
    expected[1, 2] = expected[2, 1] = True
    assert torch.equal(alike, expected)
    assert bool(mutual_neighbours(x, 9).all())  # a short last batch
