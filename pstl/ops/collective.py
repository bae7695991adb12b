"""Gathering over processes with gradients; on one process everything here does nothing."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def processes() -> int:
    """Number of processes training together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather(x: Tensor) -> Tensor:
    """Rows of all processes in rank order; gradients flow back to the process each row came from.

    x: (n_rank, ...), n_rank may differ between ranks.   Returns: (sum of n_rank, ...).
    """
    if processes() == 1:
        return x
    mine = torch.tensor([x.shape[0]], device=x.device)
    counts = [torch.zeros_like(mine) for _ in range(processes())]
    dist.all_gather(counts, mine)
    sizes = [int(c) for c in counts]
    padded = torch.cat([x, x.new_zeros(max(sizes) - x.shape[0], *x.shape[1:])])
    parts: Tensor = _Gather.apply(padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def place(x: Tensor) -> tuple[int, int]:
    """Where this process's rows begin among those of all in rank order, and how many those are.

    x: (n_rank, ...). With it random draws can be made for the whole batch and used for the rows
    that are here.
    """
    if processes() == 1:
        return 0, x.shape[0]
    mine = torch.tensor([x.shape[0]], device=x.device)
    counts = [torch.zeros_like(mine) for _ in range(processes())]
    dist.all_gather(counts, mine)
    sizes = [int(c) for c in counts]
    return sum(sizes[: dist.get_rank()]), sum(sizes)


def all_sum(x: Tensor) -> Tensor:
    """Sum over processes, with gradients.

    x: any shape, equal on all ranks.
    Returns: same shape.
    """
    if processes() == 1:
        return x
    total: Tensor = _Sum.apply(x)
    return total


class _Gather(torch.autograd.Function):
    """(n, ...) -> (world, n, ...).

    Every rank's loss contributes to the gradient of every rank's rows.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """x: (n, ...).   Returns: (processes, n, ...)."""
        parts = [torch.empty_like(x) for _ in range(processes())]
        dist.all_gather(parts, x.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """gradient: (processes, n, ...).   Returns: (n, ...)."""
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient[dist.get_rank()]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """x: any shape, equal on all ranks.   Returns: the same shape."""
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The sum of all processes' gradients, of the same shape."""
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient
