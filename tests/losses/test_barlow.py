import pytest
import torch

from pstl.errors import ShapeError
from pstl.losses.barlow import barlow_twins, standardise


def plain(za, zb, weight):
    """The published formula, written out."""
    c = za.T @ zb / len(za)
    off = c.flatten()[:-1].view(len(c) - 1, len(c) + 1)[:, 1:]
    return (torch.diagonal(c) - 1).pow(2).sum() + weight * off.pow(2).sum()


@pytest.mark.parametrize(("n", "width"), [(8, 40), (40, 8), (16, 16)])
def test_loss_and_gradient_equal_the_published_formula(n, width):
    """The small-Gram form is exact algebra.

    Value and gradient agree in float64 with the D x D form.
    """
    za, zb = (
        standardise(torch.randn(n, width, dtype=torch.double)).double().requires_grad_()
        for _ in range(2)
    )
    ours, theirs = barlow_twins(za, zb, 2e-4), plain(za, zb, 2e-4)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(
        torch.autograd.grad(ours, (za, zb)), torch.autograd.grad(theirs, (za, zb)), strict=True
    ):
        torch.testing.assert_close(a, b)


def test_identical_decorrelated_views_cost_nothing():
    """The minimum of the loss is a cross-correlation equal to the identity."""
    # Columns orthogonal, mean square 1.
    z = torch.linalg.qr(torch.randn(64, 8, dtype=torch.double) - 0).Q * 8
    assert float(barlow_twins(z, z, 1.0)) == pytest.approx(0, abs=1e-12)


def test_standardise_has_zero_mean_and_unit_biased_variance():
    """The affine-free batch norm of PSTL spec 5."""
    z = standardise(torch.randn(32, 5) * 3 + 7)
    torch.testing.assert_close(z.mean(0), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(z.var(0, correction=0), torch.ones(5), atol=1e-4, rtol=0)


def test_shapes_that_differ_are_refused():
    """Broadcasting would give a number that means nothing."""
    with pytest.raises(ShapeError, match="one shape"):
        barlow_twins(torch.zeros(4, 3), torch.zeros(1, 3), 1.0)
