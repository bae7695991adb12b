"""Simulated untrimmed recordings: PKU-MMD's files, read by PKU-MMD's reader, with labels that sit
where the movement is."""

import numpy as np
import pytest

from pstl.data.datasets import _pku, synthetic
from pstl.data.datasets.synthetic_untrimmed import DATASET, simulate
from pstl.data.fetch import fetch
from pstl.data.formats import pku_txt
from pstl.data.formats.skeleton_txt import ClipName
from pstl.data.parse import parse, parse_untrimmed, recordings
from pstl.data.recordings import open_recordings
from pstl.data.store import open_sequences
from pstl.errors import UserError
from pstl.records import Clip

TINY = {"performers": 3, "frames": [12, 16], "gap": [8, 10]}
QUIET = {
    "jitter": 0,
    "drift": 0,
    "guess": 0,
    "ghost": 0,
    "empty": 0,
    "dropped_frame": 0,
    "tilt_deg": 0,
}
SPEC, CFG = DATASET.spec, DATASET.Config.model_validate(TINY)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("untrimmed") / "raw"
    fetch(SPEC.name, TINY, folder)
    return folder


def test_recordings_are_what_was_simulated(raw, tmp_path):
    """From rows of text to the store that detection reads: coordinates, intervals and sides."""
    parse_untrimmed(SPEC.name, TINY, raw, tmp_path / "r")
    store = open_recordings(tmp_path / "r")
    assert [r.clip.name for r in store] == ["A01N01-M", "A01N02-R", "A01N03-R"]
    assert [[store[i].clip.subject for i in side] for side in store.sides("xsub")] == [[1, 3], [2]]
    for recording in store:
        _, coordinates, labels = simulate(CFG, recording.clip.subject, 1)
        rows = np.array(
            [[float(n) for n in line.split()] for line in coordinates.decode().splitlines()],
            np.float32,
        )
        np.testing.assert_array_equal(
            recording.clip.xyz.transpose(0, 2, 1, 3).reshape(len(rows), -1), rows
        )
        spans = [tuple(map(int, line.split(",")[:3])) for line in labels.splitlines()]
        assert [(label + 1, start, end) for label, start, end in recording.actions] == spans
        assert sorted(label for label, _, _ in spans) == list(range(1, len(SPEC.classes) + 1))
        assert np.array_equal(
            recording.labels() >= 0,
            np.isin(recording.times, [t for _, a, b in spans for t in range(a, b + 1)]),
        )


def test_intervals_are_clips_too(raw, tmp_path):
    """Whoever wants to pre-train on them gets the counted clips."""
    parse(SPEC.name, TINY, raw, tmp_path / "s", jobs=1)
    clips = open_sequences(tmp_path / "s")
    assert len(clips) == sum(DATASET.expected(CFG)["xsub"]) == 3 * len(SPEC.classes)
    assert {clip.label for clip in clips} == set(range(len(SPEC.classes)))


def test_people_are_those_of_the_trimmed_set():
    """An encoder from `synthetic` is tried here: its training performers must not be tested, so
    numbers must mean the same people."""
    assert [SPEC.splits["xsub"](_pku.clip_named(f"A01N{n:02d}-L")) for n in (1, 2, 3)] == [
        "train",
        "test",
        "train",
    ]
    assert [
        synthetic.DATASET.spec.splits["xsub"](Clip("", 0, pku_txt.NOTHING, subject=n))
        for n in (1, 2, 3)
    ] == ["train", "test", "train"]
    bones = []
    for performer in (1, 2):
        name, coordinates, _ = simulate(
            DATASET.Config.model_validate(TINY | {"noise": QUIET}), performer, 1
        )
        there = synthetic.simulate(
            synthetic.DATASET.Config.model_validate({"noise": QUIET}),
            ClipName(1, 1, performer, 1, 1),
        ).xyz
        bones.append(thigh(pku_txt.read(coordinates, name)))
        assert bones[-1] == pytest.approx(thigh(there), rel=1e-3)
    assert bones[0] != pytest.approx(bones[1], rel=1e-3)


def thigh(xyz):
    """Length of the left thigh."""
    return float(np.median(np.linalg.norm(xyz[:, 12, 0] - xyz[:, 13, 0], axis=-1)))


def test_a_folder_without_recordings_is_refused(tmp_path):
    """One line that says what to run."""
    with pytest.raises(UserError, match="python -m pstl fetch synthetic_untrimmed"):
        list(recordings(DATASET, tmp_path))
