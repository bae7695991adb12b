"""Linear layers over the tokens of sequences, as fast as a processor multiplies.

torch multiplies float32 matrices by MKL, which leaves AVX-512 unused where the processor is not
Intel's; its convolutions are oneDNN's, which do not. A pointwise convolution of rows that lie
channels last is the same product of the same memory, forwards and backwards. Where there is no
AVX-512 there is nothing to gain, and torch's own product stays.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# torch hands smaller batches of images to MKL again, and oneDNN is slow at images of few pixels.
FEWEST_SEQUENCES, FEWEST_TOKENS = 17, 16


class TokenLinear(nn.Linear):
    """nn.Linear whose product is `token_product`.   (N, tokens, C) -> (N, tokens, C')."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., C).   Returns: (..., C')."""
        return token_product(x, self.weight, self.bias)


def token_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """F.linear, equal up to float32's rounding.

    x: (N, tokens, C) or any (..., C), weight: (C', C), bias: (C',).   Returns: (..., C').
    """
    if not suits_convolution(x):
        return F.linear(x, weight, bias)
    images = x[:, None].permute(0, 3, 1, 2)  # (N, C, 1, tokens), channels last in memory
    y = F.conv2d(images, weight[:, :, None, None], bias)
    return y.permute(0, 2, 3, 1)[:, 0]


def suits_convolution(x: Tensor) -> bool:
    """Whether rows x (N, tokens, C) are multiplied faster as images."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return False
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    is_large = x.dim() == 3 and len(x) >= FEWEST_SEQUENCES and x.shape[1] >= FEWEST_TOKENS
    return is_large and x.is_contiguous() and torch.backends.mkldnn.is_available()
