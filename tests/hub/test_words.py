"""Clips that are not what they should be: refused in one line, or encoded with a word about it,
never in silence.
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import pstl
from pstl import cli
from pstl.data import parse
from pstl.data.clip_files import is_clip
from pstl.data.datasets import msraction3d, synthetic
from pstl.data.formats.skeleton_txt import ClipName
from pstl.data.store import write_sequences
from pstl.errors import UserError
from pstl.hub.embed_arrays import Source, embed
from pstl.report.clip_drawing import draw
from pstl.skeletons import load as load_skeleton
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

CPU = torch.device("cpu")
CARD = EncoderCard(
    "pstl", {}, {"name": "stgcn", "width": 2}, {"name": "resize50"}, "kinect_v2", 2, 50, "joint"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with an encoder of Kinect v2's body and one clip of one person, (T, V, 3)."""
    monkeypatch.chdir(tmp_path)
    save(CARD)
    Path("clips").mkdir()
    np.save("clips/one.npy", person())


def save(card: EncoderCard) -> None:
    torch.manual_seed(0)
    encoder_file.save("encoder.pt", card, encoder_file.build(card))


def person(frames: int = 40) -> np.ndarray:
    cfg = synthetic.DATASET.Config.model_validate({"frames": (frames, frames)})
    return synthetic.simulate(cfg, ClipName(1, 1, 1, 1, 1)).xyz[:, :, 0]


def run(*arguments: str) -> None:
    """Type a command that fails."""
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    assert stop.value.code == 2


def embedded(source: str, units: str = "m", out: str = "f.npy") -> np.ndarray:
    embed("encoder.pt", Source(source, units=units), out, None, [], CPU)
    return np.load(out)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1000), ("cm", 100)])
def test_other_units_are_refused_or_converted(unit: str, factor: int) -> None:
    """Millimetres go through every step and give features that mean nothing."""
    metres, door = embedded("clips"), pstl.load("encoder.pt")
    other = person() * factor
    np.save("clips/one.npy", other)
    found = r"bodies of \d+(\.\d)?, expected metres .*--units mm or cm"
    with pytest.raises(UserError, match=rf"clips/one\.npy: {found}"):
        embedded("clips")
    with pytest.raises(UserError, match=found):
        door.embed(other)
    np.testing.assert_allclose(embedded("clips", unit), metres, atol=1e-5)
    np.testing.assert_allclose(door.embed(other, units=unit), metres[0], atol=1e-5)
    array = np.tile(other[:40].transpose(2, 0, 1)[None, ..., None], (3, 1, 1, 1, 1))
    np.save("x.npy", array)
    with pytest.raises(UserError, match=rf"x\.npy: clip 0: {found}"):
        embedded("x.npy")
    with pytest.raises(UserError, match="an array is in its recipe's units"):
        embedded("x.npy", unit)


def test_nobody_is_no_clip(caplog: pytest.LogCaptureFixture) -> None:
    """A clip without a body has features, too: those of an absent one."""
    np.save("clips/none.npy", np.zeros((9, 25, 3), np.float32))
    with pytest.raises(UserError, match=r"clips/none\.npy: no body in any frame"):
        embedded("clips")
    with pytest.raises(UserError, match="no body in any frame"):
        pstl.load("encoder.pt").embed(np.zeros((9, 2, 25, 3)))
    with pytest.raises(UserError, match="nothing to draw"):
        draw("clips/none.npy", "kinect_v2")
    x = np.zeros((3, 3, 50, 25, 2), np.float32)
    x[1] = np.random.default_rng(0).normal(size=x[1].shape) * 0.4
    np.save("x.npy", x)
    assert len(embedded("x.npy")) == 3  # as `features` encodes them
    assert "2 clips, e.g. x.npy: clip 0: no body in any frame" in caplog.text


@pytest.mark.parametrize(
    "recipe", ["resize50", "spine300", "metres300", "scaled300", "view50", "ctr300"]
)
def test_a_third_body_is_said_to_be_left_out(recipe: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who is kept is the recipe's choice, and nobody sees it from the features."""
    save(EncoderCard(**{**vars(CARD), "recipe": {"name": recipe}}))
    body = person()
    aside = np.array([0.5, 0, 0])
    three = np.stack([body, body[::-1] + aside, 0.9 * body - aside], axis=1)
    door = pstl.load("encoder.pt")
    door.embed(three)
    assert "clip (of 3): the encoder takes 2 of the bodies, " in caplog.text
    caplog.clear()
    absent = three.copy()
    absent[:, 2] = 0
    door.embed(absent)
    assert "bodies" not in caplog.text


def test_what_is_short_or_long_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """One frame has no motion; of a recording of minutes a recipe keeps ten seconds."""
    np.save("clips/one.npy", person()[:1])
    np.save("clips/other.npy", person()[:1])
    Path("clips/notes.txt").write_text("who was filmed")
    np.save("clips/long.npy", np.tile(person(), (9, 1, 1)))
    assert len(embedded("clips")) == 3
    assert "clips/notes.txt: 1 file is no clip" in caplog.text
    assert "2 clips, e.g. clips/one.npy: a single frame: nothing moves in it" in caplog.text
    assert "clips/long.npy (of 360): the recipe keeps the middle 300 frames" in caplog.text


def test_a_file_is_what_its_ending_says(capsys: pytest.CaptureFixture[str]) -> None:
    """An .npz that holds something else, or a GIF called mp4, fails in somebody else's program."""
    embed("encoder.pt", "clips", "f.npz", None, [], CPU)
    with np.load("f.npz") as content:
        assert content["names"].tolist() == ["one"]
        np.testing.assert_array_equal(content["features"], embedded("clips", out="f.npy"))
    for out in ("f.csv", "f", "f.npy.gz"):
        run("embed", "--weights", "encoder.pt", "--input", "clips", "--output", out)
        assert f"pstl embed: {out}: files that " in (said := capsys.readouterr().err)
        assert "known: .npy, .npz" in said
    run("show", "clips/one.npy", "--skeleton", "kinect_v2", "--out", "x.mp4")
    assert (
        "x.mp4: files that end in .mp4 are not written here; known: .gif" in capsys.readouterr().err
    )
    run(
        "features",
        "--encoder",
        "e",
        "--array",
        "a",
        "--split",
        "s",
        "--batch-norm",
        "released",
        "--out",
        "f.npy",
    )
    assert "known: .npz" in capsys.readouterr().err
    assert sorted(path.name for path in Path().iterdir()) == [
        "clips",
        "encoder.pt",
        "f.npy",
        "f.npz",
    ]


def test_a_body_is_named_and_never_told_from_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    """MSR Action3D and Kinect v1 have 20 joints each: the bones of one drawn through the other are
    a heap of lines.
    """
    np.save("clips/one.npy", person()[:, :20])
    run("show", "clips/one.npy", "--out", "x.gif")
    asked = "20 joints, but nothing says of which body; "
    asked += "name it with --skeleton: kinect_v1 or msr20 or utd20 would fit"
    assert asked in capsys.readouterr().err
    np.save("clips/two.npy", person())
    run("show", "clips/two.npy", "--out", "x.gif")
    assert "25 joints, but nothing says of which body" in capsys.readouterr().err
    for name in ("kinect_v1", "msr20"):
        drawn = draw("clips/one.npy", name)
        assert [bone[:2] for bone in drawn.bones] == list(load_skeleton(name).edges)
    with pytest.raises(UserError, match=r"25 joints, expected \(T, 20, 3\)"):
        draw("clips/two.npy", "msr20")
    with pytest.raises(UserError, match="unknown skeleton 'human'"):
        draw("clips/two.npy", "human")
    with pytest.raises(UserError, match="kinect_v1 or msr20 or utd20 would fit"):
        embedded("clips")


def test_a_stored_clip_has_the_body_of_its_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read by `parse` is of one data set, and that has one body."""
    Path("raw").mkdir()
    rows = np.concatenate([person()[:, :20].reshape(-1, 3), np.ones((800, 1))], axis=1)
    np.savetxt("raw/a01_s01_e01_skeleton3D.txt", rows)
    write_sequences(
        "data/sequences/msraction3d",
        msraction3d.DATASET.spec,
        20,
        parse.clips(msraction3d.DATASET, Path("raw")),
    )
    for clip in ("msraction3d/a01_s01_e01", "raw/a01_s01_e01_skeleton3D.txt"):
        assert [bone[:2] for bone in draw(clip).bones] == list(load_skeleton("msr20").edges)
    with pytest.raises(UserError, match="a body of msr20"):
        draw("msraction3d/a01_s01_e01", "kinect_v1")


REAL = {
    "nw-ucla/all_sqe.zip": ("kinect_v1", 2),
    "msr-action3d/msr_action3d_real_world.zip": ("msr20", 0),
    "utkinect/utkinect_joints.zip": ("kinect_v1", 0),
    "utd-mhad/Skeleton.zip": ("utd20", 0),
    "sbu/SBU.zip": ("sbu15", 0),
}


@pytest.mark.parametrize("archive", REAL)
def test_real_recordings_are_people(
    archive: str, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What sensors really wrote, single frames included, must not be refused; only what is odd is
    said.
    """
    if not (shared / "data" / archive).is_file():
        pytest.skip(f"no {archive} in ../shared/data")
    skeleton, single = REAL[archive]
    save(EncoderCard(**{**vars(CARD), "skeleton": skeleton, "people": 1}))
    with zipfile.ZipFile(shared / "data" / archive) as members:
        names = [
            name for name in members.namelist() if Path(name).suffix in (".json", ".txt", ".mat")
        ]
        for name in [
            *names[:: max(1, len(names) // 20)],
            *(name for name in names if "a02_s09_e04_v0" in name),
        ]:
            Path("real", Path(name).name).parent.mkdir(exist_ok=True)
            Path("real", Path(name).name).write_bytes(members.read(name))
    count = len([path for path in Path("real").iterdir() if is_clip(path)])
    assert len(embedded("real")) == count
    assert "of an unusual size" not in caplog.text
    assert ("2 clips, e.g. real/a02_s09_e04_v02.json: a single frame" in caplog.text) == (
        single == 2
    )
