"""Optimisers from settings."""

import torch
from torch import nn

from pstl.config import TrainSettings


def build(module: nn.Module, train: TrainSettings) -> torch.optim.Optimizer:
    """One parameter group with every parameter that receives gradients; fused kernels, the update is memory-bound."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    if train.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=train.lr, momentum=train.momentum, weight_decay=train.weight_decay, fused=True)
    kind = torch.optim.Adam if train.optimiser == "adam" else torch.optim.AdamW  # adam: decay is added to the gradient
    return kind(parameters, lr=train.lr, weight_decay=train.weight_decay, fused=True)
