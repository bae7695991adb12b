"""Weights by name: from a run into the hub, out of it, over the net, and what is refused."""

import http.server
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trained_run
from small_world import HOME, RUN, pstl, ran, refused_in_one_line

import pstl as package
from pstl.data.datasets import nwucla
from pstl.data.loader import Clips
from pstl.data.store import open_array
from pstl.errors import UserError
from pstl.evaluation import result_file, scores
from pstl.files import checksum
from pstl.hub import places, weights
from pstl.tasks.classify import classify_all
from pstl.train import encoder_file

EXPORT = f"export {RUN} --classifier probe --half --hub nwucla/tiny".split()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run, and its weights in a hub."""
    folder, before = tmp_path_factory.mktemp("named"), Path.cwd()
    os.chdir(folder)
    try:
        trained_run.make()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(places, "HUB", folder / "hub")
            pstl(*EXPORT)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of it, and an empty cache."""
    shutil.copytree(made, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(places, "HUB", tmp_path / "work/hub")
    monkeypatch.setenv("PSTL_CACHE", str(tmp_path / "cache"))


def test_weights_in_the_hub_name_clips_as_the_tables_probe_does() -> None:
    """A file that scores otherwise than the table beside it is another file."""
    data = open_array(trained_run.ARRAY)
    test = data.splits["xview"][1]
    clips = [np.load(f"clips/{data.names[i]}.npy") for i in test[:4]]
    likely = package.load("nwucla/tiny").probabilities(clips)
    table = scores.read(f"{HOME}/released/probe.scores.npz").points[:4]
    np.testing.assert_allclose(
        likely, torch.from_numpy(table).softmax(1).numpy(), atol=0.02
    )  # 16 bits a weight
    facts = places.entries()[0].facts
    rows = result_file.read(f"{HOME}/released/probe.json")["rows"]
    top1 = next(row["value"] for row in rows if row["metric"] == "top1")
    assert facts["top1"]["the tables"] == pytest.approx(top1, abs=0.01)
    assert facts["top1"]["this file"] == pytest.approx(top1, abs=100 / len(test) + 0.01)
    assert facts["sha256"] == checksum("hub/nwucla/tiny/model.safetensors")
    assert facts["feature_width"] == package.load("nwucla/tiny").width
    assert f"export {RUN} --classifier probe --half" in facts["command"]


def test_halves_are_what_was_measured() -> None:
    """Rounding after measuring would give a file that nobody has measured."""
    stored = weights.read("hub/nwucla/tiny")
    pstl("export", RUN, "--classifier", "probe", "--out", "full")
    full = weights.read("full")
    half, whole = Path("hub/nwucla/tiny"), Path("full")
    assert (half / weights.WEIGHTS).stat().st_size < 0.7 * (whole / weights.WEIGHTS).stat().st_size
    for name, matrix in weights.matrices(stored.encoder).items():
        assert matrix.dtype == torch.float32
        assert torch.equal(matrix, weights.matrices(full.encoder)[name].half().float()), name


def test_the_methods_own_classifier_comes_along() -> None:
    """Export used to drop it, and with it all that supervised training had learnt of classes."""
    pstl("export", "--encoder", f"{HOME}/encoder.pt", "--out", "kept")
    door, data = package.load("kept"), open_array(trained_run.ARRAY)
    assert door.classes == nwucla.DATASET.spec.classes
    card, encoder = encoder_file.load(f"{HOME}/encoder.pt")
    layer = encoder_file.load_classifier(f"{HOME}/encoder.pt")
    indices = np.array([data.names.index(path.stem) for path in sorted(Path("clips").iterdir())])
    expected = classify_all(card, encoder, layer, Clips(data, indices, torch.device("cpu")))
    likely = door.probabilities(sorted(Path("clips").iterdir()))
    np.testing.assert_allclose(likely, expected.softmax(1).numpy(), atol=1e-5)
    run = package.load(RUN)
    np.testing.assert_array_equal(run.probabilities(sorted(Path("clips").iterdir())), likely)


def test_names_are_listed_with_what_they_reach(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody chooses weights of which nothing is said."""
    pstl("list", "--weights")
    line = capsys.readouterr().out
    assert line.startswith("nwucla/tiny  supervised, joint, kinect_v1, 32 features, ")
    assert "top-1 " in line
    assert package.list_weights() == ["nwucla/tiny"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nwucla/tiney", "did you mean nwucla/tiny"),
        ("ntu60/other", "by name there are nwucla/tiny"),
        ("../hub/nwucla/tinny", "no encoder here"),
        ("https://example.org/w.safetensors", "put the file's SHA-256 behind it"),
        (f"https://[a/w#sha256={'0' * 64}", "no address of a file"),
        ("https://example.org/w#sha256=abc", "no SHA-256 is 'abc'; put the file's SHA-256 behind"),
        ("ftp://example.org/w#sha256=" + "0" * 64, "not an address of weights"),
        ("hf://one", "expected hf://OWNER/NAME"),
        ("empty", "no encoder here"),
    ],
)
def test_what_is_no_name_is_answered_with_names(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says what one may have meant."""
    Path("empty").mkdir()
    line = refused_in_one_line(["predict", "clips", "--weights", name], capsys)
    assert said in line
    with pytest.raises(UserError, match=r"no encoder here|address|SHA-256|expected"):
        package.load(name)


def test_a_damaged_file_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Half a download must not become an encoder, nor a traceback."""
    file = Path("hub/nwucla/tiny/model.safetensors")
    content = file.read_bytes()
    for damage in (content[: len(content) // 2], b"", b"no weights", content[:-4] + b"\xff" * 4):
        file.write_bytes(damage)
        words = ["predict", "clips", "--weights", "nwucla/tiny"]
        line = refused_in_one_line(words, capsys)
        assert "model.safetensors" in line


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; says nothing."""

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    """Where the exported file is on the net."""
    handler = partial(Quiet, directory="hub/nwucla/tiny")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/model.safetensors"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_fetched_once_and_checked(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights from elsewhere are those that are meant, or none; the second time no net is needed,
    and a copy that has rotted is fetched again.
    """
    sha256 = checksum("hub/nwucla/tiny/model.safetensors")
    clip = next(Path("clips").iterdir())
    expected = package.load("nwucla/tiny").embed(clip)
    with pytest.raises(UserError, match=f"sent a file of sha256 {sha256}, expected 000"):
        package.load(address, sha256="0" * 64)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    by_address = package.load(address, sha256=sha256)
    np.testing.assert_array_equal(by_address.embed(clip), expected)
    (kept,) = [path for path in (tmp_path / "cache").rglob("*.safetensors")]
    kept.write_bytes(b"rotten")
    shouted = package.load(f"{address}#sha256={sha256.upper()}")  # as PowerShell prints one
    np.testing.assert_array_equal(shouted.embed(clip), expected)
    monkeypatch.setattr("pstl.data.download._download", None)
    np.testing.assert_array_equal(package.load(f"{address}#sha256={sha256}").embed(clip), expected)


def test_a_checksum_beside_a_name_is_refused() -> None:
    """It would not be compared with anything, and whoever gives one relies on it."""
    with pytest.raises(UserError, match="sha256 beside nwucla/tiny, expected it beside a URL"):
        package.load("nwucla/tiny", sha256="0" * 64)


def test_a_hub_of_hugging_face_is_asked_through_its_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """hf://OWNER/NAME is what people type; the library is an extra, and is named if it lacks."""
    asked = {}

    def stand_in(**given: object) -> str:
        asked.update(given)
        if given["repo_id"] != "us/weights":
            raise LookupError("404: no such\nrepository")
        return "hub/nwucla/tiny/model.safetensors"

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=stand_in))
    assert package.load("hf://us/weights@main").classes == nwucla.DATASET.spec.classes
    assert asked == {"repo_id": "us/weights", "filename": "model.safetensors", "revision": "main"}
    with pytest.raises(UserError, match="hf://us/nothing: 404: no such repository; expected model"):
        package.load("hf://us/nothing")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"needs huggingface_hub.*pip install 'pstl\[hub\]'"):
        package.load("hf://us/weights")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "--out", "x"], "name a run, or a file with --encoder"),
        (["export", RUN], "--out FOLDER, or --hub NAME"),
        (["export", RUN, "--hub", "tiny"], "expected DATASET/METHOD"),
        (["export", RUN, "--out", "x", "--classifier", "knn"], "fits no linear layer"),
        (["export", RUN.replace("s0", "s7"), "--out", "x"], "encoder.pt"),
        (["export", RUN, "--out", "x", "--array", "y"], "--array goes with --encoder"),
    ],
)
def test_an_export_that_cannot_be_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing half-written, and what to type instead."""
    code, lines = ran(words, capsys)
    assert code == 2
    assert said in lines[-1]
    assert not Path("x").exists()


def test_files_of_earlier_versions_are_read() -> None:
    """Weights that somebody exported before there were classifiers stay weights."""
    state, notes = weights.safetensors.read("hub/nwucla/tiny/model.safetensors")
    old = {name: tensor for name, tensor in state.items() if not name.startswith("classifier.")}
    Path("old").mkdir()
    weights.safetensors.write("old/model.safetensors", old, {"format": "pt", "pstl": notes["pstl"]})
    door = package.load("old")
    assert door.classes == ()
    with pytest.raises(UserError, match="name no classes; export the encoder with --classifier"):
        door.predict(next(Path("clips").iterdir()))
    assert json.loads(notes["classifier"])["by"] == "probe"
