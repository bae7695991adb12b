"""UmURL's encoder: joint, bone and motion embedded apart, one transformer layer over frames and one
over joints that all of them share (Sun et al., ACM MM 2023, UmURL spec 1, 2).
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from pstl.backbones._tokens import TokenLayer, token_mlp, with_absent_people
from pstl.config import Frozen
from pstl.modules import BaseEncoder
from pstl.ops.linear import TokenLinear
from pstl.ops.streams import STREAMS, convert
from pstl.records import Features
from pstl.skeletons import Skeleton


class Config(Frozen):
    """Defaults are the released code's values (UmURL spec 2).

    22,067,200 parameters for two people of 25 joints.
    """

    # Of the tokens, and of the layers inside; clip features have twice as many numbers.
    width: int = Field(default=1024, ge=2, multiple_of=2)
    # What a clip's features are of: all three modalities, or one by its own embedding. Training is
    # the same with each (UmURL spec 6).
    features: Literal["fused", "joint", "bone", "motion"] = "fused"


class Tokens(NamedTuple):
    """Clips along both axes.

    temporal: (N, T, width or numbers of a frame).
    spatial: (N, M V, width or numbers of a joint).
    """

    temporal: Tensor
    spatial: Tensor

    def halves(self) -> tuple["Tokens", "Tokens"]:
        """Those of the first half of the clips, and of the second."""
        temporal, spatial = self.temporal.chunk(2), self.spatial.chunk(2)
        return Tokens(temporal[0], spatial[0]), Tokens(temporal[1], spatial[1])


def joined(parts: Sequence[Tokens]) -> Tokens:
    """Tokens of several batches as one, (sum of N, ..) along both axes."""
    temporal, spatial = zip(*parts, strict=True)
    return Tokens(torch.cat(temporal), torch.cat(spatial))


def tokens_of(x: Tensor) -> Tokens:
    """A stream's numbers as tokens, without arithmetic (UmURL spec 1).

    x: (N, C, T, V, M).
    Returns: (N, T, M V C), a frame's numbers by person, joint, coordinate; (N, M V, T C), a joint's
    by frame, coordinate; what is named last runs fastest.
    """
    by_frame = x.permute(0, 2, 4, 3, 1).flatten(2)
    by_joint = x.permute(0, 4, 3, 2, 1).flatten(3).flatten(1, 2)
    return Tokens(by_frame, by_joint)


class Embedding(nn.Module):
    """One modality's numbers as tokens of the encoder's width."""

    def __init__(self, frame: int, joint: int, width: int) -> None:
        super().__init__()
        self.temporal, self.spatial = token_mlp(frame, width), token_mlp(joint, width)

    def forward(self, x: Tensor) -> Tokens:
        """x: (N, 3, T, V, M) of the modality.   Returns: tokens of `width` numbers."""
        numbers = tokens_of(x)
        return Tokens(self.temporal(numbers.temporal), self.spatial(numbers.spatial))


class Fusion(nn.Module):
    """The mean of the three modalities' tokens, and a linear layer for each axis."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.temporal = TokenLinear(width, width, bias=False)
        self.spatial = TokenLinear(width, width, bias=False)

    def forward(self, joint: Tokens, bone: Tokens, motion: Tokens) -> Tokens:
        """Tokens of each modality, of one shape (N, .., width).   Returns: tokens of that shape."""
        temporal = (joint.temporal + bone.temporal + motion.temporal) / 3
        spatial = (joint.spatial + bone.spatial + motion.spatial) / 3
        return Tokens(self.temporal(temporal), self.spatial(spatial))


class Layers(nn.Module):
    """What all modalities share: a layer over frames with positions, one over joints without."""

    positions: Tensor

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.temporal = TokenLayer(width, heads=1, feedforward=width)
        self.spatial = TokenLayer(width, heads=1, feedforward=width)
        for layer in (self.temporal, self.spatial):
            nn.init.xavier_uniform_(layer.attend_in.weight)
        self.register_buffer("positions", sinusoids(frames, width), persistent=False)

    def forward(self, tokens: Tokens) -> Features:
        """Tokens of `width` numbers.

        Returns: clip (N, 2 width), the maxima over frames and over joints; frames (N, T, width).
        """
        temporal = self.temporal(tokens.temporal + self.positions)
        spatial = self.spatial(tokens.spatial)
        return Features(torch.cat([temporal.amax(1), spatial.amax(1)], dim=1), temporal)


class Encoder(BaseEncoder):
    """Joint positions (N, 3, frames, V, M) -> clip (N, 2 width), frames (N, frames, width).

    It makes bone and motion of the positions itself. The clip's temporal half comes first; its
    frames are the temporal tokens. Tied to its number of frames, joints and people by the
    embeddings; people beyond those of a clip are added as absent, and an absent one is tokens of
    zeros like any others (UmURL spec 2.3). A dropped joint is one whose coordinates are zero, as in
    training.
    """

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        self.cfg, self.skeleton = cfg, skeleton
        self.width, self.expected = 2 * cfg.width, (frames, skeleton.joints, people)
        frame, joint = people * skeleton.joints * 3, frames * 3
        self.embeddings = nn.ModuleDict(
            {stream: Embedding(frame, joint, cfg.width) for stream in STREAMS}
        )
        self.fusion = Fusion(cfg.width)
        self.layers = Layers(cfg.width, frames)

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        """x: (N, 3, frames, V, M), positions.   drop: (K,) joints to lose, or None."""
        x = with_absent_people(x, self.expected)
        if drop is not None:
            x = x.index_fill(3, drop, 0)
        if self.cfg.features != "fused":
            return self.encode(self.embed(x, self.cfg.features))
        return self.encode(self.fuse(*(self.embed(x, stream) for stream in STREAMS)))

    def embed(self, x: Tensor, stream: str) -> Tokens:
        """One modality's tokens.   x: (N, 3, frames, V, M), positions."""
        tokens: Tokens = self.embeddings[stream](convert(x, self.skeleton, stream))
        return tokens

    def fuse(self, joint: Tokens, bone: Tokens, motion: Tokens) -> Tokens:
        """The three modalities' tokens as one clip's, of the same shape (N, .., width)."""
        tokens: Tokens = self.fusion(joint, bone, motion)
        return tokens

    def encode(self, tokens: Tokens) -> Features:
        """Features of tokens (N, .., width) of one modality, or fused: one encoder for all."""
        features: Features = self.layers(tokens)
        return features


def sinusoids(frames: int, width: int) -> Tensor:
    """Vaswani's positions: sines in even places, cosines in odd ones.   Returns: (frames, width).

    Source: UmURL code (UmURL spec 2).
    """
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angle = torch.arange(frames)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
