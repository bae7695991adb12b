"""Untrimmed recordings on disk: times, labels and coordinates come back together, and trimmed clips
can stand in for them."""

import numpy as np
import pytest

from pstl import paths
from pstl.data.datasets import utkinect
from pstl.data.parse import parse_untrimmed
from pstl.data.recordings import open_recordings, write_recordings
from pstl.data.store import write_sequences
from pstl.errors import UserError
from pstl.records import Clip, Recording
from pstl.skeletons import load

SPEC = utkinect.DATASET.spec
J = load(SPEC.skeleton).joints


def recording(name="s01_e01", times=(2, 4, 8), actions=((0, 2.0, 4.0),), subject=1, frames=3):
    xyz = np.random.default_rng(subject).normal(size=(frames, J, 1, 3)).astype(np.float32)
    return Recording(Clip(name, -1, xyz, subject=subject), np.array(times, float), tuple(actions))


def test_the_files_beside_meta_are_those_that_are_named(tmp_path):
    """Object storage carries only the files that are named."""
    write_recordings(tmp_path / "data/recordings/x", SPEC, [recording()])
    held = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert held == {"data/recordings/x/meta.json", *paths.stood_for("data/recordings/x/meta.json")}


def test_what_is_written_is_read(tmp_path):
    """A label that moves to another recording is a wrong ground truth."""
    written = [
        recording(),
        recording("s06_e01", (0, 1, 2, 3), ((3, 0.0, 1.0), (9, 1.0, 9.0)), 6, 4),
    ]
    write_recordings(tmp_path / "r", SPEC, written)
    store = open_recordings(tmp_path / "r")
    assert [side.tolist() for side in store.sides("xsub")] == [[0], [1]]
    for before, after in zip(written, store, strict=True):
        np.testing.assert_array_equal(after.clip.xyz, before.clip.xyz)
        np.testing.assert_array_equal(after.times, before.times)
        assert after.actions == before.actions
    moved = [recording(actions=[(0, 2.0, 8.0)]), written[1]]
    write_recordings(tmp_path / "m", SPEC, moved)
    assert (
        open_recordings(tmp_path / "m").checksum != store.checksum
    )  # labels are part of what a result depends on


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": (2, 2, 8)}, "expected one each, rising"),
        ({"times": (2, 4)}, "2 times of 3 frames"),
        ({"actions": [(10, 2.0, 4.0)]}, "class 10 from 2 to 4; expected a known class"),
        ({"actions": [(0, 9.0, 12.0)]}, "within the recording"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, changes, message):
    """An interval beside the recording would be a ground truth nobody can find."""
    with pytest.raises(UserError, match=message):
        write_recordings(tmp_path / "r", SPEC, [recording(**changes)])
    assert not (tmp_path / "r").exists()


def test_clips_are_recordings_of_one_action(tmp_path):
    """Motion prediction works on any data set, trimmed or not."""
    clip = recording().clip
    write_sequences(
        tmp_path / "s",
        SPEC,
        J,
        [Clip("a", 4, clip.xyz, subject=2), Clip("b", 5, clip.xyz[:2], subject=7)],
    )
    store = open_recordings(tmp_path / "s")
    assert store[1].actions == ((5, 0.0, 1.0),)
    assert store[0].labels().tolist() == [4, 4, 4]
    assert [side.tolist() for side in store.sides("xsub")] == [[0], [1]]
    write_sequences(tmp_path / "t", SPEC, J, [Clip("a", 4, clip.xyz, subject=2)])
    with pytest.raises(UserError, match="1 training and 0 test"):
        open_recordings(tmp_path / "t").sides("xsub")
    with pytest.raises(UserError, match="unknown split 'xset'"):
        store.sides("xset")


def test_a_trimmed_data_set_says_so(tmp_path):
    """Asked for what it does not have, a data set must not answer with something else."""
    with pytest.raises(UserError, match="nwucla: has no untrimmed recordings"):
        parse_untrimmed("nwucla", {}, tmp_path, tmp_path / "out")
