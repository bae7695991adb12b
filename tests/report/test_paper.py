import csv
from pathlib import Path

import pytest

from pstl.errors import UserError
from pstl.report import paper
from pstl.report.paper import FOLDER, UNVERIFIED, Published, decisive, find, load, same_method

HEADER = ",".join(Published._fields)


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
    keys = [(p.dataset, p.split, p.stream, p.task, p.metric, p.setting, p.method, p.value) for p in load()]
    assert len(set(keys)) == len(keys)


def test_the_stream_is_said_by_the_stream_column_only() -> None:
    """A "3s-" in front of the name would hide a fused number from the join with ours."""
    assert not [p.method for p in load() if same_method(p.method).startswith("3s")]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (("PSTL", "linear", "ntu60", "xsub", "joint", "top1"), 77.3),
        (("PSTL", "linear", "ntu60", "xview", "3s", "top1"), 83.8),
        (("SCD-Net", "linear", "ntu60", "xsub", "joint", "top1"), 86.6),
        (("SCD-Net", "knn", "ntu60", "xsub", "joint", "top1"), 76.2),
        (("Hi-TRS", "finetune", "ntu60", "xsub", "3s", "top1"), 90.0),
    ],
)
def test_targets_of_the_reproduction(cell: tuple[str, ...], value: float) -> None:
    """These are what the project is measured against; a slip of the pen here would make a wrong method look right."""
    method, task, dataset, split, stream, metric = cell
    setting = {"knn": "k=1;cosine", "finetune": "labels=1"}.get(task, "")
    found = find(load(), dataset=dataset, split=split, stream=stream, task=task, metric=metric, method=method, setting=setting)
    assert [p.value for p in found] == [value]


def test_methods_are_the_same_whatever_the_spelling() -> None:
    """Ours are module names, theirs are names of papers; a run of somebody else is not the paper's number."""
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
        ("P,t,lineal,ntu60,xsub,joint,,M,top1,50,s", "lineal"),
        ("P,t,linear,ntu60,cross-view,joint,,M,top1,50,s", "cross-view"),
        ("P,t,linear,ntu60,xsub,3 streams,,M,top1,50,s", "3 streams"),
        ("P,t,linear,ntu60,xsub,joint,,M,accuracy,50,s", "accuracy"),
        ("P,t,linear,ntu60,xsub,joint,,M,top1,fifty,s", "fifty"),
        ("P,t,linear,ntu60,xsub,joint,,M,top1,50,", "source"),
    ],
)
def test_a_faulty_row_is_named(tmp_path: Path, row: str, named: str) -> None:
    """Whoever adds a paper's numbers must hear which word is not in the vocabulary, and where."""
    (tmp_path / "new.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(UserError, match=f"new.csv, line 2.*{named}"):
        load(tmp_path)


def test_two_sources_that_disagree_are_both_kept() -> None:
    """Where tables differ the reader must see both, not the one we like better."""
    urls = [p for p in load() if p.method == "UmURL" and (p.dataset, p.split, p.stream, p.task) == ("ntu120", "xset", "other", "linear")]
    assert sorted(p.value for p in urls) == [74.3, 76.3]
    assert all("prints" in p.source for p in urls)


def test_vocabularies_name_what_the_tasks_write() -> None:
    """A task whose metric is not in the vocabulary could never be compared."""
    assert {"linear", "knn", "retrieval"} <= set(paper.TASKS)
    assert {"top1", "map", "r1", "r5", "r10"} <= set(paper.METRICS)
