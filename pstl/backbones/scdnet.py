"""SCD-Net's encoder: two CTR-GCN stems, each with a transformer over frames or over joints (Wu et
al., AAAI 2024, SCD-Net spec 4).
"""

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from pstl.backbones._ctrgcn import CtrGcnBlock
from pstl.backbones._tokens import TokenLayer, token_mlp, with_absent_people
from pstl.config import Count, Frozen
from pstl.modules import BaseEncoder
from pstl.ops import bodies
from pstl.ops.bodies import Merged
from pstl.records import Features
from pstl.skeletons import Skeleton
from pstl.skeletons.graph import directed_partition


class Config(Frozen):
    """Defaults are the released code's values (SCD-Net spec 4).

    74,447,664 parameters for two people of 25 joints.
    """

    width: Count = 2048  # of the tokens; clip features have twice as many numbers
    heads: Count = 8
    feedforward: Count = 2048
    dropout: float = Field(default=0.1, ge=0, lt=1)
    stem_width: int = Field(default=64, multiple_of=8, gt=0)  # four times as wide inside

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "Config":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be shared equally by {self.heads} heads")
        return self


class Stem(nn.Module):
    """Three CTR-GCN blocks without strides.

    x: (N, 3, T, V, M) -> (P, width, V, T) of merged bodies.
    """

    def __init__(self, width: int, skeleton: Skeleton, people: int) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm1d(people * skeleton.joints * 3)
        topology = torch.from_numpy(directed_partition(skeleton))
        widths = (3, width, 4 * width, width)
        self.blocks = nn.ModuleList(
            CtrGcnBlock(widths[i], widths[i + 1], topology, residual=i > 0) for i in range(3)
        )

    def forward(self, x: Tensor, merged: Merged | None) -> Tensor:
        """x: (N, 3, T, V, M).   Returns: (P, width, V, T); without merged bodies P is N M."""
        n, c, t, v, m = x.shape
        # Body slowest, coordinate fastest.
        x = self.input_norm(x.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t))
        x = x.view(n * m, v, c, t).transpose(1, 2)
        if merged is not None:
            x = x.index_select(0, merged.rows)
        x = x.contiguous()
        for block in self.blocks:
            x = block(x, None if merged is None else merged.standing)
        return x


class Encoder(BaseEncoder):
    """(N, 3, frames, V, M) -> clip (N, 2 * width), frames (N, frames, width).

    The clip's temporal half comes first; its frames are the temporal tokens.
    Tied to its number of frames, joints and people by the token layers; people beyond those of a
    clip are added as absent. A dropped joint is one whose coordinates are zero.
    """

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        self.width, self.expected = 2 * cfg.width, (frames, skeleton.joints, people)
        self.temporal_stem = Stem(cfg.stem_width, skeleton, people)
        self.spatial_stem = Stem(cfg.stem_width, skeleton, people)
        self.temporal_tokens = token_mlp(people * skeleton.joints * cfg.stem_width, cfg.width)
        self.spatial_tokens = token_mlp(frames * cfg.stem_width, cfg.width)
        self.temporal_layer, self.spatial_layer = token_layer(cfg), token_layer(cfg)
        tokens = (self.temporal_tokens, self.spatial_tokens)
        for part in (*tokens, self.temporal_layer, self.spatial_layer):
            xavier(part)

    def forward(
        self, x: Tensor, drop: Tensor | None = None, present: Tensor | None = None
    ) -> Features:
        """x: (N, 3, frames, V, M).   drop: (K,) joints to lose, or None.

        present: (N, M) bool on the CPU, False only for bodies that are all zero; None: found in x,
        which synchronises a GPU.
        """
        x, present = self._fitted(x, present)
        if drop is not None:
            x = x.index_fill(3, drop, 0)
        n, _, t, v, m = x.shape
        merged, source = None, torch.arange(n, device=x.device)
        if m > 1:
            present = bodies.present(x).cpu() if present is None else present
            merged = bodies.merge_by_slot(present, x.device)
            source = merged.source

        y = self.temporal_stem(x, merged).index_select(0, source)  # (N M, C, V, T)
        y = y.view(n, m, -1, v, t).permute(0, 4, 1, 3, 2).reshape(n, t, -1)  # (N, T, M V C)
        temporal = self.temporal_layer(self.temporal_tokens(y))

        y = self.spatial_stem(x, merged).permute(0, 2, 3, 1).flatten(2)  # (P, V, T C)
        # Token by token, so once for all absent bodies, too.
        y = self.spatial_tokens(y).index_select(0, source)
        spatial = self.spatial_layer(y.reshape(n, m * v, -1))
        return Features(torch.cat([temporal.amax(1), spatial.amax(1)], dim=1), temporal)

    def _fitted(self, x: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Absent people added where a clip has fewer slots.   x: (N, 3, T, V, M).

        Raises: ShapeError for anything else.
        """
        missing = self.expected[2] - x.shape[4]
        x = with_absent_people(x, self.expected)
        return x, None if present is None else F.pad(present, (0, missing))


def token_layer(cfg: Config) -> TokenLayer:
    """One transformer layer over tokens (N, tokens, width)."""
    return TokenLayer(cfg.width, cfg.heads, cfg.feedforward, cfg.dropout)


def xavier(module: nn.Module) -> None:
    """Xavier-uniform for every matrix; biases keep what they have (SCD-Net spec 4.3)."""
    for parameter in module.parameters():
        if parameter.dim() == 2:
            nn.init.xavier_uniform_(parameter)
