"""PSTL: Self-supervised Action Representation Learning from Partial Spatio-Temporal Skeleton Sequences (Zhou et al., AAAI 2023).

Follows the released code where paper and code differ (spec section 14): masks are removals, one random draw per batch and view.
Run: snakemake --cores --config suite=nwucla
"""

from typing import Any, Literal

from torch import Generator, Tensor

from pstl.methods._barlow import BarlowConfig, BarlowMethod
from pstl.methods._base import Batch, Losses
from pstl.ops import masks
from pstl.ops.streams import convert

JOINTS_OF_PAPER, FRAMES_OF_PAPER = 25, 50


class Config(BarlowConfig):
    """Defaults are the released code's values (spec sections 6 and 7); every mask can be switched off for ablation."""

    masked_joints: int = 8  # K_s for 25 joints, scaled with the skeleton; draws, not distinct joints: see masks.central_joints
    masked_frames: int = 10  # K_t for 50 frames, scaled with the clip: as many go by speed and as many again at random
    joint_choice: Literal["central", "random"] = "central"  # random: the ablation of CSM


class Method(BarlowMethod):
    """Anchor against a view without fast frames (MATM) and against a view without central joints (CSM)."""

    cfg: Config

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        skeleton = self.problem.skeleton
        x = convert(batch.x, skeleton, self.problem.stream)
        whole, brief, partial = (self.view(x, rng) for _ in range(3))
        brief = masks.drop_fast_frames(brief, round(self.cfg.masked_frames * x.shape[2] / FRAMES_OF_PAPER), rng)  # MATM
        choose = masks.central_joints if self.cfg.joint_choice == "central" else masks.random_joints
        dropped = choose(skeleton, round(self.cfg.masked_joints * skeleton.joints / JOINTS_OF_PAPER), rng)  # CSM
        z = self.embed(whole)
        temporal = self.barlow(z, self.embed(brief))
        spatial = self.barlow(z, self.embed(partial, dropped))
        return {"loss": temporal + spatial, "temporal": temporal, "spatial": spatial}


def from_official(state: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Card fields and weights of an encoder checkpoint as the released code writes it: a plain state dict.

    state: A, data_bn.*, st_gcn_networks.<i>.*, edge_importance.<i>.   Raises: KeyError if one of them is not there.
    """
    renamed = {}
    for key, value in state.items():
        if key == "A":
            continue  # the fixed graph, rebuilt from the skeleton
        key = key.replace("data_bn.", "input_norm.").replace("st_gcn_networks.", "blocks.").replace("edge_importance.", "importance.")
        renamed[key.replace(".gcn.conv.", ".graph.").replace(".tcn.", ".time.")] = value
    skeletons = {25: "kinect_v2", 20: "kinect_v1"}
    fields = {
        "method": "pstl", "settings": {}, "encoder": {"name": "stgcn", "width": renamed["blocks.0.time.0.weight"].shape[0]},
        "recipe": {"name": "resize50"}, "skeleton": skeletons[state["A"].shape[-1]], "people": 2, "frames": 50, "stream": "joint",
    }  # fmt: skip
    return fields, renamed
