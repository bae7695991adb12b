"""A vision transformer on skeletons, MAMP's encoder: tokens of some frames of one joint.

Source: Mao et al., ICCV 2023, https://arxiv.org/abs/2308.07092; MAMP spec 1. The field's other
masked methods have this encoder, too, with other targets.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

from pstl.backbones._parts import in_parts
from pstl.config import Count, Frozen
from pstl.errors import ShapeError, UserError
from pstl.modules import BaseEncoder
from pstl.ops import bodies
from pstl.ops.dtypes import at_least_float32
from pstl.ops.joints import on_device
from pstl.ops.linear import TokenLinear
from pstl.records import Features
from pstl.skeletons import Skeleton


class Config(Frozen):
    """Defaults are the released code's values (MAMP spec 1.3).

    6,336,000 parameters for 120 frames of 25 joints.
    """

    t_patch: Count = 4  # frames of a token
    width: Count = 256
    depth: Count = 8  # blocks
    heads: Count = 8
    mlp_ratio: Count = 4
    # What features are averaged over, besides people: frames and joints, or frames alone, which
    # gives joints * width numbers.
    pool: Literal["all", "frames"] = "all"

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "Config":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be shared equally by {self.heads} heads")
        return self


class Block(nn.Module):
    """Attention and a perceptron, each after a norm and beside a shortcut; without dropout.

    (P, tokens, width) -> same shape.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend_norm = nn.LayerNorm(width)
        self.relate = TokenLinear(width, 3 * width)  # queries, keys, values
        self.mix = TokenLinear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.widen = TokenLinear(width, mlp_ratio * width)
        self.narrow = TokenLinear(mlp_ratio * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(P, tokens, width) -> same shape."""
        x = x + self.attention(self.attend_norm(x))
        y: Tensor = x + self.narrow(F.gelu(self.widen(self.feed_norm(x))))
        return y

    def attention(self, x: Tensor) -> Tensor:
        """(P, tokens, width) -> same shape."""
        p, tokens, width = x.shape
        by_head = self.relate(x).view(p, tokens, 3, self.heads, width // self.heads)
        query, key, value = by_head.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(query, key, value)
        mixed: Tensor = self.mix(y.transpose(1, 2).reshape(p, tokens, width))
        return mixed


class Trunk(nn.Module):
    """Blocks and a last norm.   (P, tokens, width) -> same shape, at least float32.

    Weights are drawn by Xavier's uniform distribution, biases are 0 (MAMP spec 3).
    """

    def __init__(self, width: int, depth: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                xavier(module)

    def forward(self, x: Tensor) -> Tensor:
        """(P, tokens, width) -> same shape."""
        for block in self.blocks:
            x = block(x)
        return at_least_float32(self.norm(x))


class Positions(nn.Module):
    """A learnt vector for every time and one for every joint; a token's position is their sum."""

    def __init__(self, times: int, joints: int, width: int) -> None:
        super().__init__()
        self.times = nn.Parameter(torch.empty(times, 1, width))
        self.joints = nn.Parameter(torch.empty(1, joints, width))
        nn.init.trunc_normal_(self.times, std=0.02)
        nn.init.trunc_normal_(self.joints, std=0.02)

    def forward(self) -> Tensor:
        """Of all tokens in their order, (times * joints, width)."""
        return (self.times + self.joints).flatten(0, 1)


class Encoder(BaseEncoder):
    """(N, 3, frames, V, M) -> clip (N, D), frames (N, frames / t_patch, D).

    People are encoded one by one and averaged, absent ones (all zero) included. Tied to its number
    of frames and joints by the positions; people are any. A deleted joint has no tokens.
    """

    can_drop = True

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        if frames % cfg.t_patch:
            parts = f"{frames} frames cannot be cut into tokens of {cfg.t_patch}"
            raise UserError(f"vit: {parts}; set encoder.t_patch or the frames of the clips")
        self.cfg, self.times, self.joints = cfg, frames // cfg.t_patch, skeleton.joints
        self.width = cfg.width * (skeleton.joints if cfg.pool == "frames" else 1)
        # A convolution whose stride is its kernel, with torch's own start, which is this layer's.
        self.enter = nn.Linear(3 * cfg.t_patch, cfg.width)
        self.positions = Positions(self.times, self.joints, cfg.width)
        self.trunk = Trunk(cfg.width, cfg.depth, cfg.heads, cfg.mlp_ratio)

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        """x: (N, 3, frames, V, M).   drop: (K,) joints to delete, or None."""
        n, m = x.shape[0], x.shape[4]
        parts = self.patches(x)
        source: Tensor | slice = slice(None)
        if m > 1 and not self.training:
            parts, source = bodies.merge_absent(parts)
        tokens = self.tokens(parts)
        kept = self.kept(drop, x.device)
        if kept is not None:
            tokens = self.by_joint(tokens).index_select(2, kept).flatten(1, 2)
        y = in_parts(self.trunk, tokens, tokens.shape[1])
        y = self.by_joint(y)[source].unflatten(0, (n, m)).mean(1)  # (N, times, joints, width)
        if self.cfg.pool == "all":
            frames = y.mean(2)
        elif kept is None:
            frames = y.flatten(2)
        else:  # the features of a joint that is not there are 0
            empty = y.new_zeros(n, self.times, self.joints, self.cfg.width)
            frames = empty.index_copy(2, kept, y).flatten(2)
        return Features(frames.mean(1), frames)

    def patches(self, x: Tensor) -> Tensor:
        """What tokens are made of: t_patch frames of one joint, ordered by time, then joint.

        x: (N, 3, frames, V, M).   Returns: (N M, times * V, 3 * t_patch).
        Raises: ShapeError for other numbers of frames or joints.
        """
        frames = self.times * self.cfg.t_patch
        if x.shape[2:4] != (frames, self.joints):
            expected = f"expected (N, 3, {frames}, {self.joints}, M) for this encoder"
            raise ShapeError(f"clips of shape {tuple(x.shape)}: {expected}")
        by_time = x.permute(0, 4, 2, 3, 1).flatten(0, 1).unflatten(1, (self.times, -1))
        return by_time.transpose(2, 3).flatten(3).flatten(1, 2)

    def tokens(self, patches: Tensor) -> Tensor:
        """(P, times * V, 3 * t_patch) -> (P, times * V, width), with their positions."""
        tokens: Tensor = self.enter(patches) + self.positions()
        return tokens

    def by_joint(self, x: Tensor) -> Tensor:
        """(P, times * V, C) -> (P, times, V, C), also where joints were deleted."""
        return x.unflatten(1, (self.times, -1))

    def kept(self, drop: Tensor | None, device: torch.device) -> Tensor | None:
        """Joints (K,) that are not in drop; None: all."""
        if drop is None or not len(drop):
            return None
        dropped = set(drop.tolist())
        return on_device([j for j in range(self.joints) if j not in dropped], device)


def xavier(layer: nn.Linear) -> None:
    """Xavier's uniform distribution for the weights, 0 for the biases."""
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
