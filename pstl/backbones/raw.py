"""No encoder at all: the stream's numbers are the features.

The floor every learned encoder must leave behind.
"""

from torch import Tensor

from pstl.config import Frozen
from pstl.modules import BaseEncoder
from pstl.records import Features
from pstl.skeletons import Skeleton


class Config(Frozen):
    """Nothing to set."""


class Encoder(BaseEncoder):
    """(N, C, T, V, M) -> clip (N, C T V M), frames (N, T, C V M).

    The width shrinks with the joints that are dropped. A joint's map is what it does.
    """

    can_drop = True

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        self.width = 3 * frames * skeleton.joints * people

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        """x: (N, C, T, V, M).   drop: (K,) joints to lose, or None."""
        if drop is not None and len(drop):
            dropped = set(drop.tolist())
            x = x[:, :, :, [j for j in range(x.shape[3]) if j not in dropped]]
        return Features(x.flatten(1), x.permute(0, 2, 1, 3, 4).flatten(2))

    def maps(self, x: Tensor) -> Tensor:
        """x: (N, C, T, V, M).   Returns: (N M, C, T, V)."""
        return x.permute(0, 4, 1, 2, 3).flatten(0, 1)
