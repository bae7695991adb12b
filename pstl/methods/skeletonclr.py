"""SkeletonCLR: MoCo on two normal views of a clip, the baseline of CrosSCLR and AimCLR.

Li et al., CVPR 2021, https://arxiv.org/abs/2104.14466, named there as the single-view baseline;
follows the released code of CrosSCLR and AimCLR, which are equal in it (AimCLR spec 1).
Run: see docs/add-a-method.md, section 4, with this method's name.
"""

from torch import Generator

from pstl.losses.infonce import info_nce
from pstl.methods._contrast import ContrastConfig, ContrastMethod
from pstl.records import Batch, Losses


class Config(ContrastConfig):
    """The settings that AimCLR shares."""


class Method(ContrastMethod):
    """A view against another view of the same clip, among past clips."""

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's loss."""
        view, other_view = self.view(batch.x, rng), self.view(batch.x, rng)
        query, key = self.query(view), self.key(other_view)
        return {"loss": info_nce(query, key, self.queue.keys, self.cfg.temperature)}
