"""What is published is whole, and what killed writers left does not stay."""

import errno
import multiprocessing
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pstl import leftovers, locks, publish
from pstl.errors import UserError
from pstl.files import atomic, replaced


def leave_half(path: str, folder: bool) -> None:
    """Write half, and be killed."""
    with replaced(path) if folder else atomic(path) as new:
        (new / "half" if folder else new).write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def run(function, *words):
    process = multiprocessing.get_context("spawn").Process(target=function, args=words)
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.parametrize("folder", [True, False])
def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path, folder: bool) -> None:
    """Eight of twelve killed fetches left a temporary folder for ever, of gigabytes."""
    place = tmp_path / "a[1]"
    assert run(leave_half, str(place), folder) == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    assert not place.exists()
    with replaced(place) if folder else atomic(place) as new:
        (new / "all" if folder else new).write_text("all")
    assert [path.name for path in tmp_path.iterdir()] == ["a[1]"]


def test_what_others_are_writing_stays(tmp_path: Path) -> None:
    """Of this machine those that live, and of others all: nobody here can tell."""
    living = tmp_path / f".a.{os.getppid()}@{socket.gethostname()}"
    elsewhere = tmp_path / ".a.1234567@elsewhere"
    another = tmp_path / f".ab.9999999@{socket.gethostname()}"
    for path in (living, elsewhere, another):
        path.write_text("half")
    with atomic(tmp_path / "a") as new:
        new.write_text("all")
    assert living.exists()
    assert elsewhere.exists()
    assert another.exists()


def write_often(place: str, mark: str, times: int) -> None:
    """A folder of three files that all say the same, again and again."""
    for number in range(times):
        with replaced(place) as new:
            for name in "abc":
                (new / name).write_text(f"{mark}{number}")


def test_of_two_writers_of_one_folder_one_wins_whole(tmp_path: Path) -> None:
    """A third of such pairs ended in an error of the system, and could have mixed their files."""
    place = tmp_path / "folder"
    context = multiprocessing.get_context("spawn")
    words = [(str(place), mark, 20) for mark in "xy"]
    both = [context.Process(target=write_often, args=each) for each in words]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert len({path.read_text() for path in place.iterdir()}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_content_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch) -> None:
    """A power cut between the two leaves an empty file under the name of a whole one."""
    said: list[str] = []
    sync, rename = os.fsync, os.replace

    def noted_sync(descriptor: int) -> None:
        said.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name.split('.')[-1]}")
        sync(descriptor)

    def noted_rename(source: Path, target: Path) -> None:
        said.append("rename")
        rename(source, target)

    monkeypatch.setattr(publish.os, "fsync", noted_sync)
    monkeypatch.setattr(publish.os, "replace", noted_rename)
    if not sys.platform.startswith("linux"):
        pytest.skip("needs /proc to name what is written to the disk")
    with replaced(tmp_path / "f") as new:
        (new / "deep").mkdir()
        (new / "deep" / "x").write_text("1")
    ours = f"{os.getpid()}@{socket.gethostname()}".split(".")[-1]
    assert said == ["sync x", "sync deep", f"sync {ours}", "rename", f"sync {tmp_path.name}"]
    said.clear()
    with atomic(tmp_path / "g") as new:
        new.write_text("1")
    assert said == [f"sync {ours}", "rename", f"sync {tmp_path.name}"]


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "a b\nc[1]*?'\"$(x)"])
def test_whatever_can_be_a_name_can_be_published(tmp_path: Path, name: str) -> None:
    """A temporary name that is longer than the final one must not be what a long name fails of."""
    (tmp_path / "folders").mkdir()
    for text in ("old", "new"):
        with atomic(tmp_path / name) as new:
            new.write_text(text)
        with replaced(tmp_path / "folders" / name) as new:
            (new / "x").write_text(text)
    assert (tmp_path / name).read_text() == "new"
    assert (tmp_path / "folders" / name / "x").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {name, "folders"}
    assert [path.name for path in (tmp_path / "folders").iterdir()] == [name]


def test_only_this_machines_leavings_go(tmp_path: Path, monkeypatch) -> None:
    """The name of node1 begins that of node10, whose writer is alive; SQLite's files go, too."""
    monkeypatch.setattr(socket, "gethostname", lambda: "node1.site")
    gone = multiprocessing.get_context("spawn").Process(target=int)
    gone.start()
    gone.join()
    kept = [f".a.{gone.pid}@{host}" for host in ("node1.site0", "node1", "node1.site.b")]
    left = [f".a.{gone.pid}@node1.site{end}" for end in publish.ENDS]
    for name in (*kept, *left):
        (tmp_path / name).write_text("half")
    with atomic(tmp_path / "a") as new:
        new.write_text("all")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "a"])


def test_a_folder_takes_the_place_of_a_link_to_one(tmp_path: Path) -> None:
    """As a file does; the link stayed under a temporary name for ever."""
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "x").write_text("old")
    (tmp_path / "near").symlink_to("far")
    with replaced(tmp_path / "near") as new:
        (new / "x").write_text("new")
    assert {path.name: path.is_symlink() for path in tmp_path.iterdir()} == {
        "far": False,
        "near": False,
    }
    assert (tmp_path / "far" / "x").read_text() == "old"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_what_does_not_reach_the_disk_does_not_get_its_name(
    tmp_path: Path, monkeypatch, number: int
) -> None:
    """Some file systems say only then that they are full: the old file was lost for half a one."""

    def failing(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with atomic(tmp_path / "a") as new:
        new.write_text("old")
    monkeypatch.setattr(publish.os, "fsync", failing)
    with pytest.raises(UserError, match=f"{tmp_path / 'a'}: "), atomic(tmp_path / "a") as new:
        new.write_text("new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def die_between_renames(place: str) -> None:
    """Replace a folder where names cannot be exchanged, and be killed after the first rename."""
    rename = os.replace

    def once(source: Path, target: Path) -> None:
        rename(source, target)
        os.kill(os.getpid(), signal.SIGKILL)

    publish._exchanged = lambda one, other: False
    publish.os.replace = once
    with replaced(place) as new:
        (new / "x").write_text("new")


def test_a_folder_without_its_name_gets_it_back(tmp_path: Path) -> None:
    """Between two renames nothing stands under the name: who was killed there lost the old one."""
    place = tmp_path / "a[1]"
    with replaced(place) as new:
        (new / "x").write_text("old")
    assert run(die_between_renames, str(place)) == -signal.SIGKILL
    assert not place.exists()
    with suppress(KeyboardInterrupt), replaced(place):
        assert (place / "x").read_text() == "old"
        raise KeyboardInterrupt
    assert (place / "x").read_text() == "old"
    with replaced(place) as new:
        (new / "x").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a[1]"]


@pytest.mark.parametrize("known", [True, False])
def test_folders_exchange_their_names_with_and_without_the_system(
    tmp_path: Path, monkeypatch, known: bool
) -> None:
    """Network file systems know no exchange; the result must be the same."""
    if not known:
        monkeypatch.setattr(publish, "_exchanged", lambda one, other: False)
    for text in ("old", "new"):
        with replaced(tmp_path / "f") as new:
            (new / text).write_text(text)
    assert [path.name for path in tmp_path.rglob("*")] == ["f", "new"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an exchange of Linux")
def test_a_name_is_never_without_a_folder(tmp_path: Path, monkeypatch) -> None:
    """Whoever reads, or is killed, meanwhile finds the old or the new."""
    with replaced(tmp_path / "f") as new:
        (new / "x").write_text("old")
    rename = os.replace

    def noted(source: Path, target: Path) -> None:
        assert Path(source) != tmp_path / "f"
        rename(source, target)

    monkeypatch.setattr(publish.os, "replace", noted)
    with replaced(tmp_path / "f") as new:
        (new / "x").write_text("new")
    assert (tmp_path / "f/x").read_text() == "new"


def test_cleaning_removes_what_killed_writers_left(tmp_path: Path) -> None:
    """Of places that nobody writes to again it would stay for ever: other settings, other names."""
    deep, host = tmp_path / "data" / "x", socket.gethostname()
    deep.mkdir(parents=True)
    for folder in (True, False):
        assert run(leave_half, str(deep / f"{folder}"), folder) == -signal.SIGKILL
    with replaced(deep / "whole") as new:
        (new / "x").write_text("old")
    assert run(die_between_renames, str(deep / "whole")) == -signal.SIGKILL
    (deep / f".a.{os.getppid()}@{host}").write_text("half, and its writer lives")
    (deep / ".a.1234567@elsewhere").write_text("half")
    (deep / "a.zip.part").write_text("half, and a download goes on from there")
    holding = locks.acquire(deep / ".held.lock")
    assert holding is not None
    gone = leftovers.sweep(tmp_path)
    assert len(gone) == 5
    assert (deep / "whole" / "x").read_text() == "old"
    assert {path.name for path in deep.iterdir()} == {
        "whole", f".a.{os.getppid()}@{host}", ".a.1234567@elsewhere", "a.zip.part", ".held.lock",
    }  # fmt: skip
    holding.release()


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path, monkeypatch) -> None:
    """`--out ~/Documents` would have taken everything in it."""
    theirs = tmp_path / "documents"
    (theirs / "letters").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds letters and no meta\.json"):
        publish_one(theirs)
    monkeypatch.chdir(theirs / "letters")
    for folder in (".", "..", theirs, Path.home(), "/"):
        with pytest.raises(UserError, match="would be replaced, and holds"), replaced(folder):
            pass
    assert [path.name for path in theirs.iterdir()] == ["letters"]
    publish_one(tmp_path / "empty")
    publish_one(tmp_path / "empty")  # ours by now
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/x").write_text("left where Snakemake took the manifest away")
    publish_one(Path("data/raw"))
    assert [path.name for path in Path("data/raw").iterdir()] == ["meta.json"]


def publish_one(folder: Path) -> None:
    with replaced(folder, "meta.json") as new:
        (new / "meta.json").write_text("{}")
