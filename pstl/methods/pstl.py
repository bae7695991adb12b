"""PSTL: Self-supervised Action Representation Learning from Partial Spatio-Temporal Skeleton Sequences (Zhou et al., AAAI 2023).

Follows the released code where paper and code differ (PSTL spec 14): masks are removals, one random draw per batch and view.
Run: snakemake --cores --config suite=nwucla
"""

from typing import Literal

from pydantic import Field
from torch import Generator

from pstl.contracts import Batch, Losses
from pstl.methods._barlow import BarlowConfig, BarlowMethod
from pstl.ops import masks
from pstl.ops.streams import convert

JOINTS_OF_PAPER, FRAMES_OF_PAPER = 25, 50


class Config(BarlowConfig):
    """Defaults are the released code's values (spec sections 6 and 7); every mask can be switched off for ablation."""

    # K_s for 25 joints, scaled with the skeleton; draws, not distinct joints: see masks.central_joints
    masked_joints: int = Field(default=8, ge=0)
    # K_t for 50 frames, scaled with the clip: as many go by speed and as many again at random
    masked_frames: int = Field(default=10, ge=0)
    joint_choice: Literal["central", "random"] = "central"  # random: the ablation of CSM


class Method(BarlowMethod):
    """Anchor against a view without fast frames (MATM) and against a view without central joints (CSM)."""

    cfg: Config

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        skeleton = self.problem.skeleton
        x = convert(batch.x, skeleton, self.problem.stream)
        whole, brief, partial = (self.view(x, rng) for _ in range(3))
        brief = masks.drop_fast_frames(
            brief, round(self.cfg.masked_frames * x.shape[2] / FRAMES_OF_PAPER), rng
        )  # MATM
        choose = masks.central_joints if self.cfg.joint_choice == "central" else masks.random_joints
        dropped = choose(
            skeleton, round(self.cfg.masked_joints * skeleton.joints / JOINTS_OF_PAPER), rng
        )  # CSM
        views = self.features(whole), self.features(brief), self.features(partial, dropped)
        z, z_brief, z_partial = self.project(*views)
        temporal = self.barlow(z, z_brief)
        spatial = self.barlow(z, z_partial)
        return {"loss": temporal + spatial, "temporal": temporal, "spatial": spatial}
