import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pstl.ops.linear import TokenLinear, suits_convolution, token_product


@pytest.mark.parametrize("has_bias", [True, False])
def test_a_product_of_tokens_is_a_linear_layer(
    has_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in the place of nn.Linear: values, layout and all gradients must be its own."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    torch.manual_seed(0)
    x = torch.randn(18, 20, 12, requires_grad=True)
    weight = torch.randn(8, 12, requires_grad=True)
    bias = torch.randn(8, requires_grad=True) if has_bias else None
    inputs = [value for value in (x, weight, bias) if value is not None]
    target, results = torch.randn(18, 20, 8), []
    assert suits_convolution(x)
    for product in (token_product, F.linear):
        y = product(x, weight, bias)
        assert y.is_contiguous()
        results.append((y, *torch.autograd.grad(y, inputs, target)))
    torch.testing.assert_close(*results, atol=1e-4, rtol=1e-5)


def test_a_processor_with_nothing_to_gain_keeps_torchs_own_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other kernels are for processors with AVX-512, and were tried on no other."""
    x = torch.randn(18, 20, 12)
    for capability in ("DEFAULT", "AVX2", "AVX512"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda name=capability: name)
        assert suits_convolution(x) == (capability == "AVX512")


def test_everything_else_is_torchs_own_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """float64 shows that training equals the released code: there not one bit may differ."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    torch.manual_seed(0)
    ours = TokenLinear(12, 8).double()
    torchs = nn.Linear(12, 8).double()
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(18, 20, 12, dtype=torch.double)
    assert torch.equal(ours(x), torchs(x))
    assert not suits_convolution(x)
    few = (x[:2], x[:, :1], x[0], x.mT)
    assert not any(suits_convolution(part.float()) for part in few[:3])
    assert not suits_convolution(x.float().mT)
    with torch.autocast("cpu", torch.bfloat16):
        assert not suits_convolution(x.float())
