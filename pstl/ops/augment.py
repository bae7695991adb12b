"""Batched random views.

Draws come from a CPU generator: no device synchronisation, and the same draws on every device.

`per_sample=False` is what the released PSTL code does: one draw for the whole batch (PSTL spec 6).
"""

import math

import torch
from torch import Generator, Tensor


def crop(x: Tensor, padding_ratio: int, rng: Generator, per_sample: bool = False) -> Tensor:
    """Temporal crop after padding by T // padding_ratio frames at both ends, edge frames repeated.

    x: (N, C, T, V, M).   Returns: same shape.   Source: PSTL code (PSTL spec 6.1): padding_ratio 6.
    """
    n, frames = x.shape[0], x.shape[2]
    pad = frames // padding_ratio
    start = torch.randint(0, 2 * pad + 1, (n if per_sample else 1, 1), generator=rng)
    position = torch.arange(frames) + start - pad
    position = torch.where(position < 0, -1 - position, position)
    position = torch.where(position >= frames, 2 * frames - 1 - position, position)
    position = position.to(x.device, non_blocking=True)
    if not per_sample:
        return x.index_select(2, position[0])
    return x.gather(2, position.view(n, 1, frames, 1, 1).expand_as(x))


def shear(draws: int, amplitude: float, rng: Generator) -> Tensor:
    """Shears: unit diagonal, off-diagonals ~ U(-amplitude, amplitude); for row vectors, p' = p S.

    Returns: (draws, 3, 3) on the CPU.   Source: PSTL code (PSTL spec 6.1): amplitude 1.
    """
    off = (torch.rand(draws, 3, 3, generator=rng) * 2 - 1) * amplitude
    eye = torch.eye(3)
    return eye + off * (1 - eye)


def rotation(draws: int, main_deg: float, other_deg: float, rng: Generator) -> Tensor:
    """Rotations about x, then y, then z.

    The main axis by U(0, main_deg), the other two by U(0, other_deg) degrees.

    Returns: (draws, 3, 3) on the CPU, for row vectors: p' = p R.
    Source: PSTL code (PSTL spec 6.1): 30 and 1 degrees.
    """
    main = torch.randint(0, 3, (draws, 1), generator=rng)
    span = torch.where(torch.arange(3) == main, main_deg, other_deg)
    angle = torch.rand(draws, 3, generator=rng) * span * math.pi / 180
    c, s = angle.cos(), angle.sin()
    matrices = []
    for axis, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):  # x, y, z
        matrix = torch.eye(3).repeat(draws, 1, 1)
        matrix[:, i, i] = matrix[:, j, j] = c[:, axis]
        matrix[:, i, j], matrix[:, j, i] = -s[:, axis], s[:, axis]
        matrices.append(matrix)
    return matrices[0] @ matrices[1] @ matrices[2]


def about_z(angle_deg: Tensor) -> Tensor:
    """Rotations about z, from x towards y.

    angle_deg: (N,).
    Returns: (N, 3, 3), for row vectors: p' = p R.
    >>> (torch.tensor([1.0, 0.0, 5.0]) @ about_z(torch.tensor([90.0]))[0]).round().abs().tolist()
    [0.0, 1.0, 5.0]
    """
    angle = torch.deg2rad(angle_deg)
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = angle.sin(), -angle.sin()
    return matrix


def transform(x: Tensor, matrix: Tensor) -> Tensor:
    """Apply 3x3 matrices to coordinates as row vectors: p' = p A.

    x: (N, 3, T, V, M), matrix: (1, 3, 3) or (N, 3, 3).   Returns: same shape as x.
    """
    columns = matrix.to(x.device, x.dtype, non_blocking=True).transpose(1, 2)
    return (columns.expand(len(x), 3, 3) @ x.flatten(2)).view_as(x)


def swap_sides(
    x: Tensor, mirror: tuple[int, ...], probability: float, rng: Generator, per_sample: bool = False
) -> Tensor:
    """Exchange left and right joints with the given probability; coordinates are not negated.

    x: (N, C, T, V, M).   Returns: same shape.   Source: PSTL code (PSTL spec 6.1): probability 0.5.
    """
    swapped = torch.rand(x.shape[0] if per_sample else 1, generator=rng) < probability
    if not per_sample:
        return x[:, :, :, list(mirror)] if bool(swapped) else x
    return swap_sides_where(x, mirror, swapped)


def only_where(chosen: Tensor, matrix: Tensor) -> Tensor:
    """The matrices where chosen, elsewhere the identity: a transform that some clips undergo.

    chosen: (N,) bool, matrix: (N, 3, 3).   Returns: (N, 3, 3).
    """
    identity = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    return torch.where(chosen[:, None, None], matrix, identity)


def swap_sides_where(x: Tensor, mirror: tuple[int, ...], chosen: Tensor) -> Tensor:
    """Exchange left and right joints of the chosen clips; coordinates are not negated.

    x: (N, C, T, V, M), chosen: (N,) bool.   Returns: same shape.
    """
    chosen = chosen.to(x.device, non_blocking=True).view(-1, 1, 1, 1, 1)
    return torch.where(chosen, x[:, :, :, list(mirror)], x)


def joint_offsets(draws: int, joints: int, count: int, amplitude: float, rng: Generator) -> Tensor:
    """Offsets ~ U(-amplitude, amplitude) for `count` random joints, zero for the others.

    Returns: (draws, 3, joints) on the CPU.
    Source: Hi-TRS code (Hi-TRS spec 1.4): 5 of 25 joints, 0.2 m.
    """
    chosen = torch.rand(draws, joints, generator=rng).topk(count, dim=1).indices
    moved = torch.zeros(draws, 1, joints).scatter_(2, chosen[:, None], 1.0)
    return (torch.rand(draws, 3, joints, generator=rng) * 2 - 1) * amplitude * moved
