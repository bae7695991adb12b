"""The ST-GCN of AimCLR's line in checkpoints: A, data_bn.*, st_gcn_networks.<i>.*, edge_importance.

PSTL's code is built on AimCLR's, so that both have it by the same names; fc.* is a head.
"""

import itertools

import torch
from torch import Tensor

from pstl.contracts import Importer
from pstl.errors import UserError
from pstl.located import MOMENTUM_ENCODERS, Located, check_joints
from pstl.records import Imported
from pstl.skeletons import load
from pstl.skeletons.graph import spatial_partition

ANCHOR = "st_gcn_networks.0.gcn.conv.weight"
# What float16 may move an entry of the graph, which is at most 1; another bone moves one by more.
HALF = 1e-3
RENAMED = (
    ("data_bn.", "input_norm."),
    ("st_gcn_networks.", "blocks."),
    ("edge_importance.", "importance."),
    (".gcn.conv.", ".graph."),
    (".tcn.", ".time."),
)  # official, ours


class StGcnImporter(Importer):
    """Reads the encoder as that of a method.   method: its name here."""

    method: str

    def read(self, located: Located, skeleton: str) -> Imported:
        """The weights by our names; the graph A must be the skeleton's."""
        state = located.encoder
        check_joints(state["A"].shape[-1], skeleton)
        graph = torch.from_numpy(spatial_partition(load(skeleton)))
        official = state["A"].float()
        if graph.shape != official.shape or not torch.allclose(graph, official, atol=HALF):
            remedy = "name the body with --skeleton"
            raise UserError(f"its graph {state.prefix}A has other bones than {skeleton}; {remedy}")
        width = state["st_gcn_networks.0.tcn.0.weight"].shape[0]
        head = f"{self.head}."
        names = [name for name in state if name != "A" and not name.startswith(head)]
        weights = {our_name(name): state[name] for name in names}
        card = {
            "method": self.method,
            "settings": {},
            "encoder": {"name": "stgcn", "width": width},
            "recipe": {"name": "resize50"},
            "skeleton": skeleton,
            "people": 2,
            "frames": 50,
            "stream": "joint",
        }
        return Imported(card, weights)

    def official_name(self, name: str) -> str:
        """What the released code calls a weight of ours."""
        for official, ours in reversed(RENAMED):
            name = name.replace(ours, official)
        return name

    def classifier(self, located: Located) -> dict[str, Tensor] | None:
        """Weights of a linear head `fc` on the encoder: weight (classes, D) and bias (classes,).

        None where there is none: in pre-training `fc` projects for the loss, which a queue or a
        momentum encoder beside it, or more than one layer, tells.
        """
        weight = located.encoder.get(f"{self.head}.weight")
        bias = located.encoder.get(f"{self.head}.bias")
        words = ("queue", *MOMENTUM_ENCODERS)
        projects = any(word in name for name, word in itertools.product(located.beside, words))
        if weight is None or bias is None or projects:
            return None
        return {"weight": weight.flatten(1), "bias": bias}


def our_name(name: str) -> str:
    """What we call a weight of the released code."""
    for official, ours in RENAMED:
        name = name.replace(official, ours)
    return name
