"""Weights as safetensors: a file that holds numbers and cannot hold code."""

from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from pstl.files import Kind, atomic, reading

SAFETENSORS = Kind("readable safetensors file", "it may be truncated: fetch it again")


def write(path: str | Path, tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
    """Write tensors of any shapes by name, such as (C, D), and notes, whole or not at all."""
    rows = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as new:
        new.write_bytes(save(rows, notes))


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, such as (C, D), and notes.

    Raises: UserError if the file is missing, truncated or of another format.
    """
    with reading(path, SAFETENSORS), safe_open(path, "pt") as content:
        tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        return tensors, content.metadata() or {}
