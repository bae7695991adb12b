"""Dropout whose random bits cost little on a CPU, where torch's own draws one Mersenne number per element (a sixth of a PSTL step)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 2**16  # a lane's 16 bits decide one element, so the rate is exact to 1 / 65,536


class Dropout(nn.Dropout):
    """Same distribution and module behaviour as nn.Dropout; on a GPU it is nn.Dropout. Draws from torch's global generator."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not self.training or self.p == 0:
            return F.dropout(x, self.p, self.training)
        return x * keep_factor(x.shape, self.p).to(x.dtype)


def keep_factor(shape: torch.Size, rate: float) -> Tensor:
    """0 with probability `rate`, else 1 / (1 - rate).   Returns: `shape`, float32 on the CPU.

    One 64-bit draw serves four elements.
    """
    threshold = round(rate * LEVELS)
    count = shape.numel()
    lanes = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:count]
    return (lanes >= threshold - LEVELS // 2).float().mul_(LEVELS / max(1, LEVELS - threshold)).view(shape)
