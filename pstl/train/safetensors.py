"""Weights as safetensors: a file that holds numbers and cannot hold code.

Its notes hold a checksum of all tensors and of all other notes. A file without one is somebody
else's, or of an earlier version, and taken as it is.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from pstl.files import Kind, atomic, reading

SEAL = "sha256"  # the note that is the checksum
LENGTH = 8  # bytes that say how long the header is; its end is a multiple of them
NOTES = "__metadata__"  # what the format calls them
SAFETENSORS = Kind("readable safetensors file", "it may be truncated: fetch it again")


def write(path: str | Path, tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
    """Write tensors of any shapes by name, such as (C, D), and notes, whole or not at all."""
    rows = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as new:
        new.write_bytes(_in_order(save(rows, {**notes, SEAL: _digest(rows, notes)})))


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, such as (C, D), and notes.

    Raises: UserError if the file is missing, truncated, of another format, or not what was sealed.
    """
    with reading(path, SAFETENSORS), safe_open(path, "pt") as content:
        tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        notes: dict[str, str] = dict(content.metadata() or {})
        seal = notes.pop(SEAL, "")
        if seal and seal != _digest(tensors, notes):
            raise ValueError("other content than its checksum says")
        return tensors, notes


def _in_order(content: bytes) -> bytes:
    """A file with its notes sorted: the library writes them in another order each time, so that
    equal weights would have other checksums."""
    end = LENGTH + int.from_bytes(content[:LENGTH], "little")
    header = json.loads(content[LENGTH:end])
    header[NOTES] = dict(sorted(header[NOTES].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % LENGTH)
    return len(text).to_bytes(LENGTH, "little") + text + content[end:]


def _digest(tensors: dict[str, Tensor], notes: dict[str, str]) -> str:
    """A checksum of tensors by name, of any shapes, and of notes."""
    total = hashlib.sha256(repr(sorted(notes.items())).encode())
    for name, tensor in sorted(tensors.items()):
        total.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        total.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
