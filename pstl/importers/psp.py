"""PSP's checkpoints: input_map.*, graph_layers.<i>.*, fc.*, mlp.*, att_*, under "model"."""

from typing import NamedTuple

from torch import Tensor

from pstl.contracts import Importer
from pstl.located import Located, Part, check_joints
from pstl.methods.psp import Config
from pstl.records import Imported

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


class Sizes(NamedTuple):
    """Of a released encoder."""

    width: int
    heads: int
    joints: int
    frames: int


FIXED = (("alphas", "attention.scale"), ("attention0s", "attention.graph"))


class PspImporter(Importer):
    """A DSTA-Net, and PSP's classifier."""

    anchor = "input_map.0.weight"

    def read(self, located: Located, skeleton: str) -> Imported:
        """The encoder's weights by our names."""
        weights, sizes = released_weights(located.encoder)
        check_joints(sizes.joints, skeleton)
        standard = sizes.frames == Config().frames
        card = {
            "method": "psp",
            "settings": {} if standard else {"frames": sizes.frames},
            "recipe": {"name": "scaled300"},
            "encoder": {"name": "dsta", "width": sizes.width, "heads": sizes.heads},
            "skeleton": skeleton,
            "people": 2,
            "frames": sizes.frames,
            "stream": "joint",
        }
        return Imported(card, weights)

    def official_name(self, name: str) -> str:
        """What the released code calls a weight of ours."""
        name = name.replace("trunk.stem.", "input_map.").replace("trunk.blocks.", "graph_layers.")
        for official, ours in (*BLOCK, *FIXED):
            name = name.replace(f".{ours}", f".{official}")
        return name

    def classifier(self, located: Located) -> dict[str, Tensor] | None:
        """Weights of the classifier: weight (classes, D) and bias (classes,)."""
        return {name: located.encoder[f"fc.{name}"] for name in ("weight", "bias")}


def released_weights(state: Part) -> tuple[State, Sizes]:
    """The encoder's weights and sizes; fixed positions and masks of ones are rebuilt.

    Raises: KeyError for a weight that is not there.
    """
    weights = _renamed(state, "input_map.", "trunk.stem.")
    for i in sorted({int(key.split(".")[1]) for key in state if key.startswith("graph_layers.")}):
        ours, official = f"trunk.blocks.{i}.", f"graph_layers.{i}."
        weights[f"{ours}attention.scale"] = state[f"{official}alphas"][0]
        weights[f"{ours}attention.graph"] = state[f"{official}attention0s"][0]
        for old, new in BLOCK:
            weights |= _renamed(state, official + old, ours + new)
    _, heads, joints, _ = state["graph_layers.0.attention0s"].shape
    width = state["input_map.0.weight"].shape[0]
    return weights, Sizes(width, heads, joints, state["graph_layers.0.pes.pe"].shape[2])


def _renamed(state: Part, old: str, new: str) -> State:
    return {new + key: value for key, value in state.below(old).items()}


IMPORTER = PspImporter()
