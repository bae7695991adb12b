"""What every classification task says about its scores, and the standardisation that probes share."""

import numpy as np
import torch
from torch import Tensor

from pstl.metrics import confusion, macro_f1, top_k

ROUNDING = 1e-6  # a deviation below this share of a feature's size is rounding of float32, not a difference between clips


def measures(scores: Tensor, y: Tensor, unseen: np.ndarray | None = None) -> dict[str, float]:
    """top1, top5, macro_f1, and top1_unseen where some test clips repeat training clips.   scores: (N, classes), y: (N,). In percent."""
    found = {"top1": float(top_k(scores, y, 1)), "top5": float(top_k(scores, y, 5)), "macro_f1": float(macro_f1(confusion(scores, y)))}
    if unseen is not None and not unseen.all():
        rest = torch.from_numpy(unseen).to(y.device)
        found["top1_unseen"] = float(top_k(scores[rest], y[rest], 1))
    return found


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[Tensor, Tensor]:
    """Both sides with the training clips' mean 0 and deviation 1 in each feature; one that never changes becomes 0.

    (N, D), (Q, D) -> the same shapes, float64, on the CPU.
    """
    mean, deviation = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > ROUNDING * np.abs(mean))
    first, second = ((side - mean) * scale for side in (train, test))
    return torch.from_numpy(first), torch.from_numpy(second)


def normalised(train: np.ndarray, test: np.ndarray, how: str) -> tuple[Tensor, Tensor]:
    """Both sides as they are ("none"), "centred" on the training clips' mean, or "standardised".   Returns: the same shapes, float32."""
    if how == "standardised":
        first, second = standardised(train, test)
        return first.float(), second.float()
    shift = train.mean(0, dtype=np.float64) if how == "centred" else np.zeros(train.shape[1])
    # Subtracted in float64: clips of an untrained encoder differ in the last digits only.
    first, second = (torch.from_numpy(side if how == "none" else (side - shift).astype(np.float32)) for side in (train, test))
    return first, second


def distance(metric: str, normalise: str) -> str:
    """How the setting of a row says it; what is usual goes without saying."""
    return metric if normalise == "none" else f"{metric};{normalise}"
