"""Convolutions over frames by transforms are torch's own, forwards and backwards."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pstl.backbones import dsta, stgcn
from pstl.ops import frame_convolution
from pstl.ops.frame_convolution import convolve, suits
from pstl.skeletons import load

FIRST, LAST = (2, 0, 1, 3), (2, 0, 3, 1)  # orders of ST-GCN's and of DSTA-Net's memory


def by_torch(x, weight, order):
    """The same by torch's convolution of images (A, C, T, B)."""
    images = x.permute(order).permute(1, 3, 0, 2)
    y = F.conv2d(images, weight[..., None], padding=(weight.shape[2] // 2, 0))
    rows = y.permute(2, 0, 3, 1)
    return rows.permute([order.index(dim) for dim in range(4)])


def drawn(frames, order, c_in, dtype=torch.float64):
    shape = (frames, 7, 3, c_in)
    x = torch.randn([shape[order.index(dim)] for dim in range(4)], dtype=dtype)
    return x.requires_grad_()


@pytest.mark.parametrize("order", [FIRST, LAST])
def test_values_and_gradients_are_torchs(order, monkeypatch):
    """An encoder must not depend on which of the two was faster; parts must fit together."""
    monkeypatch.setattr(frame_convolution, "ROWS", 6)  # parts of 2, 2, 2 and 1
    torch.manual_seed(0)
    for frames, kernel in itertools.product((1, 2, 8, 13, 32), (3, 7, 9)):
        x, weight = drawn(frames, order, 4), torch.randn(5, 4, kernel, dtype=torch.float64)
        weight.requires_grad_()
        ours, torchs = convolve(x, weight, order), by_torch(x, weight, order)
        torch.testing.assert_close(ours, torchs, rtol=0, atol=1e-12)
        slope = torch.randn_like(torchs)
        gradients = [torch.autograd.grad(y, (x, weight), slope) for y in (ours, torchs)]
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_rounding_is_no_greater_than_of_a_plain_sum():
    """Fewer products are worth nothing if they cost a digit."""
    torch.manual_seed(0)
    x = torch.randn(40, 4, 13, 256)
    weight = torch.randn(256, 256, 9) / 48
    exact = by_torch(x.double(), weight.double(), FIRST)
    taps = F.pad(x, (0, 0, 4, 4)).unfold(2, 9, 1).permute(0, 1, 2, 4, 3).flatten(3)
    plain = taps @ weight.permute(2, 1, 0).flatten(0, 1)
    error = (convolve(x, weight, FIRST) - exact).norm() / exact.norm()
    assert error < 1.5 * (plain - exact).norm() / exact.norm()
    assert error < 1e-6


def along_frames(c_in, c_out, **changes):
    return nn.Conv2d(c_in, c_out, (9, 1), padding=(4, 0), **changes)


def test_only_wide_float32_on_a_processor_is_done_so(monkeypatch):
    """Elsewhere torch is faster, or numbers are asked for that are not float32."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    x, wide = torch.zeros(1), along_frames(128, 128)
    assert suits(x, wide, 13)
    assert not suits(x, wide, 50)
    assert not suits(x.double(), wide, 13)
    assert not suits(x.to("meta"), wide, 13)
    assert not suits(x, along_frames(128, 64), 13)
    assert not suits(x, along_frames(128, 128, stride=(2, 1)), 13)
    assert not suits(x, nn.Conv2d(128, 128, 1), 13)
    assert not suits(x, nn.Conv2d(128, 128, (9, 1)), 13)  # fewer frames come out
    assert not suits(x, nn.Conv2d(128, 128, (9, 3), padding=(4, 1)), 13)
    assert not suits(x, along_frames(128, 128, dilation=(2, 1)), 13)
    assert not suits(x, along_frames(256, 256, groups=2), 13)
    with torch.autocast("cpu", torch.bfloat16):
        assert not suits(x, wide, 13)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert not suits(x, wide, 13)
    assert suits(x, along_frames(256, 256), 13)


@pytest.mark.parametrize("backbone", [stgcn, dsta])
def test_encoders_are_the_same_by_either(backbone, monkeypatch):
    """Features and gradients of a whole encoder, biases and strides among them."""
    torch.manual_seed(0)
    encoder = backbone.Encoder(backbone.Config(width=4), load("kinect_v2"), 2, 16)
    x = torch.randn(3, 3, 16, 25, 2)
    weights = list(encoder.parameters())
    results = []
    for fewest in (1, 10**6):
        monkeypatch.setattr(frame_convolution, "FEWEST_CHANNELS", fewest)
        monkeypatch.setattr(frame_convolution, "FEWEST_WITH_AVX512", fewest)
        torch.manual_seed(1)  # dropout
        clip = encoder(x).clip
        slopes = torch.autograd.grad(clip.square().sum(), weights, allow_unused=True)
        flat = torch.cat([slope.flatten() for slope in slopes if slope is not None])
        results.append((clip.detach(), flat))
    for one, other in zip(*results, strict=True):
        assert (one - other).norm() < 1e-4 * other.norm()
