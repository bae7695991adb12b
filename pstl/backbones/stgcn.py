"""ST-GCN at quarter width, the encoder of PSTL.

Source: Yan et al., AAAI 2018, https://arxiv.org/abs/1801.07455; PSTL spec 4.
"""

from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pstl.config import Count, Frozen
from pstl.modules import BaseEncoder
from pstl.ops import frame_convolution
from pstl.ops.bodies import merge_absent
from pstl.ops.dropout import Dropout
from pstl.ops.dtypes import at_least_float32
from pstl.ops.joints import on_device
from pstl.ops.norm import LastNorm
from pstl.records import Features
from pstl.skeletons import Skeleton
from pstl.skeletons.graph import spatial_partition

KERNEL = 9  # frames
WIDTHS = (1, 1, 1, 1, 2, 2, 2, 4, 4, 16)  # of each block, times Config.width
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class Config(Frozen):
    """Defaults are the released code's values (PSTL spec 4): 821,380 parameters for 25 joints."""

    width: Count = 16
    dropout: float = Field(0.5, ge=0, lt=1)  # of every block but the first; active in pre-training


class StGcnBlock(nn.Module):
    """Graph convolution over joints, temporal convolution over frames, residual.

    (V, P, T, C) -> (V, P, T', C'), joints first: so a graph is one matrix product over all bodies
    and frames, and the channels that convolutions read lie side by side.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, dropout: float, residual: bool) -> None:
        super().__init__()
        self.stride = stride
        self.graph = nn.Conv2d(c_in, 3 * c_out, 1)
        self.time = nn.Sequential(
            LastNorm(c_out),
            nn.ReLU(),
            nn.Conv2d(c_out, c_out, (KERNEL, 1), (stride, 1), (KERNEL // 2, 0)),
            LastNorm(c_out),
            Dropout(dropout),
        )
        self.residual: nn.Module | None = None
        if residual and (c_in != c_out or stride != 1):
            self.residual = nn.Sequential(nn.Conv2d(c_in, c_out, 1, (stride, 1)), LastNorm(c_out))
        elif residual:
            self.residual = nn.Identity()

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """x: (V, P, T, C).   graph: (3, V, V), [subset, source, destination]."""
        assert self.graph.bias is not None
        y = graph_convolution(x, graph, self.graph.weight, self.graph.bias)
        norm, relu, convolution, second_norm, dropout = self.time
        assert isinstance(convolution, nn.Conv2d)
        y = convolve_frames(relu(norm(y)), convolution, self.stride)
        y = dropout(second_norm(y))
        return F.relu(y if self.residual is None else y + self._shortcut(x))

    def _shortcut(self, x: Tensor) -> Tensor:
        """(V, P, T, C) -> (V, P, T', C')."""
        if not isinstance(self.residual, nn.Sequential):
            return x
        convolution, norm = self.residual
        assert isinstance(convolution, nn.Conv2d)
        frames = x[:, :, :: self.stride]
        shortcut: Tensor = norm(F.linear(frames, convolution.weight.flatten(1), convolution.bias))
        return shortcut


def graph_convolution(x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Sum over subsets of (features of neighbouring joints, added up) times (the subset's weights).

    The graph comes before the channels are multiplied, where there are fewest of them; both are
    linear, so the order does not matter.

    x: (V, P, T, C).   graph: (3, V, V'), [subset, source, destination].
    weight: (3 C', C, 1, 1).   bias: (3 C',).   Returns: (V', P, T, C').
    """
    y: Tensor = _GraphConvolution.apply(x, graph, weight.view(3, -1, x.shape[-1]))
    biases = graph.sum(1).T @ bias.view(3, -1)  # (V', C')
    return y + biases[:, None, None]


class _GraphConvolution(torch.autograd.Function):
    """Adds neighbours up again for the gradient: kept, they would be three times the input, more
    than a third of all that a block keeps, and one product over 25 joints makes them.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, graph: Tensor, weight: Tensor) -> Tensor:
        """x: (V, P, T, C), graph: (3, V, V'), weight: (3, C', C).   Returns: (V', P, T, C')."""
        ctx.save_for_backward(x, graph, weight)
        _, p, t, _ = x.shape
        return (_neighbours(x, graph) @ _stacked(weight)).view(graph.shape[2], p, t, -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """gradient: (V', P, T, C').   Returns: those of x, graph and weight."""
        saved = ctx.saved_tensors
        # Autocast, under which bf16 was chosen forwards, is not on backwards.
        x, graph, weight = (each.to(gradient.dtype) for each in saved)
        v, p, t, c = x.shape
        rows = gradient.reshape(-1, gradient.shape[-1])
        for_weight = (_neighbours(x, graph).T @ rows).view(3, c, -1).transpose(1, 2)
        for_sums = (rows @ _stacked(weight).T).view(-1, p * t, 3, c).transpose(1, 2)
        for_sums = for_sums.reshape(-1, p * t * c)  # (V' 3, P T C)
        for_x = (_rows(graph).T @ for_sums).view_as(x)
        for_graph = (for_sums @ x.reshape(v, -1).T).view(-1, 3, v).permute(1, 2, 0)
        gradients = zip((for_x, for_graph, for_weight), saved, strict=True)
        for_x, for_graph, for_weight = (each.to(of.dtype) for each, of in gradients)
        return for_x, for_graph, for_weight


def _rows(graph: Tensor) -> Tensor:
    """graph: (3, V, V').   Returns: (V' 3, V)."""
    return graph.permute(2, 0, 1).reshape(-1, graph.shape[1])


def _stacked(weight: Tensor) -> Tensor:
    """weight: (3, C', C).   Returns: (3 C, C')."""
    return weight.transpose(1, 2).reshape(-1, weight.shape[1])


def _neighbours(x: Tensor, graph: Tensor) -> Tensor:
    """Sums over neighbouring joints, a row for each destination, body and frame.

    x: (V, P, T, C), graph: (3, V, V').   Returns: (V' P T, 3 C).
    """
    v, p, t, c = x.shape
    sums = (_rows(graph) @ x.reshape(v, -1)).view(-1, 3, p * t, c)
    return sums.transpose(1, 2).reshape(-1, 3 * c)


def convolve_frames(x: Tensor, convolution: nn.Conv2d, stride: int) -> Tensor:
    """The (9, 1) convolution of a block on joints first.   (V, P, T, C) -> (V, P, T', C')."""
    v, p, t, c = x.shape
    if frame_convolution.suits(x, convolution, t):
        assert convolution.bias is not None
        y = frame_convolution.convolve(x, convolution.weight[..., 0], (2, 0, 1, 3))
        y += convolution.bias
        return y
    images = x.view(v * p, 1, t, c).permute(0, 3, 1, 2)  # (V P, C, 1, T), channels last in memory
    y = F.conv2d(
        images,
        convolution.weight.transpose(2, 3),
        convolution.bias,
        stride=(1, stride),
        padding=(0, KERNEL // 2),
    )
    return y.permute(0, 2, 3, 1).reshape(v, p, -1, y.shape[1])


class Encoder(BaseEncoder):
    """(N, 3, T, V, M) -> clip (N, 16 * width), frames (N, T // 4, 16 * width).

    Both are averaged over all M body slots. An absent (all-zero) body counts like a present one:
    its constant features are part of the mean (PSTL spec 4.5).
    """

    can_drop = True

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        self.width = cfg.width * WIDTHS[-1]
        self.input_norm = nn.BatchNorm1d(3 * skeleton.joints)
        widths = [cfg.width * w for w in WIDTHS]
        self.blocks = nn.ModuleList(
            [StGcnBlock(3, widths[0], STRIDES[0], dropout=0.0, residual=False)]
        )
        for c_in, c_out, stride in zip(widths[:-1], widths[1:], STRIDES[1:], strict=True):
            self.blocks.append(StGcnBlock(c_in, c_out, stride, cfg.dropout, residual=True))
        v = skeleton.joints
        self.importance = nn.ParameterList(torch.ones(3, v, v) for _ in widths)
        graph = torch.from_numpy(spatial_partition(skeleton))
        self.register_buffer("graph", graph, persistent=False)
        self.graph: Tensor

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        """x: (N, 3, T, V, M).   drop: (K,) joints to delete, or None."""
        n, m = x.shape[0], x.shape[4]
        bodies = x.permute(0, 4, 3, 1, 2).flatten(0, 1)  # (N M, V, 3, T)
        source: Tensor | slice = slice(None)
        # Not self.training: recalibrating the norms counts absent bodies, as training does.
        if not self.input_norm.training and m > 1:
            bodies, source = merge_absent(bodies)
        frames = at_least_float32(self._trunk(bodies, drop)).mean(0)  # (P, T', D)
        clip = frames.mean(1)
        clip, frames = clip[source], frames[source]
        return Features(clip.view(n, m, -1).mean(1), frames.view(n, m, *frames.shape[1:]).mean(1))

    def maps(self, x: Tensor) -> Tensor:
        """What forward() averages.   x: (N, 3, T, V, M).   Returns: (N M, D, T', V)."""
        bodies = x.permute(0, 4, 3, 1, 2).flatten(0, 1)  # (N M, V, 3, T)
        return self._trunk(bodies).permute(1, 3, 2, 0)

    def _trunk(self, bodies: Tensor, drop: Tensor | None = None) -> Tensor:
        """bodies: (P, V, 3, T).   Returns: (V, P, T', D)."""
        p, v, c, t = bodies.shape
        x = self.input_norm(bodies.reshape(p, v * c, t)).view(p, v, c, t)
        x = x.permute(1, 0, 3, 2)  # (V, P, T, 3)
        graphs = torch.stack(list(self.importance)) * self.graph  # (blocks, 3, V, V)
        if drop is not None and len(drop):
            # Joints are deleted after the input norm, with their rows and columns of the graph;
            # nothing is re-normalised (PSTL spec 6.2).
            dropped = set(drop.tolist())
            kept = on_device([j for j in range(v) if j not in dropped], x.device)
            x = x.index_select(0, kept)
            graphs = graphs.index_select(2, kept).index_select(3, kept)
        x = x.contiguous()
        for block, graph in zip(self.blocks, graphs, strict=True):
            x = block(x, graph)
        return x
