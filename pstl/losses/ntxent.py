"""NT-Xent, the symmetric contrastive loss of SimCLR, as PSP uses it between streams, and the same
with neighbours among the positives.

Source: Chen et al., ICML 2020, https://arxiv.org/abs/2002.05709; PSP spec 6. That a neighbour is a
positive is an idea of Dwibedi et al., ICCV 2021, https://arxiv.org/abs/2104.14548, and AimCLR's.
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
    log_p = log_shares(a, b, temperature)
    rows = log_p.shape[-1]
    partner = torch.arange(rows, device=log_p.device).roll(rows // 2).expand(log_p.shape[:-1])
    return -log_p.gather(-1, partner[..., None]).mean((-2, -1))


def nt_xent_of_groups(a: Tensor, b: Tensor, alike: Tensor, temperature: float) -> Tensor:
    """As nt_xent(), where rows of clips that are alike are positives, too.

    -log of each positive's share, averaged over the positives of a row and then over the rows.
    a, b: (N, D).   alike: (N, N) bool, symmetric, with a true diagonal: clips are like themselves.
    Returns: scalar; nt_xent() where no clip is like another.
    """
    log_p = log_shares(a, b, temperature)
    positive = alike.repeat(2, 2)
    positive.fill_diagonal_(False)
    return -(log_p.masked_fill(~positive, 0).sum(1) / positive.sum(1)).mean()


@torch.no_grad()
def mutual_neighbours(x: Tensor, count: int) -> Tensor:
    """Which rows have each other among their `count` nearest by cosine, and every row itself.

    x: (N, D); of fewer rows all others are near.   Returns: (N, N) bool, symmetric.

    >>> mutual_neighbours(torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.0, 1.0]]), 1).int().tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    x = F.normalize(at_least_float32(x), dim=1)
    itself = torch.eye(len(x), dtype=torch.bool, device=x.device)
    near = (x @ x.T).masked_fill(itself, -torch.inf)
    nearest = near.topk(min(count, len(x) - 1), dim=1).indices
    chosen = torch.zeros_like(itself).scatter_(1, nearest, True)
    return chosen & chosen.T | itself


def log_shares(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Logarithm of every row's share in the softmax of each row, without itself.

    a, b: (..., N, D).
    Returns: (..., 2 N, 2 N), rows of a before those of b; -inf on the diagonal.
    """
    if a.shape != b.shape or a.dim() < 2:
        raise ShapeError(
            f"streams of shapes {tuple(a.shape)} and {tuple(b.shape)}: expected twice (..., N, D)"
        )
    with torch.autocast(a.device.type, enabled=False):
        z = F.normalize(at_least_float32(torch.cat([a, b], dim=-2)), dim=-1)
        itself = torch.eye(z.shape[-2], dtype=torch.bool, device=z.device)
        scores = (z @ z.mT / temperature).masked_fill(itself, -torch.inf)
        return F.log_softmax(scores, dim=-1)
