"""VICReg's terms that keep a batch from collapsing, as UmURL weighs them.

Source: Bardes, Ponce and LeCun, ICLR 2022, https://arxiv.org/abs/2105.04906; UmURL code, UmURL
spec 3.
"""

import torch
from torch import Tensor

from pstl.errors import ShapeError


def variance_covariance(z: Tensor, variance_weight: float, eps: float = 1e-4) -> Tensor:
    """w * mean_d max(0, 1 - sqrt(var_d + eps)) + sum_{i != j} C_ij^2 / D.

    var is unbiased, C = (z - mean)^T (z - mean) / (n - 1).
    z: (n, D), n at least 2.
    Returns: scalar, at least float32.
    With n < D the D x D matrix is never built: the sum of its squares is that of the n x n Gram
    matrix's, and its diagonal are the variances (UmURL spec 9).
    """
    if z.dim() != 2 or len(z) < 2:
        raise ShapeError(f"projections of shape {tuple(z.shape)}: expected (n, D), n at least 2")
    n, width = z.shape
    centred = z - z.mean(0)
    variance = centred.square().sum(0) / (n - 1)
    hinge = torch.relu(1 - torch.sqrt(variance + eps)).mean()
    products = centred @ centred.T if n < width else centred.T @ centred
    off_diagonal = products.square().sum() / (n - 1) ** 2 - variance.square().sum()
    return variance_weight * hinge + off_diagonal / width
