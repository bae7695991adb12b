"""Weights as PSTL's released code saves them, of an encoder that this project builds."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from pstl.registry import load
from pstl.skeletons import load as load_skeleton
from pstl.skeletons.graph import spatial_partition
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard


def card_of(skeleton: str, width: int) -> EncoderCard:
    """What the released code trains: two people, 50 frames."""
    encoder = {"name": "stgcn", "width": width}
    return EncoderCard("pstl", {}, encoder, {"name": "resize50"}, skeleton, 2, 50, "joint")


def write_released(path: Path, skeleton: str, width: int = 2, classes: int = 0) -> str:
    """Random weights below `encoder_q.`, and a head of so many classes. Returns: SHA-256."""
    importer = load("importers", "pstl").IMPORTER
    torch.manual_seed(0)
    encoder = encoder_file.build(card_of(skeleton, width))
    state = {f"encoder_q.{importer.official_name(k)}": v for k, v in encoder.state_dict().items()}
    state["encoder_q.A"] = torch.from_numpy(spatial_partition(load_skeleton(skeleton)))
    if classes:
        state["encoder_q.fc.weight"] = torch.randn(classes, encoder.width, 1, 1)
        state["encoder_q.fc.bias"] = torch.zeros(classes)
    torch.save(state, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def entry(trained_on: str, width: int = 2, **file: str) -> dict[str, Any]:
    """A method entry that takes these weights of the joint stream."""
    return {
        "method": "pstl",
        "recipe": "resize50",
        "encoder": {"name": "stgcn", "width": width},
        "weights": {"source": "pstl", "trained_on": trained_on, "joint": file},
    }
