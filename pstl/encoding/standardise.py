"""Features of an encoder that is still being trained, standardised for the head that reads them."""

import numpy as np
import torch
from torch import Tensor, nn

SPREAD = 1e-5  # smallest deviation of a feature that is taken for more than rounding


class Standard(nn.Module):
    """Mean 0 and deviation 1 of every feature: clips differ by a small part of what all have in common, and a head on plain features learns
    that part first. In training by the batch; afterwards by all clips, which fit() is given.

    (N, R, D) -> the same shape.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.mean: Tensor
        self.deviation: Tensor

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, 1)
        if not self.training or len(rows) == 1:  # one row has no spread
            return (x - self.mean) / self.deviation
        return (x - rows.mean(0)) / rows.std(0, correction=0).clamp(min=SPREAD)

    def fit(self, features: np.ndarray) -> None:
        """Take mean and deviation of these features (N, R, D)."""
        rows = torch.from_numpy(features).flatten(0, 1)
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0, correction=0).clamp(min=SPREAD))
