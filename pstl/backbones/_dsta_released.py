"""PSP checkpoints as the released code writes them, under our names."""

from typing import NamedTuple

from torch import Tensor

State = dict[str, Tensor]

BLOCK = (
    ("in_nets.", "attention.relate."),
    ("out_nets.", "mix."),
    ("ff_nets.", "feed."),
    ("out_nett.", "time."),
    ("downs1.", "shortcuts.0."),
    ("downs2.", "shortcuts.1."),
    ("downt2.", "shortcuts.2."),
)
HEADS = (
    ("fc.", "classifier."),
    ("mlp.", "projector."),
    ("att_b.in_nets.", "polymerise.body.relate."),
    ("att_b.ff_nets.", "polymerise.body.mix."),
    ("att_pb.in_nets.", "polymerise.part.relate."),
    ("att_pb.ff_nets.", "polymerise.part.mix."),
    ("att_jpb.in_nets.", "polymerise.joint.relate."),
    ("att_jpb.ff_nets.", "polymerise.joint.mix."),
)


class Sizes(NamedTuple):
    """Of a released encoder."""

    width: int
    heads: int
    joints: int
    frames: int


FIXED = (("alphas", "attention.scale"), ("attention0s", "attention.graph"))


def official_name(name: str) -> str:
    """What the released code calls a weight of ours."""
    name = name.replace("trunk.stem.", "input_map.").replace("trunk.blocks.", "graph_layers.")
    for theirs, ours in (*BLOCK, *FIXED):
        name = name.replace(f".{ours}", f".{theirs}")
    return name


def released_weights(state: State) -> tuple[State, Sizes]:
    """The encoder's weights and sizes; fixed positions and masks of ones are rebuilt.   Raises: KeyError for a weight that is not there."""
    weights = _below(state, "input_map.", "trunk.stem.")
    for i in sorted({int(key.split(".")[1]) for key in state if key.startswith("graph_layers.")}):
        ours, theirs = f"trunk.blocks.{i}.", f"graph_layers.{i}."
        weights[f"{ours}attention.scale"] = state[f"{theirs}alphas"][0]
        weights[f"{ours}attention.graph"] = state[f"{theirs}attention0s"][0]
        for old, new in BLOCK:
            weights |= _below(state, theirs + old, ours + new)
    _, heads, joints, _ = state["graph_layers.0.attention0s"].shape
    return weights, Sizes(
        state["input_map.0.weight"].shape[0], heads, joints, state["graph_layers.0.pes.pe"].shape[2]
    )


def released_heads(state: State) -> State:
    """Everything behind the encoder: classifier, projector, pyramid attention."""
    return {key: value for old, new in HEADS for key, value in _below(state, old, new).items()}


def _below(state: State, prefix: str, instead: str) -> State:
    return {
        instead + key.removeprefix(prefix): value
        for key, value in state.items()
        if key.startswith(prefix)
    }
