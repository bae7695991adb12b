"""encoder.pt: weights, and everything needed to use them on other clips without the run that made
them.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pstl.config import Plugin, validated
from pstl.errors import UserError
from pstl.files import Kind, atomic, reading
from pstl.modules import BaseEncoder
from pstl.ops.finite import AGAIN
from pstl.ops.streams import OTHER, STREAMS
from pstl.registry import keywords
from pstl.registry import load as load_plugin
from pstl.skeletons import Skeleton
from pstl.skeletons import load as load_skeleton
from pstl.train.checkpoint import read, write
from pstl.train.weights import check_weights

FORMAT = 1
ENCODER = Kind("readable encoder file", "train it again, or get another copy")
DAMAGED = f"they have diverged or are damaged: {AGAIN}"


@dataclass(frozen=True)
class EncoderCard:
    """What an encoder is and expects.

    Clips (N, 3, frames, V, people) of one skeleton, made by `recipe`, as `stream`.
    """

    method: str
    settings: dict[str, Any]
    encoder: dict[str, Any]  # Plugin
    recipe: dict[str, Any]  # Plugin
    skeleton: str
    people: int
    frames: int
    stream: str
    provenance: dict[str, Any] = field(default_factory=dict)


def build(card: EncoderCard) -> BaseEncoder:
    """A fresh encoder of the card's kind, initialised from torch's global generator."""
    plugin = Plugin.model_validate(card.encoder)
    module = load_plugin("backbones", plugin.name)
    cfg = validated(module.Config, plugin.settings, f"encoder {plugin.name}")
    encoder: BaseEncoder = module.Encoder(cfg, skeleton_of(card), card.people, card.frames)
    return encoder


def streams_of(method: str) -> tuple[str, ...]:
    """The streams that an encoder of this method can be fed; the first if nobody says which."""
    only = keywords("methods", method, "Method", "wants").get("only_stream")
    return (OTHER,) if only == OTHER else STREAMS


def skeleton_of(card: EncoderCard) -> Skeleton:
    """The body that an encoder was trained on."""
    return load_skeleton(card.skeleton)


def save(
    path: str | Path, card: EncoderCard, encoder: BaseEncoder, classifier: nn.Linear | None = None
) -> None:
    """Write weights and card, and the classifier of a method that has one.

    The file appears whole or not at all.

    Raises: UserError naming a weight that is not finite.
    """
    states = {"state": encoder.state_dict()}
    if classifier is not None:
        states["classifier"] = classifier.state_dict()
    for state in states.values():
        _check_state(state, str(path))
    with atomic(path) as new:
        write(new, {"format": FORMAT, "card": asdict(card), **states})


def load(path: str | Path) -> tuple[EncoderCard, BaseEncoder]:
    """Read encoder.pt, in evaluation mode, on the CPU.

    Raises: UserError if the file is damaged, of another format, or if a weight is missing,
    superfluous, of another shape or not finite.
    """
    content = read(path)
    if content.get("format") != FORMAT:
        remedy = "convert released weights with 'python -m pstl import-weights'"
        raise UserError(f"{path}: not an encoder file of format {FORMAT}; {remedy}")
    with reading(path, ENCODER):
        card = EncoderCard(**content["card"])
        encoder = build(card)
        load_state(encoder, content["state"], str(path))
    return card, encoder.eval()


def load_classifier(path: str | Path) -> nn.Linear | None:
    """The classifier beside the encoder, on the CPU; None if the file has none."""
    state = read(path).get("classifier")
    if state is None:
        return None
    with reading(path, ENCODER):
        _check_state(state, str(path))
        return linear(state)


def linear(state: dict[str, torch.Tensor]) -> nn.Linear:
    """A linear layer with these weights.

    state: weight (classes, D), bias (classes,).
    """
    classes, width = state["weight"].shape
    layer = nn.Linear(width, classes)
    layer.load_state_dict(state)
    return layer


def load_state(encoder: BaseEncoder, state: dict[str, torch.Tensor], where: str) -> None:
    """Strict loading.

    state: tensors by name, such as (C, D).
    Raises: UserError naming the first weight that does not fit, or is not finite.
    """
    expected = encoder.state_dict()
    for name in sorted(expected.keys() | state.keys()):
        shape = tuple(state[name].shape) if name in state else "nothing"
        wanted = tuple(expected[name].shape) if name in expected else "nothing"
        if shape != wanted:
            remedy = "these weights belong to another encoder or skeleton"
            raise UserError(f"{where}: weight {name!r}: found {shape}, expected {wanted}; {remedy}")
    _check_state(state, where)
    encoder.load_state_dict(state)


def _check_state(state: dict[str, torch.Tensor], where: str) -> None:
    check_weights({f"weight {name!r}": tensor for name, tensor in state.items()}, where, DAMAGED)
