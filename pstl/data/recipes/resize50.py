"""PSTL's arrays, from the AimCLR pipeline: first two body slots, centred, 50 frames, shoulders parallel to x (spec 2.4)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pstl.config import Frozen
from pstl.data.recipes._ragged import resize, stack
from pstl.data.spec import RawSequence
from pstl.skeletons import Skeleton

LONGEST = 300  # frames of the released arrays; of longer clips, which only PKU-MMD has, the middle is kept (spec 2.3)


class Config(Frozen):
    """The released value."""

    frames: int = 50


def apply(clips: Sequence[RawSequence], skeleton: Skeleton, people: int, cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Clips as (N, 3, frames, V, M) float32, metres relative to the centre joint, and their used lengths (N,) int64.

    No body is chosen or tracked: slots are taken as they stand in the file (spec 2.1).
    """
    ragged = stack([middle(clip) for clip in clips], people)
    # The used length counts frames in which joint 0 of slot 0 is not zero and takes that many FIRST frames: a count, not an
    # index (spec 2.4.1). A clip without any such frame would crash the released code; here all its frames are used.
    filled = np.abs(ragged.frames[:, 0, 0]).sum(-1) > 0
    length = np.add.reduceat(filled, ragged.start, dtype=np.int64)
    length = np.where(length == 0, ragged.length, length)
    # Centring commutes with the resize, so it is done on the few frames that remain.
    x = resize(ragged, length, cfg.frames)
    x = x - x[:, :, skeleton.centre : skeleton.centre + 1]
    x = face_forward(x, skeleton.shoulders)
    return np.ascontiguousarray(x.transpose(0, 4, 1, 2, 3)), length


def middle(clip: RawSequence) -> RawSequence:
    """The clip, or its middle LONGEST frames."""
    spare = len(clip.xyz) - LONGEST
    return clip if spare <= 0 else replace(clip, xyz=clip.xyz[spare // 2 : spare // 2 + LONGEST])


def face_forward(x: np.ndarray, shoulders: tuple[int, int]) -> np.ndarray:
    """Turn every frame of every person about the vertical axis until the shoulder line is parallel to x.

    x: (N, T, V, M, 3).   Returns: same shape, float32; absent (all-zero) persons stay zero.
    The sense of rotation is chosen once per person and clip, from the sign of the summed depth difference (spec 2.4.4).
    """
    left, right = shoulders
    line = (x[:, :, right] - x[:, :, left]).astype(np.float64)  # (N, T, M, 3)
    line[..., 1] = 0
    angle = np.arccos(line[..., 0] / (np.linalg.norm(line, axis=-1) + 1e-4))
    angle = np.where(line[..., 2].sum(axis=1, keepdims=True) >= 0, -angle, angle)
    cos, sin = np.cos(angle)[:, :, None], np.sin(angle)[:, :, None]  # (N, T, 1, M)
    turned = x.astype(np.float32)
    turned[..., 0] = cos * x[..., 0] - sin * x[..., 2]
    turned[..., 2] = sin * x[..., 0] + cos * x[..., 2]
    return turned
