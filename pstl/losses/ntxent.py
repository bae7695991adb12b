"""NT-Xent, the symmetric contrastive loss of SimCLR, as PSP uses it between streams.

Source: Chen et al., ICML 2020, https://arxiv.org/abs/2002.05709; PSP spec 6.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from pstl.errors import ShapeError
from pstl.ops.dtypes import at_least_float32


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """-log of the positive pair's share in the softmax, averaged over all 2 N rows.

    The softmax is of cosine similarities over temperature.

    a, b: (..., N, D), row i of a and row i of b are a pair; every other row of both is a negative.
    Leading dimensions are separate problems solved by one product.
    Returns: (...), float32 also under autocast.
    """
    if a.shape != b.shape or a.dim() < 2:
        raise ShapeError(
            f"streams of shapes {tuple(a.shape)} and {tuple(b.shape)}: expected twice (..., N, D)"
        )
    with torch.autocast(a.device.type, enabled=False):
        z = F.normalize(at_least_float32(torch.cat([a, b], dim=-2)), dim=-1)
        rows = z.shape[-2]
        own = torch.eye(rows, dtype=torch.bool, device=z.device)
        scores = (z @ z.mT / temperature).masked_fill(own, -torch.inf)
        partner = torch.arange(rows, device=z.device).roll(rows // 2).expand(scores.shape[:-1])
        return -F.log_softmax(scores, dim=-1).gather(-1, partner[..., None]).mean((-2, -1))
