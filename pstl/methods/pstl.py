"""PSTL: Self-supervised Action Representation Learning from Partial Spatio-Temporal Skeleton Sequences (Zhou et al., AAAI 2023).

Follows the released code where paper and code differ (spec section 14): masks are removals, one random draw per batch and view.
Run: snakemake --cores --config suite=nwucla
"""

from typing import Literal

from torch import Generator

from pstl.backbones.stgcn import from_official
from pstl.methods._barlow import BarlowConfig, BarlowMethod
from pstl.methods._base import Batch, Losses
from pstl.ops import masks
from pstl.ops.streams import convert

__all__ = ["Config", "Method", "from_official"]

JOINTS_OF_PAPER = 25


class Config(BarlowConfig):
    """Defaults are the released code's values (spec sections 6 and 7); every mask can be switched off for ablation."""

    masked_joints: int = 8  # K_s for 25 joints, scaled with the skeleton; draws, not distinct joints: see masks.central_joints
    masked_frames: int = 10  # K_t: as many go by speed and as many again at random
    joint_choice: Literal["central", "random"] = "central"  # random: the ablation of CSM


class Method(BarlowMethod):
    """Anchor against a view without fast frames (MATM) and against a view without central joints (CSM)."""

    cfg: Config

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        skeleton = self.problem.skeleton
        x = convert(batch.x, skeleton, self.problem.stream)
        whole, brief, partial = (self.view(x, rng) for _ in range(3))
        brief = masks.drop_fast_frames(brief, self.cfg.masked_frames, rng)  # MATM
        choose = masks.central_joints if self.cfg.joint_choice == "central" else masks.random_joints
        dropped = choose(skeleton, round(self.cfg.masked_joints * skeleton.joints / JOINTS_OF_PAPER), rng)  # CSM
        z = self.embed(whole)
        temporal = self.barlow(z, self.embed(brief))
        spatial = self.barlow(z, self.embed(partial, dropped))
        return {"loss": temporal + spatial, "temporal": temporal, "spatial": spatial}
