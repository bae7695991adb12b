import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pstl
from pstl.config import Plugin
from pstl.data.datasets import synthetic
from pstl.data.loader import Clips
from pstl.data.prepare import prepare
from pstl.data.store import open_array, open_sequences, write_sequences
from pstl.encoding.feature_file import open_features
from pstl.encoding.features import Encoding, extract, recalibrate
from pstl.errors import UserError
from pstl.hub import export
from pstl.hub.embed_arrays import embed
from pstl.hub.embedder import load
from pstl.records import Clip
from pstl.report import window
from pstl.report.clip_drawing import draw
from pstl.train import encoder_file, safetensors
from pstl.train.encoder_file import EncoderCard

SMALL = {"name": "scdnet", "width": 32, "heads": 2, "feedforward": 32, "stem_width": 8}
METHODS = {
    "pstl": EncoderCard(
        "pstl", {}, {"name": "stgcn", "width": 4}, {"name": "resize50"}, "kinect_v2", 2, 50, "bone"
    ),
    "scdnet": EncoderCard("scdnet", {}, SMALL, {"name": "spine300"}, "kinect_v2", 2, 64, "joint"),
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few simulated clips of different length, and what two recipes make of them."""
    folder = tmp_path_factory.mktemp("own")
    cfg = synthetic.DATASET.Config.model_validate({"performers": 2, "cameras": 1, "repetitions": 1})
    names = [name for name in synthetic.clip_names(cfg) if name.action in (1, 6, 13)]
    clips = [
        Clip(
            str(n),
            n.action - 1,
            synthetic.simulate(cfg, n).xyz,
            subject=n.performer,
            camera=n.camera,
        )
        for n in names
    ]
    write_sequences(folder / "data/sequences/synthetic", synthetic.DATASET.spec, 25, clips)
    for card in METHODS.values():
        prepare(
            "synthetic",
            Plugin.model_validate(card.recipe),
            folder / "data/sequences/synthetic",
            folder / card.recipe["name"],
        )
    return folder


@pytest.fixture
def place(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with an encoder of PSTL and a folder of clips."""
    monkeypatch.chdir(tmp_path)
    weights(home, "pstl", Path("encoder.pt"))
    store = open_sequences(home / "data/sequences/synthetic")
    Path("clips").mkdir()
    np.save("clips/wave.npy", store[0].xyz.transpose(0, 2, 1, 3))
    np.save("clips/alone.npy", store[1].xyz[:, :, 0])
    return tmp_path


def weights(home: Path, method: str, out: Path) -> EncoderCard:
    """An untrained encoder, its batch-norm statistics not the initial ones."""
    meta = open_array(home / METHODS[method].recipe["name"]).meta
    origin = {
        "run": f"s/synthetic/xsub/{method}/joint/s0",
        "dataset": "synthetic",
        "split": "xsub",
        "git": "0123456789ab",
        "seed": 0,
    }
    card = replace(
        METHODS[method],
        provenance={
            **origin,
            "data_checksum": meta["checksum"],
            "run_id": "r" * 16,
            "settings_digest": "d",
        },
    )
    torch.manual_seed(0)
    encoder = encoder_file.build(card)
    data = open_array(home / card.recipe["name"])
    recalibrate(
        card, encoder, Clips(data, data.splits["xsub"][0], torch.device("cpu"))
    )  # otherwise all clips look alike to it
    for name, buffer in encoder.named_buffers():
        if name.endswith("running_var"):
            buffer.mul_(1.5)
    encoder_file.save(out, card, encoder)
    return card


@pytest.mark.parametrize("method", METHODS)
def test_raw_clips_give_the_features_of_the_tables(home: Path, tmp_path: Path, method: str) -> None:
    """Whoever embeds own clips must get what the tables were measured with: same recipe, same view,
    same stream.
    """
    card = weights(home, method, tmp_path / "encoder.pt")
    extract(
        tmp_path / "encoder.pt",
        home / card.recipe["name"],
        "xsub",
        Encoding("released"),
        tmp_path / "f.npz",
        torch.device("cpu"),
    )
    test = open_array(home / card.recipe["name"]).splits["xsub"][1]
    store, door = open_sequences(home / "data/sequences/synthetic"), load(tmp_path / "encoder.pt")
    found = np.stack([door.embed(store[i].xyz.transpose(0, 2, 1, 3)) for i in test])
    np.testing.assert_allclose(found, open_features(tmp_path / "f.npz").test, rtol=1e-4, atol=1e-5)
    assert (
        np.abs(found - found[0]).max() > 1e-3
    )  # the clips differ, so the comparison says something


def test_bodies_come_before_joints(place: Path) -> None:
    """(T, M, V, 3) read as (T, V, M, 3) would still run for 2 bodies if joints were not checked;
    one body may drop its axis.
    """
    door = load("encoder.pt")
    alone = np.load("clips/alone.npy")
    np.testing.assert_array_equal(door.embed(alone), door.embed(alone[:, None]))
    with pytest.raises(UserError, match=r"\(T, 25, 3\) or \(T, M, 25, 3\)"):
        door.embed(np.load("clips/wave.npy").transpose(0, 2, 1, 3))
    for strange in ([[1, 2], [3]], None, [["a"]], alone + 1j, alone[:0]):
        with pytest.raises(UserError, match=r"^clip: .*expected \(T, V, 3\)"):
            door.embed(strange)


def test_a_clip_does_not_depend_on_its_neighbours(place: Path) -> None:
    """A feature that changes with the batch it was computed in cannot be looked up again."""
    door, clips = load("encoder.pt"), [np.load("clips/wave.npy"), np.load("clips/alone.npy")[:30]]
    np.testing.assert_allclose(
        door.embed_all(clips), np.stack([door.embed(c) for c in clips]), rtol=1e-5, atol=1e-6
    )


def test_what_does_not_fit_is_named(place: Path) -> None:
    """In a folder of thousands the file is what one needs to know."""
    bad = np.load("clips/alone.npy")
    bad[3, 0, 0] = np.nan
    np.save("clips/bad.npy", bad)
    with pytest.raises(UserError, match=r"clips/bad\.npy: frame 3 holds NaN"):
        embed("encoder.pt", "clips", "f.npz", None, [], torch.device("cpu"))
    assert not Path("f.npz").exists()
    with pytest.raises(UserError, match=r"no encoder here; expected encoder\.pt"):
        load("nosuch.pt")
    with pytest.raises(UserError, match="dvc pull"):
        load("builtin/synthetic/xsub/pstl/joint/s0")


def test_an_exported_encoder_is_the_same_encoder(place: Path, home: Path) -> None:
    """Passing weights on must not change a bit of a feature; with --array the statistics become
    those of the headline.
    """
    clip = np.load("clips/wave.npy")
    export.export("encoder.pt", "released")
    np.testing.assert_array_equal(load("released").embed(clip), load("encoder.pt").embed(clip))
    card = export.export("encoder.pt", "recalibrated", home / "resize50")
    assert card.provenance["batch_norm"] == "recalibrated"
    assert not np.allclose(
        load("recalibrated").embed(clip), load("encoder.pt").embed(clip), rtol=1e-3
    )
    weights(home, "scdnet", Path("scdnet.pt"))
    with pytest.raises(UserError, match="not the array this encoder was trained on"):
        export.export("scdnet.pt", "x", home / "resize50")


def test_the_model_card_says_where_it_comes_from(place: Path) -> None:
    """Weights without data, recipe, commit, scores and terms cannot be used in a paper."""
    rows = [{"task": "knn", "setting": "k=1;cosine", "metric": "top1", "value": 56.034}]
    Path("released").mkdir()
    Path("released/knn.json").write_text(json.dumps({"rows": rows}))
    export.export("encoder.pt", "out")
    card = Path("out/README.md").read_text()
    for fact in (
        "synthetic, split xsub",
        "resize50",
        "0123456789ab",
        "| knn | k=1;cosine | top1 | 56.03 |",
        "Terms: MIT",
        '"width": 4',
    ):
        assert fact in card, fact


def test_safetensors_are_what_others_read(tmp_path: Path) -> None:
    """The format belongs to everybody: header length, JSON, offsets and bytes as published; every
    type comes back bit for bit.
    """
    tensors = {
        "b": torch.tensor([[1.5, -2.0]]),
        "a": torch.tensor(7),
        "c": torch.tensor([1.0]).bfloat16(),
        "e": torch.zeros(0, 3),
    }
    safetensors.write(tmp_path / "w", tensors, {"format": "pt"})
    data = (tmp_path / "w").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    assert size % 8 == 0
    assert header["b"] == {"dtype": "F32", "shape": [1, 2], "data_offsets": [8, 16]}
    assert np.frombuffer(data[8 + size + 8 : 8 + size + 16], "<f4").tolist() == [1.5, -2.0]
    found, notes = safetensors.read(tmp_path / "w")
    assert notes == {"format": "pt"}
    assert all(
        torch.equal(found[name], value) and found[name].dtype == value.dtype
        for name, value in tensors.items()
    )
    (tmp_path / "w").write_bytes(data[:-3])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        safetensors.read(tmp_path / "w")


def test_the_door_does_not_slow_the_package_down() -> None:
    """`import pstl` is what --help and the rules do; torch takes seconds and comes with the first
    encoder only.
    """
    assert pstl.load is load
    code = "import sys, pstl; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="nosuch"):
        pstl.nosuch  # noqa: B018


def show(*arguments: str) -> None:
    """Type `python -m pstl show`."""
    from pstl.cli import main

    main(["show", *arguments])


def test_a_clip_is_drawn_frame_by_frame(
    place: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A picture that drops frames or a body hides just the defects one looks for."""
    image = pytest.importorskip(
        "PIL.Image", reason="pillow is not installed; it comes with matplotlib"
    )
    clip = np.load("clips/wave.npy")
    show("clips/wave.npy", "--skeleton", "kinect_v2", "--out", "wave.gif", "--fps", "10")
    assert f"wave.gif: {len(clip)} frames" in capsys.readouterr().err
    assert (
        draw("clips/wave.npy", "kinect_v2").present.any(0).sum()
        == np.abs(clip).sum((0, 2, 3)).astype(bool).sum()
    )
    with image.open("wave.gif") as picture:
        assert picture.info["duration"] == 100
        shown = []
        for t in range(picture.n_frames):
            picture.seek(t)
            shown.append(picture.convert("L").tobytes())
    assert len(set(shown)) > len(clip) / 2
    monkeypatch.chdir(home)
    name = open_sequences("data/sequences/synthetic").names[0]
    assert len(draw(f"synthetic/{name}").poses) == len(clip)
    with pytest.raises(UserError, match=r"no such clip among the \d+ of synthetic"):
        draw("synthetic/nosuch")


def test_without_a_screen_a_file_is_offered(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most training machines have no screen; one line must say what to do, not a traceback of
    tkinter.
    """
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(SystemExit) as left:
        show("clips/wave.npy", "--skeleton", "kinect_v2")
    assert left.value.code == 2
    assert "draw a file instead: --out clip.gif" in capsys.readouterr().err


def test_a_window_plays_the_clip(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a screen, here a virtual one, the bones are where the clip has them, frame after frame."""
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("no virtual screen (Xvfb) on this machine")
    read, write = os.pipe()
    screen = subprocess.Popen(
        [server, "-displayfd", str(write)], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    try:
        with os.fdopen(read) as stream:
            monkeypatch.setenv("DISPLAY", f":{stream.readline().strip()}")
        clip, seen = draw("clips/alone.npy", "kinect_v2"), []

        def look(opened: Any) -> None:
            canvas = opened.winfo_children()[0]
            seen.append([canvas.coords(line) for line in canvas.find_all()])
            opened.after(
                150,
                lambda: (
                    seen.append([canvas.coords(line) for line in canvas.find_all()]),
                    opened.destroy(),
                ),
            )

        window.show(clip, 30, "alone", look)
    finally:
        screen.terminate()
        screen.wait()
    child, parent, _ = clip.bones[0]
    assert seen[0][0] == clip.poses[0, [child, parent], 0].ravel().tolist()
    assert seen[1] != seen[0]


def test_the_page_on_own_data_works_as_written(place: Path, root: Path) -> None:
    """docs/own-data.md is what strangers type first; every line of it is run here, in order."""
    names: dict[str, object] = {}
    commands = 0
    for language, code in re.findall(
        r"^```(\w+)\n(.*?)^```", (root / "docs/own-data.md").read_text(), re.M | re.S
    ):
        if language == "python":
            exec(code.replace("print(", "str("), names)
        for line in code.splitlines() if language == "sh" else ():
            from pstl.cli import main

            main(line.removeprefix("python -m pstl ").split())
            commands += 1
    assert commands == 3
    assert Path("wave.gif").is_file()
    assert np.asarray(names["features"]).shape[0] == 2


@pytest.mark.parametrize("nothing", [None, 3])
def test_what_is_no_name_is_refused_in_one_line(nothing: object) -> None:
    """A variable that was never set must not end in pathlib's words."""
    with pytest.raises(UserError, match=r"^load: found (NoneType|int), expected the path or name"):
        load(nothing)  # type: ignore[arg-type]
