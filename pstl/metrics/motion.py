"""Error of predicted motion."""

import torch
from torch import Tensor


def joint_errors(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean per-joint position error of every predicted frame, averaged over windows.

    predicted, true: (N, F, V, 3) metres.
    Returns: (F,) millimetres. All joints count, those that share a place or keep still included.

    >>> true = torch.tensor([[[[0., 0., 0.], [0., 3., 4.]]]])
    >>> joint_errors(torch.zeros(1, 1, 2, 3), true).tolist()
    [2500.0]
    """
    return 1000 * torch.linalg.vector_norm(predicted.double() - true.double(), dim=-1).mean((0, 2))
