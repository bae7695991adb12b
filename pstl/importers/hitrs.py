"""Hi-TRS's checkpoints: clip_fuse_token, video_fuse_token, s_*, c_*, v_* (Hi-TRS spec 2)."""

from typing import Any

import torch
from torch import Tensor

from pstl.contracts import Importer
from pstl.located import Located, check_joints
from pstl.records import Imported

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


class HiTrsImporter(Importer):
    """The transformers of frames, clips and videos; the heads of pre-training are left out."""

    anchor = "clip_fuse_token"

    def read(self, located: Located, skeleton: str) -> Imported:
        """The encoder's weights by our names."""
        weights, sizes = released_weights(located.encoder)
        check_joints(weights["frame_level.positions"].shape[0], skeleton)
        card = {
            "method": "hitrs",
            "settings": {},
            "encoder": {"name": "hitrs", **sizes},
            "recipe": {"name": "metres300"},
            "skeleton": skeleton,
            "people": 2,
            "frames": 300,
            "stream": "joint",
        }
        return Imported(card, weights)

    def official_name(self, name: str) -> str:
        """What the released code calls a weight of ours; all names of one made of several."""
        level, _, rest = name.partition(".")
        letter = dict(LEVELS)[f"{level}."]
        if rest.startswith("layers."):
            _, number, rest = rest.split(".", 2)
            official = dict(LAYER).get(rest, "slf_attn.w_{q,k,v}s.weight")
            return f"{letter}enc.layer_stack.{number}.{official}"
        if rest == "token":
            return "clip_fuse_token" if letter == "c_" else "video_fuse_token"
        if rest == "positions":
            return f"{letter}pe.pe"
        entry = f"{letter}input_map.{rest}".replace(".enter_norm", ".2")
        return entry.replace(".enter", ".0" if letter == "s_" else "")


def released_weights(state: State) -> tuple[State, dict[str, Any]]:
    """The encoder's weights under our names, and the settings that their shapes tell.

    Raises: KeyError for a weight that is not there.
    """
    layers = len({key.split(".")[2] for key in state if key.startswith("s_enc.layer_stack.")})
    weights = {
        "clip_level.token": state["clip_fuse_token"].flatten(),
        "video_level.token": state["video_fuse_token"].flatten(),
        "frame_level.enter_norm.weight": state["s_input_map.2.weight"],
        "frame_level.enter_norm.bias": state["s_input_map.2.bias"],
    }
    for ours, letter in LEVELS:
        enter = f"{letter}input_map.0" if letter == "s_" else f"{letter}input_map"
        for name in ("weight", "bias"):
            weights[f"{ours}enter.{name}"] = state[f"{enter}.{name}"]
        weights[f"{ours}positions"] = state[f"{letter}pe.pe"]
        for i in range(layers):
            new, old = f"{ours}layers.{i}.", f"{letter}enc.layer_stack.{i}."
            for name, official in LAYER:
                weights[new + name] = state[old + official]
            queries_keys_values = [state[f"{old}slf_attn.w_{part}s.weight"] for part in "qkv"]
            weights[f"{new}attend_in.weight"] = torch.cat(queries_keys_values)
    inner, width = state["s_enc.layer_stack.0.slf_attn.w_qs.weight"].shape
    sizes = {
        "width": width,
        "heads": HEADS,
        "head_width": inner // HEADS,
        "layers": layers,
        "window": state["c_pe.pe"].shape[0],
        "clips": state["v_pe.pe"].shape[0],
    }
    return weights, sizes


IMPORTER = HiTrsImporter()
