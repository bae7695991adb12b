"""Gathering over processes with gradients; on one process everything here does nothing."""

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
from torch import Tensor


def world() -> int:
    """Number of processes training together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather(x: Tensor) -> Tensor:
    """Rows of all processes in rank order; gradients flow back to the process each row came from.

    x: (n_rank, ...), n_rank may differ between ranks.   Returns: (sum of n_rank, ...).
    """
    if world() == 1:
        return x
    mine = torch.tensor([x.shape[0]], device=x.device)
    counts = [torch.zeros_like(mine) for _ in range(world())]
    dist.all_gather(counts, mine)
    sizes = [int(c) for c in counts]
    padded = torch.cat([x, x.new_zeros(max(sizes) - x.shape[0], *x.shape[1:])])
    parts = dist_nn.all_gather(padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def all_sum(x: Tensor) -> Tensor:
    """Sum over processes, with gradients.   x: any shape, equal on all ranks.   Returns: same shape."""
    return x if world() == 1 else dist_nn.all_reduce(x)
