"""Key networks that follow a query network, and queues of their past outputs (MoCo, He et al., CVPR 2020)."""

from copy import deepcopy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def twin_of(network: Network) -> Network:
    """A copy that never receives gradients; the optimiser leaves it out for that reason. Batch-norm statistics are its own."""
    return deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(twin: nn.Module, network: nn.Module, momentum: float) -> None:
    """twin = momentum * twin + (1 - momentum) * network, for all parameters and no buffers, in one call."""
    torch._foreach_lerp_(list(twin.parameters()), list(network.parameters()), 1 - momentum)


class Queue(nn.Module):
    """The last `size` keys, unit rows; a ring of which the oldest are overwritten. Buffers: part of every checkpoint."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer(
            "keys", F.normalize(torch.randn(size, width), dim=1)
        )  # (K, D): random negatives until the first round is full
        self.register_buffer(
            "oldest", torch.zeros((), dtype=torch.int64)
        )  # a tensor: no synchronisation to know where to write
        self.keys: Tensor
        self.oldest: Tensor

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """keys: (n, D), in order of age. In place: only after the backward pass of what was computed from the queue."""
        keys = keys[-len(self.keys) :]
        rows = (self.oldest + torch.arange(len(keys), device=keys.device)) % len(self.keys)
        self.keys.index_copy_(0, rows, keys.to(self.keys.dtype))
        self.oldest.add_(len(keys)).remainder_(len(self.keys))
