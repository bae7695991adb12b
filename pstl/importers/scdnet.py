"""SCD-Net's checkpoints: encoder_q.encoder.*, encoder_k.*, queues, under "state_dict" (SCD-Net spec
4).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from pstl.contracts import Importer
from pstl.located import Located, Part, check_joints
from pstl.methods.scdnet import Config
from pstl.records import Imported

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


class ScdNetImporter(Importer):
    """The query encoder: two CTR-GCN stems, each with a transformer layer."""

    anchor = "gcn_t.l1.gcn1.PA"

    def read(self, located: Located, skeleton: str) -> Imported:
        """The encoder's weights by our names, convolutions fused as we fuse them."""
        weights, sizes = released_weights(located.encoder)
        check_joints(sizes.joints, skeleton)
        standard = sizes.frames == Config().frames
        card = {
            "method": "scdnet",
            "settings": {} if standard else {"frames": sizes.frames},
            "recipe": {"name": "spine300"},
            "encoder": {
                "name": "scdnet",
                "width": sizes.width,
                "feedforward": sizes.feedforward,
                "stem_width": sizes.stem_width,
            },
            "skeleton": skeleton,
            "people": sizes.people,
            "frames": sizes.frames,
            "stream": "joint",
        }
        return Imported(card, weights)

    def official_name(self, name: str) -> str:
        """What the released code calls a weight of ours; all names of one made of several."""
        half, _, rest = name.partition("_")
        part, _, rest = rest.partition(".")
        if part == "stem" and rest.startswith("blocks."):
            _, number, rest = rest.split(".", 2)
            return f"gcn_{half[0]}.l{int(number) + 1}." + _official(rest, (*BLOCK, *FUSED))
        if part == "stem":
            return f"gcn_{half[0]}." + rest.replace("input_norm.", "data_bn.")
        if part == "tokens":
            return f"channel_{half[0]}.{rest}"
        return f"{half[0]}_encoder.layers.0." + _official(rest, TOKEN_LAYER)


def _official(name: str, names: tuple[tuple[str, str], ...]) -> str:
    for official, ours in names:
        if name.startswith(ours):
            return official + name.removeprefix(ours)
    return name


def released_weights(state: Part) -> tuple[State, Sizes]:
    """An encoder's weights under our names.   Raises: KeyError for one that is not there."""
    joints = state["gcn_t.l1.gcn1.PA"].shape[-1]
    stem = state["gcn_t.l1.gcn1.convs.0.conv3.weight"].shape[0]
    width, temporal = state["channel_t.0.weight"].shape
    feedforward = state["t_encoder.layers.0.linear1.weight"].shape[0]
    frames = state["channel_s.0.weight"].shape[1] // stem
    weights: State = {}
    for half, letter in (("temporal", "t"), ("spatial", "s")):
        official_stem = state.below(f"gcn_{letter}.")
        weights |= _below(f"{half}_stem.input_norm.", official_stem.below("data_bn."))
        for i in range(3):
            block = _block(official_stem.below(f"l{i + 1}."))
            weights |= _below(f"{half}_stem.blocks.{i}.", block)
        weights |= _below(f"{half}_tokens.", state.below(f"channel_{letter}."))
        layer = _renamed(state.below(f"{letter}_encoder.layers.0."), TOKEN_LAYER)
        weights |= _below(f"{half}_layer.", layer)
    return weights, Sizes(width, feedforward, stem, temporal // (joints * stem), joints, frames)


def _block(state: Part) -> State:
    """One block: convolutions of the three subsets and of the four branches become one each."""
    weights = {"graph.topology": state["gcn1.PA"], "graph.alpha": state["gcn1.alpha"]}
    weights |= _renamed(state, BLOCK)
    for name in ("weight", "bias"):
        receiver, source, value, relation = (_subsets(state, i, name) for i in (1, 2, 3, 4))
        weights[f"graph.relate.{name}"] = torch.cat([*receiver, *source])  # (2 * 3 * r, ...)
        # (D * 3, ...), the subset fastest
        weights[f"graph.value.{name}"] = torch.stack(value, dim=1).flatten(0, 1)
        weights[f"graph.relation_{name}"] = torch.stack(relation)  # (3, D, ...)
        weights[f"time.enter.{name}"] = _branches(state, 0, name)
        for b in (0, 1):
            weights[f"time.convs.{b}.{name}"] = state[f"tcn1.branches.{b}.3.conv.{name}"]
    for name in ("weight", "bias", "running_mean", "running_var"):
        weights[f"time.enter_norm.{name}"] = _branches(state, 1, name)
    weights["time.enter_norm.num_batches_tracked"] = state["tcn1.branches.0.1.num_batches_tracked"]
    # Relations are computed from time means, which have one axis fewer.
    weights["graph.relate.weight"] = weights["graph.relate.weight"].flatten(2)
    weights["graph.relation_weight"] = weights["graph.relation_weight"].flatten(2)
    weights["graph.relation_bias"] = weights["graph.relation_bias"][..., None]
    for b in (0, 1):  # time is the last axis here
        convolution = f"time.convs.{b}.weight"
        weights[convolution] = weights[convolution].transpose(2, 3)
    return weights


def _subsets(state: Part, convolution: int, name: str) -> list[Tensor]:
    return [state[f"gcn1.convs.{k}.conv{convolution}.{name}"] for k in SUBSETS]


def _branches(state: Part, layer: int, name: str) -> Tensor:
    return torch.cat([state[f"tcn1.branches.{b}.{layer}.{name}"] for b in BRANCHES])


def _below(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


def _renamed(state: Part, names: tuple[tuple[str, str], ...]) -> State:
    return {new + key: value for old, new in names for key, value in state.below(old).items()}


IMPORTER = ScdNetImporter()
