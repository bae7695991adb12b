"""A faster way to the same bytes, and to none that are not the same."""

import random
import zipfile

import pytest

from pstl.data import archives, inflate
from pstl.errors import UserError

MEMBERS = {
    "empty": b"",
    "short": b"a",
    "text": b"0.123 4.56\n" * 9_999,
    "noise": random.Random(0).randbytes(70_000),
}


@pytest.fixture(params=["as it is here", "without libdeflate"])
def library(request, monkeypatch):
    """What the archive is read with; where the system has no libdeflate both are the standard
    library."""
    if request.param == "without libdeflate":
        monkeypatch.setattr(inflate, "_library", lambda: None)


@pytest.fixture(params=[zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def path(request, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", request.param) as bundle:
        for name, content in MEMBERS.items():
            info = zipfile.ZipInfo(f"deep/{name}")
            info.compress_type, info.extra = (
                request.param,
                b"\x99\x99\x02\x00ab",
            )  # further bytes before the content
            bundle.writestr(info, content)
    return tmp_path / "a.zip"


def test_members_come_out_as_they_went_in(path, library):
    """One byte off is a joint somewhere else."""
    with zipfile.ZipFile(path) as bundle:
        for name, content in [*MEMBERS.items(), *reversed(MEMBERS.items())]:
            assert archives.read_member(bundle, f"deep/{name}") == content


def what_comes(bundle):
    try:
        return archives.read_member(bundle, "deep/text")
    except UserError as error:
        return str(error).split(": ", 1)[1].split(" (")[0]


def test_damage_anywhere_is_an_error_that_names_the_member(path, library):
    """Nobody may be handed bytes that are not what was packed."""
    whole, rng = path.read_bytes(), random.Random(1)
    with zipfile.ZipFile(path) as bundle:
        info = bundle.getinfo("deep/text")
        first = info.header_offset + 30 + len(info.filename) + len(info.extra)
    for _ in range(40):
        at = first + rng.randrange(info.compress_size)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        with zipfile.ZipFile(path) as bundle:
            assert what_comes(bundle) in (
                MEMBERS["text"],
                "member deep/text is damaged",
            )  # the first: a bit that carries nothing
