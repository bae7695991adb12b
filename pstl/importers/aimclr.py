"""Checkpoints of AimCLR's family: encoder_q.* beside encoder_k.* and a queue, or with a head fc.

AimCLR, SkeletonCLR, CrosSCLR, ActCLR and HiCLR build on one code (AimCLR spec 9). CrosSCLR keeps an
encoder for each stream in one file; HiCLR numbers the importance of edges from 1, without a dot.
"""

import re

from pstl.importers._stgcn import ANCHOR, StGcnImporter
from pstl.located import Located, Part
from pstl.records import Imported

NUMBERED = re.compile(r"edge_importance(\d+)")


class AimClrImporter(StGcnImporter):
    """The query encoder."""

    anchor = ANCHOR
    method = "aimclr"
    parts = {"joint": "encoder_q", "motion": "encoder_q_motion", "bone": "encoder_q_bone"}

    def read(self, located: Located, skeleton: str) -> Imported:
        """The weights by our names; the graph A must be the skeleton's."""
        state = {common_name(name): value for name, value in located.encoder.items()}
        return super().read(Located(Part(state, located.encoder.prefix), {}), skeleton)


def common_name(name: str) -> str:
    """What all but HiCLR call a weight."""
    numbered = NUMBERED.fullmatch(name)
    return f"edge_importance.{int(numbered[1]) - 1}" if numbered else name


IMPORTER = AimClrImporter()
