"""curve.jsonl: one JSON object per epoch of a training, numbers by name. Free of torch."""

import json
from pathlib import Path

from pstl.files import Kind, check_shape, parsed, reading, write_text

AGAIN, MAKE = "delete it and run the pre-training again", "'python -m pstl pretrain' writes it"
CURVE = Kind("readable curve in JSON lines", AGAIN, MAKE)
Epochs = list[dict[str, float]]


def write(path: str | Path, epochs: Epochs) -> None:
    """The file appears whole or not at all."""
    write_text(path, "".join(json.dumps(epoch, allow_nan=False) + "\n" for epoch in epochs))


def read(path: str | Path) -> Epochs:
    """Raises: UserError if the file is missing, or a line is not finite numbers by name.

    `epoch` and `loss` are among them.
    """
    with reading(path, CURVE):
        lines = Path(path).read_text("utf-8").splitlines()
        epochs: Epochs = [parsed(line) for line in lines if line.strip()]
        check_shape(epochs, list[dict[str, float]])
        if not all({"epoch", "loss"} <= epoch.keys() for epoch in epochs):
            raise ValueError("a line without epoch and loss")
        return epochs
