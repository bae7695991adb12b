"""Bodies of clips: which are there, and how those that are not are encoded only once."""

from typing import NamedTuple

import torch
from torch import Tensor

from pstl.ops.norm import Counted, counted


def present(x: Tensor) -> Tensor:
    """Which bodies are not all zero.   x: (N, C, T, V, M).   Returns: (N, M) bool."""
    return x.ne(0).any(3).any(2).any(1)


def merge_absent(bodies: Tensor) -> tuple[Tensor, Tensor | slice]:
    """Bodies with all that are absent (all zero) once, at the end.

    An encoder in evaluation gives all of them the same. Synchronises a GPU.
    bodies: (P, ...).
    Returns: (Q, ...), and where each of the P bodies is among them: an index of what is encoded.
    """
    there = bodies.flatten(1).any(1)
    if bool(there.all()):
        return bodies, slice(None)
    merged = torch.cat([bodies[there], torch.zeros_like(bodies[:1])])
    source = torch.full((len(bodies),), len(merged) - 1, device=bodies.device)
    source[there] = torch.arange(len(merged) - 1, device=bodies.device)
    return merged, source


class Merged(NamedTuple):
    """Bodies of a batch with the absent ones, which are all equal, kept once per slot.

    rows: (P,) index into the N M bodies.
    source: (N M,) which row each body is.
    standing: for how many bodies each row stands.
    """

    rows: Tensor
    source: Tensor
    standing: Counted


def merge_by_slot(present: Tensor, device: torch.device) -> Merged:
    """The absent bodies of a batch merged, without synchronisation.

    present: (N, M) bool on the CPU.   Returns: tensors on `device`.
    """
    n, m = present.shape
    body = torch.arange(n * m)
    # Present bodies name themselves, absent ones the first absent body of their slot: SCD-Net's
    # norm of the input tells slots apart.
    first_absent = (~present).int().argmax(0).repeat(n) * m + body % m
    name = torch.where(present.flatten(), body, first_absent)
    rows, source, count = name.unique(return_inverse=True, return_counts=True)
    values = (rows, source, count.double())
    rows, source, count = (value.to(device, non_blocking=True) for value in values)
    return Merged(rows, source, counted(count, n * m))
