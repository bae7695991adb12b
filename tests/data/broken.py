"""Broken files of every format, drawn from seeds, and every reader with a whole file of its
kind."""

import inspect
import io
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

import numpy as np
import simulated
from scipy.io import savemat

from pstl.data import formats, reading
from pstl.data.datasets import nwucla, utkinect
from pstl.data.datasets._pku import CLASSES
from pstl.data.formats import (
    expmap_txt,
    interval_txt,
    msr_txt,
    pku_txt,
    sbu_txt,
    skeleton_txt,
    ucla_json,
    utd_mat,
    utkinect_txt,
)
from pstl.data.formats.skeleton_txt import ClipName

V1 = 20  # joints of the first Kinect and of MSR Action3D
# What no reader may take for a number.
FOREIGN_WORDS = tuple(
    word.encode()
    for word in (
        *(
            "nan",
            "NaN",
            "-nan",
            "inf",
            "-inf",
            "Infinity",
            "true",
            "True",
            "false",
            "null",
            "None",
            "",
            "-",
            ".",
            "+.",
            "e9",
            "1e",
            "--1",
        ),
        *(
            "1.2.3",
            "1_000",
            "0x10",
            "0b1",
            "1,5",
            "1;5",
            "1/2",
            "1e400",
            "-1e39",
            "1e30",
            "9" * 30,
            "9" * 400,
            "#1",
            "1#",
            "x",
            "é",
        ),
        *(
            "\u0663",
            "\uff13",
            "\u00b2",
            "\u2212" + "1",
            "\ufeff1",
            "1\x00",
            "\x001",
            "'1'",
            '"1"',
            "(1)",
            "1j",
            "1d0",
            "1f",
            "1e5e5",
        ),
    )
)
# What no reader may take for a blank or a line end.
FOREIGN_BLANKS = tuple(
    blank.encode()
    for blank in (
        "\x00",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1d",
        "\x1e",
        "\x1f",
        "\x7f",
        "\x85",
        "\u00a0",
        "\u2003",
        "\u2028",
        "\u3000",
        "\ufeff",
    )
)
SPLICED = (
    *(
        b"",
        b" ",
        b"\n",
        b"\r\n",
        b"\r",
        b"\t",
        b"\n\n",
        b"#",
        b"# ",
        b"25",
        b"0",
        b"-1",
        b"1000001\n",
        b"999999999",
    ),
    *(
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b",",
        b",,",
        b"[",
        b"]",
        b"}",
        b'{"label": 7}',
        b"[" * 50,
        b'"',
        b":",
        b"_1",
    ),
    *(b" " * 3000, b"9" * 3000, b"0 " * 2000),
)


class Reader(NamedTuple):
    """One reader. file: a name it takes.   whole: bytes it takes.   read: of them, to (numbers,
    their largest magnitude) or None.   text: whether its files are texts.
    """

    file: str
    whole: list[bytes]
    read: Callable[[Path, bytes], tuple[np.ndarray, float] | None]
    text: bool = True


def found() -> dict[str, Callable[..., object]]:
    """Every function of every format that reads, by "module.function"; nobody has to list it."""
    names = [
        module.name for module in iter_modules(formats.__path__) if not module.name.startswith("_")
    ]
    modules = [import_module(f"{formats.__name__}.{name}") for name in names]
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("read") and function.__module__ == module.__name__
    }


def mutated(rng: np.random.Generator, data: bytes) -> bytes:
    """One to three defects as they happen: bytes flipped, cut, lost, doubled, or replaced by
    something foreign.
    """
    for _ in range(rng.integers(1, 4)):
        data = DEFECTS[rng.integers(len(DEFECTS))](rng, data)
    return data


def _place(rng: np.random.Generator, data: bytes) -> int:
    return int(rng.integers(len(data) + 1))


def _bit(rng: np.random.Generator, data: bytes) -> bytes:
    at = _place(rng, data[:-1])
    return (
        data[:at]
        + bytes([byte ^ 1 << rng.integers(8) for byte in data[at : at + 1]])
        + data[at + 1 :]
    )


def _byte(rng: np.random.Generator, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + rng.bytes(1) + data[at + rng.integers(2) :]


def _cut(rng: np.random.Generator, data: bytes) -> bytes:
    return data[: _place(rng, data)]


def _lost(rng: np.random.Generator, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + data[at + rng.integers(1, 40) :]


def _doubled(rng: np.random.Generator, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + data[at : at + rng.integers(1, 40)] + data[at:]


def _line(rng: np.random.Generator, data: bytes) -> bytes:
    """A line lost, doubled or moved."""
    lines = data.splitlines(keepends=True) or [b""]
    line = lines.pop(rng.integers(len(lines)))
    for _ in range(rng.integers(3)):
        lines.insert(rng.integers(len(lines) + 1), line)
    return b"".join(lines)


def _spliced(rng: np.random.Generator, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + SPLICED[rng.integers(len(SPLICED))] + data[at:]


def _word(rng: np.random.Generator, data: bytes) -> bytes:
    blank = b"," if data.count(b",") > data.count(b" ") else b" "
    words = data.split(blank)
    words[rng.integers(len(words))] = FOREIGN_WORDS[rng.integers(len(FOREIGN_WORDS))]
    return blank.join(words)


def _blank(rng: np.random.Generator, data: bytes) -> bytes:
    blank = (b" ", b",", b"\n")[rng.integers(3)]
    parts = data.split(blank)
    if len(parts) < 2:
        return data
    at = rng.integers(1, len(parts))
    return (
        blank.join(parts[:at])
        + FOREIGN_BLANKS[rng.integers(len(FOREIGN_BLANKS))]
        + blank.join(parts[at:])
    )


def _whole_text(rng: np.random.Generator, data: bytes) -> bytes:
    """What another program makes of a text: other line ends, marks, encodings."""
    made = (
        data.replace(b"\n", b"\r\n"),
        data.replace(b"\n", b"\r"),
        data.replace(b"\n", b" "),
        b"\xef\xbb\xbf" + data,
        data.decode("latin-1").encode("utf-16"),
        data + b"\x1a",
        data + data,
        b"",
        bytes(len(data)),
    )
    return made[rng.integers(len(made))]


DEFECTS = (_bit, _byte, _cut, _lost, _doubled, _line, _spliced, _word, _word, _blank, _whole_text)


def _ntu(path: Path, data: bytes) -> tuple[np.ndarray, float]:
    clip = skeleton_txt.read(data, path.name)
    assert clip.ids.shape == (len(clip.xyz), clip.xyz.shape[2])
    assert (clip.ids >= 0).all()
    assert not clip.xyz.transpose(0, 2, 1, 3)[clip.ids == 0].any()
    return clip.xyz, reading.METRES.limit


def _labels(path: Path, data: bytes) -> None:
    for text in (data, reading.decoded(data)):
        intervals = pku_txt.read_labels(text, path.name, len(CLASSES))
        assert all(1 <= i.label <= len(CLASSES) and 0 <= i.start <= i.end for i in intervals)


def _split(path: Path, data: bytes) -> None:
    assert set(pku_txt.read_split(data, path.name).values()) <= {"train", "test"}


def _utkinect_labels(path: Path, data: bytes) -> tuple[np.ndarray, float]:
    labels = utkinect_txt.read_labels(data, str(path), utkinect.NAMES)
    assert all(
        0 <= label < len(utkinect.NAMES) and first <= last
        for each in labels.values()
        for label, first, last in each
    )
    return np.array(
        [action[1:] for each in labels.values() for action in each]
    ), reading.FRAMES.limit


def _intervals(path: Path, data: bytes) -> tuple[np.ndarray, float]:
    intervals = interval_txt.read(put(path, data))
    assert all(i.start <= i.end and i.label >= 0 for i in intervals)
    return np.array([i[1:] for i in intervals]), reading.TIMES.limit


def _folder(path: Path, data: bytes) -> None:
    interval_txt.read_folder(put(path.parent / "folder" / path.name, data).parent)


def put(path: Path, data: bytes) -> Path:
    """The file, written."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def _rows(shape: tuple[int, int], blank: str = " ", seed: int = 1) -> bytes:
    values = np.random.default_rng(seed).normal(size=shape).round(6)
    return "".join(blank.join(f"{value:g}" for value in row) + "\n" for row in values).encode()


def _ntu_texts() -> list[bytes]:
    return [
        simulated.ntu_clip(ClipName(1, 1, p, 1, a), frames=(2, 4))
        for p, a in ((1, 1), (2, 13), (3, 14), (4, 3))
    ]


def _ucla_text() -> bytes:
    frames = np.random.default_rng(1).normal(size=(3, V1, 3)).round(4).tolist()
    return json.dumps({"file_name": "a08_s01_e02_v03", "skeletons": frames, "label": 7}).encode()


def _utkinect_text() -> bytes:
    rows = _rows((4, 3 * V1)).splitlines(keepends=True)
    return b"".join(b"%d  %s" % (250 + 2 * i, row) for i, row in enumerate(rows))


def _mat(compressed: bool) -> bytes:
    xyz, file = np.random.default_rng(1).normal(size=(V1, 3, 4)), io.BytesIO()
    savemat(file, {"other": np.arange(3), "d_skel": xyz}, do_compression=compressed)
    return file.getvalue()


def _sbu_text() -> bytes:
    rows = _rows((4, 2 * 15 * 3), ",").splitlines(keepends=True)
    return b"".join(b"%d,%s" % (55 + i, row) for i, row in enumerate(rows))


PKU = simulated.pku_recording("0002-L", [1, 13], frames=(2, 3))
UCLA = "a08_s01_e02_v03.json"
MSR = "a01_s01_e01_skeleton3D.txt"
INTERVALS = b"1,10,20,0.5\n2 15 30 0.25\n\n51, 100.5, 200, 1e-3\n"
READERS = {
    "skeleton_txt.read": Reader("S001C001P001R001A001.skeleton", _ntu_texts(), _ntu),
    "pku_txt.read": Reader(
        "0002-L.txt",
        [b"".join(PKU[0].splitlines(keepends=True)[-8:])],
        lambda path, data: (pku_txt.read(data, path.name), reading.METRES.limit),
    ),
    "pku_txt.read_labels": Reader("0002-L.txt", [PKU[1]], _labels),
    "pku_txt.read_split": Reader(
        "cross-subject.txt", [simulated.pku_split(["0002-L", "0003-M"], ["0291-R"])], _split
    ),
    "ucla_json.read": Reader(
        UCLA,
        [_ucla_text()],
        lambda path, data: (
            ucla_json.read(data, str(path), V1, nwucla.LABELS)[0],
            reading.METRES.limit,
        ),
    ),
    "utkinect_txt.read": Reader(
        "joints_s01_e01.txt",
        [_utkinect_text()],
        lambda path, data: (utkinect_txt.read(data, str(path), V1).xyz, reading.METRES.limit),
    ),
    "utkinect_txt.read_labels": Reader(
        "actionLabel.txt",
        [b"s01_e01\nwalk: 252 390\nsitDown: 572 686\ncarry:  NaN NaN\ns01_e02\nwalk: 1 9\n"],
        _utkinect_labels,
    ),
    "msr_txt.read": Reader(
        MSR,
        [_rows((3 * V1, 4))],
        lambda path, data: (msr_txt.read(data, str(path), V1), reading.METRES.limit),
    ),
    "utd_mat.read": Reader(
        "a1_s1_t1_skeleton.mat",
        [_mat(compressed=True), _mat(compressed=False)],
        lambda path, data: (utd_mat.read(data, str(path), V1), reading.METRES.limit),
        text=False,
    ),
    "sbu_txt.read": Reader(
        "skeleton_pos.txt",
        [_sbu_text()],
        # Shares of the image may be 10, and the depth 10 times 1.28 m.
        lambda path, data: (sbu_txt.read(data, str(path), 15), 10 * 2.56 + 1.28),
    ),
    "expmap_txt.read": Reader(
        "walking_1.txt",
        [_rows((3, expmap_txt.ROOT + 3 * expmap_txt.JOINTS), ",")],
        lambda path, data: (expmap_txt.read(data, str(path)), reading.RADIANS.limit),
    ),
    "interval_txt.read": Reader("0002-L.txt", [INTERVALS], _intervals),
    "interval_txt.read_folder": Reader("0002-L.txt", [INTERVALS], _folder),
}
