"""The linear layer on clip features, initialised as each paper's code does it."""

from typing import Literal

import torch
from torch import nn

Initial = Literal["xavier", "normal", "normal_02", "uniform"]


def linear(width: int, classes: int, initial: Initial, rng: torch.Generator) -> nn.Linear:
    """A layer on the CPU, drawn from `rng`.

    initial: of the weights: Xavier-normal (PSTL spec 8), N(0, 0.01) (SCD-Net spec 7.1), N(0, 0.02)
    (AimCLR spec 7), or U(+-1 / sqrt(width)), from which Hi-TRS draws the biases, too (Hi-TRS spec
    5); else biases are 0.
    """
    layer = nn.Linear(width, classes)
    nn.init.zeros_(layer.bias)
    if initial == "xavier":
        nn.init.xavier_normal_(layer.weight, generator=rng)
    elif initial == "normal":
        nn.init.normal_(layer.weight, 0.0, 0.01, generator=rng)
    elif initial == "normal_02":
        nn.init.normal_(layer.weight, 0.0, 0.02, generator=rng)
    else:
        for parameter in (layer.weight, layer.bias):
            nn.init.uniform_(parameter, -(width**-0.5), width**-0.5, generator=rng)
    return layer
