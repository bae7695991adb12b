"""PSTL's checkpoints: a bare ST-GCN, and its head."""

from pstl.importers._stgcn import ANCHOR, StGcnImporter


class PstlImporter(StGcnImporter):
    """Nothing of its own: any other ST-GCN of AimCLR's line is read as PSTL's, too."""

    anchor = ANCHOR
    method = "pstl"


IMPORTER = PstlImporter()
