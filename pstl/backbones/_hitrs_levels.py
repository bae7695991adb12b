"""The three transformers of Hi-TRS.

Over the joints of a frame, over the frames of a clip, over the clips of a video (Hi-TRS spec 2).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pstl.ops.dropout import Dropout
from pstl.ops.linear import TokenLinear, token_product

BASE = 10_000.0  # of the sinusoids


class Layer(nn.Module):
    """Pre-norm transformer layer: no bias in the attention, no dropout on its weights.

    (N, tokens, width) -> same shape.
    """

    def __init__(
        self, width: int, hidden: int, heads: int, head_width: int, dropout: float
    ) -> None:
        super().__init__()
        self.heads, self.inner = heads, heads * head_width
        self.attend_norm = nn.LayerNorm(width)
        self.attend_in = TokenLinear(width, 3 * self.inner, bias=False)  # queries, keys, values
        self.attend_out = TokenLinear(self.inner, width, bias=False)
        self.feed_norm = nn.LayerNorm(width)
        self.feed_in = TokenLinear(width, hidden)
        self.feed_out = TokenLinear(hidden, width)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, attention_mask: Tensor | None = None, last_only: bool = False
    ) -> Tensor:
        """x: (N, tokens, width).   Returns: same shape, or with last_only (N, 1, width).

        attention_mask: bool, True where attention is allowed, broadcast to (N, heads, tokens,
        tokens); None: everywhere.
        last_only: give back the last token alone, (N, 1, width). It must be allowed to see what the
        others see; queries, projection and feed-forward of the other tokens are then not computed,
        because nobody reads them.
        """
        y = self.attend_norm(x)
        asking = y
        if last_only:
            x, asking = x[:, -1:], y[:, -1:]
            attention_mask = None if attention_mask is None else attention_mask[..., -1:, :]
        # Three products: the gradients of one would be copied side by side first.
        weights = self.attend_in.weight.chunk(3)
        inputs = (asking, y, y)
        query, key, value = (
            self._by_head(token_product(rows, weight))
            for rows, weight in zip(inputs, weights, strict=True)
        )
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        # The sum stays float32 under autocast.
        x = x + self.dropout(self.attend_out(y.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed_out(F.gelu(self.feed_in(self.feed_norm(x)))))

    def _by_head(self, x: Tensor) -> Tensor:
        """(N, tokens, heads * head width) -> (N, heads, tokens, head width)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Level(nn.Module):
    """Layers, run one after the other; no norm after the last."""

    def __init__(
        self, layers: int, width: int, hidden: int, heads: int, head_width: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(width, hidden, heads, head_width, dropout) for _ in range(layers)
        )

    def run(
        self, x: Tensor, attention_mask: Tensor | None = None, last_only: bool = False
    ) -> Tensor:
        """x: (N, tokens, width).   Returns: same shape, or with last_only (N, 1, width)."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            x = layer(x, attention_mask, last_only and i == last)
        return x


class FrameLevel(Level):
    """F-TRS: attention among the joints of one frame.   (F, V, 3) -> (F, V, width)."""

    def __init__(self, joints: int, width: int, **sizes: float) -> None:
        super().__init__(width=width, **sizes)  # type: ignore[arg-type]
        self.enter, self.enter_norm = nn.Linear(3, width), nn.LayerNorm(width)
        self.positions = nn.Parameter(sinusoid(joints, width))

    def forward(self, x: Tensor) -> Tensor:
        """(F, V, 3) -> (F, V, width)."""
        return self.run(self.enter_norm(F.gelu(self.enter(x))) + self.positions)


class ClipLevel(Level):
    """C-TRS: attention across the frames of one clip, and one token that sums it up.

    (P, window, V, width / 2) -> (P, width).
    A joint sees itself, the joints of the other frames and the token, but no other joint of its own
    frame; the token sees all.
    """

    def __init__(self, joints: int, window: int, width: int, **sizes: float) -> None:
        super().__init__(width=width, **sizes)  # type: ignore[arg-type]
        self.enter = nn.Linear(width // 2, width)
        self.positions = nn.Parameter(clip_positions(window, joints, width))
        self.token = nn.Parameter(torch.rand(width))
        self.register_buffer("open", clip_mask(window, joints), persistent=False)
        self.open: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(P, window, V, width / 2) -> (P, width), the token's."""
        y = (self.enter(x) + self.positions).flatten(1, 2)
        # The token comes last and has no position.
        y = torch.cat([y, self.token.to(y.dtype).expand(len(y), 1, -1)], dim=1)
        return self.run(y, self.open, last_only=True)[:, 0]


class VideoLevel(Level):
    """V-TRS: attention across the clips of one video, and one token that sums it up.

    (B, W, width / 2) -> (B, W + 1, width).
    The token comes last. real: (B, W) bool, False for clips that only fill up; nobody sees them.
    """

    def __init__(self, clips: int, width: int, **sizes: float) -> None:
        super().__init__(width=width, **sizes)  # type: ignore[arg-type]
        self.enter = nn.Linear(width // 2, width)
        self.positions = nn.Parameter(sinusoid(clips, width))
        self.token = nn.Parameter(torch.rand(width))

    def forward(self, x: Tensor, real: Tensor, token_only: bool = False) -> Tensor:
        """x: (B, W, width / 2), real: (B, W).   Returns: (B, W + 1, width), or the token alone."""
        y = self.enter(x) + self.positions[: x.shape[1]]
        y = torch.cat([y, self.token.to(y.dtype).expand(len(y), 1, -1)], dim=1)
        return self.run(y, F.pad(real, (0, 1), value=True)[:, None, None], last_only=token_only)


def sinusoid(count: int, width: int) -> Tensor:
    """Sinusoids of `count` places, even channels sine, odd ones cosine.

    Returns: (count, width).
    """
    angle = torch.arange(count)[:, None] * torch.exp(
        torch.arange(0, width, 2) * (-math.log(BASE) / width)
    )
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


def clip_positions(window: int, joints: int, width: int) -> Tensor:
    """The first half of the channels tells the joint, the second half the frame.

    Returns: (window, joints, width).
    """
    joint, frame = sinusoid(joints, width // 2), sinusoid(window, width // 2)
    return torch.cat([joint.expand(window, -1, -1), frame[:, None].expand(-1, joints, -1)], dim=2)


def clip_mask(window: int, joints: int) -> Tensor:
    """Who may attend to whom in a clip: (tokens, tokens) bool, tokens = window * joints + 1, True
    where allowed.
    """
    frame = torch.arange(window).repeat_interleave(joints)
    among = (frame[:, None] != frame) | torch.eye(window * joints, dtype=torch.bool)
    return F.pad(among, (0, 1, 0, 1), value=True)
