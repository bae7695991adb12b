import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_settings import BASE, first_experiment, load

from pstl import code_hash, config, paths
from pstl.config import Run
from pstl.errors import UserError
from pstl.rules import Rules


def test_variants_inherit_their_base_and_the_suites_changes(tmp_path):
    """An ablation is one line, and a suite that shortens the method shortens its variants too."""
    section = load(tmp_path).method("s", "no_csm")
    assert section.method == "pstl"
    assert section.settings == {"masked_joints": 0}
    assert section.train.epochs == 2
    assert section.train.lr == 0.1


def test_cells_hold_every_task_of_every_run_and_each_fusion(tmp_path):
    """The table shows what is missing only if the grid is complete."""
    params = load(tmp_path)
    cells = params.cells("s")
    assert len(params.runs("s")) == 2 * 3 * 2
    assert len(cells) == len(set(cells)) == 12 + 4
    assert sum(c.fused is not None for c in cells) == 4
    fused = params.cell(Run.parse("s/nwucla/xview/pstl/fused/s1"), "released", "linear")
    assert params.fusion_weights(fused)["motion"] == 0.4


def test_a_stream_that_a_method_has_not_makes_no_job(tmp_path):
    """One method without bones must not stop a grid of all others, nor vanish from its tables."""
    shape = {
        "recipe": "scaled300",
        "encoder": {"name": "dsta"},
        "labels": 0.5,
        "train": {"epochs": 1, "lr": 0.1, "labelled_batch": 4},
    }
    params = load(
        tmp_path,
        {"methods": {"psp_half": shape | {"method": "psp"}}},
        first_experiment(methods=["pstl", "psp_half"], seeds=[0]),
    )
    assert [run.stream for run in params.runs("s") if run.method == "psp_half"] == ["joint"]
    assert [cell.run.stream for cell in params.cells("s") if cell.run.method == "psp_half"] == [
        "joint"
    ]
    asked = [cell.run.stream for cell in params.grid("s") if cell.run.method == "psp_half"]
    assert asked == ["joint", "bone", "motion", "fused"]
    assert {(run.method, run.stream) for run in params.not_applicable("s")} == {
        ("psp_half", stream) for stream in asked[1:]
    }
    assert [cell for cell in params.grid("s") if cell.run.method == "pstl"] == [
        c for c in params.cells("s") if c.run.method == "pstl"
    ]


@pytest.mark.parametrize("text", ["", "a/b", "s/d/x/m/joint/0", "s/d/x/m/joint/sx"])
def test_run_names_are_checked(text):
    """A run names its place in the grid in full."""
    with pytest.raises(UserError, match="expected suite/dataset/split/method/stream/s<seed>"):
        Run.parse(text)


def test_a_run_is_of_a_stream_that_there_is():
    """`--run` is typed by hand, and an unknown stream would train something under its name."""
    with pytest.raises(UserError, match=r"unknown stream in run .*'jiont'; .* did you mean joint"):
        Run.parse("s/d/x/m/jiont/s0")
    assert Run.parse("s/d/x/m/3s/s0").stream == "fused"  # as earlier versions called it


def test_run_round_trip():
    """A path is a run is a path."""
    assert str(Run.parse("s/nwucla/xview/pstl/joint/s3")) == "s/nwucla/xview/pstl/joint/s3"


def test_the_projects_own_params_are_sound(root):
    """What ships must run: every suite, plug-ins included."""
    params = config.load(root / "params.yaml")
    for suite in params.suites:
        config.check_plugins(params, suite)


def borrowing(**changes):
    return {
        "suites": {
            "t": {
                "summary": "",
                "reuse_encoders_from": "s",
                "experiments": BASE["suites"]["s"]["experiments"],
            }
        },
        **changes,
    }


def test_a_suite_uses_the_encoders_of_another(tmp_path):
    """What is trained once is not trained again under another name: no encoder, no features."""
    params = load(tmp_path, borrowing())
    run = Run.parse("t/nwucla/xview/pstl/joint/s1")
    assert str(params.encoder_run(run)) == "s/nwucla/xview/pstl/joint/s1"
    assert {r.suite for r in params.runs("t")} == {"s"}
    assert (
        str(params.encoder_run(run, "nwucla/xview_disjoint"))
        == "t/nwucla/xview_disjoint/pstl/joint/s1"
    )  # nobody else trains it
    assert params.method("t", "pstl") == params.method("s", "pstl") != params.method("t", "no_csm")
    assert params.encoder_run(Run.parse("t/nwucla/xview/pstl/joint/s7")).suite == "t"
    assert params.encoder_run(Run.parse("s/nwucla/xview/pstl/joint/s1")).suite == "s"


def test_runs_of_every_seed_can_use_the_encoder_of_one(tmp_path):
    """Draws of labels are cheap and encoders are not: one is read, and named, as the one it is."""
    params = load(
        tmp_path, config.merge(borrowing(), {"suites": {"t": {"encoder_seeds": {"pstl": 1}}}})
    )
    for seed in (0, 1, 2):
        assert (
            str(params.encoder_run(Run.parse(f"t/nwucla/xview/pstl/joint/s{seed}")))
            == "s/nwucla/xview/pstl/joint/s1"
        )
    assert {run.seed for run in params.runs("t") if run.method == "pstl"} == {1}
    assert {cell.run.seed for cell in params.cells("t") if cell.run.method == "pstl"} != {1}
    with pytest.raises(UserError, match=r"unknown method in t\.encoder_seeds 'x'"):
        load(tmp_path, config.merge(borrowing(), {"suites": {"t": {"encoder_seeds": {"x": 1}}}}))
    learns = {"methods": {"pstl": {"labels": 0.1}}, "suites": {"s": {"encoder_seeds": {"pstl": 1}}}}
    with pytest.raises(
        UserError, match=r"encoder_seeds.pstl: pstl learns from the labels of a draw"
    ):
        load(tmp_path, learns)


@pytest.mark.parametrize("suite", ["ntu60", "pkummd2", "nwucla_semi"])
def test_few_labels_are_drawn_three_times_and_encoders_trained_once(root, suite):
    """The luck of one draw is as large as what papers differ by; encoders are trained once."""
    params = config.load(root / "params.yaml")
    draws = {}
    for cell in params.cells(suite):
        if cell.labels or (cell.run.labels and cell.task == "classify"):
            key = replace(cell, run=cell.run.model_copy(update={"seed": 0}))
            draws.setdefault(key, set()).add(cell.run.seed)
    assert draws
    assert min(len(seeds) for seeds in draws.values()) >= 3
    if suite != "nwucla_semi":  # which takes the encoders that nwucla has trained anyway
        entries = {run: params.method_of(run) for run in params.runs(suite)}
        trained = [
            run for run, entry in entries.items() if entry.train.epochs and entry.labels is None
        ]
        assert {run.seed for run in trained} == {0}


def test_borrowed_encoders_must_be_the_same(tmp_path):
    """An encoder trained otherwise than the suite says would stand under a wrong name."""
    other = config.merge(
        borrowing(), {"suites": {"t": {"methods": {"pstl": {"train": {"epochs": 9}}}}}}
    )
    with pytest.raises(UserError, match=r"methods\.pstl: has other settings than in s"):
        load(tmp_path, other)
    with pytest.raises(UserError, match=r"unknown suite in t\.reuse_encoders_from 'x'"):
        load(tmp_path, config.merge(borrowing(), {"suites": {"t": {"reuse_encoders_from": "x"}}}))
    with pytest.raises(UserError, match="uses the encoders of another suite itself"):
        load(tmp_path, config.merge(borrowing(), {"suites": {"t": {"reuse_encoders_from": "t"}}}))


def test_each_papers_protocol_stands_with_its_method(root, tmp_path):
    """Only numbers got in one way are subtracted: a changed protocol is nobody's."""
    params = config.load(root / "params.yaml")
    compared = params.compared("nwucla")
    assert compared["pstl linear"] == config.Compared("linear", own=True)
    shared = config.Compared("linear", own=False)  # as all methods share it
    assert compared["scdnet linear"] == shared
    assert compared["scdnet linear,protocol=scdnet"] == config.Compared("linear", own=True)
    assert compared["untrained.pstl linear"].own is False
    assert (compared["pstl knn"].own, compared["pstl retrieval"].own) == (None, None)
    assert compared["pstl probe"].own is False
    assert params.compared("nwucla_semi")["pstl semi"].own is False  # the suite's own, shorter
    stated = borrowing(methods={"pstl": {"protocol": {"linear": {}}}})
    for epochs, own in ((150, True), (5, False)):
        changed = {"suites": {"t": {"tasks": {"linear": {"epochs": epochs}}}}}
        tasks = {"tasks": {"linear": {"epochs": 150}}}
        assert load(tmp_path, stated, tasks, changed).compared("t")["pstl linear"].own is own
    with pytest.raises(UserError, match=r"unknown task in the protocol of methods\.pstl 'lniear'"):
        load(tmp_path, stated, {"methods": {"pstl": {"protocol": {"lniear": {}}}}})


def test_a_transfer_is_the_papers_only_by_the_papers_task(root):
    """Encoders are moved by fine-tuning in the papers: a linear probe of a moved one is ours."""
    entries = config.load(root / "params.yaml").entries("ntu60")
    source = "ntu120/xsub"
    assert entries.as_in_paper("hitrs", "finetune", "hitrs", source)
    assert entries.as_in_paper("hitrs", "linear", "hitrs", "")
    assert not entries.as_in_paper("hitrs", "linear", "hitrs", source)
    assert not entries.as_in_paper("hitrs", "finetune", "", source)


def test_how_a_paper_evaluates_is_no_setting_of_its_training(root):
    """Another protocol must not train the encoder again."""
    section = config.load(root / "params.yaml").method("ntu60", "scdnet")
    assert section.protocol
    assert "protocol" not in section.model_dump(mode="json")


def test_every_classification_task_is_fused_unless_some_are_named(root):
    """A fusion left out is missing for good; one of tasks without scores cannot be made."""
    params = config.load(root / "params.yaml")
    fused = {cell.task for cell in params.cells("nwucla") if cell.fused}
    assert fused == {"linear", "probe", "knn"}
    assert config.classifies(params.task("nwucla", "semi"))
    assert not config.classifies(params.task("nwucla", "retrieval"))


class Wildcards(dict):
    """As Snakemake has them."""

    __getattr__ = dict.__getitem__


def asked_for_every_cell(params):
    """What the rules ask for each cell of suite `s`, and how many calls that takes."""
    calls, job = 0, Rules(params)

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        for cell in params.cells("s"):
            params.method_of(cell.run)
            params.task_of(cell)
            params.encoder_run(cell.run, cell.source)
            cell_of = job.scores if cell.fused else job.inputs
            place = Path(paths.metrics(cell)).relative_to("results/s/runs").parts
            named = {"suite": "s", "run": "/".join(place[:5]), "batch_norm": cell.batch_norm}
            wildcards = Wildcards(named, cell=cell.name)
            cell_of(wildcards)
            job.cell_options(wildcards)
            job.code("fuse" if cell.fused else "evaluate")(wildcards)
    finally:
        sys.setprofile(None)
    return calls


def test_the_grid_is_walked_once_and_not_once_per_job(tmp_path, monkeypatch):
    """Thousands of jobs ask what they need: twice the jobs must be twice the work, no more.

    Sources are read for the plug-ins that there are, and not again for each job.
    """
    calls, hashed = [], []
    monkeypatch.setattr(code_hash, "closure", counted(code_hash.closure, hashed))
    for seeds in (100, 200):
        experiment = {**BASE["suites"]["s"]["experiments"][0], "seeds": list(range(seeds))}
        suites = {"s": {"floors": True, "experiments": [experiment]}}
        calls.append(asked_for_every_cell(load(tmp_path, {"suites": suites})))
    assert calls[1] < 2.2 * calls[0]
    assert len(hashed) == 2 * len(set(hashed))


def counted(function, asked):
    """The same function; what it is asked is added to `asked`."""

    def call(*arguments):
        asked.append(arguments)
        return function(*arguments)

    return call


def test_an_untrained_encoder_is_fed_as_its_method_feeds_it(root):
    """Training from scratch on other views would be compared with nothing."""
    params = config.load(root / "params.yaml")
    floor = "random_hitrs"
    asked = [n for n, s in params.suites.items() if any(floor in e.methods for e in s.experiments)]
    assert asked
    for suite in asked:
        trained, untrained = params.method(suite, "hitrs"), params.method(suite, floor)
        assert untrained.train.epochs == 0
        assert untrained.model_dump(exclude={"train"}) == trained.model_dump(exclude={"train"})
