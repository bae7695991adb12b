"""Several processes under torchrun, equal to one process within float error.

On one process everything here does nothing.

Each rank takes its share of every global batch. Methods gather features, so each rank computes the
loss of the whole batch; batch norms use the statistics of the whole batch; gradients are then
averaged, which undoes the gathering's factor.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pstl import environment
from pstl.errors import UserError
from pstl.ops.collective import processes
from pstl.ops.norm import GlobalNorm, LastNorm
from pstl.train.launch import follow_parent

NO_RENDEZVOUS = "Error initializing torch.distributed using env:// rendezvous: "
LONGEST = 200  # characters of a reason that torch gives
TIMED_OUT = re.compile("timed? ?out", re.IGNORECASE)


@contextmanager
def together() -> Iterator[None]:
    """Leave the process group at the end of the body.

    Raises: UserError if a process of the group is there, and does not answer (stopped, or on a
    machine that hangs).
    """
    try:
        yield
    except RuntimeError as error:  # of every backend; what tells this one is in its text
        if processes() == 1 or not TIMED_OUT.search(str(error)):
            raise
        lost = f"a process of this training has not answered for {environment.patience_s():g} s"
        raise UserError(f"{lost}; run again to go on from the last checkpoint") from None
    stop()


def start(device: torch.device) -> torch.device:
    """Join the process group torchrun announces, if any. Returns: this rank's device.

    Raises: UserError for an announcement that is none.
    """
    if environment.processes() == 1 or dist.is_initialized():
        return device
    follow_parent()
    if device.type == "cuda":
        device = torch.device("cuda", environment.local_rank())
        torch.cuda.set_device(device)
    patience = timedelta(seconds=environment.patience_s())
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=patience)
    except (ValueError, dist.DistError) as error:  # of RANK, MASTER_ADDR; of who does not come
        reason = str(error).partition("\n")[0].removeprefix(NO_RENDEZVOUS)[:LONGEST]
        remedy = "start all of them, by torchrun"
        raise UserError(f"training by several processes: {reason}; {remedy}") from None
    return device


def stop() -> None:
    """Leave the process group."""
    if processes() > 1:
        dist.destroy_process_group()


def rank() -> int:
    """This process's number, 0 on one process."""
    return dist.get_rank() if processes() > 1 else 0


def wait_for_all() -> None:
    """Go on when every process that trains this run has come here."""
    if dist.is_initialized():
        dist.barrier()


def share(index: Tensor) -> Tensor:
    """This rank's part of a global batch of indices (N,)."""
    return index.tensor_split(processes())[rank()]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Mean over ranks, one message for all gradients."""
    if processes() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    means = (flat / processes()).split([gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view_as(gradient))


def synchronise_norms(modules: Iterable[nn.Module]) -> None:
    """Put norms over the global batch in the place of every batch norm below `modules`."""
    if processes() == 1:
        return
    parents = itertools.chain.from_iterable(module.modules() for module in modules)
    for parent in list(parents):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, LastNorm | GlobalNorm):
                setattr(parent, name, GlobalNorm.of(child))
