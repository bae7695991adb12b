"""Optimisers from settings."""

from typing import Any

import torch
from torch import nn

from pstl.config import TrainSettings
from pstl.errors import UserError
from pstl.modules import BaseTrainable

RATE = "share"  # of the rate, in an optimiser's group of parameters that is trained more slowly


def build(module: BaseTrainable, train: TrainSettings) -> torch.optim.Optimizer:
    """Every parameter that receives gradients; fused kernels, the update is memory-bound.

    Raises: UserError, see groups().
    """
    parameters = slowed(module, groups(module, train.no_decay))
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


def slowed(module: BaseTrainable, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups, those of parameters in `module.slower()` apart, with their share of the rate."""
    share_of: dict[int, float] = {}
    for name, share in module.slower().items():
        share_of |= dict.fromkeys(map(id, module.get_submodule(name).parameters()), share)
    split = []
    for group in groups:
        parts: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            parts.setdefault(share_of.get(id(parameter), 1.0), []).append(parameter)
        for share, parameters in parts.items():
            rate = {} if share == 1 else {RATE: share}
            split.append({**group, "params": parameters, **rate})
    return split


def set_rate(optim: torch.optim.Optimizer, rate: float) -> None:
    """Every group's rate for the next step."""
    for group in optim.param_groups:
        group["lr"] = rate * group.get(RATE, 1.0)
