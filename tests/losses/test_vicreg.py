import math

import pytest
import torch

from pstl.errors import ShapeError
from pstl.losses.vicreg import variance_covariance


def plain(z, weight):
    """The published formulas with their D x D matrix and sums over pairs."""
    width = z.shape[1]
    hinge = sum(max(0.0, 1 - math.sqrt(float(z[:, d].var()) + 1e-4)) for d in range(width)) / width
    covariance = torch.cov(z.T)
    pairs = sum(float(covariance[i, j]) ** 2 for i in range(width) for j in range(width) if i != j)
    return weight * hinge + pairs / width


@pytest.mark.parametrize(("n", "width"), [(6, 20), (20, 6), (9, 9)])
def test_the_value_is_the_published_formula(n, width):
    """The small Gram matrix is exact algebra, and the variance is the unbiased one."""
    z = torch.randn(n, width, dtype=torch.double) * torch.linspace(0.2, 2, width).double() + 3
    assert float(variance_covariance(z, 5.0)) == pytest.approx(plain(z, 5.0), rel=1e-10)


@pytest.mark.parametrize(("n", "width"), [(6, 20), (20, 6)])
def test_the_gradient_is_that_of_the_wide_matrix(n, width):
    """Training follows the gradient; the D x D form is the released code's."""
    z = (torch.randn(n, width, dtype=torch.double) * 0.5).requires_grad_()
    covariance = torch.cov(z.T)
    off = covariance - covariance.diag().diag()
    hinge = torch.relu(1 - (z.var(0) + 1e-4).sqrt()).mean()
    (theirs,) = torch.autograd.grad(5 * hinge + off.square().sum() / width, z)
    (ours,) = torch.autograd.grad(variance_covariance(z, 5.0), z)
    torch.testing.assert_close(ours, theirs)


def test_white_noise_costs_next_to_nothing():
    """Spread and uncorrelated features are what it asks for: all that is left is chance."""
    z = 1.1 * torch.randn(20_000, 16)
    assert float(variance_covariance(z, 5.0)) < 0.01


def test_a_collapsed_batch_costs_the_whole_hinge():
    """The same features for every clip are what it forbids."""
    z = torch.full((8, 16), 0.3)
    assert float(variance_covariance(z, 5.0)) == pytest.approx(5 * (1 - 0.01), abs=1e-5)


def test_copies_of_a_feature_are_costly():
    """Without it all features would say one thing."""
    one = torch.randn(500, 1)
    assert float(variance_covariance(one.expand(-1, 16), 5.0)) > 10


def test_one_clip_has_no_variance():
    """A NaN would only be found after the epoch."""
    with pytest.raises(ShapeError, match="n at least 2"):
        variance_covariance(torch.zeros(1, 4), 5.0)
