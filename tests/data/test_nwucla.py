"""NW-UCLA: the reader refuses what is not a clip, and the real recordings are what the literature
and the skeleton table say."""

import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pstl.data import parse
from pstl.data.datasets import nwucla
from pstl.data.fetch import fetch
from pstl.data.formats import ucla_json
from pstl.errors import UserError
from pstl.skeletons import load

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SKELETON = load(nwucla.DATASET.spec.skeleton)
J = SKELETON.joints


def write(folder, name="a08_s01_e02_v03", frames=None, label=7):
    frames = np.arange(2 * J * 3).reshape(2, J, 3).tolist() if frames is None else frames
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"file_name": name, "skeletons": frames, "label": label}))
    return path


def test_a_file_becomes_a_clip(tmp_path):
    """Every number has one place: time first, then joint, one person, x y z; and label 7 in the
    file is class 6 here."""
    write(tmp_path)
    (clip,) = parse.clips(nwucla.DATASET, tmp_path)
    assert (clip.name, clip.label, clip.subject, clip.camera) == ("a08_s01_e02_v03", 6, 1, 3)
    assert clip.xyz.dtype == np.float32
    assert clip.xyz.shape == (2, J, 1, 3)
    np.testing.assert_array_equal(clip.xyz.ravel(), np.arange(2 * J * 3))


def test_codes_and_classes_agree():
    """The codes skip a07 and a10: a label shifted by one from there on would still train, and mean
    another action."""
    assert sorted(nwucla.LABELS.values()) == list(range(1, len(nwucla.DATASET.spec.classes) + 1))
    names = {code: nwucla.DATASET.spec.classes[label - 1] for code, label in nwucla.LABELS.items()}
    later = {6: "stand up", 8: "donning", 9: "doffing", 11: "throw", 12: "carry"}
    assert {code: name for code, name in names.items() if code > 5} == later


def frames(value=0.5, count=2, joints=J, numbers=3):
    return [[[value] * numbers for _ in range(joints)] for _ in range(count)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": frames(joints=J - 1)}, f"frame 0 has {J - 1} joints, expected {J}"),
        ({"frames": frames() + frames(joints=J + 5)}, f"frame 2 has {J + 5} joints, expected {J}"),
        ({"frames": [*frames(), None]}, "frame 2 has None, expected"),
        ({"frames": frames(numbers=2)}, "a joint is not three numbers"),
        ({"frames": frames() + frames(numbers=4)}, "a joint is not three numbers"),
        ({"frames": frames("0.5")}, "a joint is not three numbers"),
        ({"frames": frames(None)}, "a joint is not three numbers"),
        ({"frames": frames() + frames(float("nan"))}, "frame 2, joint 0 is NaN or infinite"),
        ({"frames": frames(1e300)}, "frame 0, joint 0 is NaN or infinite"),
        ({"frames": []}, "no frame"),
        ({"frames": "none"}, "expected an object with 'skeletons'"),
        ({"label": 8}, "label 8, but action a08 has label 7"),
        ({"label": "7"}, "label '7', but action a08 has label 7"),
        ({"name": "a07_s01_e02_v03"}, "label 7, but action a07 has label None"),
        ({"name": "clip"}, "expected a name like"),
    ],
)
def test_what_is_not_a_clip_is_refused_by_name(tmp_path, changes, message):
    """One bad file among 1484 is only found if the message names it; read on in silence, it would
    become a wrong row."""
    path = write(tmp_path, **changes)
    with pytest.raises(UserError) as caught:
        ucla_json.read(path.read_bytes(), str(path), J, nwucla.LABELS)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b'{"label": 7, "skeletons": [[[0.1, 0.2', b"", b"\xff\xfe", b"[1, 2]", b'{"label": 7}'],
)
def test_a_broken_file_is_named(tmp_path, content):
    """A truncated copy ends in the middle of a number."""
    path = tmp_path / "a08_s01_e02_v03.json"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"a08_s01_e02_v03\.json: (not valid JSON|expected an object)"
    ):
        ucla_json.read(path.read_bytes(), str(path), J, nwucla.LABELS)


def test_an_empty_folder_says_what_to_run(tmp_path):
    """No clip at all is a folder that was never filled, not a data set of size zero."""
    with pytest.raises(UserError, match="python -m pstl fetch nwucla"):
        list(parse.clips(nwucla.DATASET, tmp_path))


def test_clips_come_sorted_by_name_from_any_depth(tmp_path):
    """Row i of every array is clip i of this order: it must not depend on the file system."""
    names = ["a01_s02_e00_v01", "a01_s01_e00_v01", "a12_s01_e00_v02"]
    for folder, name in zip(("z", "y/x", "."), names, strict=True):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        write(tmp_path / folder, name, label=nwucla.LABELS[int(name[1:3])])
    assert [clip.name for clip in parse.clips(nwucla.DATASET, tmp_path)] == sorted(names)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    if not (SHARED / "nw-ucla").is_dir():
        pytest.skip("no real recordings: ../shared/data/nw-ucla is absent")
    folder = tmp_path_factory.mktemp("raw") / "nwucla"
    fetch("nwucla", {}, folder, [SHARED])
    return list(parse.clips(nwucla.DATASET, folder))


def test_the_real_archive_is_known(tmp_path, clips, caplog):
    """Its checksum is in the specification: another file under this name would be announced."""
    fetch("nwucla", {}, tmp_path / "nwucla", [SHARED])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    manifest = json.loads((tmp_path / "nwucla" / "manifest.json").read_text())
    assert len(manifest["files"]) == 1484
    assert manifest["sources"][0]["sha256"] in nwucla.DATASET.spec.remotes[0].sha256


def test_counts_are_those_of_the_literature(clips):
    """Accuracies are comparable only on the same 1020 + 464 clips, of the same classes, with no
    performer or camera misread."""
    assert len(clips) == len({clip.name for clip in clips}) == 1484
    side = Counter(map(nwucla.DATASET.spec.splits["xview"], clips))
    assert (side["train"], side["test"]) == nwucla.DATASET.spec.expected["xview"] == (1020, 464)
    classes = Counter(clip.label for clip in clips)
    assert [classes[label] for label in range(10)] == [
        150,
        152,
        141,
        173,
        148,
        149,
        142,
        142,
        145,
        142,
    ]
    assert [Counter(clip.camera for clip in clips)[v] for v in (1, 2, 3)] == [516, 504, 464]
    assert [Counter(clip.subject for clip in clips)[s] for s in range(1, 11)] == [
        160,
        154,
        159,
        162,
        119,
        138,
        147,
        158,
        139,
        148,
    ]
    assert sum(len(clip.xyz) for clip in clips) == 58_534


def test_two_clips_have_one_frame(clips):
    """They are part of the counts, one on each side; whatever takes differences over time must live
    with them."""
    short = {
        clip.name: nwucla.DATASET.spec.splits["xview"](clip) for clip in clips if len(clip.xyz) == 1
    }
    assert short == {"a02_s09_e04_v02": "train", "a02_s09_e04_v03": "test"}


def test_a_fifth_of_the_test_is_in_training_and_one_split_is_without(clips):
    """In the release, view 3 of two actions is a copy of view 2: whoever compares neighbours must
    know, and have a way out."""
    for split, rule in nwucla.DATASET.spec.splits.items():
        side = {s: [clip for clip in clips if rule(clip) == s] for s in ("train", "test")}
        assert (len(side["train"]), len(side["test"])) == nwucla.DATASET.spec.expected[split]
        seen = {clip.xyz.tobytes(): clip.name for clip in side["train"]}
        copies = {
            clip.name: seen[clip.xyz.tobytes()]
            for clip in side["test"]
            if clip.xyz.tobytes() in seen
        }
        assert (
            len(copies) == nwucla.DATASET.spec.overlap.get(split, 0) == {"xview": 95}.get(split, 0)
        )
        for test, train in copies.items():
            assert train[:3] in ("a02", "a03")
            assert (test, train[-3:]) == (train[:-1] + "3", "v02")
        assert (
            {clip.label for clip in side["train"]}
            == {clip.label for clip in side["test"]}
            == set(range(10))
        )


def bone_lengths(xyz):
    """Median length in metres of every bone, from frames (T, V, 3)."""
    child, parent = np.array(SKELETON.edges).T
    lengths = np.linalg.norm(xyz[:, child] - xyz[:, parent], axis=-1)
    return {
        SKELETON.names[c]: float(length)
        for c, length in zip(child, np.median(lengths, axis=0), strict=True)
    }


def test_the_table_fits_the_bodies(clips):
    """A joint order that is off by one still trains; but then forearms are as long as thighs and
    left differs from right."""
    xyz = np.concatenate([clip.xyz[:, :, 0] for clip in clips])
    length = bone_lengths(xyz)
    expected = {
        "spine": (0.2, 0.5),
        "hip centre": (0.03, 0.15),
        "head": (0.12, 0.30),
        "shoulder": (0.12, 0.28),
        "elbow": (0.2, 0.35),
        "wrist": (0.18, 0.32),
        "hand": (0.04, 0.14),
        "hip": (0.05, 0.15),
        "knee": (0.35, 0.6),
        "ankle": (0.28, 0.5),
        "foot": (0.05, 0.2),
    }
    for name, metres in length.items():
        low, high = expected[name.removeprefix("left ").removeprefix("right ")]
        assert low < metres < high, f"{name}: {metres:.3f} m from its parent"
    for left, right in SKELETON.left_right:
        assert length[SKELETON.names[left]] == pytest.approx(
            length[SKELETON.names[right]], rel=0.05
        )


def test_up_is_y_and_left_is_left(clips):
    """Turning bodies about the vertical and swapping their sides both rest on these two facts about
    the recordings."""
    xyz = np.concatenate([clip.xyz[:, :, 0] for clip in clips])
    joint = {name: xyz[:, i] for i, name in enumerate(SKELETON.names)}
    order = [joint["head"], joint["hip centre"], joint["left knee"], joint["left foot"]]
    heights = [np.median(j[:, 1]) for j in order]
    assert heights == sorted(heights, reverse=True)
    assert (joint["head"][:, 1] > joint["hip centre"][:, 1]).mean() > 0.99
    assert heights[0] - heights[-1] == pytest.approx(
        1.4, abs=0.25
    )  # head to foot of an adult, in metres
    # The sensor sees people mostly from the front, and its x runs to its own left, so right minus
    # left is positive.
    for left, right in SKELETON.left_right[:1] + SKELETON.left_right[4:5]:
        assert (xyz[:, right, 0] > xyz[:, left, 0]).mean() > 0.95
    assert 1 < np.median(joint["hip centre"][:, 2]) < 4
