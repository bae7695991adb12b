"""Number formats."""

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """x, where it is bf16 or float16 as float32; any shape, such as (N, D), which stays the same.

    Clips differ by about a hundredth of what is pooled, and bf16 has 8 bits for that.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
