"""Hi-TRS's arrays: raw camera coordinates in metres, the first two body slots, at native length (Hi-TRS spec 1.1)."""

from collections.abc import Sequence

import numpy as np

from pstl.config import Frozen
from pstl.data.spec import RawSequence
from pstl.skeletons import Skeleton

LONGEST = 300  # frames; longer recordings lose their end
# For messages: which bodies and which frames are kept where there are more.
CHOICE, CUT = "the first in the file's order", "the first"


class Config(Frozen):
    """Nothing to set."""


def apply(
    clips: Sequence[RawSequence], skeleton: Skeleton, people: int, cfg: Config
) -> tuple[np.ndarray, np.ndarray]:
    """Clips as (N, 3, T, V, M) float32, metres in camera space, and their lengths (N,) int64.

    Nothing is centred, turned, resampled or filled: slots are taken as they stand in the file. T is the length of the longest clip
    here, at most 300; the released arrays always have 300 frames, of which those beyond a clip's length are zero, as here.
    """
    length = np.array([min(len(clip.xyz), LONGEST) for clip in clips], dtype=np.int64)
    x = np.zeros((len(clips), 3, int(length.max()), skeleton.joints, people), dtype=np.float32)
    for i, clip in enumerate(clips):
        bodies = clip.xyz[: length[i], :, :people]
        x[i, :, : length[i], :, : bodies.shape[2]] = bodies.transpose(3, 0, 1, 2)
    return x, length
