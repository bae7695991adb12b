"""Batch norm of rows that stand for several equal ones."""

from typing import Any

import torch
from torch import Tensor

from pstl.ops.collective import all_sum


def weighted_batch_norm(x: Tensor, count: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm in training mode where row i counts `count[i]` times, over the batch of all processes.

    x: (P, C, ...), count: (P,), weight, bias: (C,).
    Returns: y of x's shape and dtype; mean and biased variance per channel (C,), at least float32, without gradients.
    Equal to repeating every row and using an ordinary batch norm, gradients included (the gradient of a row is the sum of
    those of its copies), at the cost of the rows that are there (SCD-Net spec 10).
    """
    y, mean, variance = _WeightedNorm.apply(x, count, weight, bias, eps)
    return y, mean, variance


class _WeightedNorm(torch.autograd.Function):
    """By hand, because autograd's own chain of elementwise steps takes three times as long on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            flat = x.flatten(2).to(torch.promote_types(x.dtype, torch.float32))
            count = count.to(flat.dtype)
            share = (count / all_sum(count.sum()))[:, None]  # (P, 1), of all bodies
            mean = all_sum((share * flat.mean(2)).sum(0))
            centred = flat - mean[:, None]
            square = torch.linalg.vector_norm(centred, dim=2).square() / flat.shape[2]
            variance = all_sum((share * square).sum(0))
            scale = torch.rsqrt(variance + eps)
            y = torch.addcmul(bias[:, None], centred, (weight * scale)[:, None])
        ctx.save_for_backward(centred, share / flat.shape[2], scale, weight)
        ctx.mark_non_differentiable(mean, variance)
        return y.view_as(x).to(x.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *unused: Tensor) -> tuple[Tensor, None, Tensor, Tensor, None]:
        centred, share, scale, weight = ctx.saved_tensors  # share: of all bodies' frames and joints
        with torch.autocast(gradient.device.type, enabled=False):
            flat = gradient.flatten(2).to(centred.dtype)
            for_bias = flat.sum((0, 2))
            for_weight = torch.linalg.vecdot(flat, centred).sum(0) * scale
            # d x = weight scale (g - count / n (sum g + normalised x * sum(g normalised x))), sums over all processes
            slope = -share * weight * scale.square() * all_sum(for_weight)  # (P, C)
            offset = -share * weight * scale * all_sum(for_bias)
            for_x = torch.addcmul(offset[:, :, None], centred, slope[:, :, None])
            for_x = for_x.addcmul_(flat, (weight * scale)[:, None])
        return for_x.view_as(gradient).to(gradient.dtype), None, for_weight, for_bias, None
