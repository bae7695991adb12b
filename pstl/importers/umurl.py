"""UmURL's checkpoints: backbone.j_emb.*, backbone.mm_fusion.*, backbone.ma_encoder.*, under
"state_dict" (UmURL spec 2).
"""

from collections.abc import Iterator

from torch import Tensor

from pstl.contracts import Importer
from pstl.located import Located, check_joints
from pstl.methods.umurl import Config
from pstl.ops.streams import OTHER, STREAMS
from pstl.records import Imported
from pstl.skeletons import load

State = dict[str, Tensor]
AXES = ("temporal", "spatial")
LAYER = (
    ("self_attn.in_proj_", "attend_in."),
    ("self_attn.out_proj.", "attend_out."),
    ("norm1.", "attend_norm."),
    ("linear1.", "feed_in."),
    ("linear2.", "feed_out."),
    ("norm2.", "feed_norm."),
)


class UmurlImporter(Importer):
    """The encoder of all modalities; projectors are left out, and positions are computed."""

    anchor = "mm_fusion.t_fusion.0.weight"

    def read(self, located: Located, skeleton: str) -> Imported:
        """The encoder's weights by our names."""
        state = located.encoder
        weights: State = {}
        for official, ours in prefixes():
            part = state.below(official)
            weights |= {ours + name: value for name, value in part.items()}
        width, numbers = state["j_emb.t_embedding.0.weight"].shape
        frames = state["j_emb.s_embedding.0.weight"].shape[1] // 3
        people, rest = divmod(numbers, 3 * load(skeleton).joints)
        if rest:
            check_joints(numbers // 3, skeleton)
        standard = frames == Config().frames
        card = {
            "method": "umurl",
            "settings": {} if standard else {"frames": frames},
            "recipe": {"name": "spine300", "spine_up": False},
            "encoder": {"name": "umurl", "width": width},
            "skeleton": skeleton,
            "people": people,
            "frames": frames,
            "stream": OTHER,
        }
        return Imported(card, weights)

    def official_name(self, name: str) -> str:
        """What the released code calls a weight of ours."""
        for official, ours in prefixes():
            if name.startswith(ours):
                return official + name.removeprefix(ours)
        return name


def prefixes() -> Iterator[tuple[str, str]]:
    """What stands in front of a weight's last words in the released code, and here."""
    for stream in STREAMS:
        for axis in AXES:
            yield f"{stream[0]}_emb.{axis[0]}_embedding.", f"embeddings.{stream}.{axis}."
    for axis in AXES:
        yield f"mm_fusion.{axis[0]}_fusion.0.", f"fusion.{axis}."
        for official, ours in LAYER:
            layer = f"ma_encoder.{axis[0]}_tr.layers.0."
            yield layer + official, f"layers.{axis}.{ours}"


IMPORTER = UmurlImporter()
