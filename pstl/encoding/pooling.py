"""What of an encoder's output is a clip's feature: its own, or one that keeps apart what its own
averages.
"""

import torch
from torch import Tensor

from pstl.config import CLIP, JOINTS, POOLING, segments_of
from pstl.errors import UserError
from pstl.modules import BaseEncoder
from pstl.records import Features


def pooled(
    encoder: BaseEncoder, x: Tensor, length: Tensor | None, drop: Tensor | None, pooling: str
) -> Tensor:
    """Clips in the encoder's stream -> clip features.   x: (N, C, T, V, M).   Returns: (N, D).

    length: (N,) frames that count, for an encoder with a stride; None: all.
    drop: (K,) joints to delete, or None.   pooling: see config.Pooling.
    Raises: UserError if the encoder does not keep apart what is to stay apart.
    """
    if pooling == JOINTS:
        if drop is not None:
            raise UserError("features of each joint: joints cannot be deleted; leave out one")
        return by_joint(encoder, x)
    features = outputs(encoder, x, length, drop)
    if pooling == CLIP:
        return features.clip
    frames = features.frames
    count = torch.full((len(x),), frames.shape[1], device=x.device)
    if encoder.stride is not None and length is not None:
        count = -(-length // encoder.stride)
    return by_time(frames, count, segments_of(pooling))


def outputs(
    encoder: BaseEncoder, x: Tensor, length: Tensor | None, drop: Tensor | None = None
) -> Features:
    """All that an encoder gives of clips in its stream.   The arguments are those of pooled()."""
    features: Features = encoder(x, drop) if encoder.stride is None else encoder(x, drop, length)
    return features


def check_pooling(pooling: str) -> None:
    """Raises: UserError for a text that is none."""
    if not POOLING.fullmatch(pooling):
        raise UserError(f"pooling {pooling!r}: expected clip, joints or e.g. time4")


def by_joint(encoder: BaseEncoder, x: Tensor) -> Tensor:
    """Each joint's map averaged over time, and over bodies.   (N, C, T, V, M) -> (N, D V)."""
    if type(encoder).maps is BaseEncoder.maps:
        name = type(encoder).__module__.rpartition(".")[2]
        raise UserError(
            f"pooling joints: the encoder {name} does not keep joints apart; "
            "expected clip or e.g. time4"
        )
    each = encoder.maps(x).float().mean(2).flatten(1)  # (N M, D V)
    return each.view(len(x), -1, each.shape[1]).mean(1)


def by_time(frames: Tensor, count: Tensor, segments: int) -> Tensor:
    """The mean of each of some equal parts of the time, one behind the other.

    frames: (N, T', D).   count: (N,) rows that count, from the first.
    Returns: (N, segments D). A part of less than a row is the row it lies in.
    """
    part = torch.arange(segments, device=frames.device)
    count = count.clamp(min=1)[:, None]
    first = part * count // segments  # (N, segments)
    end = torch.maximum((part + 1) * count // segments, first + 1)
    row = torch.arange(frames.shape[1], device=frames.device)
    inside = (row >= first[..., None]) & (row < end[..., None])  # (N, segments, T')
    share = inside.to(frames.dtype) / (end - first)[..., None]
    return (share @ frames).flatten(1)
