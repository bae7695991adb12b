"""Weights as safetensors: a file that holds numbers and cannot hold code. The format is short, so no package is needed for it.

8 bytes: length of the header, little-endian.   header: JSON {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}},
padded with blanks to a multiple of 8.   then the tensors' bytes, little-endian, row by row.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pstl.errors import UserError
from pstl.files import Kind, atomic, check_shape, parsed, reading

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
SAFETENSORS = Kind("readable safetensors file", "it may be truncated: fetch it again")
CODES = {dtype: code for code, dtype in DTYPES.items()}


def write(path: str | Path, tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
    """Write tensors by name, sorted, and notes; the file appears whole or not at all."""
    header: dict[str, object] = {"__metadata__": notes} if notes else {}
    blobs, offset = [], 0
    for name, tensor in sorted(tensors.items()):
        blob = _bytes(tensor)
        header[name] = {
            "dtype": CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic(path) as new, open(new, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.writelines(blobs)


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and notes. Raises: UserError if the file is missing, truncated or of another format."""
    with reading(path, SAFETENSORS):
        data = Path(path).read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = parsed(data[8:start].decode())
        check_shape(header, dict[str, dict[str, Any]])
        notes = header.pop("__metadata__", {})
        check_shape(notes, dict[str, str])
        return {name: _tensor(data, start, entry) for name, entry in header.items()}, notes


def _bytes(tensor: Tensor) -> bytes:
    if sys.byteorder != "little":
        raise UserError("safetensors files are written on little-endian machines only")
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _tensor(data: bytes, start: int, entry: dict[str, list[int]]) -> Tensor:
    first, last = entry["data_offsets"]
    dtype, shape = DTYPES[str(entry["dtype"])], entry["shape"]
    if not 0 <= first <= last <= len(data) - start:
        raise ValueError(f"bytes {first} to {last} of {len(data) - start}")
    blob = bytearray(
        data[start + first : start + last]
    )  # a copy, so that the tensor may be written to
    return (torch.frombuffer(blob, dtype=dtype) if blob else torch.zeros(0, dtype=dtype)).reshape(
        shape
    )
