"""Batched random views.

Draws come from a CPU generator: no device synchronisation, and the same draws on every device.

`per_sample=False` is what the released PSTL code does: one draw for the whole batch (PSTL spec 6).
With `per_sample=True` numbers are drawn for the clips of all processes, so that ranks together
equal one.
"""

import math

import torch
from torch import Generator, Tensor

from pstl.ops import sampling
from pstl.ops.collective import place
from pstl.ops.joints import take_joints


def draws_for(x: Tensor, per_sample: bool) -> tuple[slice, int]:
    """Which of a batch's random draws are for the clips x (N, ...), and how many to draw.

    Per sample: one for each clip of all processes; otherwise one for them all.
    """
    if not per_sample:
        return slice(1), 1
    first, total = place(x)
    return slice(first, first + len(x)), total


def crop(x: Tensor, padding_ratio: int, rng: Generator, per_sample: bool = False) -> Tensor:
    """Temporal crop after padding by T // padding_ratio frames at both ends, edge frames repeated.

    x: (N, C, T, V, M).   Returns: same shape.   Source: PSTL code (PSTL spec 6.1): padding_ratio 6.
    """
    pad = x.shape[2] // padding_ratio
    here, draws = draws_for(x, per_sample)
    shift = torch.randint(0, 2 * pad + 1, (draws,), generator=rng) - pad
    return shift_frames(x, shift[here])


def shift_frames(x: Tensor, shift: Tensor) -> Tensor:
    """Frames shift .. shift + T - 1 of clips that go on mirrored at both ends.

    Edge frames stand twice.
    x: (N, C, T, V, M), shift: (N,) or (1,) int64 on the CPU, at most T either way.
    Returns: same shape as x.
    """
    frames = x.shape[2]
    position = torch.arange(frames) + shift[:, None]
    position = torch.where(position < 0, -1 - position, position)
    position = torch.where(position >= frames, 2 * frames - 1 - position, position)
    position = position.to(x.device, non_blocking=True)
    if len(shift) == 1:
        return x.index_select(2, position[0])
    return sampling.take(x, position)


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
    return about_axes(torch.rand(draws, 3, generator=rng) * span * math.pi / 180)


def about_axes(angle: Tensor) -> Tensor:
    """Rotations about x, then y, then z.

    angle: (N, 3), radians.
    Returns: (N, 3, 3), for row vectors: p' = p R.
    >>> quarter = torch.tensor([[0.0, 0.0, math.pi / 2]])
    >>> (torch.tensor([1.0, 0.0, 5.0]) @ about_axes(quarter)[0]).round().add(0.0).tolist()
    [0.0, -1.0, 5.0]
    """
    c, s = angle.cos(), angle.sin()
    matrices = []
    for axis, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):  # x, y, z
        matrix = torch.eye(3).repeat(len(angle), 1, 1)
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


def transform_joints(x: Tensor, matrix: Tensor, chosen: Tensor) -> Tensor:
    """As transform(), of the chosen joints alone, in all frames and bodies.

    x: (N, 3, T, V, M), matrix: (N, 3, 3), chosen: (N, V) bool.   Returns: same shape as x.
    """
    chosen = chosen.to(x.device, non_blocking=True)[:, None, None, :, None]
    return torch.where(chosen, transform(x, matrix), x)


def swap_sides(
    x: Tensor, mirror: tuple[int, ...], probability: float, rng: Generator, per_sample: bool = False
) -> Tensor:
    """Exchange left and right joints with the given probability; coordinates are not negated.

    x: (N, C, T, V, M).   Returns: same shape.   Source: PSTL code (PSTL spec 6.1): probability 0.5.
    """
    here, draws = draws_for(x, per_sample)
    swapped = torch.rand(draws, generator=rng) < probability
    if not per_sample:
        return take_joints(x, mirror) if bool(swapped) else x
    return swap_sides_where(x, mirror, swapped[here])


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
    return torch.where(chosen, take_joints(x, mirror), x)


def joint_offsets(draws: int, joints: int, count: int, amplitude: float, rng: Generator) -> Tensor:
    """Offsets ~ U(-amplitude, amplitude) for `count` random joints, zero for the others.

    Returns: (draws, 3, joints) on the CPU.
    Source: Hi-TRS code (Hi-TRS spec 1.4): 5 of 25 joints, 0.2 m.
    """
    chosen = torch.rand(draws, joints, generator=rng).topk(count, dim=1).indices
    moved = torch.zeros(draws, 1, joints).scatter_(2, chosen[:, None], 1.0)
    return (torch.rand(draws, 3, joints, generator=rng) * 2 - 1) * amplitude * moved


def blur(x: Tensor, sigma: Tensor, chosen: Tensor, taps: int) -> Tensor:
    """Add up the frames around each one, weighted by exp(-k^2 / 2 sigma^2), in the chosen clips.

    The weights are not normalised, so coordinates grow by up to their sum; beyond a clip's ends
    there are zeros.
    x: (N, C, T, V, M), sigma, chosen: (N,) on the CPU, taps: frames that count, odd.
    Returns: same shape as x.
    Source: AimCLR code (AimCLR spec 5): 15 taps.
    """
    frames = torch.arange(x.shape[2])
    distance = frames[:, None] - frames
    weight = torch.exp(-distance.square() / (2 * sigma.view(-1, 1, 1).square()))
    weight = weight.masked_fill(distance.abs() > taps // 2, 0)
    unchanged = torch.eye(x.shape[2])
    weight = torch.where(chosen.view(-1, 1, 1), weight, unchanged)  # (N, T, T)
    weight = weight.to(x.device, x.dtype, non_blocking=True)
    return (weight[:, None] @ x.flatten(3)).view_as(x)


def hide_axes(x: Tensor, axis: Tensor, chosen: Tensor) -> Tensor:
    """Set one coordinate of the chosen clips to zero.

    x: (N, 3, T, V, M), axis: (N,) 0 to 2, chosen: (N,) bool, both on the CPU.
    Returns: same shape as x.
    """
    kept = (torch.arange(3) != axis[:, None]) | ~chosen[:, None]  # (N, 3)
    return x * kept.to(x.device, non_blocking=True).view(-1, 3, 1, 1, 1)
