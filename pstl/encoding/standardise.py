"""Features with mean 0 and deviation 1, or whitened: encoders differ in scale by orders of
magnitude, and within one a few directions often hold most of the spread.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

# For heads that are trained in float32: a smaller deviation counts as this one.
EPSILON = 1e-5
# For exact solvers and neighbours, in float64: a deviation that is at most this share of the mean
# is rounding of float32, not a difference between clips, and such a feature becomes 0.
ROUNDING = 1e-6

Normalisation = Literal["none", "centred", "standardised", "whitened"]


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


def whitened(train: np.ndarray, test: np.ndarray, shrinkage: float) -> tuple[Tensor, Tensor]:
    """Both sides along the principal axes of the training clips, each divided by its deviation.

    The deviations are those of a covariance that is moved by `shrinkage` towards the one that is
    alike in all directions, as an estimate from few clips should be (Ledoit and Wolf, 2004).
    train: (N, D), test: (Q, D).   Returns: (N, min(N, D)), (Q, min(N, D)), float64, on the CPU.
    """
    first, second = (torch.from_numpy(side).double() for side in (train, test))
    mean = first.mean(0)
    first, second = principal_axes(first - mean, second - mean)
    variance = first.square().mean(0)
    shrunk = (1 - shrinkage) * variance + shrinkage * variance.mean()
    scale = torch.where(shrunk > 0, shrunk.rsqrt(), 0.0)
    return first * scale, second * scale


def principal_axes(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides turned to the principal axes of the training clips, the one of least spread first.

    Of more features than clips only what the training clips span is left.
    train: (N, D), test: (Q, D).   Returns: (N, min(N, D)), (Q, min(N, D)).
    """
    if train.shape[1] > len(train):
        basis = torch.linalg.qr(train.T).Q
        train, test = train @ basis, test @ basis
    basis = torch.linalg.eigh(train.T @ train).eigenvectors
    return train @ basis, test @ basis


def normalised(
    train: np.ndarray, test: np.ndarray, how: Normalisation, shrinkage: float
) -> tuple[Tensor, Tensor]:
    """Both sides as they are ("none"), or by the training clips: "centred", "standardised",
    "whitened", which alone reads `shrinkage`.

    train: (N, D), test: (Q, D).   Returns: float64 where it was computed in it; the same shapes, of
    whitened ones see there.
    """
    if how == "whitened":
        return whitened(train, test, shrinkage)
    if how == "standardised":
        return standardised(train, test)
    first, second = (torch.from_numpy(side) for side in (train, test))
    if how == "centred":
        # In float64: clips of an untrained encoder differ in the last digits only.
        mean = first.double().mean(0)
        first, second = first - mean, second - mean
    return first, second
