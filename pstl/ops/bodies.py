"""Bodies of clips: which are there, and how those that are not are encoded only once."""

import torch
from torch import Tensor


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
