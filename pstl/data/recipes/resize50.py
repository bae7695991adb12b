"""PSTL's arrays, from the AimCLR pipeline: first two body slots, centred, 50 frames, shoulders
parallel to x (PSTL spec 2.4)."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from pstl.config import Frozen
from pstl.contracts import Recipe
from pstl.data.recipes._resize import resize
from pstl.data.recipes._rotation import turn
from pstl.records import Clip
from pstl.skeletons import Skeleton

# Frames of the released arrays; of longer clips, which only PKU-MMD has, the middle is kept
# (PSTL spec 2.3).
LONGEST = 300
# Bodies worked on at once: what is in between stays in the cache.
BLOCK = 8
VERTICAL = np.array([0.0, 1.0, 0.0])


class Resize50(Recipe):
    """No body is chosen or tracked: slots are taken as they stand in the file (PSTL spec 2.1)."""

    class Config(Frozen):
        """Defaults are the released values.

        frames: of the array.
        upright: each body is turned as a whole until its trunk, in the mean of the first so many
            frames of the array, is vertical; 0: people lean as much as the sensor was tilted.
        """

        frames: int = Field(50, ge=2)
        upright: int = Field(0, ge=0)

    longest = LONGEST
    kept_bodies, kept_frames = "the first in the file's order", "the middle"

    def apply(
        self, clips: Sequence[Clip], skeleton: Skeleton, people: int, cfg: Config
    ) -> tuple[np.ndarray, np.ndarray]:
        """Clips as (N, 3, frames, V, M) float32, and their used lengths (N,) int64.

        Metres relative to the centre joint.
        """
        kept = [middle(clip.xyz) for clip in clips]
        length = np.array([used_length(xyz) for xyz in kept], dtype=np.int64)
        x = np.zeros((len(clips), 3, cfg.frames, skeleton.joints, people), dtype=np.float32)
        bodies = []
        for i, xyz in enumerate(kept):
            bodies += [(i, slot) for slot in range(min(xyz.shape[2], people))]
        for first in range(0, len(bodies), BLOCK):
            clip, slot = np.array(bodies[first : first + BLOCK]).T
            frames = [kept[i][:, :, m] for i, m in zip(clip, slot, strict=True)]
            y = resize(frames, length[clip], cfg.frames)
            # Centring commutes with the resize, so it is done on the few frames that remain.
            y = y - y[..., skeleton.centre : skeleton.centre + 1]
            if cfg.upright:
                y = set_upright(y, skeleton.spine[0], cfg.upright)
            x[clip, ..., slot] = face_forward(y, skeleton.shoulders)
        return x, length

    def frames(self, cfg: Config) -> int:
        """As set."""
        return cfg.frames


def used_length(xyz: np.ndarray) -> int:
    """The number of frames in which joint 0 of slot 0 is not zero (PSTL spec 2.4.1).

    xyz: (T, V, M, 3).
    That many FIRST frames are used: a count, not an index. A clip without any such frame would
    crash the released code; here all its frames are used.
    """
    return int(np.count_nonzero(xyz[:, 0, 0].any(axis=1))) or len(xyz)


def middle(xyz: np.ndarray) -> np.ndarray:
    """All frames (T, V, M, 3), or the LONGEST in the middle."""
    spare = len(xyz) - LONGEST
    return xyz if spare <= 0 else xyz[spare // 2 : spare // 2 + LONGEST]


def set_upright(x: np.ndarray, foot: int, frames: int) -> np.ndarray:
    """Turn every body by one rotation, so that the centre stands above the trunk's lower end.

    x: (B, 3, T, V), the centre at 0.   foot: the joint at that end.   frames: from the first, whose
    mean is looked at.   Returns: same shape; absent (all-zero) bodies stay zero.
    """
    trunks = -x[:, :, :frames, foot].mean(axis=2, dtype=np.float64)  # (B, 3)
    rotations = np.stack([turn(trunk, VERTICAL) for trunk in trunks])
    return np.einsum("bij,bjtv->bitv", rotations.astype(np.float32), x)


def face_forward(x: np.ndarray, shoulders: tuple[int, int]) -> np.ndarray:
    """Turn every frame of every body about the vertical axis until the shoulder line is parallel to
    x.

    x: (B, 3, T, V).   Returns: same shape, float32; absent (all-zero) bodies stay zero.
    The sense of rotation is chosen once per body and clip, from the sign of the summed depth
    difference (PSTL spec 2.4.4).
    """
    left, right = shoulders
    line = (x[..., right] - x[..., left]).astype(np.float64)  # (B, 3, T)
    angle = np.arccos(line[:, 0] / (np.hypot(line[:, 0], line[:, 2]) + 1e-4))
    angle = np.where(line[:, 2].sum(axis=1, keepdims=True) >= 0, -angle, angle)
    cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]  # (B, T, 1)
    turned = x.astype(np.float32)
    turned[:, 0] = cos * x[:, 0] - sin * x[:, 2]
    turned[:, 2] = sin * x[:, 0] + cos * x[:, 2]
    return turned


RECIPE = Resize50()
