"""Barlow Twins: make the cross-correlation of two views the identity.

Source: Zbontar et al., ICML 2021, https://arxiv.org/abs/2103.03230; PSTL, AAAI 2023, PSTL spec 5.
"""

import torch
from torch import Tensor

from pstl.errors import ShapeError


def standardise(z: Tensor, eps: float = 1e-5) -> Tensor:
    """Zero mean and unit (biased) variance per column over the batch, without running statistics.

    z: (n, D).   Returns: (n, D) float32.
    """
    z = z.float()
    variance, mean = torch.var_mean(z, dim=0, correction=0)
    return (z - mean) * torch.rsqrt(variance + eps)


def barlow_twins(za: Tensor, zb: Tensor, off_diagonal_weight: float) -> Tensor:
    """sum_i (C_ii - 1)^2 + lambda * sum_{i != j} C_ij^2 with C = za^T zb / n.

    za, zb: (n, D), each already standardised over the batch.
    Returns: scalar, not divided by D.
    With n < D the D x D matrix is never built: sum_ij C_ij^2 =
    sum((za za^T) * (zb zb^T)) / n^2, exact algebra with n x n Gram matrices, about D / n times
    fewer operations (PSTL spec 16).
    """
    if za.shape != zb.shape or za.dim() != 2:
        shapes = f"found {tuple(za.shape)} and {tuple(zb.shape)}"
        raise ShapeError(f"Barlow Twins needs two (n, D) tensors of one shape, {shapes}")
    n, width = za.shape
    diagonal = (za * zb).mean(0)
    if n < width:
        total = ((za @ za.T) * (zb @ zb.T)).sum() / n**2
    else:
        total = (za.T @ zb / n).square().sum()
    return (diagonal - 1).square().sum() + off_diagonal_weight * (total - diagonal.square().sum())
