"""SkeletonBT, PSTL's baseline: Barlow Twins on two weak views, nothing masked (named in the figure
of Zhou et al., AAAI 2023).

Its exact structure was not published; this is PSTL without MATM and CSM, everything else equal
(PSTL spec 1).
"""

from torch import Generator

from pstl.methods._barlow import BarlowConfig, BarlowMethod
from pstl.ops.streams import convert
from pstl.records import Batch, Losses


class Config(BarlowConfig):
    """The same settings as PSTL without its masks."""


class Method(BarlowMethod):
    """Two weak views of a clip, pulled together."""

    plain_view = True

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's loss."""
        x = convert(batch.x, self.problem.skeleton, self.problem.stream)
        views = [self.features(self.view(x, rng)) for _ in range(2)]
        return {"loss": self.barlow(*self.project(*views))}
