"""curve.jsonl: one JSON object per epoch of a training, numbers by name. Free of torch."""

import json
import os
from pathlib import Path
from typing import Any

from pstl.files import Kind, check_shape, checksum, parsed, read_json, reading, write_text

AGAIN, MAKE = "delete it and run the pre-training again", "'python -m pstl pretrain' writes it"
CURVE = Kind("readable curve in JSON lines", AGAIN, MAKE)
RECORD = Kind("readable record of a run", "delete it and run the pre-training again")
Epochs = list[dict[str, float]]


def write(path: str | Path, epochs: Epochs) -> None:
    """The file appears whole or not at all."""
    write_text(path, "".join(json.dumps(epoch, allow_nan=False) + "\n" for epoch in epochs))


def read(path: str | Path) -> Epochs:
    """Raises: UserError if the file is missing, a line is not finite numbers by name, `epoch` and
    `loss` among them, or the file is not the one that run.json beside it is about.
    """
    written = _checksum_beside(Path(path))
    with reading(path, CURVE):
        if written not in ("", checksum(path)):
            raise ValueError("other content than the checksum in run.json says")
        lines = Path(path).read_text("utf-8").splitlines()
        epochs: Epochs = [parsed(line) for line in lines if line.strip()]
        check_shape(epochs, list[dict[str, float]])
        if not all({"epoch", "loss"} <= epoch.keys() for epoch in epochs):
            raise ValueError("a line without epoch and loss")
        return epochs


def _checksum_beside(path: Path) -> str:
    """What run.json says of this file; empty while the training goes on."""
    beside = path.with_name("run.json")
    if not os.path.lexists(beside):
        return ""
    record: dict[str, Any] = read_json(beside, RECORD)
    return str(record.get("files", {}).get(path.name, ""))
