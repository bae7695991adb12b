import json
from functools import cache

import numpy as np
import pytest

from pstl import config
from pstl.data import labels
from pstl.data.datasets import _ntu, ntu60, nwucla, pkummd2
from pstl.data.store import ArraySet, write_sequences
from pstl.errors import UserError
from pstl.records import Clip

NTU_XSUB, NTU_XVIEW = (
    [40_091 // 60] * 60,
    [37_646 // 60] * 60,
)  # mean sizes; the true ones differ by a few clips
NWUCLA = [102, 102, 96, 124, 101, 102, 99, 99, 98, 97]


CLASS_RULES = ("psp", "per_class_round", "per_class_7")
RULES = (*CLASS_RULES, "random")


@cache
def ntu60_sizes(split):
    """Training clips of each class, counted over the names that the authors' list leaves."""
    names = [str(name) for name in _ntu.filmed(range(1, 18)) if _ntu.is_usable(f"{name}.skeleton")]
    trained = [
        name for name in names if ntu60.DATASET.spec.splits[split](_ntu.clip_named(name)) == "train"
    ]
    return np.bincount([int(name[-3:]) - 1 for name in trained], minlength=60).tolist()


def ranking(sizes=(30, 25, 40), draw=0, order=None, rule="psp"):
    """Lists of clips c<class>_<number>, drawn."""
    names = [f"c{c}_{i:02}" for c, size in enumerate(sizes) for i in range(size)]
    y = np.concatenate([np.full(size, c) for c, size in enumerate(sizes)])
    order = np.arange(len(names)) if order is None else order
    drawn = labels.rank("nwucla", "xview", draw, [names[i] for i in order], y[order], len(sizes))
    return labels.by_rule(drawn, rule)


def array(names, train, y):
    """An array that holds these clips, the indices `train` on the training side."""
    n = len(names)
    rest = np.setdiff1d(np.arange(n), train)
    meta = {"dataset": "nwucla"}
    return ArraySet(
        np.zeros((n, 3, 2, 20, 1)),
        y,
        np.full(n, 2),
        np.arange(n),
        names,
        {"xview": (train, rest)},
        meta,
    )


@pytest.mark.parametrize(
    ("sizes", "fractions", "published"),
    [
        (NTU_XSUB, (0.05, 0.1, 0.2, 0.4), [33, 66, 132, 264]),
        (NTU_XVIEW, (0.05, 0.1, 0.2, 0.4), [31, 62, 124, 248]),
        (NWUCLA, (0.05, 0.15, 0.3, 0.4), [5, 15, 30, 40]),
    ],
)
def test_counts_are_those_of_the_field(sizes, fractions, published):
    """One clip more per class is another experiment (PSP spec 8)."""
    assert [set(labels.clips_per_class(sizes, f)) for f in fractions] == [{n} for n in published]


@pytest.mark.parametrize(
    ("split", "rule", "counts"),
    [
        ("xsub", "psp", {0.01: 360, 0.05: 1_980, 0.1: 3_960}),
        ("xsub", "per_class_round", {0.01: 419, 0.05: 2_006, 0.1: 4_009}),
        ("xsub", "random", {0.01: 400, 0.05: 2_004, 0.1: 4_009}),
        ("xsub", "per_class_7", {0.01: 420, 0.05: 2_005, 0.1: 4_009}),
        ("xview", "psp", {0.05: 1_860, 0.1: 3_720}),
        ("xview", "per_class_round", {0.01: 360, 0.1: 3_763}),
        ("xview", "random", {0.01: 376, 0.1: 3_764}),
        ("xview", "per_class_7", {0.01: 420, 0.05: 1_882, 0.1: 3_765}),
    ],
)
def test_every_paper_labels_its_own_number_of_ntu_60(split, rule, counts):
    """At 1 % the papers' numbers differ by a sixth: one rule for all would compare unlike things.

    PSP's, PSTL's, AimCLR's and CMD's follow from released code, Hi-TRS's are lengths of its lists.
    """
    sizes = ntu60_sizes(split)
    assert sum(sizes) == ntu60.DATASET.spec.expected[split][0]
    for fraction, clips in counts.items():
        per_class = labels.clips_per_class(sizes, fraction, rule)
        assert sum(per_class) == clips, fraction
        if rule in ("psp", "per_class_7") and fraction == 0.01:
            assert len(set(per_class)) == 1


def test_protocols_draw_by_their_paper_s_rule(root):
    """What stands in params.yaml decides which experiment a table calls the paper's."""
    params, asked = config.load(root / "params.yaml"), {}
    for cell in params.cells("ntu60"):
        drawing = params.task_of(cell) if cell.labels else params.method_of(cell.run)
        if cell.share:
            asked[cell.run.method, cell.share] = cell.share, drawing.label_rule
    sizes = ntu60_sizes("xsub")
    assert {name: sum(labels.clips_per_class(sizes, *how)) for name, how in asked.items()} == {
        ("pstl", 0.01): 419, ("pstl", 0.1): 4_009,
        ("untrained.pstl", 0.01): 419, ("untrained.pstl", 0.1): 4_009,
        ("scdnet", 0.01): 400, ("scdnet", 0.1): 4_009,
        ("untrained.scdnet", 0.01): 400, ("untrained.scdnet", 0.1): 4_009,
        ("hitrs", 0.01): 420, ("hitrs", 0.05): 2_005, ("hitrs", 0.1): 4_009,
        ("random_hitrs", 0.01): 420, ("random_hitrs", 0.05): 2_005, ("random_hitrs", 0.1): 4_009,
        ("psp", 0.05): 1_980, ("psp", 0.1): 3_960, ("psp", 0.2): 7_920, ("psp", 0.4): 15_840,
    }  # fmt: skip


def test_a_share_of_every_class_is_rounded_as_in_the_released_code():
    """Halves go to the even number, few clips have none: a friendlier rule would be another."""
    rounded = labels.clips_per_class([4, 5, 6, 15, 25, 26, 35], 0.1, "per_class_round")
    assert rounded == [0, 0, 1, 2, 2, 3, 4]
    assert labels.clips_per_class([40, 60, 160], 0.01, "per_class_round") == [0, 1, 2]
    assert labels.clips_per_class([102, 96], 0.999, "per_class_round") == [102, 96]


def test_a_share_of_all_clips_is_cut_off_as_in_the_released_code():
    """int(0.29 * 100) is 28 there: what floating point makes of it belongs to the rule."""
    assert labels.clips_per_class([100], 0.29, "random") == [28]
    assert labels.clips_per_class([60, 39], 0.999, "random") == [98]
    assert labels.clips_per_class([60, 39], 0.01, "random") == [0]


def test_seven_of_a_class_and_then_in_proportion():
    """Hi-TRS's lists have 420 clips at 1 % and round(share * clips) above, nothing lost."""
    sizes = [12, 35, 101, 250, 702]
    assert labels.clips_per_class([5, *sizes], 0.01, "per_class_7") == [5, 7, 7, 7, 7, 7]
    for fraction in (0.02, 0.05, 0.1, 0.35, 0.999):
        counts = labels.clips_per_class(sizes, fraction, "per_class_7")
        assert sum(counts) == round(fraction * 1_100)
        assert np.abs(np.array(counts) - fraction * np.array(sizes)).max() < 1, fraction


def test_small_classes_lend_all_they_have():
    """No class without a labelled clip, none with more than it has, and everything is
    everything."""
    assert labels.clips_per_class([8, 12, 10], 0.3) == [3, 3, 3]
    assert labels.clips_per_class([8, 12, 10], 0.01) == [1, 1, 1]
    assert labels.clips_per_class([20, 100], 0.5) == [20, 30]
    for rule in CLASS_RULES:
        assert labels.clips_per_class([102, 96], 1, rule) == [102, 96]
    assert labels.clips_per_class([102, 96], 1, "random") == [198]
    assert labels.clips_per_class([100], 0.29) == [
        29
    ]  # not 28, which 0.29 * 100 is in floating point
    for wrong in (0.0, -0.1, 1.5, float("nan")):
        with pytest.raises(UserError, match="expected more than 0"):
            labels.clips_per_class([10], wrong)


@pytest.mark.parametrize("rule", RULES)
def test_fractions_are_nested(rule):
    """More labels must mean the same labels and others, or a curve over fractions mixes in the luck
    of the draw."""
    lists, before = ranking((60, 45, 80), rule=rule), set()
    for fraction in (0.05, 0.1, 0.15, 0.3, 0.4, 1):
        names = {name for clips in labels.first_clips(lists, fraction) for name in clips}
        assert before < names
        before = names
    assert len(before) == 185


def test_no_class_loses_a_clip_by_a_larger_share():
    """Rounding up the largest remainders would now and then: more labels, and one fewer here."""
    sizes, before = np.random.default_rng(0).integers(3, 60, 25).tolist(), np.zeros(25)
    for fraction in np.arange(0.02, 1, 0.003):
        counts = np.array(labels.clips_per_class(sizes, fraction, "per_class_7"))
        assert (counts >= before).all()
        before = counts


def test_rules_by_class_share_their_clips():
    """What a rule costs is then not the luck of another draw."""
    lists = [labels.first_clips(ranking(rule=rule), 0.3) for rule in ("psp", "per_class_round")]
    few, more = ({name for names in each for name in names} for each in lists)
    assert (len(few), len(more)) == (18, 29)  # 6 of each class; 9 of 30, 8 of 25, 12 of 40
    assert few < more


def test_clips_drawn_together_leave_classes_to_chance():
    """CMD's draw is not balanced: of NTU-60's 400 clips some class has two and some a dozen."""
    sizes = (200, 200, 200)
    lists = ranking(sizes, rule="random")
    assert len(lists.classes) == 1
    counts = []
    for draw in range(40):
        (drawn,) = labels.first_clips(ranking(sizes, draw, rule="random"), 0.1)
        counts.append(np.bincount([int(name[1]) for name in drawn], minlength=3))
    assert (np.sum(counts, axis=1) == 60).all()
    assert 2.4 < np.std(counts) < 4.8  # 3.5 by chance: 60 of 600, a third each
    order = np.random.default_rng(0).permutation(600)
    assert ranking(sizes, rule="random", order=order) == lists


def test_draws_differ_and_come_back():
    """A draw is part of the result: the same number gives the same clips whatever the order on
    disk, another number others."""
    shuffled = np.random.default_rng(3).permutation(95)
    assert ranking(order=shuffled) == ranking()
    assert ranking(draw=1).classes != ranking().classes
    assert sorted(ranking(draw=1).classes[1]) == sorted(ranking().classes[1])
    ranks = [
        [int(name.split("_")[1]) for name in clips[:10]] for clips in ranking((50, 50)).classes
    ]
    assert ranks[0] != ranks[1]  # drawn per class, not one set of ranks for all (PSP spec 10.4)


def test_every_clip_of_a_class_is_as_likely():
    """A biased draw would favour the first performers of the sorted list."""
    first = np.array([int(ranking((20,), draw).classes[0][0].split("_")[1]) for draw in range(400)])
    assert abs(first.mean() - 9.5) < 1.0  # standard error 0.29
    assert len(set(first)) == 20


def test_the_indices_are_training_clips_of_their_class():
    """Whatever recipe made the array, in whatever order: labels are found by name, and never on the
    test side."""
    lists = ranking()
    names = [name for clips in lists.classes for name in sorted(clips)] + ["test_0", "test_1"]
    order = np.random.default_rng(0).permutation(len(names))
    names = [names[i] for i in order]
    y = np.array([int(name[1]) if name[0] == "c" else 0 for name in names])
    data = array(names, np.flatnonzero([name[0] == "c" for name in names]), y)
    index = labels.labelled(lists, 0.1, data)
    assert list(np.bincount(y[index])) == [2, 2, 2]
    assert {names[i] for i in index} == {
        name for clips in labels.first_clips(lists, 0.1) for name in clips
    }
    assert (np.diff(index) > 0).all()


def test_lists_of_other_clips_are_refused():
    """A list of another data set or split would label clips of the test side, or nothing."""
    lists = ranking()
    names = [name for clips in lists.classes for name in clips]
    data = array(names, np.arange(90), np.zeros(95, np.int64))
    with pytest.raises(UserError, match="no training clip of nwucla/xview"):
        labels.labelled(lists, 1, data)
    more = array([*names, "new"], np.arange(96), np.zeros(96, np.int64))
    with pytest.raises(UserError, match="drawn without new, a training clip of nwucla/xview"):
        labels.labelled(lists, 0.1, more)
    twice = labels.Ranking(
        "nwucla", "xview", 0, [*lists.classes[:2], [*lists.classes[2], lists.classes[0][0]]]
    )
    with pytest.raises(UserError, match="with a clip twice"):
        labels.labelled(twice, 0.1, array(names, np.arange(95), np.zeros(95, np.int64)))
    data.meta["dataset"] = "synthetic"
    with pytest.raises(UserError, match="the array is of synthetic"):
        labels.labelled(lists, 0.1, data)


@pytest.mark.parametrize("rule", ["per_class_round", "random"])
def test_a_share_that_labels_nothing_is_refused(rule):
    """Training on no clip would end somewhere else, and say something else."""
    lists = ranking(rule=rule)
    names = [name for clips in lists.classes for name in clips]
    with pytest.raises(
        UserError,
        match=rf"the rule {rule} labels none of 95 clips of nwucla/xview; take a larger fraction",
    ):
        labels.labelled(lists, 0.01, array(names, np.arange(95), np.zeros(95, np.int64)))


def test_an_unknown_rule_is_refused():
    """A typo must not become the default."""
    with pytest.raises(
        UserError,
        match="unknown rule 'cmd' of labels; known: psp, per_class_round, random, per_class_7",
    ):
        ranking(rule="cmd")


def test_a_file_is_drawn_from_the_sequences(tmp_path):
    """From recordings to a published list of clips: training side only, readable without this
    project."""
    clips = [
        Clip(f"a{c:02}_s01_e{i:02}_v0{v}", c, np.ones((2, 20, 1, 3), np.float32) * (c + i), 1, v)
        for c in range(10)
        for i in range(5)
        for v in (1, 3)
    ]
    write_sequences(tmp_path / "sequences", nwucla.DATASET.spec, 20, clips)
    labels.draw_labels(
        "nwucla", tmp_path / "sequences", "xview", 2, tmp_path / "d2.json", "per_class_round"
    )
    content = json.loads((tmp_path / "d2.json").read_text())
    assert (content["dataset"], content["split"], content["draw"], content["rule"]) == (
        "nwucla",
        "xview",
        2,
        "per_class_round",
    )
    assert [sorted(names) for names in content["classes"]] == [
        [f"a{c:02}_s01_e{i:02}_v01" for i in range(5)] for c in range(10)
    ]
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


def clips_of(classes, tested=(1,)):
    """Five clips of every class by each of three performers of PKU-MMD's second phase."""
    numbers = [(c, performer, i) for performer in (1, 2, 3) for c in classes for i in range(5)]
    for c, performer, i in numbers:
        if c not in tested or performer > 1:  # performers 2 and 3 are tested
            xyz = np.full((2, 25, 1, 3), 1.0 + i, np.float32)
            yield Clip(f"A01N{performer:02}-L_{c:02}{i}", c, xyz, performer, 1)


@pytest.mark.parametrize("rule", RULES)
def test_classes_that_a_release_lacks_take_no_part(tmp_path, rule):
    """PKU-MMD's second phase has 41 of its 51 classes: nothing could be drawn from the real
    files."""
    classes = [c for c in range(51) if c % 5]
    write_sequences(tmp_path / "s", pkummd2.DATASET.spec, 25, clips_of(classes, tested=()))
    labels.draw_labels("pkummd2", tmp_path / "s", "xsub", 0, tmp_path / "d0.json", rule)
    drawn = labels.read(tmp_path / "d0.json")
    named = {int(name[-3:-1]) for names in drawn.classes for name in names}
    assert named == set(classes)
    assert all(name.startswith("A01N01") for names in drawn.classes for name in names)
    assert len(drawn.classes) == (1 if rule == "random" else len(classes))
    chosen = [name for names in labels.first_clips(drawn, 0.4) for name in names]
    assert len(chosen) == 2 * len(classes)


def test_a_class_that_is_tested_and_never_trained_is_an_error(tmp_path):
    """It could never be recognised; it is named by its number in the data set."""
    write_sequences(tmp_path / "s", pkummd2.DATASET.spec, 25, clips_of((3, 7, 50), tested=(7,)))
    with pytest.raises(UserError, match="pkummd2/xsub: class 7 has no training clip"):
        labels.draw_labels("pkummd2", tmp_path / "s", "xsub", 0, tmp_path / "d0.json")
    assert not (tmp_path / "d0.json").exists()
