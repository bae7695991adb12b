import json

import numpy as np
import pytest

from pstl.data import labels
from pstl.data.datasets import nwucla
from pstl.data.spec import RawSequence
from pstl.data.store import ArraySet, write_sequences
from pstl.errors import UserError

NTU_XSUB, NTU_XVIEW = [40_091 // 60] * 60, [37_646 // 60] * 60  # mean sizes; the true ones differ by a few clips
NWUCLA = [102, 102, 96, 124, 101, 102, 99, 99, 98, 97]


def ranking(sizes=(30, 25, 40), draw=0, order=None):
    """Lists of clips c<class>_<number>, drawn."""
    names = [f"c{c}_{i:02}" for c, size in enumerate(sizes) for i in range(size)]
    y = np.concatenate([np.full(size, c) for c, size in enumerate(sizes)])
    order = np.arange(len(names)) if order is None else order
    return labels.rank("nwucla", "xview", draw, [names[i] for i in order], y[order], len(sizes))


def array(names, train, y):
    """An array that holds these clips, the indices `train` on the training side."""
    n = len(names)
    rest = np.setdiff1d(np.arange(n), train)
    meta = {"dataset": "nwucla"}
    return ArraySet(np.zeros((n, 3, 2, 20, 1)), y, np.full(n, 2), np.arange(n), names, {"xview": (train, rest)}, meta)


@pytest.mark.parametrize(
    ("sizes", "fractions", "published"),
    [
        (NTU_XSUB, (0.05, 0.1, 0.2, 0.4), [33, 66, 132, 264]),
        (NTU_XVIEW, (0.05, 0.1, 0.2, 0.4), [31, 62, 124, 248]),
        (NWUCLA, (0.05, 0.15, 0.3, 0.4), [5, 15, 30, 40]),
    ],
)
def test_counts_are_those_of_the_field(sizes, fractions, published):
    """One clip more per class is another experiment (PSP spec section 8)."""
    assert [set(labels.clips_per_class(sizes, f)) for f in fractions] == [{n} for n in published]


def test_small_classes_lend_all_they_have():
    """No class without a labelled clip, none with more than it has, and everything is everything."""
    assert labels.clips_per_class([8, 12, 10], 0.3) == [3, 3, 3]
    assert labels.clips_per_class([8, 12, 10], 0.01) == [1, 1, 1]
    assert labels.clips_per_class([20, 100], 0.5) == [20, 30]
    assert labels.clips_per_class([102, 96], 1) == [102, 96]
    assert labels.clips_per_class([100], 0.29) == [29]  # not 28, which 0.29 * 100 is in floating point
    for wrong in (0.0, -0.1, 1.5):
        with pytest.raises(UserError, match="expected more than 0"):
            labels.clips_per_class([10], wrong)


def test_fractions_are_nested():
    """More labels must mean the same labels and others, or a curve over fractions mixes in the luck of the draw."""
    lists, before = ranking((60, 45, 80)), set()
    for fraction in (0.05, 0.1, 0.15, 0.3, 0.4, 1):
        names = {name for clips in labels.first_clips(lists, fraction) for name in clips}
        assert before < names
        before = names
    assert len(before) == 185


def test_draws_differ_and_come_back():
    """A draw is part of the result: the same number gives the same clips whatever the order on disk, another number others."""
    shuffled = np.random.default_rng(3).permutation(95)
    assert ranking(order=shuffled) == ranking()
    assert ranking(draw=1).classes != ranking().classes
    assert sorted(ranking(draw=1).classes[1]) == sorted(ranking().classes[1])
    ranks = [[int(name.split("_")[1]) for name in clips[:10]] for clips in ranking((50, 50)).classes]
    assert ranks[0] != ranks[1]  # drawn per class, not one set of ranks for all (spec 10.4)


def test_every_clip_of_a_class_is_as_likely():
    """A biased draw would favour the first performers of the sorted list."""
    first = np.array([int(ranking((20,), draw).classes[0][0].split("_")[1]) for draw in range(400)])
    assert abs(first.mean() - 9.5) < 1.0  # standard error 0.29
    assert len(set(first)) == 20


def test_the_indices_are_training_clips_of_their_class():
    """Whatever recipe made the array, in whatever order: labels are found by name, and never on the test side."""
    lists = ranking()
    names = [name for clips in lists.classes for name in sorted(clips)] + ["test_0", "test_1"]
    order = np.random.default_rng(0).permutation(len(names))
    names = [names[i] for i in order]
    y = np.array([int(name[1]) if name[0] == "c" else 0 for name in names])
    data = array(names, np.flatnonzero([name[0] == "c" for name in names]), y)
    index = labels.labelled(lists, 0.1, data)
    assert list(np.bincount(y[index])) == [2, 2, 2]
    assert {names[i] for i in index} == {name for clips in labels.first_clips(lists, 0.1) for name in clips}
    assert (np.diff(index) > 0).all()


def test_lists_of_other_clips_are_refused():
    """A list of another data set or split would label clips of the test side, or nothing."""
    lists = ranking()
    names = [name for clips in lists.classes for name in clips]
    data = array(names, np.arange(90), np.zeros(95, np.int64))
    with pytest.raises(UserError, match="no training clip of nwucla/xview"):
        labels.labelled(lists, 1, data)
    data.meta["dataset"] = "synthetic"
    with pytest.raises(UserError, match="the array is of synthetic"):
        labels.labelled(lists, 0.1, data)


def test_a_file_is_drawn_from_the_sequences(tmp_path):
    """From recordings to a published list of clips: training side only, readable without this project."""
    clips = [
        RawSequence(f"a{c:02}_s01_e{i:02}_v0{v}", c, np.ones((2, 20, 1, 3), np.float32) * (c + i), 1, v)
        for c in range(10)
        for i in range(5)
        for v in (1, 3)
    ]
    write_sequences(tmp_path / "sequences", nwucla.SPEC, 20, clips)
    labels.draw_labels("nwucla", tmp_path / "sequences", "xview", 2, tmp_path / "d2.json")
    content = json.loads((tmp_path / "d2.json").read_text())
    assert (content["dataset"], content["split"], content["draw"]) == ("nwucla", "xview", 2)
    assert [sorted(names) for names in content["classes"]] == [[f"a{c:02}_s01_e{i:02}_v01" for i in range(5)] for c in range(10)]
    assert labels.read(tmp_path / "d2.json").classes == content["classes"]
    with pytest.raises(UserError, match="known: xview, xview_disjoint"):
        labels.draw_labels("nwucla", tmp_path / "sequences", "xsub", 0, tmp_path / "d0.json")


def test_damaged_files_are_named(tmp_path):
    """Half a list would label fewer clips without a word."""
    with pytest.raises(UserError, match=r"none\.json: no such file"):
        labels.read(tmp_path / "none.json")
    for text in ("{", '{"dataset": "nwucla"}', "[1]"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(UserError, match=r"bad\.json: not a list"):
            labels.read(tmp_path / "bad.json")


def test_a_class_without_a_clip_is_an_error():
    """It could never be recognised, and nobody would know why."""
    with pytest.raises(UserError, match="class 2 has no training clip"):
        labels.rank("nwucla", "xview", 0, ["a", "b"], np.array([0, 1]), 3)
