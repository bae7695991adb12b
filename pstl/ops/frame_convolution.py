"""Convolutions over frames with a quarter of the products, where channels are many.

A convolution is a product of Fourier transforms, and three real products are a complex one: 25
matrix products make the 13 frames of a kernel of 9 that otherwise take 117. The transforms are
small matrices that every channel is multiplied by. Exact up to rounding, which is less than that of
a sum of 9 products a channel. On a CPU only: the processor's own products are MKL's, which are as
fast as its convolutions without AVX-512, and a third as fast on some with it.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

FEWEST_CHANNELS, FEWEST_WITH_AVX512 = 128, 256  # fewer take longer than torch's own
MOST_FRAMES = 32  # longer transforms cost what is gained
ROWS = 400  # that are transformed at a time: what belongs to them stays in a cache


class Transforms(NamedTuple):
    """Matrices of y = `back` ((`of_frames` x) (`of_kernel` w)), the product taken line by line.

    of_frames: (M, T).   of_kernel: (M, K).   back: (T', M).
    """

    of_frames: Tensor
    of_kernel: Tensor
    back: Tensor


def suits(x: Tensor, convolution: nn.Conv2d, frames: int) -> bool:
    """Whether a convolution over frames is faster by transforms.

    x: what is convolved, (..., C) or in another order.   frames: its T.
    """
    if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return False
    has_avx512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
    fewest = FEWEST_WITH_AVX512 if has_avx512 else FEWEST_CHANNELS
    is_wide = min(convolution.in_channels, convolution.out_channels) >= fewest
    return is_wide and is_plain(convolution) and frames <= MOST_FRAMES


def is_plain(convolution: nn.Conv2d) -> bool:
    """Whether it is over several frames alone, and as many come out as go in."""
    kernel, across = convolution.kernel_size
    kept = convolution.stride == (1, 1) and convolution.padding == (kernel // 2, 0)
    dense = convolution.dilation == (1, 1) and convolution.groups == 1
    return kernel > 1 and kernel % 2 == 1 and across == 1 and kept and dense


def convolve(x: Tensor, weight: Tensor, order: tuple[int, int, int, int]) -> Tensor:
    """Convolve along frames, padded by zeros to the frames that there are.

    x: any four dimensions, `order` of which are frames, two of rows, and channels: x.permute(order)
    is (T, A, B, C).   weight: (C', C, K), K odd.   Returns: as x, with C' in place of C.
    """
    y: Tensor = _Convolution.apply(x, weight, order)
    return y


class _Convolution(torch.autograd.Function):
    """Transforms rows again for the gradient: kept, they would be twice the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, order: tuple[int, int, int, int]) -> Tensor:
        """See convolve().   x: four dimensions, weight: (C', C, K).   Returns: as x."""
        rows = x.permute(order)
        frames, first, second, c_in = rows.shape
        c_out, _, kernel = weight.shape
        by = transforms(frames, kernel, x.dtype)
        products = (by.of_kernel @ weight.permute(2, 1, 0).reshape(kernel, -1)).view(
            -1, c_in, c_out
        )
        shape = (frames, first, second, c_out)
        y = x.new_empty([shape[order.index(dim)] for dim in range(4)])
        for part, out in zip(_parts(rows), _parts(y.permute(order)), strict=True):
            transformed = (by.of_frames @ part.reshape(frames, -1)).view(-1, _count(part), c_in)
            out.copy_((by.back @ torch.bmm(transformed, products).flatten(1)).view(out.shape))
        ctx.save_for_backward(x, products)
        ctx.order, ctx.kernel = order, kernel
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """gradient: as forward() gives.   Returns: those of x and weight, of their shapes."""
        x, products = ctx.saved_tensors
        rows = x.permute(ctx.order)
        frames, _, _, c_in = rows.shape
        by = transforms(frames, ctx.kernel, x.dtype)
        for_x, for_products = torch.empty_like(x), torch.zeros_like(products)
        parts = (_parts(each.permute(ctx.order)) for each in (x, gradient, for_x))
        for part, slope, out in zip(*parts, strict=True):
            transformed = (by.of_frames @ part.reshape(frames, -1)).view(-1, _count(part), c_in)
            slopes = (by.back.T @ slope.reshape(frames, -1)).view(*transformed.shape[:2], -1)
            for_products.baddbmm_(transformed.mT, slopes)
            back = by.of_frames.T @ torch.bmm(slopes, products.mT).flatten(1)
            out.copy_(back.view(out.shape))
        for_weight = by.of_kernel.T @ for_products.flatten(1)
        return for_x, for_weight.view(-1, *products.shape[1:]).permute(2, 1, 0), None


def _parts(rows: Tensor) -> tuple[Tensor, ...]:
    """rows: (T, A, B, C).   Returns: parts along A."""
    return rows.split(max(1, ROWS // rows.shape[2]), 1)


def _count(part: Tensor) -> int:
    """How many rows a part (T, A, B, C) has."""
    return part.shape[1] * part.shape[2]


@cache
def transforms(frames: int, kernel: int, dtype: torch.dtype) -> Transforms:
    """Of a convolution that leaves as many frames as there are.

    A circle of `length` frames is long enough that what comes round the end is the zeros beyond it.
    A frequency that is real takes one product; of the others x = a + bi and h = c + di take ac, bd
    and (a + b)(c + d), and their product is ac - bd + ((a + b)(c + d) - ac - bd) i.
    """
    half = kernel // 2
    length = frames + half
    times = torch.arange(frames, dtype=torch.float64)
    taps = torch.arange(kernel, dtype=torch.float64) - half
    of_frames: list[Tensor] = []
    of_kernel: list[Tensor] = []
    back: list[Tensor] = []
    for frequency in range(length // 2 + 1):
        angle = 2 * math.pi * frequency / length
        real, imaginary = torch.cos(angle * times), -torch.sin(angle * times)
        tap_real, tap_imaginary = torch.cos(angle * taps), torch.sin(angle * taps)
        if 2 * frequency in (0, length):
            of_frames.append(real)
            of_kernel.append(tap_real)
            back.append(real / length)
        else:
            of_frames += [real, imaginary, real + imaginary]
            of_kernel += [tap_real, tap_imaginary, tap_real + tap_imaginary]
            weight = 2 / length
            back += [weight * (real - imaginary), -weight * (real + imaginary), weight * imaginary]
    matrices = (torch.stack(of_frames), torch.stack(of_kernel), torch.stack(back, 1))
    return Transforms(*(each.to(dtype) for each in matrices))
