"""What SCD-Net and UmURL share: tokens made of numbers, and a transformer layer over them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pstl.errors import ShapeError
from pstl.ops.dropout import Dropout
from pstl.ops.dtypes import at_least_float32
from pstl.ops.linear import TokenLinear


class TokenLayer(nn.Module):
    """One post-norm transformer layer without positions.   (N, tokens, width) -> same shape."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.attend_in = TokenLinear(width, 3 * width)
        self.attend_out = TokenLinear(width, width)
        self.attend_norm = nn.LayerNorm(width)
        self.feed_in = TokenLinear(width, feedforward)
        self.feed_out = TokenLinear(feedforward, width)
        self.feed_norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.attend_in.bias)
        nn.init.zeros_(self.attend_out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, width) -> same shape."""
        # Sums and norms in float32 also under autocast.
        x = self.attend_norm(at_least_float32(x) + self.dropout(self.attention(x)))
        hidden = self.dropout(torch.relu(self.feed_in(x)))
        return self.feed_norm(x + self.dropout(self.feed_out(hidden)))

    def attention(self, x: Tensor) -> Tensor:
        """(N, tokens, width) -> same shape."""
        n, tokens, width = x.shape
        by_head = self.attend_in(x).view(n, tokens, 3, self.heads, width // self.heads)
        q, k, v = by_head.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate if self.training else 0.0)
        return self.attend_out(y.transpose(1, 2).reshape(n, tokens, width))


def token_mlp(features: int, width: int) -> nn.Sequential:
    """(..., features) -> (..., width)."""
    return nn.Sequential(
        TokenLinear(features, width), nn.LayerNorm(width), nn.ReLU(), TokenLinear(width, width)
    )


def with_absent_people(x: Tensor, expected: tuple[int, int, int]) -> Tensor:
    """Clips with absent people added where they have fewer slots than the token layers take.

    x: (N, 3, T, V, M).   expected: T, V and the largest M.   Returns: (N, 3, T, V, largest M).
    Raises: ShapeError for other frames or joints, or more people.
    """
    t, v, m = expected
    if x.shape[2:4] != (t, v) or x.shape[4] > m:
        fits = f"expected (N, 3, {t}, {v}, {m} or fewer people) for this encoder"
        raise ShapeError(f"clips of shape {tuple(x.shape)}: {fits}")
    missing = m - x.shape[4]
    return F.pad(x, (0, missing)) if missing else x
