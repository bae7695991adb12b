"""Features with mean 0 and deviation 1: encoders differ in scale by orders of magnitude."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

# For heads that are trained in float32: a smaller deviation counts as this one.
EPSILON = 1e-5
# For exact solvers and neighbours, in float64: a deviation that is at most this share of the mean
# is rounding of float32, not a difference between clips, and such a feature becomes 0.
ROUNDING = 1e-6

Normalisation = Literal["none", "centred", "standardised"]


class FeatureStandardiser(nn.Module):
    """(x - mean) / max(deviation, EPSILON) in each of D features.

    In training mode by the batch: clips differ by a small part of what all have in common, and a
    head on plain features learns that part first. In evaluation mode by what fit() was given.
    (..., D) -> the same shape.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.mean: Tensor
        self.deviation: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Features (..., D), each standardised: same shape."""
        rows = x.flatten(0, -2)
        if not self.training or len(rows) == 1:  # the deviation of one row is 0
            return (x - self.mean) / self.deviation
        return (x - rows.mean(0)) / rows.std(0, correction=0).clamp(min=EPSILON)

    def fit(self, features: np.ndarray) -> None:
        """Take mean and deviation of these features (..., D)."""
        rows = torch.from_numpy(features).flatten(0, -2)
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0, correction=0).clamp(min=EPSILON))

    def standardised(self, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both sides, after fit() to the training clips.

        train: (N, ..., D), test: (Q, ..., D) float32.   Returns: the same shapes.
        """
        self.fit(train)
        mean, deviation = self.mean.cpu().numpy(), self.deviation.cpu().numpy()
        return (train - mean) / deviation, (test - mean) / deviation


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[Tensor, Tensor]:
    """Both sides by mean and deviation of the training clips, for exact solvers.

    train: (N, D), test: (Q, D).   Returns: the same shapes, float64, on the CPU.
    """
    first, second = (torch.from_numpy(side).double() for side in (train, test))
    mean, deviation = first.mean(0), first.std(0, correction=0)
    scale = torch.where(deviation > ROUNDING * mean.abs(), 1 / deviation, 0.0)
    return (first - mean) * scale, (second - mean) * scale


def normalised(train: np.ndarray, test: np.ndarray, how: Normalisation) -> tuple[Tensor, Tensor]:
    """Both sides as they are ("none"), or by the training clips: "centred", "standardised".

    train: (N, D), test: (Q, D).   Returns: the same shapes, float32.
    """
    first, second = (torch.from_numpy(side) for side in (train, test))
    if how == "standardised":
        first, second = standardised(train, test)
    elif how == "centred":
        # In float64: clips of an untrained encoder differ in the last digits only.
        mean = first.double().mean(0)
        first, second = first - mean, second - mean
    return first.float(), second.float()
