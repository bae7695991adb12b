"""An encoder for others: a folder with model.safetensors, what it expects as JSON, and a card.

The file alone is enough to use it: its notes hold the card, and the classes that its classifier
names. It holds weights and statistics, and nothing of a recording (tests/hub/test_hub.py).
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from pstl.errors import UserError
from pstl.files import check_shape, parsed, reading
from pstl.modules import BaseEncoder
from pstl.ops.class_scores import LinearScores
from pstl.train import encoder_file, safetensors
from pstl.train.encoder_file import EncoderCard
from pstl.train.weights import check_weights

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
NOTES = {"format", "pstl", "classifier"}
PREFIX = "classifier."  # of its tensors, beside those of the encoder


class Classifier(NamedTuple):
    """What names the classes of clips by their features.

    by: the task that fitted it to the training clips; "": the method trained it with the encoder.
    frames: of a typical training clip, at native length; 0 where nobody knows.
    """

    scores: LinearScores
    classes: tuple[str, ...]
    by: str = ""
    frames: int = 0


class Weights(NamedTuple):
    """A trained encoder, what it expects, and what it calls things. On the CPU."""

    card: EncoderCard
    encoder: BaseEncoder
    classifier: Classifier | None = None


class ClassifierNotes(BaseModel):
    """What the file says of its classifier."""

    classes: list[str]
    by: str = ""
    frames: int = 0


def write(path: Path, weights: Weights, half: bool) -> None:
    """Write model.safetensors.   half: matrices of the encoder in 16 bits."""
    card, encoder, classifier = weights
    tensors = dict(encoder.state_dict())
    if half:
        tensors |= {name: matrix.half() for name, matrix in matrices(encoder).items()}
    notes = {"format": "pt", "pstl": json.dumps(asdict(card), sort_keys=True)}
    if classifier is not None:
        for name, tensor in classifier.scores._asdict().items():
            tensors[PREFIX + name] = tensor
        said = {"classes": classifier.classes, "by": classifier.by, "frames": classifier.frames}
        notes["classifier"] = json.dumps(said, sort_keys=True)
    safetensors.write(path, tensors, notes)


def matrices(encoder: nn.Module) -> dict[str, Tensor]:
    """The parameters that are stored in 16 bits, if any are: not biases, nor statistics."""
    return {name: p.detach() for name, p in encoder.named_parameters() if p.dim() > 1}


def round_to_half(encoder: nn.Module, where: str) -> None:
    """Make every matrix one that 16 bits hold, so that what is measured is what is stored.

    Raises: UserError for a weight that is too large for 16 bits.
    """
    with torch.no_grad():
        for matrix in matrices(encoder).values():
            matrix.copy_(matrix.half())
    check_weights(matrices(encoder), where, "it is too large for 16 bits: leave out --half")


def read(path: str | Path) -> Weights:
    """An exported encoder, in evaluation mode, on the CPU.

    path: the folder, or its model.safetensors alone.
    Raises: UserError if a file is missing, damaged or does not fit the other.
    """
    file = Path(path) / WEIGHTS if os.path.isdir(path) else Path(path)
    state, notes = safetensors.read(file)
    if "pstl" not in notes:
        remedy = "export it with 'python -m pstl export'"
        raise UserError(f"{file}: no card of this project inside; {remedy}")
    classifier: Any = None
    with reading(file, safetensors.SAFETENSORS):
        if strange := notes.keys() - NOTES:
            raise ValueError(f"a note {min(strange)!r}, expected {', '.join(sorted(NOTES))}")
        card = EncoderCard(**parsed(notes["pstl"]))
        encoder = encoder_file.build(card)
        own = {name: state.pop(name) for name in sorted(state) if name.startswith(PREFIX)}
        encoder_file.load_state(encoder, state, str(file))
        if "classifier" in notes:
            classifier = _classifier(own, parsed(notes["classifier"]), encoder.width, file)
    return Weights(card, encoder.eval(), classifier)


def _classifier(state: dict[str, Tensor], said: Any, width: int, file: Path) -> Classifier:
    """Raises: ValueError, KeyError if tensors and notes do not go together."""
    check_shape(said, ClassifierNotes)
    notes = ClassifierNotes.model_validate(said)
    scores = LinearScores(*(state[PREFIX + name] for name in LinearScores._fields))
    shapes = [tuple(tensor.shape) for tensor in scores]
    count = len(notes.classes)
    if shapes != [(count, width), (count,), (width,)]:
        raise ValueError(f"a classifier of shapes {shapes} for {count} classes, {width} features")
    named = {f"weight {PREFIX + name!r}": tensor for name, tensor in scores._asdict().items()}
    check_weights(named, str(file), encoder_file.DAMAGED)
    return Classifier(scores, tuple(notes.classes), notes.by, notes.frames)
