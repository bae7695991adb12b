"""A temporal convolutional network on frames as they are: all joints of a body side by side.

After Res-TCN (Kim and Reiter, CVPR workshops 2017, https://arxiv.org/abs/1704.04516), the simplest
convolutional encoder of skeletons: no graph, residual blocks along time. Ours, not theirs: the
displacement since the frame before stands beside the position, every second frame is kept after a
block, as the mean of three, and the feature is the largest and the mean value of every channel over
time. Nothing is averaged over joints, so what a joint does stays apart from what another does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pstl.config import Count, Frozen, NotNegative
from pstl.modules import BaseEncoder
from pstl.ops.dtypes import at_least_float32
from pstl.ops.streams import motion_from_previous
from pstl.records import Features
from pstl.skeletons import Skeleton

INPUT_KERNEL = 3  # frames


class Config(Frozen):
    """Our choice.

    width: channels.   blocks: residual ones, of two convolutions each.   kernel: their frames.
    motion: weight of the displacements beside the positions; a frame's is a fifth of a decimetre.
    halve: keep every second frame after a block. Without it a row for each frame, as detection of
        short actions needs; each block's convolutions then reach twice as far as the one's before
        (dilation), so that both kinds see equally much of a clip.
    levels: a clip's feature has the values of what enters each block, too, not of the end alone.
    """

    width: Count = 256
    blocks: Count = 2
    kernel: Count = 5
    motion: NotNegative = 5.0
    halve: bool = True
    levels: bool = False


class Block(nn.Module):
    """Two convolutions along time with batch norms, and what entered added.   (P, D, T) -> same."""

    def __init__(self, width: int, kernel: int, dilation: int) -> None:
        super().__init__()

        def along_time() -> nn.Conv1d:
            """As many frames as before."""
            return nn.Conv1d(width, width, kernel, padding="same", dilation=dilation, bias=False)

        self.layers = nn.Sequential(
            along_time(), nn.BatchNorm1d(width), nn.ReLU(), along_time(), nn.BatchNorm1d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """x: (P, D, T)."""
        return F.relu(x + self.layers(x))


def halved(x: Tensor) -> Tensor:
    """Every second frame, averaged with its neighbours.   (P, D, T) -> (P, D, ceil(T / 2))."""
    return F.avg_pool1d(x, 3, 2, padding=1, count_include_pad=False)


def extremes(x: Tensor) -> list[Tensor]:
    """The largest and the mean value of every channel over time.   (P, D, T) -> (P, D) twice."""
    x = at_least_float32(x)
    return [x.amax(2), x.mean(2)]


class Encoder(BaseEncoder):
    """(N, 3, T, V, M) -> clip (N, 2 width), frames (N, T / 2^blocks, width), or (N, T, width).

    With `levels` a clip has (N, 2 width (blocks + 1)).
    Both are averaged over all M body slots; absent (all-zero) bodies count like present ones.
    """

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        self.levels = cfg.levels
        self.width = 2 * cfg.width * (cfg.blocks + 1 if cfg.levels else 1)
        self.motion = cfg.motion
        self.first = nn.Sequential(
            nn.Conv1d(6 * skeleton.joints, cfg.width, INPUT_KERNEL, padding="same", bias=False),
            nn.BatchNorm1d(cfg.width),
            nn.ReLU(),
        )
        self.halve = cfg.halve
        dilations = [1 if cfg.halve else 2**i for i in range(cfg.blocks)]
        self.blocks = nn.ModuleList(Block(cfg.width, cfg.kernel, step) for step in dilations)

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        """x: (N, 3, T, V, M).   drop: joints cannot be deleted, only zeroed."""
        n, _, t, _, m = x.shape
        frames = torch.cat([x, self.motion * motion_from_previous(x)], dim=1)  # (N, 6, T, V, M)
        bodies = frames.permute(0, 4, 1, 3, 2).reshape(n * m, -1, t)
        y = self.first(bodies)
        values = extremes(y) if self.levels else []
        for block in self.blocks:
            y = halved(block(y)) if self.halve else block(y)
            values += extremes(y) if self.levels else []
        y = at_least_float32(y)
        clip = torch.cat(values or extremes(y), dim=1)
        rows = y.transpose(1, 2)
        return Features(clip.view(n, m, -1).mean(1), rows.view(n, m, *rows.shape[1:]).mean(1))
