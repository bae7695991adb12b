"""PSTL: Self-supervised Action Representation Learning from Partial Spatio-Temporal Sequences.

Zhou et al., AAAI 2023, https://arxiv.org/abs/2302.09018; follows the released code where paper and
code differ (PSTL spec 14): masks are removals, one random draw per batch and view.
Run: snakemake --cores all --config suite=nwucla
"""

from typing import Literal

from pydantic import Field
from torch import Generator

from pstl.methods._barlow import BarlowConfig, BarlowMethod
from pstl.ops import masks
from pstl.ops.streams import convert
from pstl.records import Batch, Losses

JOINTS_OF_PAPER, FRAMES_OF_PAPER = 25, 50


class Config(BarlowConfig):
    """Defaults are the released code's values (PSTL spec 6, 7).

    Every mask can be switched off for ablation.
    """

    # K_s for 25 joints, scaled with the skeleton; draws, not distinct joints, see central_joints().
    masked_joints: int = Field(default=8, ge=0)
    # K_t for 50 frames, scaled with the clip: as many go by speed and as many again at random.
    masked_frames: int = Field(default=10, ge=0)
    joint_choice: Literal["central", "random"] = "central"  # random: the ablation of CSM


class Method(BarlowMethod):
    """Anchor against a view without fast frames (MATM), and one without central joints (CSM)."""

    plain_view = True
    cfg: Config

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's losses: three weak views, two of which lose frames or joints."""
        cfg, skeleton = self.cfg, self.problem.skeleton
        x = convert(batch.x, skeleton, self.problem.stream)
        anchor, temporal_view, spatial_view = (self.view(x, rng) for _ in range(3))

        frames = round(cfg.masked_frames * x.shape[2] / FRAMES_OF_PAPER)
        temporal_view = masks.drop_fast_frames(temporal_view, frames, rng)  # MATM
        joints = round(cfg.masked_joints * skeleton.joints / JOINTS_OF_PAPER)
        choose = masks.central_joints if cfg.joint_choice == "central" else masks.random_joints
        dropped = choose(skeleton, joints, rng)  # CSM

        h = self.features(anchor)
        h_temporal = self.features(temporal_view)
        h_spatial = self.features(spatial_view, dropped)
        z, z_temporal, z_spatial = self.project(h, h_temporal, h_spatial)
        temporal = self.barlow(z, z_temporal)
        spatial = self.barlow(z, z_spatial)
        return {"loss": temporal + spatial, "temporal": temporal, "spatial": spatial}
