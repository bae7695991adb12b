"""Many clips of different length as one block of frames, so that a recipe is a few array operations and no loop over frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pstl.data.spec import RawSequence


class Ragged(NamedTuple):
    """frames: (F, V, M, 3) float32, clips one after the other.   start, length: (N,), clip i is frames[start_i : start_i + length_i]."""

    frames: np.ndarray
    start: np.ndarray
    length: np.ndarray


def stack(clips: Sequence[RawSequence], people: int) -> Ragged:
    """Join clips; body slots beyond `people` are cut, missing ones are zero."""
    length = np.array([c.xyz.shape[0] for c in clips], dtype=np.int64)
    frames = np.zeros((int(length.sum()), clips[0].xyz.shape[1], people, 3), dtype=np.float32)
    start = np.cumsum(length) - length
    for at, clip in zip(start, clips, strict=True):
        bodies = clip.xyz[:, :, :people]
        frames[at : at + len(bodies), :, : bodies.shape[2]] = bodies
    return Ragged(frames, start, length)


def resize(ragged: Ragged, length: np.ndarray, frames: int) -> np.ndarray:
    """Linear resampling of the first `length` frames of every clip: half-pixel centres, no anti-aliasing, clamped edges.

    length: (N,) >= 1.   Returns: (N, frames, V, M, 3) float32.
    Same as F.interpolate(mode="linear", align_corners=False) and as OpenCV's bilinear resize along time (spec 2.4.3).
    """
    position = (np.arange(frames) + 0.5) * (length[:, None] / frames) - 0.5
    before = np.floor(position)
    weight = (position - before).astype(np.float32)[:, :, None, None, None]
    last = length[:, None] - 1
    i0 = np.clip(before, 0, last).astype(np.int64) + ragged.start[:, None]
    i1 = np.clip(before + 1, 0, last).astype(np.int64) + ragged.start[:, None]
    resized: np.ndarray = ragged.frames[i0] * (1 - weight) + ragged.frames[i1] * weight
    return resized
