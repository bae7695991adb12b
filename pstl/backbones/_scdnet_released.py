"""Weights of SCD-Net's released encoder in the names and fusions of pstl.backbones.scdnet (layout: SCD-Net spec 4)."""

from typing import NamedTuple

import torch
from torch import Tensor

from pstl.backbones._released import Part

State = dict[str, Tensor]
SUBSETS, BRANCHES = range(3), range(4)
TOKEN_LAYER = (
    ("self_attn.in_proj_", "attend_in."),
    ("self_attn.out_proj.", "attend_out."),
    ("norm1.", "attend_norm."),
    ("linear1.", "feed_in."),
    ("linear2.", "feed_out."),
    ("norm2.", "feed_norm."),
)
BLOCK = (
    ("gcn1.down.0.", "graph.shortcut."),
    ("gcn1.down.1.", "graph.shortcut_norm."),
    ("gcn1.bn.", "graph.norm."),
    ("tcn1.branches.0.3.bn.", "time.norms.0."),
    ("tcn1.branches.1.3.bn.", "time.norms.1."),
    ("tcn1.branches.2.4.", "time.norms.2."),
    ("residual.conv.", "residual."),
    ("residual.bn.", "residual_norm."),
)

FUSED = (
    ("gcn1.PA", "graph.topology"),
    ("gcn1.alpha", "graph.alpha"),
    ("gcn1.convs.{0,1,2}.conv{1,2}.", "graph.relate."),
    ("gcn1.convs.{0,1,2}.conv3.", "graph.value."),
    ("gcn1.convs.{0,1,2}.conv4.", "graph.relation_"),
    ("tcn1.branches.{0,1,2,3}.0.", "time.enter."),
    ("tcn1.branches.{0,1,2,3}.1.", "time.enter_norm."),
    ("tcn1.branches.0.3.conv.", "time.convs.0."),
    ("tcn1.branches.1.3.conv.", "time.convs.1."),
)


class Sizes(NamedTuple):
    """What the shapes of the weights tell. The number of attention heads is not among it."""

    width: int
    feedforward: int
    stem_width: int
    people: int
    joints: int
    frames: int


def official_name(name: str) -> str:
    """What the released code calls a weight of ours; for one that was made of several, all of them."""
    half, _, rest = name.partition("_")
    part, _, rest = rest.partition(".")
    if part == "stem" and rest.startswith("blocks."):
        _, number, rest = rest.split(".", 2)
        return f"gcn_{half[0]}.l{int(number) + 1}." + _theirs(rest, (*BLOCK, *FUSED))
    if part == "stem":
        return f"gcn_{half[0]}." + rest.replace("input_norm.", "data_bn.")
    if part == "tokens":
        return f"channel_{half[0]}.{rest}"
    return f"{half[0]}_encoder.layers.0." + _theirs(rest, TOKEN_LAYER)


def _theirs(name: str, names: tuple[tuple[str, str], ...]) -> str:
    for theirs, ours in names:
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def released_weights(state: Part) -> tuple[State, Sizes]:
    """An encoder's weights under our names.   Raises: KeyError for one that is not there."""
    joints, stem = (
        state["gcn_t.l1.gcn1.PA"].shape[-1],
        state["gcn_t.l1.gcn1.convs.0.conv3.weight"].shape[0],
    )
    width, temporal = state["channel_t.0.weight"].shape
    feedforward = state["t_encoder.layers.0.linear1.weight"].shape[0]
    frames = state["channel_s.0.weight"].shape[1] // stem
    weights: State = {}
    for ours, theirs in (("temporal", "t"), ("spatial", "s")):
        weights |= _add(f"{ours}_stem.input_norm.", state.below(f"gcn_{theirs}.data_bn."))
        for i in range(3):
            weights |= _add(
                f"{ours}_stem.blocks.{i}.", _block(state.below(f"gcn_{theirs}.l{i + 1}."))
            )
        weights |= _add(f"{ours}_tokens.", state.below(f"channel_{theirs}."))
        weights |= _add(
            f"{ours}_layer.", _renamed(state.below(f"{theirs}_encoder.layers.0."), TOKEN_LAYER)
        )
    return weights, Sizes(width, feedforward, stem, temporal // (joints * stem), joints, frames)


def _block(state: Part) -> State:
    """One block: convolutions of the three subsets and of the four branches become one each."""
    weights = {
        "graph.topology": state["gcn1.PA"],
        "graph.alpha": state["gcn1.alpha"],
        **_renamed(state, BLOCK),
    }
    for name in ("weight", "bias"):
        receiver, source, value, relation = (
            [state[f"gcn1.convs.{k}.conv{i}.{name}"] for k in SUBSETS] for i in (1, 2, 3, 4)
        )
        weights[f"graph.relate.{name}"] = torch.cat([*receiver, *source])  # (2 * 3 * r, ...)
        weights[f"graph.value.{name}"] = torch.stack(value, dim=1).flatten(
            0, 1
        )  # (D * 3, ...), the subset fastest
        weights[f"graph.relation_{name}"] = torch.stack(relation)  # (3, D, ...)
        weights[f"time.enter.{name}"] = torch.cat(
            [state[f"tcn1.branches.{b}.0.{name}"] for b in BRANCHES]
        )
        for b in (0, 1):
            weights[f"time.convs.{b}.{name}"] = state[f"tcn1.branches.{b}.3.conv.{name}"]
    for name in ("weight", "bias", "running_mean", "running_var"):
        weights[f"time.enter_norm.{name}"] = torch.cat(
            [state[f"tcn1.branches.{b}.1.{name}"] for b in BRANCHES]
        )
    weights["time.enter_norm.num_batches_tracked"] = state["tcn1.branches.0.1.num_batches_tracked"]
    weights["graph.relate.weight"] = weights["graph.relate.weight"].flatten(
        2
    )  # works on time means: one axis fewer
    weights["graph.relation_weight"] = weights["graph.relation_weight"].flatten(2)
    weights["graph.relation_bias"] = weights["graph.relation_bias"][..., None]
    for b in (0, 1):
        weights[f"time.convs.{b}.weight"] = weights[f"time.convs.{b}.weight"].transpose(
            2, 3
        )  # time is the last axis here
    return weights


def _add(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


def _renamed(state: Part, names: tuple[tuple[str, str], ...]) -> State:
    return {new + key: value for old, new in names for key, value in state.below(old).items()}
