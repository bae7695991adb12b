"""PSP's encoder: DSTA-Net with attention over joints and convolution over frames.

Source: Shi et al., ACCV 2020, https://arxiv.org/abs/2007.03263; PSP spec 3.
"""

from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pstl.config import Frozen
from pstl.modules import BaseEncoder
from pstl.ops import bodies, frame_convolution
from pstl.ops.collective import processes
from pstl.ops.dtypes import at_least_float32
from pstl.ops.norm import Counted, normalise
from pstl.records import Features
from pstl.skeletons import Skeleton

WIDTHS = (1, 1, 2, 2, 4, 4, 4, 4)  # of each block, times Config.width
STRIDES = (1, 1, 2, 1, 2, 1, 1, 1)  # in time
KERNEL = 7  # frames
SLOPE = 0.1  # of every leaky ReLU


class Config(Frozen):
    """Defaults are the released code's values (PSP spec 3): 4,200,896 parameters for 25 joints."""

    # Of the first blocks; features have four times as many numbers.
    width: int = Field(default=64, multiple_of=4, gt=0)
    heads: int = Field(default=4, ge=1)  # DSTA-Net itself has 3


class SpatialAttention(nn.Module):
    """Each head's map mixes joints, the same one in all frames of a clip.

    (P, C, T, V) -> (P, heads * C, T, V).
    """

    def __init__(self, c_in: int, width: int, heads: int, joints: int) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.relate = nn.Conv2d(c_in, 2 * heads * width, 1)  # queries, then keys
        self.scale = nn.Parameter(torch.ones(heads, 1, 1))  # alpha
        # G, learnt, the same for all clips.
        self.graph = nn.Parameter(torch.full((heads, joints, joints), 1 / joints))
        self.register_buffer("position", sinusoid(c_in, joints), persistent=False)
        self.position: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) -> (P, heads * C, T, V)."""
        p, c, t, v = x.shape
        # Sums over the map's first index.
        y: Tensor = _EachHead.apply(x.reshape(p, c * t, v), self.maps(x).to(x.dtype))
        return y.view(p, self.heads * c, t, v)

    def maps(self, x: Tensor) -> Tensor:
        """tanh of the mean product of queries and keys over channels and frames; no softmax.

        Returns: (P, heads, V, V).
        """
        p, _, t, v = x.shape
        weight, bias = self.relate.weight, self.relate.bias
        # The position is added to queries and keys only and is the same in all frames: W (x + e) +
        # b = W x + (W e + b).
        offset = F.conv2d(self.position.to(x.dtype)[None, :, None], weight, bias)
        related = F.conv2d(x, weight) + offset
        query, key = related.view(p, 2, self.heads, self.width * t, v).unbind(1)
        products = torch.matmul(query.mT, key / (self.width * t))
        return self.scale * torch.tanh(at_least_float32(products)) + self.graph


class _EachHead(torch.autograd.Function):
    """x @ map of each head: torch's own product repeats x in memory for every head and keeps it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, maps: Tensor) -> Tensor:
        """x: (P, C T, V), maps: (P, heads, V, V).   Returns: (P, heads, C T, V)."""
        ctx.save_for_backward(x, maps)
        y = x.new_empty(len(x), maps.shape[1], *x.shape[1:])
        for head, out in zip(maps.unbind(1), y.unbind(1), strict=True):
            torch.bmm(x, head, out=out)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """gradient: (P, heads, C T, V).   Returns: those of x and maps."""
        x, maps = ctx.saved_tensors
        for_x = torch.zeros_like(x)
        for_maps = torch.empty_like(maps)
        for i, head in enumerate(gradient.unbind(1)):
            for_x.baddbmm_(head, maps[:, i].mT)
            for_maps[:, i] = torch.bmm(x.mT, head)
        return for_x, for_maps


class DstaBlock(nn.Module):
    """Attention over joints, a pointwise layer, convolution over frames, each with a residual.

    (P, C, T, V) -> (P, C', T', V). Rows may stand for several equal bodies.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, heads: int, joints: int) -> None:
        super().__init__()
        self.attention = SpatialAttention(c_in, c_out // 4, heads, joints)
        self.mix = normed(nn.Conv2d(heads * c_in, c_out, 1))
        self.feed = normed(nn.Conv2d(c_out, c_out, 1))
        self.time = normed(nn.Conv2d(c_out, c_out, (KERNEL, 1), (stride, 1), (KERNEL // 2, 0)))
        self.shortcuts: nn.ModuleList | None = None
        if c_in != c_out or stride != 1:
            kernels = (
                nn.Conv2d(c_in, c_out, 1),
                nn.Conv2d(c_in, c_out, 1),
                nn.Conv2d(c_out, c_out, 1, (stride, 1)),
            )
            self.shortcuts = nn.ModuleList(normed(kernel) for kernel in kernels)

    def forward(self, x: Tensor, count: Counted | None = None) -> Tensor:
        """x: (P, C, T, V).   Returns: (P, C', T', V)."""
        first, second, third = self.shortcuts or (None, None, None)
        y = residual_sum(self.mix, self.attention(x), first, x, count)
        # Again from the block's input (PSP spec 3.6).
        y = residual_sum(self.feed, y, second, x, count)
        return residual_sum(self.time, y, third, y, count)


class Trunk(nn.Module):
    """Bodies to maps that keep joints and frames.

    (P, 3, T, V) -> (P, 4 * width, ceil(T / 4), V). Rows may stand for several equal bodies.
    """

    def __init__(self, cfg: Config, joints: int) -> None:
        super().__init__()
        widths = [cfg.width * w for w in WIDTHS]
        convolution, norm = normed(nn.Conv2d(3, cfg.width, 1))
        self.stem = nn.Sequential(convolution, norm, nn.LeakyReLU(SLOPE, inplace=True))
        sizes = zip([cfg.width, *widths[:-1]], widths, STRIDES, strict=True)
        blocks = [DstaBlock(*size, cfg.heads, joints) for size in sizes]
        self.blocks = nn.ModuleList(blocks)
        initialise(self)

    def forward(self, x: Tensor, count: Counted | None = None) -> Tensor:
        """x: (P, 3, T, V).   Returns: (P, 4 * width, ceil(T / 4), V)."""
        convolution, norm, leaky_relu = self.stem
        x = leaky_relu(normalise(norm, convolution(x), count))
        for block in self.blocks:
            x = block(x, count)
        return x


class Encoder(BaseEncoder):
    """(N, 3, T, V, M) -> clip (N, 4 * width), frames (N, ceil(T / 4), 4 * width).

    Both are averaged over all M body slots. An absent (all-zero) body counts like a present one, in
    the mean and in batch norm (PSP spec 10.9). A dropped joint is one whose coordinates are zero:
    the learnt maps are tied to the number of joints.
    """

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        self.width = cfg.width * WIDTHS[-1]
        self.trunk = Trunk(cfg, skeleton.joints)

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        """x: (N, 3, T, V, M).   drop: (K,) joints to lose, or None."""
        if drop is not None:
            x = x.index_fill(3, drop, 0)
        n, m = x.shape[0], x.shape[4]
        maps = self.maps(x)
        wide = at_least_float32(maps)
        frames = wide.mean(3).view(n, m, self.width, -1).mean(1).transpose(1, 2)
        return Features(frames.mean(1), frames)

    def maps(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """Every body's map, the bodies of a clip one after the other.

        All absent bodies are equal, so they are encoded once; norms in training count each of them.
        x: (N, 3, T, V, M).
        present: (N, M) bool on the CPU, False only for bodies that are all zero; None: looked up in
        x, which synchronises a GPU.
        Returns: (N M, width, T', V).
        """
        present = bodies.present(x).cpu() if present is None else present
        y = x.permute(0, 4, 1, 2, 3).flatten(0, 1)
        # Of several processes all must weigh their rows, or none.
        if processes() == 1 and bool(present.all()):
            return self.trunk(y.contiguous())
        merged = bodies.merge_by_slot(present, x.device)
        maps: Tensor = self.trunk(y.index_select(0, merged.rows), merged.standing)
        return maps.index_select(0, merged.source)


def residual_sum(
    layer: nn.Sequential,
    x: Tensor,
    shortcut: nn.Module | None,
    residual: Tensor,
    count: Counted | None,
) -> Tensor:
    """Leaky ReLU of a layer and a shortcut, each with its norm; without one the residual itself.

    x, residual: (P, C, T, V).   Returns: (P, C', T', V).
    """
    y = apply_normed(layer, x, count)
    if isinstance(shortcut, nn.Sequential):
        residual = apply_normed(shortcut, residual, count)
    # The sum is overwritten: kept beside its own ReLU for the backward pass, it would be an eighth
    # of all that is kept.
    return F.leaky_relu(y + residual, SLOPE, inplace=True)


def apply_normed(layer: nn.Sequential, x: Tensor, count: Counted | None) -> Tensor:
    """The convolution and norm of normed().   x: (P, C, T, V).   Returns: (P, C', T', V)."""
    convolution, norm = layer
    assert isinstance(convolution, nn.Conv2d)
    if frame_convolution.suits(x, convolution, x.shape[2]):
        assert convolution.bias is not None
        y = frame_convolution.convolve(x, convolution.weight[..., 0], (2, 0, 3, 1))
        y += convolution.bias[:, None, None]
    else:
        y = convolution(x)
    return normalise(norm, y, count)


def normed(conv: nn.Conv2d) -> nn.Sequential:
    """A convolution and its batch norm."""
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels))


def sinusoid(channels: int, joints: int) -> Tensor:
    """PE[2k, v] = sin(v 10000^(-2k / channels)), PE[2k + 1, v] = cos of the same (PSP spec 3.1).

    Returns: (channels, joints).
    """
    rate = 10_000 ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
    angle = torch.arange(joints, dtype=torch.float64) * rate[:, None]
    return torch.stack([angle.sin(), angle.cos()], dim=1).flatten(0, 1).float()


def initialise(module: nn.Module) -> None:
    """Convolutions Kaiming-normal by fan-out with torch's biases, linear layers Xavier-normal.

    Biases of linear layers are zero (PSP spec 3).
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
        elif isinstance(part, nn.Linear):
            nn.init.xavier_normal_(part.weight)
            nn.init.zeros_(part.bias)
