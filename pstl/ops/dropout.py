"""Dropout whose random bits cost little on a CPU.

Torch's own draws one Mersenne number per element there, which is a sixth of a PSTL step.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 2**16  # a lane's 16 bits decide one element, so the rate is exact to 1 / 65,536


class Dropout(nn.Dropout):
    """Same distribution and module behaviour as nn.Dropout; on a GPU it is nn.Dropout.

    Draws from torch's global generator.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape, such as (N, D).   Returns: the same shape."""
        if x.device.type != "cpu" or not self.training or self.p == 0:
            return F.dropout(x, self.p, self.training)
        dropped: Tensor = _Keep.apply(x, draw_kept(x.shape, self.p), scale(self.p))
        return dropped


class _Keep(torch.autograd.Function):
    """x where `kept`, times a number, else 0; one byte an element is kept for the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        """x, kept: any one shape, such as (N, D).   Returns: the same shape."""
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return (x * kept).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of x, of the same shape."""
        (kept,) = ctx.saved_tensors
        return (grad * kept).mul_(ctx.scale), None, None


def draw_kept(shape: torch.Size, rate: float) -> Tensor:
    """False with probability `rate`.   Returns: bool of this shape, such as (N, D), on the CPU.

    One 64-bit draw serves four elements.
    """
    count = shape.numel()
    draws = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    lanes = draws.view(torch.int16)[:count]
    return (lanes >= _threshold(rate) - LEVELS // 2).view(shape)


def scale(rate: float) -> float:
    """What the elements that are kept are multiplied by, so that the mean stays."""
    return LEVELS / max(1, LEVELS - _threshold(rate))


def _threshold(rate: float) -> int:
    return round(rate * LEVELS)
