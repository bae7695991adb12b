"""CTR-GCN blocks, units of SCD-Net's stems, with convolutions fused where that is exact.

Source: Chen et al., ICCV 2021, https://arxiv.org/abs/2107.12213; SCD-Net spec 4.1.

Inside, bodies are (P, C, V, T), time last, so that the three value maps of a graph unit lie as one
(3 V, T) matrix per channel. A row may stand for several equal bodies; `count` says for how
many. Then batch norms weigh it so; None: each row is one body.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pstl.ops.norm import Counted, normalise

SUBSETS = 3
KERNEL = 5  # frames of the temporal convolutions
DILATIONS = (1, 2)
BRANCHES = len(DILATIONS) + 2  # of a temporal unit: and one of max-pooling, one plain


class GraphUnit(nn.Module):
    """Graph convolution whose topology is refined per clip and channel.

    (P, C, V, T) -> (P, D, V, T).
    Three exact fusions (SCD-Net spec 10): relations are computed from the time mean of x, because a
    1x1 convolution and a mean commute; the value convolutions of the subsets are one; their three
    products with the graphs are one product over 3 V sources.
    """

    def __init__(self, c_in: int, c_out: int, topology: Tensor) -> None:
        super().__init__()
        self.relations = max(1, c_in // 8) if c_in > 3 else 8
        # [receiver or source, subset, relation].
        self.relate = nn.Conv1d(c_in, 2 * SUBSETS * self.relations, 1)
        self.relation_weight = nn.Parameter(torch.empty(SUBSETS, c_out, self.relations))
        self.relation_bias = nn.Parameter(torch.zeros(SUBSETS, c_out, 1))
        self.value = nn.Conv2d(c_in, c_out * SUBSETS, 1)  # [channel, subset]
        self.topology = nn.Parameter(topology.clone())  # (3, V, V), [subset, receiver, source]
        self.alpha = nn.Parameter(torch.zeros(1))
        self.norm = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Conv2d(c_in, c_out, 1)
        self.shortcut_norm = nn.BatchNorm2d(c_out)
        # Fan-outs of one subset, as if they were separate convolutions.
        kaiming_fan_out(self.relate.weight, self.relations)
        kaiming_fan_out(self.relation_weight, c_out)
        kaiming_fan_out(self.value.weight, c_out)
        nn.init.zeros_(self.relate.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.value.bias)  # type: ignore[arg-type]
        initialise_conv(self.shortcut)
        nn.init.constant_(self.norm.weight, 1e-6)

    def forward(self, x: Tensor, count: Counted | None = None) -> Tensor:
        """x: (P, C, V, T).   Returns: (P, D, V, T)."""
        p, _, v, t = x.shape
        graphs = self.graphs(x)  # (P, D, V, 3 V)
        values = self.value(x).view(p, -1, SUBSETS * v, t)
        y = normalise(self.norm, torch.matmul(graphs, values), count)
        return torch.relu(y + normalise(self.shortcut_norm, self.shortcut(x), count))

    def graphs(self, x: Tensor) -> Tensor:
        """The subsets' graphs side by side along their sources.

        (P, C, V, T) -> (P, D, V, 3 V).
        """
        p, _, v, _ = x.shape
        receiver, source = self.relate(x.mean(3)).view(p, 2, SUBSETS, self.relations, v).unbind(1)
        difference = receiver[..., :, None] - source[..., None, :]
        relation = torch.tanh(difference).flatten(3)  # (P, 3, r, V V)
        shared = self.alpha * self.relation_bias + self.topology.flatten(1)[:, None]  # (3, D, V V)
        refined = torch.matmul(self.alpha * self.relation_weight, relation)  # (P, 3, D, V V)
        graphs = shared + refined
        return graphs.view(p, SUBSETS, -1, v, v).permute(0, 2, 3, 1, 4).flatten(3)


class TemporalUnit(nn.Module):
    """Four parallel views of time: two dilated convolutions, a maximum, the frame itself.

    (P, D, V, T) -> same shape.
    The branches' input convolutions and their norms are one each (exact, SCD-Net spec 10).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        part = width // BRANCHES
        self.enter = nn.Conv2d(width, width, 1)  # [branch, channel]
        self.enter_norm = nn.BatchNorm2d(width)
        self.convs = nn.ModuleList(
            nn.Conv2d(part, part, (1, KERNEL), dilation=(1, d), padding=(0, KERNEL // 2 * d))
            for d in DILATIONS
        )
        # The plain branch has none.
        self.norms = nn.ModuleList(nn.BatchNorm2d(part) for _ in range(BRANCHES - 1))
        kaiming_fan_out(self.enter.weight, part)
        nn.init.zeros_(self.enter.bias)  # type: ignore[arg-type]
        for conv in self.convs:
            initialise_conv(conv)  # type: ignore[arg-type]
        for norm in (self.enter_norm, *self.norms):
            nn.init.normal_(norm.weight, 1.0, 0.02)

    def forward(self, x: Tensor, count: Counted | None = None) -> Tensor:
        """x: (P, D, V, T).   Returns: same shape."""
        *branches, plain = normalise(self.enter_norm, self.enter(x), count).chunk(BRANCHES, dim=1)
        active = [torch.relu(branch) for branch in branches]
        maps = [conv(branch) for conv, branch in zip(self.convs, active, strict=False)]
        maps.append(F.max_pool2d(active[-1], (1, 3), stride=1, padding=(0, 1)))
        normed = [normalise(norm, y, count) for norm, y in zip(self.norms, maps, strict=True)]
        return torch.cat([*normed, plain], dim=1)


class CtrGcnBlock(nn.Module):
    """Graph unit, temporal unit, and an outer residual except in the first block.

    (P, C, V, T) -> (P, D, V, T).
    """

    def __init__(self, c_in: int, c_out: int, topology: Tensor, residual: bool) -> None:
        super().__init__()
        self.graph = GraphUnit(c_in, c_out, topology)
        self.time = TemporalUnit(c_out)
        self.residual = nn.Conv2d(c_in, c_out, 1) if residual else None
        self.residual_norm = nn.BatchNorm2d(c_out) if residual else None
        if self.residual is not None:
            initialise_conv(self.residual)

    def forward(self, x: Tensor, count: Counted | None = None) -> Tensor:
        """x: (P, C, V, T).   Returns: (P, D, V, T)."""
        y = self.time(self.graph(x, count), count)
        if self.residual is not None and self.residual_norm is not None:
            y = y + normalise(self.residual_norm, self.residual(x), count)
        return torch.relu(y)


def kaiming_fan_out(weight: Tensor, fan_out: int) -> None:
    """Kaiming normal by the fan-out of one of the convolutions that are fused in `weight`.

    weight: (c_out, c_in, ...).
    """
    nn.init.normal_(weight, 0.0, (2 / fan_out) ** 0.5)


def initialise_conv(conv: nn.Conv2d) -> None:
    """Kaiming normal by fan-out, biases 0."""
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
