"""Checkpoints of released code, as `pstl import-weights` reads them."""

from typing import Any

from pstl.contracts import Importer
from pstl.located import encoder_in
from pstl.records import Imported
from pstl.registry import load


def importer_of(source: str) -> Importer:
    """The importer of a method's released code."""
    importer: Importer = load("importers", source).IMPORTER
    return importer


def imported(source: str, content: Any) -> Imported:
    """Card fields and weights of the encoder in a checkpoint."""
    importer = importer_of(source)
    return importer.read(encoder_in(content, importer.anchor), importer.skeleton)
