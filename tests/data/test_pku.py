"""PKU-MMD from long recordings to clips: intervals cut where the labels say, sides as the
release lists them."""

import dataclasses
import itertools
import logging
import zipfile
from collections import Counter

import numpy as np
import pytest
import simulated

from pstl.data import doctor
from pstl.data.datasets import _pku, ntu60, pkummd1, pkummd2
from pstl.data.fetch import fetch
from pstl.data.formats import pku_txt
from pstl.data.parse import parse, parse_untrimmed
from pstl.data.recordings import open_recordings
from pstl.data.slips import mended
from pstl.data.store import open_sequences
from pstl.errors import UserError
from pstl.records import Clip, Recording

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


@pytest.mark.parametrize(
    "line",
    ["1,2", "0,1,5,1", "52,1,5,1", "1,9,5,1", "a,1,5,1", "1,-2,5,1", "1,2.5,5,1", "1,2,3,4,5"],
)
def test_a_label_that_makes_no_sense_is_refused(line):
    """Class 0 would wrap around to class 51."""
    with pytest.raises(UserError, match=r"label file 0002-L\.txt: line 2: found"):
        pku_txt.read_labels(f"1,1,5,1\n{line}\n", "label file 0002-L.txt", 51)


def test_intervals_are_clamped_to_the_recording():
    """Phase II has intervals that start at 0; some end behind the last frame. One outside is a
    label of another recording."""
    xyz = np.arange(10, dtype=np.float32)[:, None, None, None].repeat(3, 3)
    for start, end, rows in ((0, 2, [0, 1]), (1, 2, [0, 1]), (9, 30, [8, 9]), (10, 10, [9])):
        assert (
            pku_txt.cut(xyz, pku_txt.LabelledRows(1, start, end), "x")[:, 0, 0, 0].tolist() == rows
        )
    with pytest.raises(UserError, match="interval 11 to 12 is outside the recording of 10 rows"):
        pku_txt.cut(xyz, pku_txt.LabelledRows(1, 11, 12), "x")


def test_split_files_are_read_or_refused():
    """A list that was read in halves would move recordings to the other side."""
    lists = simulated.pku_split(["0002-L", "0003-M"], ["0291-R"]).decode()
    assert pku_txt.read_split(lists, "x") == {
        "0002-L": "train", "0003-M": "train", "0291-R": "test",
    }  # fmt: skip
    for text in ("", "Training videos:\n0002-L, 0003-L\n", "0002-L\n0003-L\n0004-L\n"):
        with pytest.raises(UserError, match="expected 2, for training and for test"):
            pku_txt.read_split(text, "x")
    with pytest.raises(UserError, match="0002-L is in training and in test"):
        pku_txt.read_split("0002-L\n0002-L\n", "x")


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", ",\n", "\n\n", "\n \t\n"])
@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_label_files_of_every_copy_are_read_alike(end, blank):
    """Confidences are 0, 1 or 2; a start of 0 is real; lines end as the last editor left them."""
    rows = [["7", "0", "41", "0"], ["51", "42", "42", "2"], ["1", "60", "818"]]
    text = end.join(f"{blank},{blank}".join(row) for row in rows)
    expected = [pku_txt.LabelledRows(*map(int, row[:3])) for row in rows]
    for last in ("", end):
        assert pku_txt.read_labels(text + last, "x", 51) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Training videos: \n0002-L, 0003-M, \nValidataion videos: \n0291-R, ",
        "Training videos:\r\n0002-L,0003-M\r\nValidataion videos:\r\n0291-R\r\n",
        "\ufeffTraining videos:\n\n 0002-L ,\t0003-M,\n\n\nValidation videos\n0291-R,\n\n",
        "Training videos: 0002-L, 0003-M\nTesting videos: 0291-R\n",
    ],
)
def test_split_files_of_every_copy_are_read_alike(text):
    """Public code splits at ", ", at "," or at blanks, and trims the ends: copies must differ
    in these."""
    sides = {"0002-L": "train", "0003-M": "train", "0291-R": "test"}
    assert pku_txt.read_split(text, "x") == sides


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


FRAME = b" ".join([b"0.5"] * 150) + b"\n"
# Intervals by view, and how many of them are of the nine performers of the cross-subject test.
INTERVALS = {"L": (7_173, 901), "M": (7_188, 902), "R": (7_184, 901)}


def rows_of(name, count, confidences, first=1):
    """So many intervals of two rows each, none of which touches another; the slip where it is."""
    rows = [
        f"{i % 51 + 1},{first + 2 * i},{first + 2 * i + 1},{next(confidences)}"
        for i in range(count)
    ]
    if name == "0043-L":
        rows[19:22] = ["7,4688,4812,2", "1,4925,4036,2", "9,5050,5153,2"]
        rows[22:] = [f"3,{5_160 + 2 * i},{5_161 + 2 * i},2" for i in range(count - 22)]
    return rows


def released():
    """Recordings and label files with the names and numbers of phase I as released, and no body.

    Confidences 0, 1, 2 in some 135, 523 and 20,887 lines, three starts of 0, and the slip. Some
    copies went through other systems: every fifth file has CRLF, every seventh blank lines.
    """
    confidences = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], (135, 523, 20_887)))
    left = iter(confidences.tolist())
    texts, labels = {}, {}
    for view, (every, tested) in INTERVALS.items():
        names = [f"{n:04d}-{view}" for n in pkummd1.NUMBERS if (n, view) != (364, "R")]
        inside = [name for name in names if 291 <= int(name[:4]) <= 334]
        outside = [name for name in names if name not in inside]
        for group, total in ((inside, tested), (outside, every - tested)):
            for place, name in enumerate(group):
                count = total // len(group) + (place < total % len(group))
                count += {"0043-L": 5, "0044-L": -5}.get(name, 0)
                rows = rows_of(name, count, left, first=int(name[:4] != "0002"))
                end = "\r\n" if place % 5 == 0 else "\n\n" if place % 7 == 0 else " \n"
                labels[f"{name}.txt"] = (end.join(rows) + end).encode()
                texts[f"{name}.txt"] = FRAME * (5_300 if name == "0043-L" else 2 * count + 5)
    return texts, labels


INSIDE = {"Skeleton": "PKU_Skeleton_Renew", "Label_PKUMMD": "Train_Label_PKU_final"}  # folders


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The whole of it in zip archives, with the split files spelled in two ways."""
    folder = tmp_path_factory.mktemp("phase1")
    texts, labels = released()
    for archive, files in (("Skeleton", texts), ("Label_PKUMMD", labels)):
        with zipfile.ZipFile(folder / f"{archive}.zip", "w") as bundle:
            for name, content in files.items():
                bundle.writestr(f"{INSIDE[archive]}/{name}", content)
    places = [_pku.clip_named(name.removesuffix(".txt")) for name in sorted(texts)]
    for file, split in (("cross_subject.txt", "xsub"), ("cross-view.txt", "xview")):
        rule = pkummd1.DATASET.spec.splits[split]
        lists = ([clip.name for clip in places if rule(clip) == side] for side in ("train", "test"))
        (folder / file).write_bytes(simulated.pku_split(*lists).replace(b"\n", b"\r\n"))
    return folder


SAID = (
    "0043-L.txt, row 21: the release's '1,4925,4036,2' is read as '1,4925,5036,2'; its neighbours"
)


@pytest.mark.slow
def test_labels_as_released_give_the_counts_of_the_literature(tmp_path, release, caplog):
    """One label of the release ends before it begins: whoever had the real files stopped there."""
    fetch("pkummd1", {}, tmp_path / "raw", [release])
    parse("pkummd1", {}, tmp_path / "raw", tmp_path / "s", jobs=1)
    assert SAID in caplog.text
    store = open_sequences(tmp_path / "s")
    assert len(store) == 21_545
    clip = store[store.names.index("0043-L_021")]
    assert (clip.label, len(clip.xyz)) == (0, 5_036 - 4_925 + 1)
    report = doctor.examine("pkummd1", {}, tmp_path / "raw", [], jobs=1)
    assert report["ok"]
    assert report["splits"] == {
        "xsub": {"found": [18_841, 2_704], "expected": [18_841, 2_704]},
        "xview": {"found": [14_372, 7_173], "expected": [14_372, 7_173]},
    }
    assert report["absent"] == []
    assert [line.startswith(SAID) for line in report["notes"]] == [True]
    assert f"    {SAID}" in doctor.text(report)


@pytest.mark.slow
def test_recordings_as_released_stay_whole(tmp_path, release, caplog):
    """Detection has the published numbers of recordings on each side, the slip's among them."""
    fetch("pkummd1", {}, tmp_path / "raw", [release])
    parse_untrimmed("pkummd1", {}, tmp_path / "raw", tmp_path / "r", jobs=1)
    assert SAID in caplog.text
    recordings = open_recordings(tmp_path / "r")
    sides = {split: [len(side) for side in recordings.sides(split)] for split in ("xsub", "xview")}
    assert sides == {"xsub": [944, 132], "xview": [717, 359]}
    slip = next(r for r in recordings if r.clip.name == "0043-L")
    assert slip.actions[20] == (0, 4925.0, 5036.0)
    assert sum(len(recording.actions) for recording in recordings) == 21_545


@pytest.mark.parametrize(
    ("file", "row", "line", "slips"),
    [
        ("0043-L.txt", 21, "1,4925,4036,2", 1),
        ("0043-L.txt", 21, " 1, 4925,4036 ,2 \r", 1),
        ("0043-L.txt", 20, "1,4925,4036,2", 0),
        ("0043-M.txt", 21, "1,4925,4036,2", 0),
        ("0043-L.txt", 21, "1,4925,4037,2", 0),
        ("0043-L.txt", 21, "2,4925,4036,2", 0),
    ],
)
def test_only_the_known_slip_is_mended(file, row, line, slips):
    """Any other end before its start is damage, or the label of another recording."""
    lines = [f"1,{i * 10 + 1},{i * 10 + 5},2" for i in range(30)]
    lines[row - 1] = line
    text, said = mended("\n".join(lines), file, pkummd1.DATASET.spec.slips)
    assert len(said) == slips
    if slips:
        assert pku_txt.read_labels(text, file, 51)[20] == pku_txt.LabelledRows(1, 4925, 5036)
    else:
        with pytest.raises(UserError, match=rf"line {row}: found"):
            pku_txt.read_labels(text, file, 51)


def test_a_copy_whose_slip_was_corrected_is_read_in_silence():
    """Nothing is noted that is not there."""
    text = "1,1,2,2\n" * 20 + "1,4925,5036,2\n"
    assert mended(text, "0043-L.txt", pkummd1.DATASET.spec.slips) == (text, [])


@pytest.mark.parametrize(
    ("dataset", "views", "subjects"),
    [(pkummd1, (717, 359), (944, 132)), (pkummd2, (671, 338), (775, 234))],
)
def test_recordings_that_a_copy_lacks_are_named(dataset, views, subjects):
    """Each phase's recordings of both splits are published; the names of which are known must
    fit."""
    names = [
        name for name in dataset.DATASET.absent([]) if name != "0364-R"
    ]  # one of R, nobody says which
    for split, numbers in (("xview", views), ("xsub", subjects)):
        sides = Counter(dataset.DATASET.spec.splits[split](_pku.clip_named(name)) for name in names)
        assert (sides["train"], sides["test"]) == numbers
    assert dataset.DATASET.absent([f"{name}.txt" for name in names]) == []
    assert dataset.DATASET.absent([f"{name}.txt" for name in names[1:]])[0] == names[0]


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
