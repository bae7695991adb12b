from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pstl.ops.norm import GlobalNorm, LastNorm, counted, weighted_batch_norm

COUNT = torch.tensor([1, 4, 1, 2, 1])


def case(dtype):
    torch.manual_seed(0)
    x, weight, bias = (
        torch.randn(5, 4, 3, 6, dtype=dtype) * 3 + 10,
        torch.rand(4, dtype=dtype),
        torch.randn(4, dtype=dtype),
    )
    return (
        x.requires_grad_(),
        counted(COUNT, 9),
        weight.requires_grad_(),
        bias.requires_grad_(),
    )


def test_a_row_that_counts_four_times_is_four_rows():
    """Absent bodies are encoded once.

    Statistics, outputs and every gradient must be those of the whole batch.
    """
    x, count, weight, bias = case(torch.float64)
    copies = torch.repeat_interleave(torch.arange(5), COUNT)
    y, mean, variance = weighted_batch_norm(x, count, weight, bias, 1e-5)
    target = torch.randn(9, 4, 3, 6, dtype=torch.float64)
    ours = torch.autograd.grad((y[copies] * target).sum(), (x, weight, bias))
    plain = F.batch_norm(x[copies], None, None, weight, bias, training=True, eps=1e-5)
    theirs = torch.autograd.grad((plain * target).sum(), (x, weight, bias))
    torch.testing.assert_close(y[copies], plain)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(mean, x[copies].mean((0, 2, 3)))
    torch.testing.assert_close(variance, x[copies].var((0, 2, 3), correction=0))


def test_half_precision_keeps_its_type_and_loses_no_statistics():
    """Sums of thousands of bf16 numbers would lose the mean; only the output is rounded."""
    x, count, weight, bias = case(torch.float32)
    half = x.detach().bfloat16()
    y, mean, _ = weighted_batch_norm(half, count, weight, bias, 1e-5)
    exact, expected, _ = weighted_batch_norm(half.float(), count, weight, bias, 1e-5)
    assert y.dtype == torch.bfloat16
    assert torch.equal(mean, expected)
    assert torch.equal(y, exact.bfloat16())


@pytest.mark.parametrize("momentum", [0.1, None])
def test_last_norm_is_torchs_batch_norm_with_channels_last(momentum):
    """Another order of the axes, the same outputs, gradients and running statistics, in training
    and after it.
    """
    torch.manual_seed(0)
    ours, torchs = (
        norm(6, momentum=momentum).double() for norm in (LastNorm, torch.nn.BatchNorm2d)
    )
    for norm in (ours, torchs):
        with torch.no_grad():
            norm.weight.copy_(torch.linspace(0.5, 2, 6))
            norm.bias.copy_(torch.linspace(-1, 1, 6))
    for _ in range(2):
        x = torch.randn(5, 3, 4, 6, dtype=torch.float64, requires_grad=True)
        y, reference = ours(x), torchs(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        torch.testing.assert_close(y, reference)
        direction = torch.randn_like(y)
        inputs = [(x, norm.weight, norm.bias) for norm in (ours, torchs)]
        gradients = [
            torch.autograd.grad(out, given, direction)
            for out, given in zip((y, reference), inputs, strict=True)
        ]
        torch.testing.assert_close(*gradients)
    torch.testing.assert_close(ours.state_dict(), torchs.state_dict())
    x = torch.randn(2, 1, 7, 6, dtype=torch.float64)
    torch.testing.assert_close(
        ours.eval()(x), torchs.eval()(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    )


def test_last_norm_keeps_the_digits_that_float32_has():
    """Rows added one after the other would cost the mean of many rows three digits."""
    torch.manual_seed(0)
    x = 10 + torch.randn(25, 64, 50, 4)
    norm = LastNorm(4, momentum=1.0)
    norm(x)
    torch.testing.assert_close(
        norm.running_mean.double(), x.double().mean((0, 1, 2)), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        norm.running_var.double(), x.double().var((0, 1, 2)), atol=0, rtol=3e-6
    )


@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_global_norm_of_one_process_is_the_norm_it_replaces(momentum: float | None) -> None:
    """Encoders are handed over to it with weights and statistics; what torch does, it must do."""
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(3, momentum=momentum).double()
    nn.init.normal_(plain.weight)
    other = GlobalNorm.of(deepcopy(plain))
    assert other.state_dict().keys() == plain.state_dict().keys()
    for step in range(3):
        x = torch.randn(4, 3, 5, 2, dtype=torch.float64) + step
        torch.testing.assert_close(other(x), plain(x), atol=1e-12, rtol=0)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, atol=1e-12, rtol=0)
    torch.testing.assert_close(other.eval()(x), plain.eval()(x), atol=1e-12, rtol=0)
