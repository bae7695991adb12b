"""CMU motion capture: angles become the body they were measured on, and the test windows are the
public ones."""

import doctest
from pathlib import Path

import numpy as np
import pytest

from pstl.data import parse
from pstl.data.datasets import cmu
from pstl.data.fetch import fetch
from pstl.data.formats import expmap_txt
from pstl.data.formats.expmap_txt import JOINTS, OFFSETS, PARENTS, positions, rotations
from pstl.errors import UserError
from pstl.records import Clip
from pstl.skeletons import load

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SKELETON = load("cmu38")
NAMES = {name: i for i, name in enumerate(SKELETON.names)}


def test_exponential_maps_are_rotations():
    """Formula test: axis and angle by hand, the matrix exponential for others, and orthogonality
    for all."""
    quarter = rotations(np.array([0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(rotations(np.zeros(3)), np.eye(3))
    maps = np.random.default_rng(0).normal(size=(20, 3)) * 2
    found = rotations(maps)
    np.testing.assert_allclose(
        found @ found.swapaxes(1, 2), np.broadcast_to(np.eye(3), (20, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(found), 1)
    for r, rotation in zip(maps, found, strict=True):
        cross = np.array([[0, -r[2], r[1]], [r[2], 0, -r[0]], [-r[1], r[0], 0]])
        power, total = np.eye(3), np.eye(3)
        for k in range(1, 40):
            power = power @ cross / k
            total = total + power
        np.testing.assert_allclose(rotation, total, atol=1e-9)


def test_kinematics_agree_with_a_chain_written_out():
    """Formula test: one finger's place as the sum over its own chain, each bone turned by all
    joints above it."""
    angles = np.random.default_rng(1).normal(size=(3, JOINTS, 3))
    angles[:, 0] *= 5  # the root's rotation must not matter
    xyz = positions(angles)[:, :, 0]
    chain = [NAMES["left finger tip"]]
    while PARENTS[chain[-1]] != chain[-1]:
        chain.append(PARENTS[chain[-1]])
    for frame in range(3):
        frames, place = np.eye(3), np.zeros(3)
        for parent, joint in zip(chain[:0:-1], chain[-2::-1], strict=True):
            if parent != chain[-1]:
                frames = rotations(angles[frame, parent]) @ frames
            place = place + OFFSETS[joint] * expmap_txt.METRES @ frames
        np.testing.assert_allclose(xyz[frame, chain[0]], place, atol=1e-6)


def test_bones_keep_their_length():
    """Forward kinematics that stretch a bone are not rotations; and the skeleton's table must name
    the bones of the recording."""
    angles = np.random.default_rng(2).normal(size=(10, JOINTS, 3))
    xyz = positions(angles)[:, :, 0]
    length = np.linalg.norm(xyz - xyz[:, list(PARENTS)], axis=-1)
    np.testing.assert_allclose(
        length,
        np.broadcast_to(np.linalg.norm(OFFSETS, axis=1) * expmap_txt.METRES, length.shape),
        atol=1e-6,
    )
    ours = {frozenset(edge) for edge in SKELETON.edges}
    theirs = {frozenset((joint, parent)) for joint, parent in enumerate(PARENTS) if joint != parent}
    assert ours == theirs
    assert not positions(angles)[:, 0].any()


def read_file(path):
    return expmap_txt.read(path.read_bytes(), str(path))


def test_a_broken_file_is_named(tmp_path):
    """A file cut in the middle of a row."""
    (tmp_path / "walking_1.txt").write_text("0.1,0.2\n0.3")
    with pytest.raises(UserError, match=r"walking_1\.txt: not a table"):
        read_file(tmp_path / "walking_1.txt")
    (tmp_path / "walking_1.txt").write_text("0.1,0.2\n")
    with pytest.raises(UserError, match=r"expected rows of 117 finite numbers"):
        read_file(tmp_path / "walking_1.txt")
    with pytest.raises(
        UserError,
        match=r"0 rows in 0 test files of basketball, expected 577; run 'python -m pstl fetch cmu",
    ):
        list(parse.recordings(cmu.DATASET, tmp_path))


def test_the_public_windows_are_drawn():
    """Tables are compared on these eight windows per file: another generator would be another test
    set."""
    assert not doctest.testmod(cmu).failed
    draw = np.random.RandomState(1234567890)
    assert cmu.DATASET.forecast_starts(289) == [draw.randint(0, 289 - 75) + 50 for _ in range(8)]
    assert all(50 <= first <= 82 - 25 for first in cmu.DATASET.forecast_starts(82))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    if not (SHARED / "cmu-mocap-prediction").is_dir():
        pytest.skip("no real recordings: ../shared/data/cmu-mocap-prediction is absent")
    folder = tmp_path_factory.mktemp("raw") / "cmu"
    fetch("cmu", {}, folder, [SHARED])
    return {r.clip.name: r for r in parse.recordings(cmu.DATASET, folder)}


def test_five_actions_are_complete(recordings):
    """25 training files and 5 test files, at half their rows; nothing of the three incomplete
    actions."""
    sides = [cmu.DATASET.spec.splits["standard"](r.clip) for r in recordings.values()]
    assert (sides.count("train"), sides.count("test")) == (25, 5)
    assert len(recordings["test_running_1"].times) == 82
    assert {r.actions[0][0] for r in recordings.values()} == set(range(5))


def test_a_walker_walks(recordings):
    """Anatomy: head above chest above hip above knee above foot, knees bend back, left is left,
    feet swing the most."""
    xyz = np.concatenate([r.clip.xyz[:, :, 0] for n, r in recordings.items() if "walking" in n])
    mean, spread = xyz.mean(0), xyz.std(0)
    order = [
        "head top",
        "head",
        "chest",
        "hip centre",
        "left hip",
        "left knee",
        "left ankle",
        "left toes",
    ]
    assert (np.diff([mean[NAMES[n], 1] for n in order]) < 0).all()
    for side, sign in (("left", 1), ("right", -1)):
        shoulder, hip, knee, ankle = (
            xyz[:, NAMES[f"{side} {part}"]] for part in ("shoulder", "hip", "knee", "ankle")
        )
        assert (sign * shoulder[:, 0] > 0.1).all()
        bend = ((knee - hip)[:, 2] / (knee - hip)[:, 1]) - (
            (ankle - knee)[:, 2] / (ankle - knee)[:, 1]
        )
        assert (bend < 0.05).mean() > 0.95  # a shin never points further ahead than its thigh
    assert spread[NAMES["left ankle"], 2] > 0.15 > spread[NAMES["chest"], 2]
    # Left foot ahead when the right one is behind.
    swing = xyz[:, [NAMES["left ankle"], NAMES["right ankle"]], 2]
    assert np.corrcoef(swing.T)[0, 1] < -0.5
    stature = mean[NAMES["head top"], 1] - mean[NAMES["left toes"], 1]
    assert 1.3 < stature < 1.8


def test_zero_velocity_has_the_known_size(recordings):
    """The first row of every prediction table; in the benchmark's unit (70 instead of 56.4 mm)
    others print numbers of this size."""
    errors = []
    for name, r in recordings.items():
        if name.startswith("test"):
            xyz = r.clip.xyz[:, :, 0]
            errors += [
                np.linalg.norm(xyz[f : f + 25] - xyz[f - 1], axis=-1).mean(1)
                for f in cmu.DATASET.forecast_starts(len(xyz))
            ]
    millimetres = 1000 * np.mean(errors, axis=0)
    assert len(errors) == 40
    assert (
        15
        < millimetres[1]
        < 30
        < millimetres[3]
        < 60
        < millimetres[9]
        < 130
        < millimetres[24]
        < 220
    )


def test_held_out_splits_keep_the_test_files_out():
    """Settings are chosen on them: a test file on either side would be a look at the test."""
    clips = {
        name: Clip(name, 0, np.zeros((1, 38, 1, 3), np.float32), listed={"standard": side})
        for name, side in (
            ("train_walking_4@35", "train"),
            ("train_walking_5", "train"),
            ("test_walking_4", "test"),
        )
    }
    sides = {
        split: [rule(clip) for clip in clips.values()]
        for split, rule in cmu.DATASET.spec.splits.items()
    }
    assert sides == {
        "standard": ["train", "train", "test"],
        "held_out_4": ["test", "train", ""],
        "held_out_5": ["train", "test", ""],
    }
