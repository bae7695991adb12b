"""Hi-TRS's arrays: raw camera coordinates in metres, the first two body slots, at native length
(Hi-TRS spec 1.1)."""

from collections.abc import Sequence

import numpy as np

from pstl.config import Frozen
from pstl.contracts import Recipe
from pstl.records import Clip
from pstl.skeletons import Skeleton

LONGEST = 300  # frames; longer recordings lose their end


class Metres300(Recipe):
    """Nothing is centred, turned, resampled or filled: slots are as they stand in the file."""

    longest = LONGEST
    kept_bodies, kept_frames = "the first in the file's order", "the first"

    def apply(
        self, clips: Sequence[Clip], skeleton: Skeleton, people: int, cfg: Frozen
    ) -> tuple[np.ndarray, np.ndarray]:
        """Clips as (N, 3, T, V, M) float32, metres in camera space, and their lengths (N,) int64.

        T is the length of the longest clip here, at most 300; the released arrays always have 300
        frames, of which those beyond a clip's length are zero, as here.
        """
        length = np.array([min(len(clip.xyz), LONGEST) for clip in clips], dtype=np.int64)
        x = np.zeros((len(clips), 3, int(length.max()), skeleton.joints, people), dtype=np.float32)
        for i, clip in enumerate(clips):
            bodies = clip.xyz[: length[i], :, :people]
            x[i, :, : length[i], :, : bodies.shape[2]] = bodies.transpose(3, 0, 1, 2)
        return x, length


RECIPE = Metres300()
