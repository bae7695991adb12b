import torch
import torch.nn.functional as F

from pstl.ops.norm import weighted_batch_norm


def case(dtype):
    torch.manual_seed(0)
    x, weight, bias = torch.randn(5, 4, 3, 6, dtype=dtype) * 3 + 10, torch.rand(4, dtype=dtype), torch.randn(4, dtype=dtype)
    return x.requires_grad_(), torch.tensor([1.0, 4.0, 1.0, 2.0, 1.0]), weight.requires_grad_(), bias.requires_grad_()


def test_a_row_that_counts_four_times_is_four_rows():
    """Absent bodies are encoded once: statistics, outputs and every gradient must be those of the whole batch."""
    x, count, weight, bias = case(torch.float64)
    copies = torch.repeat_interleave(torch.arange(5), count.long())
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
