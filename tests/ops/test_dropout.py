import pytest
import torch

from pstl.ops.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_drops_the_stated_share_and_keeps_the_mean(rate):
    """Cheap bits must not change the method.

    Rate and expectation are those of the usual dropout.
    """
    torch.manual_seed(0)
    y = Dropout(rate).train()(torch.ones(1000, 1001))
    assert float((y == 0).double().mean()) == pytest.approx(rate, abs=2e-3)
    assert float(y.double().mean()) == pytest.approx(1, abs=4e-3)
    assert len(y.unique()) == 2


def test_neighbouring_elements_are_dropped_independently():
    """Four elements share one random number; they must not share their fate."""
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(400_000)) == 0).view(-1, 4).double()
    correlation = torch.corrcoef(dropped.T) - torch.eye(4)
    assert correlation.abs().max() < 0.01


def test_evaluation_and_seed():
    """Identity in evaluation; the same seed draws the same in training."""
    layer, x = Dropout(0.5), torch.randn(7, 5)
    assert torch.equal(layer.eval()(x), x)
    layer.train()
    torch.manual_seed(3)
    first = layer(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first)


def test_gradients_pass_where_elements_were_kept():
    """The gradient of a dropped element is zero, of a kept one the factor that kept the mean."""
    torch.manual_seed(0)
    x = torch.ones(50, 40, dtype=torch.float64, requires_grad=True)
    y = Dropout(0.25).train()(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
