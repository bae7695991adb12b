"""Batch norms that torch lacks.

Of channels that lie last, and of rows that stand for several equal ones.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pstl.ops.collective import all_sum, processes
from pstl.ops.dtypes import at_least_float32


class LastNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d of (V, P, T, C), channels last, over the batch of all processes.

    On a CPU torch's own kernel adds up such rows one after the other in float32, which costs
    the variance of 160,000 rows its fifth digit; here they are added in pairs.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x: (V, P, T, C).   Returns: same shape."""
        if not self.training:
            return self._with_running_statistics(x)
        if processes() == 1 and x.device.type != "cpu":
            rows_of_images = x.flatten(0, 1).permute(0, 2, 1)[:, :, None]  # (V P, C, 1, T)
            return super().forward(rows_of_images)[:, :, 0].permute(0, 2, 1).reshape(x.shape)
        y, mean, variance, count = _LastNorm.apply(x, self.weight, self.bias, self.eps)
        update_running(self, mean, variance * count / (count - 1))
        normalised: Tensor = y
        return normalised

    def _with_running_statistics(self, x: Tensor) -> Tensor:
        """x: (V, P, T, C).   Returns: same shape."""
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return torch.addcmul(self.bias - self.running_mean * scale, x, scale).to(x.dtype)


class GlobalNorm(_BatchNorm):
    """A batch norm over the batch of all processes; torch's own SyncBatchNorm needs a GPU."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> "GlobalNorm":
        """The same norm, with its parameters and statistics, over all processes."""
        synchronised = cls(norm.num_features, norm.eps, norm.momentum, norm.affine)
        synchronised.__dict__.update(norm.__dict__)
        return synchronised

    def _check_input_dim(self, x: Tensor) -> None:
        """Any shape (N, C, ...) will do."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, ...).   Returns: same shape."""
        if not self.training:
            return super().forward(x)
        over = [d for d in range(x.dim()) if d != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = all_sum(x.new_full((1,), x.numel() / x.shape[1]))
        mean = all_sum(x.sum(over)) / count
        centred = x - mean.view(shape)
        variance = all_sum(centred.square().sum(over)) / count
        if self.track_running_stats:
            update_running(self, mean, variance * count / (count - 1))
        y = centred * torch.rsqrt(variance + self.eps).view(shape)
        return y * self.weight.view(shape) + self.bias.view(shape) if self.affine else y


@torch.no_grad()
def update_running(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """What a batch norm in training does to its running statistics; no synchronisation.

    A momentum of None is the average over all batches so far.
    mean, variance: (C,) of this batch, the variance unbiased.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    step: float | Tensor = norm.momentum or 0.0
    if norm.momentum is None:
        step = 1 / norm.num_batches_tracked.to(norm.running_mean)
    norm.running_mean.lerp_(mean.to(norm.running_mean), step)
    norm.running_var.lerp_(variance.to(norm.running_var), step)


class _LastNorm(torch.autograd.Function):
    """Keeps the centred rows for the gradient and nothing else of their size."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x: (V, P, T, C), weight, bias: (C,).   Returns: y, mean (C,), variance (C,), a scalar."""
        with torch.autocast(x.device.type, enabled=False):
            rows = at_least_float32(x.reshape(-1, x.shape[-1]))
            count = all_sum(rows.new_full((), float(len(rows))))
            mean = all_sum(rows.sum(0)) / count
            centred = rows - mean
            variance = all_sum(centred.square().sum(0)) / count
            scale = torch.rsqrt(variance + eps)
            y = torch.addcmul(bias, centred, weight * scale)
        ctx.save_for_backward(centred, scale, weight, count)
        ctx.mark_non_differentiable(mean, variance, count)
        return y.view_as(x).to(x.dtype), mean, variance, count

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor, *unused: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        """gradient: (V, P, T, C).   Returns: those of x, weight and bias, of their shapes."""
        centred, scale, weight, count = ctx.saved_tensors
        with torch.autocast(gradient.device.type, enabled=False):
            rows = gradient.reshape(centred.shape).to(centred.dtype)
            for_bias = rows.sum(0)
            for_weight = (rows * centred).sum(0) * scale
            # weight scale (g - mean of g - normalised x * mean of g times normalised x)
            slope = -weight * scale.square() * all_sum(for_weight) / count
            offset = -weight * scale * all_sum(for_bias) / count
            for_x = torch.addcmul(offset, centred, slope).addcmul_(rows, weight * scale)
        return for_x.view_as(gradient).to(gradient.dtype), for_weight, for_bias, None


class Counted(NamedTuple):
    """Rows that stand for several equal bodies, once for all norms that see them.

    share: (P,) float64, of the bodies of all processes, which add up to 1.
    bodies: how many those are; a scalar on the device where there are several processes.
    """

    share: Tensor
    bodies: float | Tensor


def counted(count: Tensor, bodies: int) -> Counted:
    """Row i stands for `count[i]` bodies.   count: (P,), of sum `bodies`."""
    count = count.double()
    if processes() == 1:
        return Counted(count / bodies, float(bodies))
    total = all_sum(count.new_full((), float(bodies)))
    return Counted(count / total, total)


def weighted_batch_norm(
    x: Tensor, count: Counted, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm in training mode of rows that stand for several bodies, over all processes.

    x: (P, C, ...), weight, bias: (C,).
    Returns: y of x's shape and dtype; mean and biased variance per channel (C,), at least float32,
    without gradients. Equal to repeating every row and using an ordinary batch norm, gradients
    included (the gradient of a row is the sum of those of its copies), at the cost of the rows that
    are there (SCD-Net spec 10).
    """
    y, mean, variance = _WeightedNorm.apply(x, count.share, weight, bias, eps)
    return y, mean, variance


def normalise(norm: nn.Module, x: Tensor, count: Counted | None) -> Tensor:
    """Batch norm of rows that stand for several equal bodies each.

    Equal to a plain one of all those bodies up to rounding; the batch is that of all processes.
    x: (P, C, ...).   count: None where each row is one body.
    Returns: same shape and dtype.
    """
    assert isinstance(norm, _BatchNorm)
    if count is None or not norm.training:
        y: Tensor = norm(x)
        return y
    y, mean, variance = weighted_batch_norm(x, count, norm.weight, norm.bias, norm.eps)
    total = count.bodies * x[0, 0].numel()
    update_running(norm, mean, variance * (total / (total - 1)))
    return y


class _WeightedNorm(torch.autograd.Function):
    """By hand: autograd's chain of elementwise steps takes three times as long on a CPU."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, share: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x: (P, C, ...), share: (P,).   Returns: y of x's shape, mean and variance (C,)."""
        with torch.autocast(x.device.type, enabled=False):
            flat = at_least_float32(x.flatten(2))
            share = share.to(flat.dtype)
            mean = all_sum(share @ flat.mean(2))
            centred = flat - mean[:, None]
            share = share / flat.shape[2]  # of all bodies' frames and joints
            variance = all_sum(share @ torch.linalg.vector_norm(centred, dim=2).square())
            scale = torch.rsqrt(variance + eps)
            # In two steps: addcmul that broadcasts two of its three terms takes twice as long.
            per_channel = (-1, *[1] * (x.dim() - 2))
            y = centred.view(x.shape) * (weight * scale).view(per_channel)
            y.add_(bias.view(per_channel))
        ctx.save_for_backward(centred, share, scale, weight)
        ctx.mark_non_differentiable(mean, variance)
        return y.to(x.dtype), mean, variance

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor, *unused: Tensor
    ) -> tuple[Tensor, None, Tensor, Tensor, None]:
        """gradient: (P, C, ...).   Returns: those of x, weight and bias, of their shapes."""
        centred, share, scale, weight = ctx.saved_tensors
        with torch.autocast(gradient.device.type, enabled=False):
            flat = gradient.flatten(2).to(centred.dtype)
            for_bias = flat.sum((0, 2))
            for_weight = torch.linalg.vecdot(flat, centred).sum(0) * scale
            # d x = weight scale (g - count / n (sum g + normalised x * sum(g normalised x))), sums
            # over all processes
            factor, less = weight * scale, -share[:, None]
            slope = less * (factor * scale * all_sum(for_weight))  # (P, C)
            offset = less * (factor * all_sum(for_bias))
            for_x = (centred * slope[:, :, None]).add_(offset[:, :, None])
            for_x = for_x.addcmul_(flat, factor[:, None])
        return for_x.view_as(gradient).to(gradient.dtype), None, for_weight, for_bias, None
