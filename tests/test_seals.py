"""A seal is over all of a file, and a file that has none is read as ever."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pstl import files, seals
from pstl.data import numpy_file
from pstl.train import checkpoint, safetensors


def with_comment(path: Path, comment: bytes) -> Path:
    with zipfile.ZipFile(path, "a") as parts:
        parts.comment = comment
    return path


@pytest.mark.parametrize("comment", [b"", b"made elsewhere", b"c" * 100])
def test_a_zip_of_somebody_else_is_taken_as_it_is(tmp_path: Path, comment: bytes) -> None:
    """Weights of other programs may carry a comment, and earlier versions wrote none."""
    torch.save({"a": torch.ones(3)}, tmp_path / "a.pt")
    assert seals.zip_digest(with_comment(tmp_path / "a.pt", comment)) == ""
    assert checkpoint.read(tmp_path / "a.pt")["a"].tolist() == [1, 1, 1]


def test_no_bit_of_the_end_of_a_sealed_file_can_be_another(tmp_path: Path) -> None:
    """A flipped length of the comment must not make the seal somebody else's words."""
    path = tmp_path / "a.npz"
    numpy_file.save_npz(path, {"a": np.arange(3)})
    sound = path.read_bytes()
    first = len(sound) - seals.END_SIZE - seals.DIGITS
    for bit in range(8 * first, 8 * len(sound)):
        content = bytearray(sound)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"end is not there|its checksum says"):
            seals.check_zip(path, seals.zip_digest(path))


@pytest.mark.parametrize(
    "key", ["digest", "commit", "sha512", "\u0434\u0430\u043d\u043d\u044b\u0435"]
)
def test_the_last_member_of_somebody_elses_json_is_no_seal(key: str) -> None:
    """Other programs end their files with a checksum of something, too."""
    for value in ("0" * 64, "f" * 64, "ab" * 32):
        text = json.dumps({"a": 1, key: value}, indent=1, ensure_ascii=False) + "\n"
        assert seals.opened(text) == text


def test_no_bit_of_a_sealed_text_can_be_another() -> None:
    """Nor of its seal, which must not become somebody else's member."""
    sound = seals.seal(json.dumps({"a": 1, "name": "b"}, indent=1) + "\n").encode()
    for bit in range(8 * len(sound)):
        content = bytearray(sound)
        content[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):  # noqa: PT011
            files.parsed(seals.opened(content.decode("utf-8")))


def test_a_checkpoint_of_strange_settings_is_set_aside_beside_itself(tmp_path: Path) -> None:
    """What a file says of itself is no part of a path."""
    path = tmp_path / "last.pt"
    state = {"epoch": 1, "history": [], "method": {}, "optimiser": {}}
    checkpoint.write(path, state | {"settings": "../../x"})
    method = torch.nn.Linear(1, 1)
    optimiser = torch.optim.SGD(method.parameters(), lr=0.1)
    assert checkpoint.resume(path, "ab" * 32, method, optimiser) == (0, [])
    checkpoint.release(path)
    assert [each.name for each in tmp_path.iterdir()] == ["last.pt.______x"]


def test_equal_weights_are_equal_files(tmp_path: Path) -> None:
    """The library writes notes in an order that changes, so that an export had another checksum
    each time."""
    notes = {f"note {number}": "\u00e9" * number for number in range(9)}
    contents = set()
    for number in range(4):
        path = tmp_path / f"{number}.safetensors"
        safetensors.write(path, {"b": torch.ones(3), "a": torch.zeros(2, 5)}, notes)
        contents.add(path.read_bytes())
        tensors, read = safetensors.read(path)
        assert (tensors["b"].tolist(), tensors["a"].shape, read) == ([1, 1, 1], (2, 5), notes)
    assert len(contents) == 1
