"""What every encoder is and gives back."""

from typing import NamedTuple

from torch import Tensor, nn


class Features(NamedTuple):
    """clip: (N, D), read by linear, kNN and retrieval.   frames: (N, T', D), read by detection and motion prediction."""

    clip: Tensor
    frames: Tensor


class BaseEncoder(nn.Module):
    """forward(x: (N, C, T, V, M), drop: joints to remove or None) -> Features.

    Features are float32 also under autocast: pool in float32, where clips differ by less than bf16 resolves.
    Set `width` (D) and `can_drop` (whether joints can be deleted; if not, losing a joint means zero-filling it).
    Built as Encoder(cfg, skeleton, people, frames).
    """

    width: int
    can_drop: bool = False

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        raise NotImplementedError
