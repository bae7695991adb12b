"""UTKinect: rows, times and labels are where the files say, and the real recordings are what the
skeleton table says."""

import logging
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pstl.data import doctor, parse
from pstl.data.datasets import utkinect
from pstl.data.fetch import fetch
from pstl.data.formats import utkinect_txt
from pstl.errors import UserError
from pstl.records import Clip
from pstl.skeletons import load

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SKELETON = load(utkinect.DATASET.spec.skeleton)
J = SKELETON.joints
LABELS = "s03_e01\nwalk: 10 14 \npush:  NaN NaN\nsitDown: 14 20\n\n"


def write(folder, times=(10, 12, 12, 14, 20, 24), labels=LABELS, width=1 + 3 * J):
    rows = [[t, *(100 * i + np.arange(width - 1))] for i, t in enumerate(times)]
    (folder / "joints_s03_e01.txt").write_text(
        "\n".join("  ".join(f"{v:.6f}" for v in row) for row in rows)
    )
    (folder / utkinect.LABELS).write_text(labels)
    return folder


def test_rows_are_found_by_their_time(tmp_path):
    """Column one is a time stamp with uneven steps: taken for an index, every interval would lie
    elsewhere."""
    (recording,) = parse.recordings(utkinect.DATASET, write(tmp_path))
    assert recording.times.tolist() == [10, 12, 14, 20, 24]
    np.testing.assert_array_equal(
        recording.clip.xyz[:, 0, 0, 0], [0, 100, 300, 400, 500]
    )  # of repeats, the first row
    assert recording.clip.xyz.dtype == np.float32
    assert recording.actions == ((0, 10.0, 14.0), (1, 14.0, 20.0))
    assert recording.labels().tolist() == [0, 0, 1, 1, -1]  # the shared row belongs to what begins
    walk, sit = parse.clips(utkinect.DATASET, tmp_path)
    assert (walk.name, walk.label, walk.subject, len(walk.xyz)) == ("s03_e01_walk", 0, 3, 3)
    assert (sit.name, len(sit.xyz)) == ("s03_e01_sitDown", 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 4}, "expected rows of 61 numbers"),
        ({"times": (10, 14, 12)}, "frame numbers that fall"),
        ({"times": (10, np.nan)}, "not finite"),
        ({"labels": "s03_e01\nfly: 10 12\n"}, "line 2: action 'fly'; known: walk"),
        ({"labels": "s03_e01\nwalk: 14 10\n"}, "expected first <= last"),
        ({"labels": "s03_e01\nwalk: a b\n"}, "expected two frame numbers"),
        ({"labels": "s03_e01\nwalking around\n"}, "expected sSS_eEE or"),
        ({"labels": "s04_e01\nwalk: 10 12\n"}, "no labels of s03_e01"),
        ({"labels": "s03_e01\nwalk: 15 19\n"}, "no row of s03_e01 from 15 to 19"),
    ],
)
def test_what_is_damaged_is_named(tmp_path, changes, message):
    """A label on the wrong line is not seen in any table of results."""
    with pytest.raises(UserError, match=message):
        list(parse.clips(utkinect.DATASET, write(tmp_path, **changes)))


def test_every_performer_is_left_out_once():
    """Leave-one-out with a performer on both sides, or with nobody tested, would be an average over
    something else."""
    performers = range(1, 11)
    splits = {
        name: rule
        for name, rule in utkinect.DATASET.spec.splits.items()
        if name.startswith("without_")
    }
    clips = [Clip("", 0, np.zeros((1, J, 1, 3), np.float32), subject=n) for n in performers]
    tested = [
        [n for n, clip in zip(performers, clips, strict=True) if rule(clip) == "test"]
        for rule in splits.values()
    ]
    assert tested == [[n] for n in performers]
    assert all(sum(rule(clip) == "train" for clip in clips) == 9 for rule in splits.values())


def test_an_empty_folder_says_what_to_run(tmp_path):
    """No recording at all is a folder that was never filled."""
    with pytest.raises(UserError, match="python -m pstl fetch utkinect"):
        list(parse.clips(utkinect.DATASET, tmp_path))


def test_half_a_table_is_refused(tmp_path):
    """A download cut in the middle of a row."""
    path = write(tmp_path) / "joints_s03_e01.txt"
    path.write_text(path.read_text()[:-90])
    with pytest.raises(UserError, match=r"joints_s03_e01\.txt: not a table"):
        utkinect_txt.read(path.read_bytes(), str(path), J)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not (SHARED / "utkinect").is_dir():
        pytest.skip("no real recordings: ../shared/data/utkinect is absent")
    folder = tmp_path_factory.mktemp("raw") / "utkinect"
    fetch("utkinect", {}, folder, [SHARED])
    return folder


@pytest.fixture(scope="module")
def recordings(folder):
    return list(parse.recordings(utkinect.DATASET, folder))


def test_counts_are_those_of_the_release(folder, recordings):
    """20 recordings, every class twice by each performer but one `carry`; the splits have the
    counts they state."""
    assert len(recordings) == 20
    assert (
        sum(len(r.times) for r in recordings) == 15_318
    )  # 15,860 rows without those that repeat a frame number
    clips = list(parse.clips(utkinect.DATASET, folder))
    classes = Counter(clip.label for clip in clips)
    assert [classes[c] for c in range(10)] == [20, 20, 20, 20, 19, 20, 20, 20, 20, 20]
    for split, rule in utkinect.DATASET.spec.splits.items():
        side = Counter(map(rule, clips))
        assert (side["train"], side["test"]) == utkinect.DATASET.spec.expected[split]
    assert min(len(clip.xyz) for clip in clips) == 5


def test_corrected_labels_are_used(recordings):
    """In the original list `push` of s03_e01 begins a thousand frames early and swallows
    `throw`."""
    third = next(r for r in recordings if r.clip.name == "s03_e01")
    assert (6, 3556.0, 3622.0) in third.actions


def test_the_original_list_is_read_as_the_corrected_one(folder, recordings, tmp_path, caplog):
    """Who has the release and not the mirror has its seven slips: each is known, and said."""
    copy = tmp_path / "utkinect"
    shutil.copytree(folder, copy)
    next(copy.rglob("actionLabel_modified.txt")).unlink()
    assert [r.actions for r in parse.recordings(utkinect.DATASET, copy)] == [
        r.actions for r in recordings
    ]
    original = next(copy.rglob("actionLabel.txt"))
    rows = [line.strip() for line in original.read_text().splitlines() if line.strip()]
    assert [rows[slip.row - 1] for slip in utkinect.DATASET.spec.slips] == [
        s.released for s in utkinect.DATASET.spec.slips
    ]
    parse.parse_untrimmed("utkinect", {}, copy, tmp_path / "r")
    assert "row 52: the release's 'push: 2556 3622' is read as 'push: 3556 3622'" in caplog.text
    report = doctor.examine("utkinect", {}, copy, [])
    assert report["ok"]
    assert len(report["notes"]) == len(utkinect.DATASET.spec.slips) == 7
    caplog.clear()
    list(parse.recordings(utkinect.DATASET, folder))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_joint_order_is_the_anatomy(recordings):
    """The release names no joints: a wrong table would give a body whose bones change length and
    whose head is not on top."""
    names = {name: i for i, name in enumerate(SKELETON.names)}
    xyz = np.concatenate([r.clip.xyz[:, :, 0] for r in recordings])
    bones = np.linalg.norm(xyz - xyz[:, list(SKELETON.parents)], axis=-1)
    length, spread = np.median(bones, 0), bones.std(0)
    limbs = [
        names[f"{side} {part}"]
        for side in ("left", "right")
        for part in ("knee", "ankle", "elbow", "wrist")
    ]
    assert (length[limbs] > 0.18).all()
    assert (length[limbs] < 0.5).all()
    assert (spread[limbs] < 0.35 * length[limbs]).all()
    for left, right in SKELETON.left_right:  # a body is symmetric; shins are not thighs
        assert length[left] == pytest.approx(length[right], rel=0.15)
    height = np.median(xyz[:, :, 1], 0)
    order = ["head", "shoulder centre", "spine", "left knee", "left ankle", "left foot"]
    assert (np.diff(height[[names[n] for n in order]]) < 0).all()
    # Chance permutations of joints fail this: bones of the table are much shorter than distances
    # between random joints.
    shuffled = np.random.default_rng(0).permutation(J)
    mixed = np.linalg.norm(xyz[:, shuffled] - xyz[:, shuffled][:, list(SKELETON.parents)], axis=-1)
    assert np.median(mixed, 0).sum() > 1.5 * length.sum()


def test_left_is_left(recordings):
    """Who faces a Kinect has the right hand at larger x; with sides exchanged, mirroring would
    teach the wrong body."""
    facing = np.concatenate([r.clip.xyz[:, :, 0] for r in recordings])
    left, right = SKELETON.shoulders
    assert ((facing[:, right] - facing[:, left])[:, 0] > 0).mean() > 0.8


def test_settings_are_chosen_on_performers_that_xsub_trains_on():
    """A performer of the test side in any of these splits would make every choice one on test
    recordings."""
    splits = utkinect.DATASET.spec.splits
    clips = [Clip("", 0, np.zeros((1, J, 1, 3), np.float32), subject=n) for n in range(1, 11)]
    chosen = [rule for name, rule in splits.items() if name.startswith("xsub_val")]
    assert len(chosen) == 5
    for number, rule in enumerate(chosen, start=1):
        sides = {clip.subject: rule(clip) for clip in clips}
        assert [n for n, side in sides.items() if side == "test"] == [number]
        assert {n for n, side in sides.items() if side == "train"} == set(range(1, 6)) - {number}
