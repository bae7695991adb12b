"""Optimisers from settings."""

from typing import Any

import torch
from torch import nn

from pstl.config import TrainSettings
from pstl.errors import UserError


def build(module: nn.Module, train: TrainSettings) -> torch.optim.Optimizer:
    """Every parameter that receives gradients; fused kernels, the update is memory-bound.

    Raises: UserError, see groups().
    """
    parameters = groups(module, train.no_decay)
    if train.optimiser == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=train.lr,
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            nesterov=train.nesterov,
            fused=True,
        )
    # adam: decay is added to the gradient.
    kind = torch.optim.Adam if train.optimiser == "adam" else torch.optim.AdamW
    return kind(parameters, lr=train.lr, weight_decay=train.weight_decay, fused=True)


def groups(module: nn.Module, no_decay: tuple[str, ...]) -> list[dict[str, Any]]:
    """One group, or two if some parameters have no weight decay.

    Those with a word of `no_decay` in their name.

    Raises: UserError for a word that is in no name.
    """
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    for word in no_decay:
        if not any(word in name for name, _ in named):
            raise UserError(
                f"train.no_decay: no parameter has {word!r} in its name; "
                f"known are e.g. {', '.join(n for n, _ in named[:3])}"
            )
    spared = [p for name, p in named if any(word in name for word in no_decay)]
    decayed = [p for name, p in named if not any(word in name for word in no_decay)]
    return (
        [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
        if spared
        else [{"params": decayed}]
    )
