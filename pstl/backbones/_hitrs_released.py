"""Weights of Hi-TRS's released model in the names and fusions of pstl.backbones.hitrs (layout: Hi-TRS spec 2)."""

from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]
HEADS = 8  # not to be seen in the weights; fixed in the released code
LEVELS = (("frame_level.", "s_"), ("clip_level.", "c_"), ("video_level.", "v_"))
LAYER = (
    ("attend_norm.weight", "self_attn_norm.weight"),
    ("attend_norm.bias", "self_attn_norm.bias"),
    ("attend_out.weight", "slf_attn.fc.weight"),
    ("feed_norm.weight", "pff_norm.weight"),
    ("feed_norm.bias", "pff_norm.bias"),
    ("feed_in.weight", "pos_ffn.w_1.weight"),
    ("feed_in.bias", "pos_ffn.w_1.bias"),
    ("feed_out.weight", "pos_ffn.w_2.weight"),
    ("feed_out.bias", "pos_ffn.w_2.bias"),
)


def official_name(name: str) -> str:
    """What the released code calls a weight of ours; for one that was made of several, all of them."""
    level, _, rest = name.partition(".")
    letter = dict(LEVELS)[f"{level}."]
    if rest.startswith("layers."):
        _, number, rest = rest.split(".", 2)
        theirs = dict(LAYER).get(rest, "slf_attn.w_{q,k,v}s.weight")
        return f"{letter}enc.layer_stack.{number}.{theirs}"
    if rest == "token":
        return "clip_fuse_token" if letter == "c_" else "video_fuse_token"
    if rest == "positions":
        return f"{letter}pe.pe"
    entry = f"{letter}input_map"
    return f"{entry}.{rest}".replace(".enter_norm", ".2").replace(
        ".enter", ".0" if letter == "s_" else ""
    )


def released_weights(state: State) -> tuple[State, dict[str, Any]]:
    """The encoder's weights under our names, and the settings their shapes tell. The heads of pre-training are left out.

    Raises: KeyError for a weight that is not there.
    """
    layers = len({key.split(".")[2] for key in state if key.startswith("s_enc.layer_stack.")})
    weights = {
        "clip_level.token": state["clip_fuse_token"].flatten(),
        "video_level.token": state["video_fuse_token"].flatten(),
        "frame_level.enter_norm.weight": state["s_input_map.2.weight"],
        "frame_level.enter_norm.bias": state["s_input_map.2.bias"],
    }
    for ours, theirs in LEVELS:
        enter = f"{theirs}input_map.0" if theirs == "s_" else f"{theirs}input_map"
        weights |= {f"{ours}enter.{name}": state[f"{enter}.{name}"] for name in ("weight", "bias")}
        weights[f"{ours}positions"] = state[f"{theirs}pe.pe"]
        for i in range(layers):
            old = f"{theirs}enc.layer_stack.{i}."
            weights |= {
                f"{ours}layers.{i}.{name}": state[old + name_there] for name, name_there in LAYER
            }
            weights[f"{ours}layers.{i}.attend_in.weight"] = torch.cat(
                [state[f"{old}slf_attn.w_{letter}s.weight"] for letter in "qkv"]
            )
    inner, width = state["s_enc.layer_stack.0.slf_attn.w_qs.weight"].shape
    sizes = {
        "width": width, "heads": HEADS, "head_width": inner // HEADS, "layers": layers,
        "window": state["c_pe.pe"].shape[0], "clips": state["v_pe.pe"].shape[0],
    }  # fmt: skip
    return weights, sizes
