"""What a head reads while its encoder is trained: differences between clips, at the same scale in
training and in test.
"""

import numpy as np
import torch

from pstl.encoding.standardise import FeatureStandardiser


def rows(clips=40, seed=0):
    """Features (N, R, D) that differ by a hundredth of their size, and one that never changes."""
    x = 5 + 0.05 * torch.randn(clips, 3, 4, generator=torch.Generator().manual_seed(seed))
    x[..., 3] = 2.0
    return x


def test_training_and_test_see_one_scale():
    """A head trained on one scale and tested on another would be wrong by their ratio: after fit()
    both are those of all clips.
    """
    standard, x = FeatureStandardiser(4), rows()
    trained = standard(x)
    standard.fit(x.numpy())
    tested = standard.eval()(x)
    torch.testing.assert_close(trained, tested, atol=1e-3, rtol=1e-3)
    np.testing.assert_allclose(tested.mean((0, 1)), np.zeros(4), atol=1e-3)
    np.testing.assert_allclose(tested.flatten(0, 1).std(0, correction=0), [1, 1, 1, 0], atol=1e-3)


def test_a_test_clip_does_not_depend_on_its_neighbours():
    """By the batch in test, a score would depend on who is tested together."""
    standard = FeatureStandardiser(4)
    standard.fit(rows().numpy())
    x = rows(seed=1)
    torch.testing.assert_close(standard.eval()(x)[:1], standard(x[:1]))


def test_a_single_row_can_be_trained_on():
    """The last batch of an epoch may hold one clip: it has no spread, and must not become NaN."""
    standard = FeatureStandardiser(4)
    x = rows(1)[:, :1].requires_grad_()
    standard(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(standard(x)).all()


def test_gradients_reach_the_encoder():
    """Detached features would leave a tuned encoder as it was."""
    x = rows().requires_grad_()
    (FeatureStandardiser(4)(x) ** 3).sum().backward()
    assert x.grad[..., :3].abs().max() > 1
