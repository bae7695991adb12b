"""Archives nobody here made: whatever is wrong with one is one line that names it, and nothing is
written outside its folder.
"""

import os
import random
import threading
import zipfile

import pytest
import simulated

from pstl.data import archives, doctor
from pstl.data.datasets import nwucla
from pstl.data.fetch import fetch
from pstl.data.spec import Remote
from pstl.errors import UserError

MEMBERS = {f"all/clip{i}.txt": random.Random(i).randbytes(900) + b"0.5 " * 300 for i in range(4)}


def write(path, members=MEMBERS, change=None):
    """A zip archive; change(info) before each member is written."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change:
                change(info)
            bundle.writestr(info, content)
    return path


def patched(data, field, value, size, number=1):
    """A zip archive with one field of a member's entry in the list of files changed."""
    entries = [at for at in range(len(data)) if data[at : at + 4] == b"PK\x01\x02"]
    at = entries[number] + field
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


def renamed(data, name):
    """A zip archive in which one member is called otherwise, wherever its name stands."""
    return data.replace(b"all/clip1.txt", name)


def names_in_utf8(data):
    """The mark that says so, on every entry."""
    for number in range(len(MEMBERS)):
        data = patched(data, 8, 0x800, 2, number)
    return data


WHOLE = {
    "negative offset": lambda data: patched(data, 42, 0xFFFFFFFF, 4),
    "offset behind the end": lambda data: patched(data, 42, len(data) + 5, 4),
    "encrypted": lambda data: patched(data, 8, 1, 2),
    "absolute": lambda data: renamed(data, b"/tmp/clip.txt"),
    "climbing": lambda data: renamed(data, b"../../clip1.t"),
    "climbing inside": lambda data: renamed(data, b"all/../../c.t"),
    "backslash": lambda data: renamed(data, b"..\\..\\clip1.t"),
    "drive": lambda data: renamed(data, b"C:/lip/cl1.tx"),
    "no name": lambda data: renamed(data, b"all//lip1.txt"),
    "no utf-8": lambda data: names_in_utf8(renamed(data, b"all/\xff\xfe\x80p1.tx")),
    "twice": lambda data: renamed(data, b"all/clip2.txt"),
    "link": lambda data: patched(data, 38, 0o120777 << 16, 4),
    "device": lambda data: patched(data, 38, 0o020777 << 16, 4),
    "bomb": lambda data: patched(data, 24, 0x7FFFFFFF, 4),
    "unknown method": lambda data: patched(data, 10, 77, 2),
    "other size": lambda data: patched(data, 24, 5, 4),
    "other checksum": lambda data: patched(data, 16, 5, 4),
    "cut": lambda data: data[: len(data) // 2],
    "cut at the start": lambda data: data[500:],
    "empty": lambda data: b"",
    "a text": lambda data: b"hello\n" * 500,
    "no file in it": lambda data: b"PK\x05\x06" + bytes(18),
    "far list of files": lambda data: data[:-6] + b"\xff\xff\xff\x7f" + data[-2:],
}


@pytest.fixture
def dataset(monkeypatch, tmp_path):
    monkeypatch.setattr(
        nwucla.DATASET,
        "spec",
        nwucla.DATASET.spec.__class__(
            **{
                **nwucla.DATASET.spec.__dict__,
                "remotes": (Remote("a.zip", members=r"clip\d\.txt"),),
            }
        ),
    )
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def refused(tmp_path, dataset, name="a.zip"):
    """Fetching is one line that names the archive, and leaves nothing; the doctor says the same,
    and goes on.
    """
    before = sorted(path for path in tmp_path.rglob("*") if "raw" not in path.parts)
    with pytest.raises(UserError) as caught:
        fetch("nwucla", {}, tmp_path / "raw" / "nwucla", [dataset])
    message = str(caught.value)
    assert f"mine/{name}" in message
    assert "\n" not in message
    assert not (tmp_path / "raw" / "nwucla").exists()
    assert sorted(path for path in tmp_path.rglob("*") if "raw" not in path.parts) == before
    report = doctor.examine("nwucla", {}, tmp_path / "raw" / "nwucla", [dataset], jobs=1)
    assert not report["ok"]
    assert [line for line in doctor.text(report).splitlines() if f"mine/{name}: " in line]
    return message, report["state"]


@pytest.mark.parametrize("case", WHOLE)
def test_whatever_is_wrong_with_a_zip_is_one_line(tmp_path, dataset, case):
    """Whoever lists what a library raises forgets something: the traceback then names a line of
    this program and no file.
    """
    write(dataset / "a.zip")
    (dataset / "a.zip").write_bytes(WHOLE[case]((dataset / "a.zip").read_bytes()))
    _, state = refused(tmp_path, dataset)
    assert state == {"cut": "truncated", "empty": "truncated", "no file in it": "missing"}.get(
        case, "damaged"
    )


def test_what_is_no_file_is_no_archive(tmp_path, dataset):
    """A pipe would be waited for, for ever; a link that leads to itself has no end either."""
    os.mkfifo(dataset / "a.zip")
    assert "pipe" in refused(tmp_path, dataset)[0]
    (dataset / "a.zip").unlink()
    (dataset / "a.zip").symlink_to("a.zip")
    refused(tmp_path, dataset)
    (dataset / "a.zip").unlink()
    (dataset / "a.zip").symlink_to("nowhere.zip")
    refused(tmp_path, dataset)
    (dataset / "a.zip").unlink()
    (dataset / "loop").symlink_to("loop")
    (dataset / "up").symlink_to("..")
    write(dataset / "a.zip")
    fetch("nwucla", {}, tmp_path / "raw" / "nwucla", [dataset, dataset / "up" / "mine"])
    assert len(list((tmp_path / "raw" / "nwucla").rglob("clip*"))) == len(MEMBERS)


def test_a_folder_named_like_the_archive_is_searched(tmp_path, dataset):
    """Some systems unpack an archive into a folder of its name, ending included."""
    (dataset / "a.zip").mkdir()
    with pytest.raises(UserError, match=r"mine/a\.zip is a folder"):
        fetch("nwucla", {}, tmp_path / "raw" / "nwucla", [dataset])
    write(tmp_path / "b.zip")
    zipfile.ZipFile(tmp_path / "b.zip").extractall(dataset / "a.zip")
    fetch("nwucla", {}, tmp_path / "raw" / "nwucla", [dataset])


def test_an_archive_in_an_archive_is_said(tmp_path, dataset):
    """A download of a whole folder is such an archive; the broken one inside it is not looked
    at."""
    write(dataset / "a.zip", {"all/a.zip": b"PK broken", "readme.md": b""})
    assert "it holds another archive, 'all/a.zip'" in refused(tmp_path, dataset)[0]


def test_of_two_copies_the_whole_one_is_used(tmp_path, dataset, caplog):
    """A broken copy somewhere in a large folder must not stand in the way of the good one, nor be
    passed over in silence.
    """
    for name, cut in (("1", 100), ("2", None)):
        (dataset / name).mkdir()
        archive = write(dataset / name / "a.zip")
        archive.write_bytes(archive.read_bytes()[:cut])
    assert doctor.examine("nwucla", {}, tmp_path / "raw" / "nwucla", [dataset], jobs=1)[
        "found"
    ] == {"a.zip": str(archive)}
    fetch("nwucla", {}, tmp_path / "raw" / "nwucla", [dataset])
    assert "1/a.zip: truncated" in caplog.text
    assert "2/a.zip is used" in caplog.text


def complaint_of(path, folder):
    """What is said about an archive that is unpacked; anything but a UserError is a crash."""
    try:
        archives.unpack(path, folder)
    except UserError as error:
        return str(error)
    return ""


def test_bits_that_flip_anywhere_give_the_members_or_one_line(tmp_path):
    """No bit of an archive may end in a traceback, and none may give bytes that nobody packed."""
    rng, contents = random.Random(0), set(MEMBERS.values())
    simulated.write_7z(tmp_path / "a.7z", MEMBERS)
    for name, count in (("a.zip", 400), ("a.7z", 100)):
        path = write(tmp_path / name) if name == "a.zip" else tmp_path / name
        whole = path.read_bytes()
        refused_files = 0
        for i in range(count):
            # The list of files and the headers, which are most of what can be said wrongly, lie at
            # the ends.
            at = rng.choice(
                (rng.randrange(len(whole)), rng.randrange(40), len(whole) - 1 - rng.randrange(350))
            )
            path.write_bytes(
                whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :]
            )
            (tmp_path / f"{name}{i}").mkdir()
            complaint = complaint_of(path, tmp_path / f"{name}{i}")
            assert not complaint or (str(path) in complaint and "\n" not in complaint)
            refused_files += bool(complaint)
            unpacked = [
                file.read_bytes() for file in (tmp_path / f"{name}{i}").rglob("*") if file.is_file()
            ]
            assert set(unpacked) <= contents
        assert refused_files > count / 3


def test_who_waits_for_members_hears_of_every_failure(tmp_path, monkeypatch):
    """A thread that dies in silence is waited for until somebody looks."""
    simulated.write_7z(tmp_path / "a.7z", MEMBERS)
    monkeypatch.setattr(
        "py7zr.SevenZipFile.extract", lambda *_, **__: (_ for _ in ()).throw(SystemExit("gone"))
    )
    threads = threading.active_count()
    with pytest.raises(SystemExit):
        list(archives.stream(tmp_path / "a.7z", set(MEMBERS)))
    assert threading.active_count() == threads
