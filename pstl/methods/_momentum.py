"""Momentum encoders, and queues of their past outputs.

Source: MoCo, He et al., CVPR 2020, https://arxiv.org/abs/1911.05722.
"""

from copy import deepcopy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def momentum_encoder(network: Network) -> Network:
    """A copy that never receives gradients, so that the optimiser leaves it out.

    Its batch-norm statistics are its own.
    """
    return deepcopy(network).requires_grad_(False)


@torch.no_grad()
def momentum_update(key: nn.Module, query: nn.Module, momentum: float) -> None:
    """key = momentum * key + (1 - momentum) * query, for all parameters and no buffers."""
    torch._foreach_lerp_(list(key.parameters()), list(query.parameters()), 1 - momentum)


class Queue(nn.Module):
    """The last `size` keys, unit rows; a ring of which the oldest are overwritten.

    Buffers: part of every checkpoint.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        # (K, D): random negatives until the first round is full.
        self.register_buffer("keys", F.normalize(torch.randn(size, width), dim=1))
        # A tensor, so that writing needs no synchronisation.
        self.register_buffer("oldest", torch.zeros((), dtype=torch.int64))
        self.keys: Tensor
        self.oldest: Tensor

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Put keys (n, D), in order of age, in the place of the oldest.

        In place: only after the backward pass of what was computed from the queue.
        """
        keys = keys[-len(self.keys) :]
        rows = (self.oldest + torch.arange(len(keys), device=keys.device)) % len(self.keys)
        self.keys.index_copy_(0, rows, keys.to(self.keys.dtype))
        self.oldest.add_(len(keys)).remainder_(len(self.keys))
