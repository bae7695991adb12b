"""PKU-MMD from long recordings to clips: intervals cut where the labels say, sides as the
release lists them."""

import dataclasses
import itertools
import logging

import numpy as np
import pytest
import simulated
from data.pku_files import JOINTS, row

from pstl.data import doctor
from pstl.data.datasets import _pku, ntu60, pkummd1, pkummd2
from pstl.data.fetch import fetch
from pstl.data.parse import parse, parse_untrimmed
from pstl.data.recordings import open_recordings
from pstl.data.store import open_sequences
from pstl.errors import UserError
from pstl.records import Clip, Recording

RECORDINGS = {
    "pkummd1": ["0002-L", "0002-M", "0003-R", "0291-L", "0334-M"],
    "pkummd2": ["A01N01-L", "A01N01-R", "A02N02-M", "A26N07-R"],
}


SUFFIX = {"pkummd1": "", "pkummd2": "_v2"}


TESTED = {"pkummd1": {"0291-L", "0334-M"}, "pkummd2": {"A02N02-M", "A26N07-R"}}


@pytest.fixture(scope="module")
def made():
    """Recordings and label files of both phases, by data set and name."""
    return {
        dataset: {
            name: simulated.pku_recording(name, [1, 14, 51], frames=(8, 14)) for name in names
        }
        for dataset, names in RECORDINGS.items()
    }


@pytest.fixture
def few(monkeypatch):
    """The literature's counts, for these recordings of three actions each."""
    for module in (pkummd1, pkummd2):
        tested = 3 * len(TESTED[module.DATASET.spec.name])
        expected = {"xsub": (3 * len(RECORDINGS[module.DATASET.spec.name]) - tested, tested)}
        monkeypatch.setattr(
            module.DATASET, "spec", dataclasses.replace(module.DATASET.spec, expected=expected)
        )


def copy(folder, dataset, made, packed=True, split=True):
    """A user's copy, in 7z archives or unpacked."""
    files, suffix = made[dataset], SUFFIX[dataset]
    parts = (("Data", f"Skeleton{suffix}", 0), ("Label", f"Label_PKUMMD{suffix}", 1))
    for place, name, which in parts:
        members = {f"{recording}.txt": content[which] for recording, content in files.items()}
        (folder / place).mkdir(parents=True)
        if packed:
            simulated.write_7z(
                folder / place / f"{name}.7z",
                {f"{name}/{file}": text for file, text in members.items()},
            )
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
    """A clip that starts a frame late, or takes its label from its neighbour, teaches the
    wrong thing, and nothing would show it."""
    store = sequences(tmp_path, dataset, copy(tmp_path / "mine", dataset, made, packed))
    assert store.names == sorted(f"{name}_{i:03d}" for name in made[dataset] for i in (1, 2, 3))
    for clip in store:
        recording, _, number = clip.name.partition("_")
        text, labels = made[dataset][recording]
        label, start, end, _ = (int(n) for n in labels.decode().split()[int(number) - 1].split(","))
        rows = np.array(
            [[float(n) for n in line.split()] for line in text.decode().splitlines()], np.float32
        )[start - 1 : end]
        expected = rows.reshape(len(rows), 2, JOINTS, 3).transpose(0, 2, 1, 3)
        np.testing.assert_array_equal(clip.xyz, expected[:, :, : clip.xyz.shape[2]])
        assert clip.xyz.shape[2] == 2 or not expected[:, :, 1].any()
        assert clip.label == label - 1
        assert clip.listed == {"xsub": "test" if recording in TESTED[dataset] else "train"}
        assert clip.camera == "LMR".index(recording[-1]) + 1


def test_recordings_stay_whole_for_detection(tmp_path, made, few):
    """Detection needs what is between the actions; its labels must sit on the same frames as
    the clips."""
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
            np.testing.assert_array_equal(
                recording.clip.xyz[there][:, :, : clip.xyz.shape[2]], clip.xyz
            )
            assert set(labels[there]) == {label} == {clip.label}
        assert (labels == -1).sum() == 3 * simulated.GAP


def test_without_the_split_file_the_rule_decides(tmp_path, made, few, caplog):
    """The lists are small files that get lost; the literature says the same in words."""
    store = sequences(tmp_path, "pkummd1", copy(tmp_path / "mine", "pkummd1", made, split=False))
    assert "cross-subject.txt" in caplog.text
    sides = {clip.name[:6]: pkummd1.DATASET.spec.splits["xsub"](clip) for clip in store}
    assert {name for name, side in sides.items() if side == "test"} == TESTED["pkummd1"]
    assert {
        clip.name[:6] for clip in store if pkummd1.DATASET.spec.splits["xview"](clip) == "test"
    } == {
        "0002-L",
        "0291-L",
    }


def test_a_split_file_that_says_otherwise_is_followed_and_reported(tmp_path, made, caplog):
    """The file is the protocol; a difference from the rule is a sign of another release, and
    the reader must hear of it."""
    source = copy(tmp_path / "mine", "pkummd1", made)
    (source / "Split/cross_subject.txt").write_bytes(
        simulated.pku_split(["0291-L", "0002-L"], ["0002-M", "0334-M"])
    )
    store = sequences(tmp_path, "pkummd1", source, {"wrong_counts": "warn"})
    sides = {clip.name[:6]: pkummd1.DATASET.spec.splits["xsub"](clip) for clip in store}
    assert sides == {
        "0002-L": "train",
        "0002-M": "test",
        "0003-R": "",
        "0291-L": "train",
        "0334-M": "test",
    }
    assert (
        "2 recordings are on another side than the rule of xsub says; the file is followed, e.g. "
        "0002-M" in caplog.text
    )
    assert (
        "1 recordings are on neither side, e.g. 0003-R: neither trained nor tested on"
        in caplog.text
    )
    assert caplog.records[0].levelno >= logging.WARNING


def test_a_recording_without_labels_is_named(tmp_path, made, few):
    """Its actions would silently be missing from the counts."""
    source = copy(tmp_path / "mine", "pkummd1", made, packed=False)
    (source / "Label/Label_PKUMMD/0003-R.txt").unlink()
    with pytest.raises(UserError, match=r"0003-R\.txt: has no label file"):
        sequences(tmp_path, "pkummd1", source)


def test_what_to_ask_for_is_said_once(tmp_path):
    """The data is given by e-mail: the message has to name the person's page, the files and
    the folder."""
    with pytest.raises(UserError) as caught:
        fetch("pkummd2", {}, tmp_path / "raw/pkummd2")
    for part in ("Skeleton_v2.7z", "Label_PKUMMD_v2.7z", "PKUMMD.html", f"{tmp_path}/raw/archives"):
        assert part in str(caught.value)


def test_damaged_recordings_left_out_by_the_settings_are_recorded(tmp_path, made, few):
    """The workflow knows params.yaml only; what it left out must be found in what it made,
    clips and whole recordings alike."""
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


@pytest.mark.parametrize("text", ["5,20,1,1\n", "\n"])
def test_a_copy_without_one_sound_clip_is_no_data_set(tmp_path, text):
    """With every file left out an empty store was written, or concatenating nothing was the
    error."""
    made = {"pkummd1": {"0044-M": (row().encode() + b"\n", text.encode())}}
    source = copy(tmp_path / "mine", "pkummd1", made, packed=False, split=False)
    fetch("pkummd1", {}, tmp_path / "raw", [source])
    settings = {"skip_damaged": True, "wrong_counts": "warn"}
    said = "pkummd1: not one clip in .*" + (
        "1 damaged files left out" if text.strip() else "no file holds one"
    )
    with pytest.raises(UserError, match=said):
        parse("pkummd1", settings, tmp_path / "raw", tmp_path / "out", jobs=1)
    if text.strip():  # else the recording is sound, and all of it background
        with pytest.raises(UserError, match=said):
            parse_untrimmed("pkummd1", settings, tmp_path / "raw", tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()


def test_an_interval_that_is_labelled_twice_is_said():
    """It makes two clips of the same coordinates, which no real file is known to have."""
    texts = {
        "Label_PKUMMD.7z": {"0002-L.txt": "1,1,5,1\n1,1,5,2\n", "0003-L.txt": "1,1,5,1\n2,1,5,1\n"}
    }
    notes = _pku.notes(pkummd1.DATASET.spec, texts, ["0002-L.txt", "0003-L.txt"])
    assert [len(note.intervals) for note in notes.by_file.values()] == [2, 2]
    assert notes.remarks == ["1 label files hold an interval twice, e.g. 0002-L.txt: two clips"]


def test_a_damaged_label_file_costs_its_recording_only(tmp_path, made, monkeypatch):
    """Labels are read first: one broken line must not hide the other recordings from the doctor."""
    monkeypatch.setattr(
        pkummd1.DATASET, "spec", dataclasses.replace(pkummd1.DATASET.spec, expected={})
    )
    source = copy(tmp_path / "mine", "pkummd1", made, packed=False)
    (source / "Label/Label_PKUMMD/0003-R.txt").write_text("1,9,5,1\n")
    fetch("pkummd1", {}, tmp_path / "raw", [source])
    report = doctor.examine("pkummd1", {}, tmp_path / "raw", [], jobs=1)
    assert list(report["damaged"]) == ["0003-R.txt"]
    assert "line 1: found '1,9,5,1'" in report["damaged"]["0003-R.txt"]
    assert report["clips"] == 12
    parse("pkummd1", {}, tmp_path / "raw", tmp_path / "s", jobs=1, skip_damaged=True)
    assert len(open_sequences(tmp_path / "s")) == 12


def test_the_shorter_of_two_actions_that_begin_together_shows():
    """The order of label lines decided: a class could vanish from the labels of every frame."""
    nothing = Clip("x", -1, np.zeros((400, 25, 1, 3), np.float32))
    times = np.arange(1.0, 401)
    actions = [(4, 100.0, 120.0), (6, 100.0, 300.0), (8, 90.0, 400.0)]
    for order in itertools.permutations(actions):
        labels = Recording(nothing, times, order).labels()
        shown = [labels[t - 1] for t in (89, 90, 100, 120, 121, 300, 301)]
        assert shown == [-1, 8, 4, 4, 6, 6, 8]


def test_classes_are_in_the_order_of_the_alphabet():
    """The release numbers its 51 actions so: a name moved in the list would shift all between.

    Of those names that NTU-60 has too, most are written alike there.
    """
    assert list(pkummd1.DATASET.spec.classes) == sorted(set(pkummd1.DATASET.spec.classes))
    assert len(pkummd1.DATASET.spec.classes) == 51
    assert pkummd2.DATASET.spec.classes == pkummd1.DATASET.spec.classes
    own = {"bow", "put something inside pocket", "take out something from pocket"}
    assert set(pkummd1.DATASET.spec.classes) - set(ntu60.DATASET.spec.classes) == own
