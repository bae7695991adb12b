"""Projectors of several views of a batch."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def project_views(layers: Iterable[nn.Module], *views: Tensor) -> list[Tensor]:
    """Projections of each view's clip features.   (N, D) each -> (N, D') each.

    The views pass each linear layer together, because its weights are far larger than a batch and
    are read once; batch norm sees one view at a time, in this order, as in the released code.
    """
    h = torch.cat(views)
    for layer in layers:
        one_view_at_a_time = isinstance(layer, nn.BatchNorm1d)
        parts = h.chunk(len(views)) if one_view_at_a_time else (h,)
        h = torch.cat([layer(part) for part in parts])
    return list(h.chunk(len(views)))
