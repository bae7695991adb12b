"""Several processes under torchrun, equal to one process within float error; on one process everything here does nothing.

Each rank takes its share of every global batch. Methods gather features, so each rank computes the loss of the whole batch;
batch norms use the statistics of the whole batch; gradients are then averaged, which undoes the gathering's factor.
"""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pstl import environment
from pstl.ops.collective import all_sum, world
from pstl.ops.norm import LastNorm
from pstl.train.launch import follow_parent


def start(device: torch.device) -> torch.device:
    """Join the process group torchrun announces, if any. Returns: this rank's device."""
    if environment.processes() == 1 or dist.is_initialized():
        return device
    follow_parent()
    if device.type == "cuda":
        device = torch.device("cuda", environment.local_rank())
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def stop() -> None:
    """Leave the process group."""
    if world() > 1:
        dist.destroy_process_group()


def rank() -> int:
    """This process's number, 0 on one process."""
    return dist.get_rank() if world() > 1 else 0


def share(index: Tensor) -> Tensor:
    """This rank's part of a global batch of indices."""
    return index.tensor_split(world())[rank()]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Mean over ranks, one message for all gradients."""
    if world() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    for gradient, mean in zip(
        gradients, (flat / world()).split([g.numel() for g in gradients]), strict=True
    ):
        gradient.copy_(mean.view_as(gradient))


def synchronise_norms(modules: Iterable[nn.Module]) -> None:
    """Make every batch norm below `modules` use the statistics of the global batch."""
    if world() == 1:
        return
    for child in (child for module in modules for child in module.modules()):
        if isinstance(child, _BatchNorm) and not isinstance(child, LastNorm):
            child.forward = _GlobalNorm(child)  # type: ignore[method-assign, assignment]


class _GlobalNorm:
    """forward() of a batch norm over the batch of all ranks; torch's own SyncBatchNorm needs a GPU."""

    def __init__(self, norm: _BatchNorm) -> None:
        self.norm, self.plain = norm, norm.forward

    def __call__(self, x: Tensor) -> Tensor:
        norm = self.norm
        if not norm.training:
            return self.plain(x)
        over = [d for d in range(x.dim()) if d != 1]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = all_sum(x.new_tensor([x.numel() / x.shape[1]]))
        mean = all_sum(x.sum(over)) / count
        centred = x - mean.view(shape)
        variance = all_sum(centred.square().sum(over)) / count
        if (
            norm.track_running_stats
            and norm.running_mean is not None
            and norm.running_var is not None
        ):
            with torch.no_grad():
                batches = norm.num_batches_tracked
                assert batches is not None  # a norm with running statistics counts its batches
                batches.add_(1)
                step = norm.momentum
                if step is None:
                    step = 1 / float(batches)
                norm.running_mean.lerp_(mean, step)
                norm.running_var.lerp_(variance * count / (count - 1), step)
        y = centred * torch.rsqrt(variance + norm.eps).view(shape)
        return y if norm.weight is None else y * norm.weight.view(shape) + norm.bias.view(shape)
