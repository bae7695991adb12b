"""What a verb is told, and what it finds where it is to write: names of devices, folders that are
none, a full disk, a server's words.
"""

import os
import resource
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import small_world as world
import torch

import pstl
from pstl import config
from pstl.data.download import download
from pstl.errors import UserError
from pstl.files import Kind, atomic, read_text, replaced
from pstl.train.hardware import choose_device

WRITING = {
    name: words
    for name, words in world.VERBS.items()
    if any(word.startswith("out/") for word in words)
} | {
    "pretrain": [word.replace("half", "out") for word in world.VERBS["pretrain"]],
    "export": world.VERBS["export"],
}
del WRITING["import-weights"]  # there is no official checkpoint here
UNPACKING = (
    "classify",
    "trace",
)  # snapshots, into the system's temporary folder, before they write
ON_DEVICE = {name: words for name, words in world.VERBS.items() if "--device" in words}
KIND = Kind("readable thing", "get it again", "make it")


@pytest.fixture(autouse=True)
def place(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small)


def elsewhere(words: list[str], folder: str) -> list[str]:
    """The same words, to write into another folder."""
    return [
        f"{folder}/{word.removeprefix('out/')}" if word.startswith("out/") else word
        for word in words
    ]


@pytest.mark.parametrize(
    "name",
    ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:99999", "cpu:0", "mps", "", "CUDA", "cuda 0"],
)
def test_unknown_devices_are_refused_with_those_that_exist(name: str) -> None:
    """torch lists a dozen kinds of accelerator that nobody has, and this program knows two."""
    with pytest.raises(UserError, match=r"unknown; known: auto, cpu, cuda, cuda:N"):
        choose_device(name)


@pytest.mark.parametrize("verb", ON_DEVICE)
def test_every_verb_refuses_a_device_that_is_none(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is the same everywhere."""
    words = ON_DEVICE[verb]
    place = words.index("--device") + 1
    assert "device 'gpu': unknown" in world.refused(
        [*words[:place], "gpu", *words[place + 1 :]], capsys
    )


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number too high is most often one that counts from 1."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no usable GPU; pass --device cpu"):
        pstl.load(f"{world.HOME}/encoder.pt", device="cuda")
    assert pstl.load(f"{world.HOME}/encoder.pt", device="auto").device == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UserError, match="this machine has 2 of them; pass cuda:1"):
        choose_device("cuda:2")


@pytest.mark.parametrize(
    ("verb", "folder"),
    [
        *((verb, "params.yaml/below") for verb in WRITING),
        ("embed", "/proc/pstl"),
        ("features", "/dev/null"),
    ],
)
def test_a_place_that_takes_no_files_is_one_line_with_its_name(
    verb: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Also where the work took the night: what to name instead is known, and nothing half-written
    lies about.
    """
    assert folder in world.refused(elsewhere(WRITING[verb], folder), capsys)


@pytest.mark.parametrize("verb", WRITING)
def test_a_full_disk_is_one_line_and_leaves_nothing(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The limit on a file's size stands for it: the same error from the same call."""
    words = WRITING[verb]
    with limited(64):
        said = world.refused(words, capsys)
    shutil.rmtree("out", ignore_errors=True)
    assert "out/" in said or verb in UNPACKING
    assert "file too large; raise the limit" in said
    assert f".{os.getpid()}" not in said  # where it was to be, and not where it was on the way


@contextmanager
def limited(size: int) -> Iterator[None]:
    """No file may become larger than so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_output_never_takes_the_place_of_a_device_or_folder(tmp_path: Path) -> None:
    """Renaming a file onto /dev/null, as root, replaces /dev/null for everybody."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    for name, what in (("pipe", "a pipe or socket"), ("folder", "a folder")):
        with (
            pytest.raises(UserError, match=rf"{name}: {what} stands where the file should be"),
            atomic(tmp_path / name),
        ):
            pytest.fail("nothing may be made for it")
    with (
        pytest.raises(UserError, match="/dev/null: a device stands where the file should be"),
        atomic("/dev/null"),
    ):
        pytest.fail("nothing may be made for it")
    with (
        pytest.raises(UserError, match="file: a file stands where a folder should be"),
        replaced(tmp_path / "file"),
    ):
        pytest.fail("nothing may be made for it")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "pipe"]
    assert (tmp_path / "file").read_text() == "mine"


def test_the_last_net_names_what_the_system_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a disk says that nobody foresaw is one line.

    What is our own fault stays a traceback.
    """
    for error, line in (
        (
            OSError(6, "No such device or address", "/some/where"),
            "/some/where: no such device or address; see that",
        ),
        (
            OSError("10 requested and 4 written"),
            "output: 10 requested and 4 written; see that it can be read and written",
        ),
        (
            ModuleNotFoundError("No module named 'mlflow.x'", name="mlflow.x"),
            "needs mlflow, which is not installed here; run: pip",
        ),
        (
            ModuleNotFoundError("No module named 'yaml'", name="yaml"),
            "needs yaml, which is not installed here; run: pip install 'pstl'",
        ),
    ):
        monkeypatch.setattr(config, "load_suite", raising(error))
        assert line in world.refused(["check"], capsys)
    for error in (ModuleNotFoundError("No module named 'pstl.x'", name="pstl.x"), KeyError("x")):
        monkeypatch.setattr(config, "load_suite", raising(error))
        with pytest.raises(type(error)):
            world.ran(["check"], capsys)


def raising(error: Exception) -> object:
    def verb(*arguments: object) -> None:
        raise error

    return verb


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "10, 10", "²"])
def test_a_length_that_is_no_number_is_one_line(
    length: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's words are input like any other."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        headers = f"Content-Type: application/zip\r\nContent-Length: {length}\r\nConnection: close"
        answer = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\nbytes"

        def serve() -> None:
            client = server.accept()[0]
            with client:
                client.recv(4096)
                client.sendall(answer.encode("latin-1"))

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(
            UserError,
            match=r"download failed: the server says that .* bytes come, expected a number",
        ):
            download(f"http://127.0.0.1:{server.getsockname()[1]}/a.zip", tmp_path / "a.zip")
        thread.join()
    assert not (tmp_path / "a.zip").exists()


def test_whatever_a_library_says_of_a_file_is_one_line(tmp_path: Path) -> None:
    """Reasons of other people's code have many lines, or none."""
    path = tmp_path / "thing"
    path.write_text("x")
    for error, said in (
        (ValueError("first\n  second"), "first second"),
        (EOFError(), "EOFError"),
        (KeyError("a"), "no a in it"),
    ):
        with pytest.raises(UserError) as caught, pstl.files.reading(path, KIND):
            raise error
        assert str(caught.value) == f"{path}: not a readable thing ({said}); get it again"
    with pytest.raises(UserError, match=r"nothing: no such file; make it"):
        read_text(tmp_path / "nothing", KIND)
    with pytest.raises(ImportError), pstl.files.reading(path, KIND):
        raise ImportError("what is not installed is no fault of the file")
    with pytest.raises(UserError, match="Unable to allocate"), pstl.files.reading(path, KIND):
        np.zeros((10**6, 10**6, 10**6), dtype=np.float32)
