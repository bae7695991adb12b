"""PSTL: Self-supervised Action Representation Learning from Partial Spatio-Temporal Skeleton Sequences (Zhou et al., AAAI 2023).

Follows the released code where paper and code differ (PSTL spec 14): masks are removals, one random draw per batch and view.
Run: snakemake --cores --config suite=nwucla
"""

import itertools
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Generator, Tensor

from pstl.backbones._released import TWINS, Official, check_joints, encoder_in
from pstl.errors import UserError
from pstl.methods._barlow import BarlowConfig, BarlowMethod
from pstl.methods._base import Batch, Losses
from pstl.ops import masks
from pstl.ops.streams import convert
from pstl.skeletons import load
from pstl.skeletons.graph import spatial_partition

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


ANCHOR = "st_gcn_networks.0.gcn.conv.weight"  # by it the encoder is found in a checkpoint
RELEASED_BODY = "kinect_v2"  # of the data sets that the released code reads
HALF = 1e-3  # what float16 may move an entry of the graph, which is at most 1; another bone moves one by more
RENAMED = (
    ("data_bn.", "input_norm."),
    ("st_gcn_networks.", "blocks."),
    ("edge_importance.", "importance."),
    (".gcn.conv.", ".graph."),
    (".tcn.", ".time."),
)  # theirs, ours


def from_official(content: dict[str, Any], skeleton: str = RELEASED_BODY) -> Official:
    """Card fields and weights of an ST-GCN as PSTL's code writes it, and all others of AimCLR's line.

    content: A, data_bn.*, st_gcn_networks.<i>.*, edge_importance.<i>, wrapped or not; fc.* is a head.
    Raises: KeyError, UserError if one of them is missing, or the graph A is not the skeleton's.
    """
    state = encoder_in(content, ANCHOR).encoder
    check_joints(state["A"].shape[-1], skeleton)
    graph = torch.from_numpy(spatial_partition(load(skeleton)))
    if graph.shape != state["A"].shape or not torch.allclose(graph, state["A"].float(), atol=HALF):
        remedy = "name the body with --skeleton"
        raise UserError(f"its graph {state.prefix}A has other bones than {skeleton}; {remedy}")
    width = state["st_gcn_networks.0.tcn.0.weight"].shape[0]
    own = [name for name in state if name != "A" and not name.startswith("fc.")]
    weights = {our_name(name): state[name] for name in own}
    fields = {
        "method": "pstl", "settings": {}, "encoder": {"name": "stgcn", "width": width},
        "recipe": {"name": "resize50"}, "skeleton": skeleton, "people": 2, "frames": 50, "stream": "joint",
    }  # fmt: skip
    return fields, weights


def our_name(name: str) -> str:
    for theirs, ours in RENAMED:
        name = name.replace(theirs, ours)
    return name


def official_name(name: str) -> str:
    """What the released code calls a weight of ours."""
    for theirs, ours in reversed(RENAMED):
        name = name.replace(ours, theirs)
    return name


def classifier_from_official(content: dict[str, Any]) -> dict[str, Tensor] | None:
    """Weights of a linear head `fc` on the encoder: weight (classes, D) and bias (classes,).

    None where there is none: in pre-training `fc` projects for the loss, which a queue or a momentum
    twin beside it, or more than one layer, tells.
    """
    located = encoder_in(content, ANCHOR)
    state = located.encoder
    weight, bias = state.get("fc.weight"), state.get("fc.bias")
    projects = any(
        word in name for name, word in itertools.product(located.beside, ("queue", *TWINS))
    )
    if weight is None or bias is None or projects:
        return None
    return {"weight": weight.flatten(1), "bias": bias}
