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
    # Adam adds the decay to the gradient, AdamW does not.
    kind = torch.optim.Adam if train.optimiser == "adam" else torch.optim.AdamW
    return kind(
        parameters, lr=train.lr, betas=train.betas, weight_decay=train.weight_decay, fused=True
    )


def groups(module: nn.Module, no_decay: tuple[str, ...]) -> list[dict[str, Any]]:
    """One group, or two if some parameters have no weight decay.

    no_decay: parameters with one of these words in their names have none.
    Raises: UserError for a word that is in no name.
    """
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    spared: dict[str, nn.Parameter] = {}
    for word in no_decay:
        with_word = {name: p for name, p in named.items() if word in name}
        if not with_word:
            examples = ", ".join(list(named)[:3])
            reason = f"no parameter has {word!r} in its name; known are e.g. {examples}"
            raise UserError(f"train.no_decay: {reason}")
        spared |= with_word
    decayed = [p for name, p in named.items() if name not in spared]
    if not spared:
        return [{"params": decayed}]
    in_order = [p for name, p in named.items() if name in spared]
    return [{"params": decayed}, {"params": in_order, "weight_decay": 0.0}]
