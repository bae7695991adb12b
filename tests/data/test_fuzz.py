"""Thousands of broken files: each is refused in one line that names it, or read into finite numbers of the right shape."""

import json

import numpy as np
import pytest

from pstl.data import simulated
from pstl.data.datasets import nwucla
from pstl.data.datasets._pku import CLASSES
from pstl.data.formats import msr_txt, pku_txt, skeleton_txt, ucla_json, utkinect_txt
from pstl.data.formats.skeleton_txt import Name
from pstl.errors import UserError

V2, V1 = 25, 20  # joints
FARTHEST = 1000  # metres: beyond it no depth camera sees anything
SPLICED = (
    b"",
    b" ",
    b"\n",
    b"\r\n",
    b"-",
    b".",
    b"e9",
    b"1e39",
    b"nan",
    b"inf",
    b"25",
    b"0",
    b"-1",
    b"9" * 30,
    b"\x00",
    b"\xff\xfe",
    b",",
    b"[",
    b"}",
    b"_1",
)


def mutated(rng, data):
    """One to three defects as they happen: bytes flipped, cut, lost, doubled, moved, or replaced by something foreign."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 40))
        match rng.integers(6):
            case 0:
                data[at : at + 1] = bytes(rng.integers(0, 256, 1, np.uint8))
            case 1:
                del data[at:]
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length]
            case 4:
                data[at:at] = SPLICED[rng.integers(len(SPLICED))]
            case 5:
                words = bytes(data).split(b" ")
                words[rng.integers(len(words))] = SPLICED[rng.integers(len(SPLICED))]
                data = bytearray(b" ".join(words))
    return bytes(data)


def ntu(path, data):
    found = skeleton_txt.read(data, path.name)
    assert found.ids.shape == (len(found.xyz), found.xyz.shape[2])
    assert (found.ids >= 0).all()
    assert not found.xyz.transpose(0, 2, 1, 3)[found.ids == 0].any()
    return found.xyz, V2


def pku(path, data):
    return pku_txt.read(data, path.name), V2


def labels(path, data):
    found = pku_txt.read_labels(data.decode("utf-8", "replace"), path.name, len(CLASSES))
    assert all(1 <= i.label <= len(CLASSES) and 0 <= i.start <= i.end for i in found)
    return None


def split(path, data):
    assert set(pku_txt.read_split(data.decode("utf-8", "replace"), path.name).values()) <= {"train", "test"}


def ucla(path, data):
    path.write_bytes(data)
    return ucla_json.read(path, V1, nwucla.LABELS)[0], V1


def utkinect(path, data):
    path.write_bytes(data)
    return utkinect_txt.read(path, V1).xyz, V1


def msr(path, data):
    path.write_bytes(data)
    return msr_txt.read(path, V1), V1


def seeds(kind):
    """A few whole files of one kind, small: what is tested is the reader, not its patience."""
    rng = np.random.default_rng(1)
    if kind == "ntu":
        return [simulated.ntu_clip(Name(1, 1, p, 1, a), frames=(2, 4)) for p, a in ((1, 1), (2, 13), (3, 14), (4, 3))]
    if kind in ("pku", "labels"):
        made = simulated.pku_recording("0002-L", [1, 13], frames=(2, 3))
        return [b"".join(made[0].splitlines(keepends=True)[-8:])] if kind == "pku" else [made[1]]
    if kind == "split":
        return [simulated.pku_split(["0002-L", "0003-M"], ["0291-R"])]
    if kind == "ucla":
        frames = rng.normal(size=(3, V1, 3)).round(4).tolist()
        return [json.dumps({"file_name": "a08_s01_e02_v03", "skeletons": frames, "label": 7}).encode()]
    if kind == "msr":
        return ["".join(f"{x:.6f} {y:.6f} {z:.6f} 1.000000\n" for x, y, z in rng.normal(size=(3 * V1, 3))).encode()]
    rows = np.concatenate([np.arange(4)[:, None] * 2 + 250, rng.normal(size=(4, V1 * 3)).round(5)], axis=1)
    return ["\n".join(" ".join(map(str, row)) for row in rows).encode()]


def outcome(read, path, data):
    """What a reader made of a file, and its complaint; anything but a UserError is a crash."""
    try:
        return read(path, data), ""
    except UserError as error:
        return None, str(error)


@pytest.mark.parametrize(
    ("kind", "read", "name", "count"),
    [
        ("ntu", ntu, "S001C001P001R001A001.skeleton", 900),
        ("pku", pku, "0002-L.txt", 600),
        ("labels", labels, "0002-L.txt", 200),
        ("split", split, "cross-subject.txt", 100),
        ("ucla", ucla, "a08_s01_e02_v03.json", 400),
        ("utkinect", utkinect, "joints_s01_e01.txt", 200),
        ("msr", msr, "a01_s01_e01_skeleton3D.txt", 200),
    ],
)
def test_broken_files_are_refused_by_name_or_read_whole(tmp_path, kind, read, name, count):
    """Of 56,880 files some are always broken: a crash without a name costs a day, a NaN or a shifted joint costs the result."""
    rng, whole, refused = np.random.default_rng(0), seeds(kind), 0
    for i, data in enumerate([*whole, *(mutated(rng, whole[i % len(whole)]) for i in range(count))]):
        found, complaint = outcome(read, tmp_path / name, data)
        if complaint:
            assert name in complaint, data
            assert "\n" not in complaint, data
            assert i >= len(whole), f"a whole file was refused: {complaint}"
            refused += 1
        if found is not None:
            xyz, joints = found
            assert xyz.dtype == np.float32
            assert xyz.ndim == 4
            assert xyz.shape[0] >= 1
            assert xyz.shape[1::2] == (joints, 3)
            assert np.isfinite(xyz).all()
            assert np.abs(xyz).max(initial=0) <= FARTHEST or kind in ("ucla", "utkinect")
    assert refused > count / 5  # the defects do reach the readers
