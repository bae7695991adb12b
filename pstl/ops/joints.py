"""Joints by number, without waiting for a GPU: an index that is a list is copied to it, and the
processor stands still until it has computed all that came before.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def on_device(numbers: Sequence[int], device: torch.device) -> Tensor:
    """Numbers as int64 (K,) on a device.

    >>> on_device((2, 0), torch.device("cpu")).tolist()
    [2, 0]
    """
    return torch.tensor(numbers, dtype=torch.int64).to(device, non_blocking=True)


def take_joints(x: Tensor, joints: Sequence[int]) -> Tensor:
    """Joints in this order.   x: (N, C, T, V, M).   Returns: (N, C, T, len(joints), M).

    >>> take_joints(torch.arange(3).view(1, 1, 1, 3, 1), (2, 0)).flatten().tolist()
    [2, 0]
    """
    return x.index_select(3, on_device(joints, x.device))
