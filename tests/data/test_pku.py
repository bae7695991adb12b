"""PKU-MMD from long recordings to clips: intervals cut where the labels say, sides as the release lists them."""

import dataclasses
import logging

import numpy as np
import pytest

from pstl.data import simulated
from pstl.data.datasets import pkummd1, pkummd2
from pstl.data.fetch import fetch
from pstl.data.formats import pku_txt
from pstl.data.parse import parse, parse_untrimmed
from pstl.data.recordings import open_recordings
from pstl.data.store import open_sequences
from pstl.errors import UserError

JOINTS = 25
RECORDINGS = {
    "pkummd1": ["0002-L", "0002-M", "0003-R", "0291-L", "0334-M"],
    "pkummd2": ["A01N01-L", "A01N01-R", "A02N02-M", "A26N07-R"],
}
SUFFIX = {"pkummd1": "", "pkummd2": "_v2"}
TESTED = {"pkummd1": {"0291-L", "0334-M"}, "pkummd2": {"A02N02-M", "A26N07-R"}}


def row(value=0.5, count=150, blank=" "):
    return blank.join([str(value)] * count)


@pytest.fixture(scope="module")
def made():
    """Recordings and label files of both phases, by data set and name."""
    return {
        dataset: {name: simulated.pku_recording(name, [1, 14, 51], frames=(8, 14)) for name in names}
        for dataset, names in RECORDINGS.items()
    }


@pytest.fixture
def few(monkeypatch):
    """The literature's counts, for these recordings of three actions each."""
    for module in (pkummd1, pkummd2):
        tested = 3 * len(TESTED[module.SPEC.name])
        expected = {"xsub": (3 * len(RECORDINGS[module.SPEC.name]) - tested, tested)}
        monkeypatch.setattr(module, "SPEC", dataclasses.replace(module.SPEC, expected=expected))


def copy(folder, dataset, made, packed=True, split=True):
    """A user's copy, in 7z archives or unpacked."""
    files, suffix = made[dataset], SUFFIX[dataset]
    parts = (("Data", f"Skeleton{suffix}", 0), ("Label", f"Label_PKUMMD{suffix}", 1))
    for place, name, which in parts:
        members = {f"{recording}.txt": content[which] for recording, content in files.items()}
        (folder / place).mkdir(parents=True)
        if packed:
            simulated.write_7z(folder / place / f"{name}.7z", {f"{name}/{file}": text for file, text in members.items()})
        else:
            (folder / place / name).mkdir()
            for file, text in members.items():
                (folder / place / name / file).write_bytes(text)
    if split:
        (folder / "Split").mkdir()
        text = simulated.pku_split(sorted(set(files) - TESTED[dataset]), sorted(TESTED[dataset]))
        (folder / "Split" / f"cross_subject{suffix}.txt").write_bytes(text)
    return folder


def sequences(tmp_path, dataset, source, settings=None):
    fetch(dataset, {}, tmp_path / "raw" / dataset, [source])
    parse(dataset, settings or {}, tmp_path / "raw" / dataset, tmp_path / "s", jobs=1)
    return open_sequences(tmp_path / "s")


@pytest.mark.parametrize("dataset", ["pkummd1", "pkummd2"])
@pytest.mark.parametrize("packed", [True, False])
def test_every_interval_becomes_a_clip(tmp_path, made, few, dataset, packed):
    """A clip that starts a frame late, or takes its label from its neighbour, teaches the wrong thing, and nothing would show it."""
    store = sequences(tmp_path, dataset, copy(tmp_path / "mine", dataset, made, packed))
    assert store.names == sorted(f"{name}_{i:03d}" for name in made[dataset] for i in (1, 2, 3))
    for clip in store:
        recording, _, number = clip.name.partition("_")
        text, labels = made[dataset][recording]
        label, start, end, _ = (int(n) for n in labels.decode().split()[int(number) - 1].split(","))
        rows = np.array([[float(n) for n in line.split()] for line in text.decode().splitlines()], np.float32)[start - 1 : end]
        expected = rows.reshape(len(rows), 2, JOINTS, 3).transpose(0, 2, 1, 3)
        np.testing.assert_array_equal(clip.xyz, expected[:, :, : clip.xyz.shape[2]])
        assert clip.xyz.shape[2] == 2 or not expected[:, :, 1].any()
        assert clip.label == label - 1
        assert clip.listed == {"xsub": "test" if recording in TESTED[dataset] else "train"}
        assert clip.camera == "LMR".index(recording[-1]) + 1


def test_recordings_stay_whole_for_detection(tmp_path, made, few):
    """Detection needs what is between the actions; its labels must sit on the same frames as the clips."""
    source = copy(tmp_path / "mine", "pkummd2", made)
    store = sequences(tmp_path, "pkummd2", source)
    parse_untrimmed("pkummd2", {}, tmp_path / "raw/pkummd2", tmp_path / "r", jobs=1)
    clips = {clip.name: clip for clip in store}
    recordings = open_recordings(tmp_path / "r")
    assert sorted(r.clip.name for r in recordings) == RECORDINGS["pkummd2"]
    assert [len(side) for side in recordings.sides("xsub")] == [2, 2]
    for recording in recordings:
        labels = recording.labels()
        for number, (label, start, end) in enumerate(recording.actions, 1):
            there = (recording.times >= start) & (recording.times <= end)
            clip = clips[f"{recording.clip.name}_{number:03d}"]
            np.testing.assert_array_equal(recording.clip.xyz[there][:, :, : clip.xyz.shape[2]], clip.xyz)
            assert set(labels[there]) == {label} == {clip.label}
        assert (labels == -1).sum() == 3 * simulated.GAP


def test_without_the_split_file_the_rule_decides(tmp_path, made, few, caplog):
    """The lists are small files that get lost; the literature says the same in words."""
    store = sequences(tmp_path, "pkummd1", copy(tmp_path / "mine", "pkummd1", made, split=False))
    assert "cross-subject.txt" in caplog.text
    sides = {clip.name[:6]: pkummd1.SPEC.splits["xsub"](clip) for clip in store}
    assert {name for name, side in sides.items() if side == "test"} == TESTED["pkummd1"]
    assert {clip.name[:6] for clip in store if pkummd1.SPEC.splits["xview"](clip) == "test"} == {"0002-L", "0291-L"}


def test_a_split_file_that_says_otherwise_is_followed_and_reported(tmp_path, made, caplog):
    """The file is the protocol; a difference from the rule is a sign of another release, and the reader must hear of it."""
    source = copy(tmp_path / "mine", "pkummd1", made)
    (source / "Split/cross_subject.txt").write_bytes(simulated.pku_split(["0291-L", "0002-L"], ["0002-M", "0334-M"]))
    store = sequences(tmp_path, "pkummd1", source, {"wrong_counts": "warn"})
    sides = {clip.name[:6]: pkummd1.SPEC.splits["xsub"](clip) for clip in store}
    assert sides == {"0002-L": "train", "0002-M": "test", "0003-R": "", "0291-L": "train", "0334-M": "test"}
    assert "2 recordings are on another side than the rule of xsub says; the file is followed, e.g. 0002-M" in caplog.text
    assert "1 recordings are on neither side, e.g. 0003-R" in caplog.text
    assert caplog.records[0].levelno >= logging.WARNING


def test_a_recording_without_labels_is_named(tmp_path, made, few):
    """Its actions would silently be missing from the counts."""
    source = copy(tmp_path / "mine", "pkummd1", made, packed=False)
    (source / "Label/Label_PKUMMD/0003-R.txt").unlink()
    with pytest.raises(UserError, match=r"0003-R\.txt: has no label file"):
        sequences(tmp_path, "pkummd1", source)


def test_what_to_ask_for_is_said_once(tmp_path):
    """The data is given by e-mail: the message has to name the person's page, the files and the folder."""
    with pytest.raises(UserError) as caught:
        fetch("pkummd2", {}, tmp_path / "raw/pkummd2")
    for part in ("Skeleton_v2.7z", "Label_PKUMMD_v2.7z", "PKUMMD.html", f"{tmp_path}/raw/archives"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "empty"),
        (row(count=149), "149 numbers, not whole rows of 150"),
        ("\n".join([row(), row(count=151), row(count=149), row()]), "row 2 has not 150 numbers"),
        (row("nan"), "row 1 has NaN"),
        (f"{row()}\n{row('1e39')}", "row 2 has NaN, infinite or absurd"),
        (f"{row()}\n{row('x')}", "row 2: found b'x'"),
        (row(count=300), "row 1 has not 150 numbers"),
    ],
)
def test_a_damaged_recording_is_refused_by_name(content, complaint):
    """One number lost in row 2 would move every joint after it to its neighbour."""
    with pytest.raises(UserError) as caught:
        pku_txt.read(content.encode(), "0002-L.txt")
    assert str(caught.value).startswith("0002-L.txt: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "", "\n\n \n"])
def test_rows_end_in_many_ways(end):
    """Copies of the set went through several tools."""
    text = f"{row(0.25)}{end or chr(10)}{row(-3e-5)}{end}"
    found = pku_txt.read(text.encode(), "x")
    assert found.shape == (2, JOINTS, 2, 3)
    np.testing.assert_array_equal(found[:, 0, 0, 0], np.float32([0.25, -3e-5]))


@pytest.mark.parametrize("line", ["1,2", "0,1,5,1", "52,1,5,1", "1,9,5,1", "a,1,5,1", "1,-2,5,1", "1,2.5,5,1", "1,2,3,4,5"])
def test_a_label_that_makes_no_sense_is_refused(line):
    """Class 0 would wrap around to class 51."""
    with pytest.raises(UserError, match=r"label file 0002-L\.txt: line 2: found"):
        pku_txt.read_labels(f"1,1,5,1\n{line}\n", "label file 0002-L.txt", 51)


def test_intervals_are_clamped_to_the_recording():
    """Phase II has intervals that start at 0; some end behind the last frame. One outside is a label of another recording."""
    xyz = np.arange(10, dtype=np.float32)[:, None, None, None].repeat(3, 3)
    for start, end, rows in ((0, 2, [0, 1]), (1, 2, [0, 1]), (9, 30, [8, 9]), (10, 10, [9])):
        assert pku_txt.cut(xyz, pku_txt.Interval(1, start, end), "x")[:, 0, 0, 0].tolist() == rows
    with pytest.raises(UserError, match="interval 11 to 12 is outside the recording of 10 rows"):
        pku_txt.cut(xyz, pku_txt.Interval(1, 11, 12), "x")


def test_split_files_are_read_or_refused():
    """A list that was read in halves would move recordings to the other side."""
    assert pku_txt.read_split(simulated.pku_split(["0002-L", "0003-M"], ["0291-R"]).decode(), "x") == {
        "0002-L": "train", "0003-M": "train", "0291-R": "test",
    }  # fmt: skip
    for text in ("", "Training videos:\n0002-L, 0003-L\n", "0002-L\n0003-L\n0004-L\n"):
        with pytest.raises(UserError, match="expected 2, for training and for test"):
            pku_txt.read_split(text, "x")
    with pytest.raises(UserError, match="0002-L is in training and in test"):
        pku_txt.read_split("0002-L\n0002-L\n", "x")


def test_damaged_recordings_left_out_by_the_settings_are_recorded(tmp_path, made, few):
    """The workflow knows params.yaml only; what it left out must be found in what it made, clips and whole recordings alike."""
    source = copy(tmp_path / "mine", "pkummd2", made, packed=False)
    (source / "Data/Skeleton_v2/A01N01-R.txt").write_bytes(row(count=149).encode())
    fetch("pkummd2", {}, tmp_path / "raw", [source])
    for read in (parse, parse_untrimmed):
        with pytest.raises(UserError, match=r"A01N01-R\.txt: .*--skip-damaged"):
            read("pkummd2", {}, tmp_path / "raw", tmp_path / "out", jobs=1)
        assert not (tmp_path / "out").exists()
    parse("pkummd2", {"skip_damaged": True}, tmp_path / "raw", tmp_path / "s", jobs=1)
    parse_untrimmed("pkummd2", {"skip_damaged": True}, tmp_path / "raw", tmp_path / "r", jobs=1)
    for store in (open_sequences(tmp_path / "s"), open_recordings(tmp_path / "r").sequences):
        assert list(store.meta["left_out"]) == ["A01N01-R.txt"]
        assert not any(name.startswith("A01N01-R") for name in store.names)
