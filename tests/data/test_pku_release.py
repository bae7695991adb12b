"""PKU-MMD as released: its counts, its known slips, and what a copy lacks."""

import zipfile
from collections import Counter

import numpy as np
import pytest
import simulated

from pstl.data import doctor
from pstl.data.datasets import _pku, pkummd1, pkummd2
from pstl.data.fetch import fetch
from pstl.data.formats import pku_txt
from pstl.data.parse import parse, parse_untrimmed
from pstl.data.recordings import open_recordings
from pstl.data.slips import mended
from pstl.data.store import open_sequences
from pstl.errors import UserError

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
