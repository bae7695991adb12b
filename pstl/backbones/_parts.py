"""Long inputs in parts, so that the memory of an evaluation stays bounded."""

from collections.abc import Callable

import torch
from torch import Tensor

# Without gradients, levels run in parts of so many tokens.
TOKENS_AT_ONCE = 2**17


def in_parts(level: Callable[[Tensor], Tensor], x: Tensor, tokens: int) -> Tensor:
    """level(x), in parts of its rows where no gradients are kept.

    x: (P, ...).   tokens: of one row.
    """
    at_once = max(1, TOKENS_AT_ONCE // tokens)
    if torch.is_grad_enabled() or len(x) <= at_once:
        return level(x)
    return torch.cat([level(part) for part in x.split(at_once)])
