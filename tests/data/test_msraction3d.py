"""MSR Action3D: rows become joints, the clips are the field's 557, and the bodies are what the
skeleton table says."""

import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pstl.data import parse
from pstl.data.datasets import msraction3d
from pstl.data.fetch import fetch
from pstl.errors import UserError
from pstl.skeletons import load
from pstl.skeletons.mapping import joints_of

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SKELETON = load(msraction3d.DATASET.spec.skeleton)
J = SKELETON.joints
JOINT = {name: i for i, name in enumerate(SKELETON.names)}


def write(folder, name="a03_s02_e01", rows=2 * J, columns=4, value=None):
    table = (
        np.arange(rows * columns).reshape(rows, columns) / 4
        if value is None
        else [[value] * columns] * rows
    )
    path = folder / f"{name}_skeleton3D.txt"
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in table))
    return path


def test_a_file_becomes_a_clip(tmp_path):
    """Four columns, and the fourth is no coordinate: read as three, every joint would be another
    one's."""
    write(tmp_path)
    (clip,) = parse.clips(msraction3d.DATASET, tmp_path)
    assert (clip.name, clip.label, clip.subject) == ("a03_s02_e01", 2, 2)
    assert clip.xyz.dtype == np.float32
    assert clip.xyz.shape == (2, J, 1, 3)
    np.testing.assert_array_equal(clip.xyz[1, 3, 0], np.array([23 * 4, 23 * 4 + 1, 23 * 4 + 2]) / 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 2 * J - 1}, r"table of \(39, 4\), expected 4 columns and 20 rows a frame"),
        ({"columns": 3}, "expected 4 columns"),
        ({"rows": 0}, r"table of \(0, 0\)"),
        ({"value": "x"}, "not a table of numbers"),
        ({"value": "nan"}, "not finite"),
        ({"value": 2000}, "beyond 1000 m"),
        ({"name": "a21_s01_e01"}, "action a21, expected a01 to a20"),
        ({"name": "a1_s01_e01"}, "expected a name like"),
    ],
)
def test_what_is_damaged_is_named(tmp_path, changes, message):
    """One bad file among 557 is only found if the message names it."""
    path = write(tmp_path, **changes)
    with pytest.raises(UserError, match=message) as caught:
        list(parse.clips(msraction3d.DATASET, tmp_path))
    assert str(caught.value).startswith(f"{path}: ")


def test_unusable_clips_are_not_even_read(tmp_path):
    """The tracker lost these ten performers; with them the counts would be 567 and no paper's."""
    write(tmp_path)
    write(tmp_path, name="a13_s09_e02", value="lost")
    assert [clip.name for clip in parse.clips(msraction3d.DATASET, tmp_path)] == ["a03_s02_e01"]


def test_an_empty_folder_says_what_to_run(tmp_path):
    """No clip at all is a folder that was never filled."""
    with pytest.raises(UserError, match="python -m pstl fetch msraction3d"):
        list(parse.clips(msraction3d.DATASET, tmp_path))


def test_positions_reach_an_encoder_of_another_sensor_under_their_names():
    """The two tables hold one set of places in two orders: an encoder of NW-UCLA must find the head
    where MSR has it."""
    there, here = load("kinect_v1"), joints_of("kinect_v1", "msr20")
    assert sorted(here) == list(range(J))
    assert [SKELETON.names[j] for j in here] == list(there.names)
    assert [here[j] for j in joints_of("msr20", "kinect_v1")] == list(range(J))
    renamed = {frozenset((there.names[a], there.names[b])) for a, b in there.edges}
    assert renamed - {frozenset(("hip centre", "spine"))} <= {
        frozenset((SKELETON.names[a], SKELETON.names[b])) for a, b in SKELETON.edges
    }
    second = load("kinect_v2").names
    assert second[joints_of("msr20", "kinect_v2")[JOINT["hip centre"]]] == "spine base"
    assert (
        SKELETON.names[joints_of("kinect_v2", "msr20")[second.index("left thumb")]] == "left hand"
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    if not (SHARED / "msr-action3d").is_dir():
        pytest.skip("no real recordings: ../shared/data/msr-action3d is absent")
    folder = tmp_path_factory.mktemp("raw") / "msraction3d"
    fetch("msraction3d", {}, folder, [SHARED])
    return list(parse.clips(msraction3d.DATASET, folder))


@pytest.fixture(scope="module")
def frames(clips):
    """(T, V, 3) of all frames in which somebody was found."""
    xyz = np.concatenate([clip.xyz[:, :, 0] for clip in clips])
    return xyz[xyz.any((1, 2))]


def test_clips_are_the_557_of_the_list(clips):
    """Accuracies are comparable only on the same clips; the release's own list says which."""
    with zipfile.ZipFile(SHARED / "msr-action3d" / "msr_action3d_real_world.zip") as archive:
        listed = (
            archive.read("real_world_coordinates/files_used_in_cvpr12_paper.txt").decode().split()
        )
    assert [clip.name for clip in clips] == sorted(listed)
    assert len(clips) == 557
    side = Counter(map(msraction3d.DATASET.spec.splits["xsub"], clips))
    assert (side["train"], side["test"]) == msraction3d.DATASET.spec.expected["xsub"]
    assert Counter(clip.label for clip in clips).keys() == set(range(20))
    assert [min(len(c.xyz) for c in clips), max(len(c.xyz) for c in clips)] == [13, 76]
    assert sum(not c.xyz.any((1, 2, 3)).all() for c in clips) == 13
    assert len({clip.xyz.tobytes() for clip in clips}) == 557


def test_bones_keep_their_length_and_both_sides_have_the_same(frames):
    """A joint order that is off by one still trains; but then forearms are as long as thighs and
    change while they move."""
    child, parent = np.array(SKELETON.edges).T
    bones = np.linalg.norm(frames[:, child] - frames[:, parent], axis=-1)
    length = dict(zip((SKELETON.names[c] for c in child), np.median(bones, 0), strict=True))
    assert (bones.std(0) < 0.2 * np.median(bones, 0)).all()  # over ten performers
    expected = {
        "knee": 0.54,
        "ankle": 0.43,
        "elbow": 0.28,
        "wrist": 0.29,
        "hand": 0.07,
        "foot": 0.17,
        "shoulder": 0.22,
        "head": 0.24,
    }
    for name, metres in expected.items():
        for side in ("",) if name == "head" else ("left ", "right "):
            assert length[side + name] == pytest.approx(metres, abs=0.02)
    mixed = frames[:, np.random.default_rng(0).permutation(J)]
    assert np.median(
        np.linalg.norm(mixed[:, child] - mixed[:, parent], axis=-1), 0
    ).sum() > 2 * sum(length.values())


def speed(clip, joint):
    """Mean distance between neighbouring frames."""
    return np.linalg.norm(np.diff(clip.xyz[:, JOINT[joint], 0], axis=0), axis=-1).mean()


def test_up_is_y_and_left_is_left(clips, frames):
    """Three witnesses that no table names: the acting arm and leg are the right ones, feet point to
    the sensor, x runs as on a Kinect."""
    height = np.median(frames[:, :, 1], 0)
    order = [
        "head",
        "shoulder centre",
        "spine",
        "hip centre",
        "left knee",
        "left ankle",
        "left foot",
    ]
    assert (np.diff(height[[JOINT[name] for name in order]]) < 0).all()
    for side in (
        "left",
        "right",
    ):  # a body that faces the sensor has its toes nearer to it, and then its right at larger x
        assert (
            frames[:, JOINT[f"{side} foot"], 2] < frames[:, JOINT[f"{side} ankle"], 2]
        ).mean() > 0.9
    for left, right in (SKELETON.shoulders, SKELETON.hips):
        assert (frames[:, right, 0] > frames[:, left, 0]).mean() > 0.95
    for limb, actions in (
        ("hand", ("high arm wave", "hammer", "draw x")),
        ("foot", ("forward kick", "side kick")),
    ):
        chosen = [clip for clip in clips if msraction3d.DATASET.spec.classes[clip.label] in actions]
        left, right = (
            np.mean([speed(clip, f"{side} {limb}") for clip in chosen])
            for side in ("left", "right")
        )
        assert right > 2.5 * left


def test_the_same_body_stands_behind_both_tables(frames):
    """In NW-UCLA's order a body has NW-UCLA's limbs; only pelvis, feet and head are placed
    otherwise by the other tracker."""
    if not (SHARED / "nw-ucla").is_dir():
        pytest.skip("no real recordings: ../shared/data/nw-ucla is absent")
    with zipfile.ZipFile(SHARED / "nw-ucla" / "all_sqe.zip") as archive:
        members = [name for name in archive.namelist() if name.endswith("_e01_v01.json")]
        theirs = np.concatenate([json.loads(archive.read(name))["skeletons"] for name in members])
    there = load("kinect_v1")
    child, parent = np.array(there.edges).T
    ours = frames[:, list(joints_of("kinect_v1", "msr20"))]
    a, b = (
        np.median(np.linalg.norm(x[:, child] - x[:, parent], axis=-1), 0) for x in (ours, theirs)
    )
    for name, mine, other in zip((there.names[c] for c in child), a, b, strict=True):
        if name.split()[-1] in ("elbow", "wrist", "knee", "ankle", "shoulder"):
            assert mine == pytest.approx(other, rel=0.35), name
