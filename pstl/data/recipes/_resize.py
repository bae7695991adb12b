"""Linear resampling along time."""

from collections.abc import Sequence

import numpy as np


def resize(bodies: Sequence[np.ndarray], length: np.ndarray, frames: int) -> np.ndarray:
    """Linear resampling of the first `length` frames of every body: half-pixel centres, no
    anti-aliasing, clamped edges.

    bodies: (T, V, 3) each.   length: (B,) >= 1.   Returns: (B, 3, frames, V) float32.
    Same as F.interpolate(mode="linear", align_corners=False) and as OpenCV's bilinear resize along
    time (PSTL spec 2.4.3).
    """
    position = (np.arange(frames) + 0.5) * (length[:, None] / frames) - 0.5
    before = np.floor(position)
    weight = (position - before).astype(np.float32)[:, :, None, None]
    last = length[:, None] - 1
    first = np.clip(before, 0, last).astype(np.int64)
    second = np.clip(before + 1, 0, last).astype(np.int64)
    low = np.stack([body[i] for body, i in zip(bodies, first, strict=True)])
    high = np.stack([body[i] for body, i in zip(bodies, second, strict=True)])
    low *= 1 - weight
    high *= weight
    low += high
    return np.ascontiguousarray(low.transpose(0, 3, 1, 2))
