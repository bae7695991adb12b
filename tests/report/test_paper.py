import csv
from pathlib import Path

import pytest

from pstl.errors import UserError
from pstl.report import declared, paper
from pstl.report.paper import (
    FOLDER,
    UNVERIFIED,
    Published,
    decisive,
    find,
    load,
    not_stated,
    same_method,
)

HEADER = ",".join(Published._fields)
PRECISE = "arXiv 2302.09018, table 1"


def every_row() -> list[dict[str, str]]:
    """All rows of all files, the unverified ones included."""
    rows = []
    for path in sorted(FOLDER.glob("*.csv")):
        with open(path, newline="") as stream:
            rows += list(csv.DictReader(stream))
    return rows


def test_unverified_numbers_are_never_loaded() -> None:
    """A number that nobody saw printed must not stand beside a measured one."""
    remembered = [row for row in every_row() if row["source"] == UNVERIFIED]
    loaded = load()
    assert len(remembered) > 50
    assert len(loaded) == len(every_row()) - len(remembered)
    assert all(p.source and "unverified" not in p.source for p in loaded)


def test_a_number_is_in_the_copy_once() -> None:
    """The same fact twice, from two files, would look like two confirmations of it."""
    keys = [
        (p.dataset, p.split, p.stream, p.task, p.metric, p.setting, p.method, p.value)
        for p in load()
    ]
    assert len(set(keys)) == len(keys)


def test_the_stream_is_said_by_the_stream_column_only() -> None:
    """A "fused-" in front of the name would hide a fused number from the join with ours."""
    assert not [p.method for p in load() if same_method(p.method).startswith("fused")]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (("PSTL", "linear", "ntu60", "xsub", "joint", "top1"), 77.3),
        (("PSTL", "linear", "ntu60", "xview", "fused", "top1"), 83.8),
        (("SCD-Net", "linear", "ntu60", "xsub", "joint", "top1"), 86.6),
        (("SCD-Net", "knn", "ntu60", "xsub", "joint", "top1"), 76.2),
        (("Hi-TRS", "finetune", "ntu60", "xsub", "fused", "top1"), 90.0),
    ],
)
def test_targets_of_the_reproduction(cell: tuple[str, ...], value: float) -> None:
    """These are what the project is measured against.

    A slip of the pen here would make a wrong method look right.
    """
    method, task, dataset, split, stream, metric = cell
    setting = {"knn": "k=1;cosine", "finetune": "labels=1"}.get(task, "")
    ours = {
        "dataset": dataset,
        "split": split,
        "stream": stream,
        "task": task,
        "metric": metric,
        "method": method,
        "setting": setting,
    }
    assert [p.value for p in find(load(), ours)] == [value]


def test_methods_are_the_same_whatever_the_spelling() -> None:
    """Ours are module names, theirs are names of papers.

    A run of somebody else is not the paper's number.
    """
    assert same_method("SCD-Net") == same_method("scdnet")
    assert same_method("Hi-TRS") == same_method("hitrs")
    assert same_method("SCD-Net (authors' log)") != same_method("scdnet")
    assert same_method("skeletonbt") != same_method("pstl")


def test_other_label_fractions_are_not_compared() -> None:
    """1 % and 10 % of the labels are two problems; 0.1 and 0.10 are one."""
    assert decisive("labels=0.10") == decisive("labels=0.1;five draws")
    assert decisive("labels=0.01") != decisive("labels=0.1")
    assert decisive("") == decisive("labels=1") == decisive("frozen")


def test_other_neighbour_rules_are_not_compared() -> None:
    """Published 1-NN is cosine; five neighbours or another distance is another number."""
    assert decisive("k=1;cosine") == decisive("k=1;cosine;gallery=train")
    assert decisive("k=5;cosine") != decisive("k=1;cosine")
    assert decisive("k=1;euclidean") != decisive("k=1;cosine")


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (f'P,authors,lineal,ntu60,xsub,joint,,M,top1,50,best,,"{PRECISE}"', "lineal"),
        (f'P,authors,linear,NTU-60,xsub,joint,,M,top1,50,best,,"{PRECISE}"', "NTU-60"),
        (f'P,authors,linear,ntu60,cross-view,joint,,M,top1,50,best,,"{PRECISE}"', "cross-view"),
        (f'P,authors,linear,ntu60,xsub,3 streams,,M,top1,50,best,,"{PRECISE}"', "3 streams"),
        (f'P,authors,linear,ntu60,xsub,joint,,M,accuracy,50,best,,"{PRECISE}"', "accuracy"),
        (f'P,authors,linear,ntu60,xsub,joint,,M,top1,fifty,best,,"{PRECISE}"', "fifty"),
        (f'P,authors,linear,ntu60,xsub,joint,,M,top1,nan,best,,"{PRECISE}"', "nan"),
        (f'P,a friend,linear,ntu60,xsub,joint,,M,top1,50,best,,"{PRECISE}"', "a friend"),
        (f'P,authors,linear,ntu60,xsub,joint,,M,top1,50,highest,,"{PRECISE}"', "highest"),
        (f'P,authors,linear,ntu60,xsub,joint,,M,top1,50,best,stream seed,"{PRECISE}"', "seed"),
        (f'P,authors,knn,ntu60,xsub,joint,cosine,M,top1,50,last,,"{PRECISE}"', "nothing about k"),
        (
            f'P,authors,knn,ntu60,xsub,joint,k=1,M,top1,50,last,,"{PRECISE}"',
            "nothing about distance",
        ),
        (f'P,authors,semi,ntu60,xsub,joint,,M,top1,50,best,,"{PRECISE}"', "nothing about labels"),
        (
            f'P,authors,transfer,ntu60,xsub,joint,,M,top1,50,best,,"{PRECISE}"',
            "nothing about source",
        ),
        (
            f'P,authors,linear,ntu60,xsub,fused,,M,top1,50,best,,"{PRECISE}"',
            "nothing about weights",
        ),
        ("P,authors,linear,ntu60,xsub,joint,,M,top1,50,best,,", "source"),
        ("P,authors,linear,ntu60,xsub,joint,,M,top1,50,best", "13 cells"),
        (f"P,authors,linear,ntu60,xsub,joint,,M,top1,50,best,,{PRECISE}", "13 cells"),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, row: str, named: str) -> None:
    """Whoever adds a paper's numbers must hear which word is not in the vocabulary, and where."""
    (tmp_path / "new.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(UserError, match=f"new.csv, line 2.*{named}"):
        load(tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        "the paper",
        "table 3",
        "a public thread",
        "README of its repository",
        "https://github.com/maoyunyao/MAMP",
        "arXiv 2308.07092",
        "arXiv 2308.07092, table 2 ; another list",
    ],
)
def test_a_source_that_cannot_be_looked_up_is_refused(tmp_path: Path, source: str) -> None:
    """Work and place, for each of several sources.

    Who doubts a number must be able to find it in a minute.
    """
    (tmp_path / "new.csv").write_text(
        f'{HEADER}\nP,authors,linear,ntu60,xsub,joint,,M,top1,50,best,,"{source}"\n'
    )
    with pytest.raises(UserError, match=r"new.csv, line 2.*is not precise"):
        load(tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        PRECISE,
        "doi:10.1609/AAAI.V38I6.28409, table 1",
        "https://github.com/TaatiTeam/STARS (README.md, section 'Results')",
        "https://github.com/Uason-Chen/CTR-GCN/issues/24",
        "https://github.com/cong-wu/SCD-Net (file log/n60_cb_retrieval)",
        f"{PRECISE} ; https://sjepa.github.io (page, section 'Selected Results')",
    ],
)
def test_a_source_with_work_and_place_is_taken(tmp_path: Path, source: str) -> None:
    """Papers, repositories, issues and pages are all cited.

    None of them may be locked out by the check.
    """
    (tmp_path / "new.csv").write_text(
        f'{HEADER}\nP,authors,linear,sbu,folds,joint,,M,top1,50,best,,"{source}"\n'
    )
    assert [p.source for p in load(tmp_path)] == [source]


def test_what_summary_pages_leave_out_is_marked() -> None:
    """They print accuracies without stream or share of labels.

    Which cell such a number stands in was our guess.
    """
    guessed = [p for p in load() if p.table == "summary page"]
    assert len(guessed) >= 12
    assert all("stream" in p.assumed.split() for p in guessed)
    shares = {(p.method, p.value) for p in guessed if "labels" in p.assumed.split()}
    assert {("Hi-TRS", 77.7), ("Hi-TRS", 81.1), ("ASSL", 72.3), ("ASSL", 69.8)} <= shares


def test_the_kind_of_a_number_is_what_the_released_code_prints() -> None:
    """PSTL and SCD-Net keep the best epoch on the test clips; SCD-Net's retrieval looks once.

    Hi-TRS tests one fixed epoch.
    """
    kinds = {
        (p.method, p.task): p.kind for p in load() if p.method in ("PSTL", "SCD-Net", "Hi-TRS")
    }
    assert kinds == {
        ("PSTL", "linear"): "best",
        ("PSTL", "finetune"): "best",
        ("SCD-Net", "linear"): "best",
        ("SCD-Net", "knn"): "last",
        ("Hi-TRS", "finetune"): "fixed",
        ("Hi-TRS", "semi"): "fixed",
    }
    log = {(p.metric, p.value): p.kind for p in load() if p.method == "SCD-Net (authors' log)"}
    assert (log["top1", 86.571], log["top1", 86.456], log["top1", 81.907]) == (
        "best",
        "last",
        "fixed",
    )


def test_numbers_on_the_small_data_sets_are_there() -> None:
    """SOfA prints MSR Action3D, UT-Kinect and SBU, CMC-CMKM prints UTD-MHAD.

    SOfA's README does not say by which split, and CMC-CMKM trains on three of four performers, so
    none of them decides a comparison.
    """
    sets = ("msraction3d", "utkinect", "sbu", "utdmhad")
    found = {
        (p.dataset, p.method): p.value for p in load() if p.dataset in sets and p.task == "linear"
    }
    assert found == {
        ("msraction3d", "SOfA"): 82.2,
        ("utkinect", "SOfA"): 97.0,
        ("sbu", "SOfA"): 97.0,
        ("sbu", "MAMP"): 80.2,
        ("sbu", "SkeletonMAE (ICMEW)"): 73.1,
        ("utdmhad", "SimCLR (co-occurrence CNN)"): 95.11,
        ("utdmhad", "CMC"): 96.04,
        ("utdmhad", "CMC-CMKM"): 97.67,
    }
    linear = [p for p in load() if p.dataset in sets and p.task == "linear"]
    assert all("split" in p.assumed.split() or "subset=" in p.setting for p in linear)


def test_a_part_of_a_test_side_is_not_the_test_side() -> None:
    """SOfA leaves out the clips its encoder was trained on: 13,568 of 18,932 are another test."""
    parts = [p for p in load() if "leak-free" in p.setting]
    assert len(parts) >= 4
    assert all(
        decisive(p.setting) != decisive(p.setting.partition("subset=")[0].strip(";")) for p in parts
    )


def test_other_weights_are_not_compared_and_unsaid_ones_not_subtracted() -> None:
    """Streams summed 0.6, 0.6, 0.4 and 1, 1, 1 are two numbers.

    Where theirs are not said, the row is shown and decides nothing.
    """
    cell = {
        "dataset": "ntu60",
        "split": "xsub",
        "stream": "fused",
        "task": "linear",
        "metric": "top1",
    }
    ours = "joint=0.6;bone=0.60;motion=0.4"
    (aimclr,) = find(load(), cell | dict(method="aimclr", setting=ours))
    assert (aimclr.value, not_stated(aimclr, ours)) == (78.9, [])
    assert find(load(), cell | dict(method="aimclr", setting="joint=1;bone=1;motion=1")) == []
    (pstl,) = find(load(), cell | dict(method="pstl", setting=ours))
    assert (pstl.value, not_stated(pstl, ours)) == (79.1, ["weights"])


def test_labels_drawn_by_another_rule_are_not_compared() -> None:
    """1 % of NTU-60 is 360 clips by one paper's rule and 420 by another's."""
    row = load()[0]._replace(task="semi", setting="labels=0.01;rule=random", assumed="")
    cell = {
        name: getattr(row, name)
        for name in ("dataset", "split", "stream", "task", "metric", "method")
    }
    assert (
        find([row], cell | dict(setting="labels=0.01")) == []
    )  # of the rule psp, which goes without saying
    assert find([row], cell | dict(setting="labels=0.01;rule=per_class_7")) == []
    assert find([row], cell | dict(setting="labels=0.010;rule=random")) == [row]
    assert not_stated(row, "labels=0.01;rule=random") == []
    unsaid = row._replace(setting="labels=0.01")
    assert (
        not_stated(unsaid, "labels=0.01")
        == not_stated(unsaid, "labels=0.01;rule=random")
        == ["rule"]
    )
    assert not_stated(row._replace(setting="labels=1"), "labels=1") == []


def test_a_number_of_which_nothing_is_assumed_comes_first() -> None:
    """A guess in front would hide the number that can be compared."""
    sure = load()[0]._replace(assumed="", value=1.0)
    guess = sure._replace(assumed="stream", value=2.0)
    cell = {
        name: getattr(sure, name)
        for name in ("dataset", "split", "stream", "task", "metric", "method", "setting")
    }
    assert [p.value for p in find([guess, sure], cell)] == [1.0, 2.0]


def test_two_sources_that_disagree_are_both_kept() -> None:
    """Where tables differ the reader must see both, not the one we like better."""
    urls = [
        p
        for p in load()
        if p.method == "UmURL"
        and (p.dataset, p.split, p.stream, p.task) == ("ntu120", "xset", "other", "linear")
    ]
    assert sorted(p.value for p in urls) == [74.3, 76.3]
    assert all("prints" in p.source for p in urls)


def test_vocabularies_name_what_the_tasks_write() -> None:
    """A task whose metric is not in the vocabulary could never be compared."""
    assert {"linear", "knn", "retrieval"} <= set(paper.TASKS)
    assert all(declared.metrics().find(name) for name in ("top1", "map", "r1", "r5", "r10"))
