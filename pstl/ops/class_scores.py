"""Class scores of features by a linear layer, as probes and classifiers have it."""

from typing import NamedTuple

from torch import Tensor


class LinearScores(NamedTuple):
    """A linear layer from features to class scores.

    weight: (classes, D), bias: (classes,).
    centre: (D,) what features are less first: where they differ by little beside what they have in
    common, a bias that made up for it would lose their differences in float32.
    """

    weight: Tensor
    bias: Tensor
    centre: Tensor

    def of(self, features: Tensor) -> Tensor:
        """Scores (N, classes) of features (N, D)."""
        return (features - self.centre) @ self.weight.T + self.bias
