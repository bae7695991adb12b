"""What every encoder is and gives back."""

from typing import NamedTuple

from torch import Tensor, nn


class Features(NamedTuple):
    """clip: (N, D), read by linear, kNN and retrieval.   frames: (N, T', D), read by detection and motion prediction.

    Row k of `frames` is about the time k * T / T' of the view that was encoded, unless the encoder has a `stride`.
    """

    clip: Tensor
    frames: Tensor


class BaseEncoder(nn.Module):
    """forward(x: (N, C, T, V, M), drop: joints to remove or None) -> Features.

    Features are float32 also under autocast: pool in float32, where clips differ by less than bf16 resolves.
    Set `width` (D) and `can_drop` (whether joints can be deleted; if not, losing a joint means zero-filling it).
    Built as Encoder(cfg, skeleton, people, frames).
    An encoder with a `stride` takes clips of any length: forward(x, drop, length: (N,) or None for all T frames). Its row k of
    `frames` is centred on frame k * stride; a clip has ceil(length / stride) rows, what follows them is zero.
    """

    width: int
    can_drop: bool = False
    stride: int | None = None

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        raise NotImplementedError
