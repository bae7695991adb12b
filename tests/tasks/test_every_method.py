"""The grid of tasks and methods: every cell has a number, or says why it cannot have one."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from arrays import write_array
from settings_files import write_settings

from pstl import config, paths
from pstl.config import Run
from pstl.data.labels import rank
from pstl.data.store import ArraySet
from pstl.encoding.features import Encoding, extract
from pstl.evaluation.run import evaluate
from pstl.files import write_json
from pstl.graph import Inputs
from pstl.records import READS
from pstl.registry import names, task_traits
from pstl.report.rows import from_files
from pstl.skeletons import load
from pstl.tasks import lost_joints
from pstl.train.pretrain import pretrain

CPU = torch.device("cpu")
TRAIN = {"epochs": 1, "batch_size": 8, "lr": 1.0e-3}
STGCN = {"recipe": "resize50", "encoder": {"name": "stgcn", "width": 2}, "train": TRAIN}
METHODS = {
    "pstl": STGCN | {"settings": {"projector_width": 8}},
    "skeletonbt": {"base": "pstl", "method": "skeletonbt"},
    "skeletonclr": STGCN | {"settings": {"queue": 16, "projection": 8}},
    "aimclr": {"base": "skeletonclr", "method": "aimclr"},
    "supervised": STGCN,
    "random_init": STGCN | {"train": {"epochs": 0, "lr": 1}},
    "raw": {"recipe": "resize50", "encoder": "raw", "train": {"epochs": 0, "lr": 1}},
    "scdnet": {
        "recipe": "spine300",
        "train": TRAIN,
        "settings": {"frames": 32, "cubes": 8, "masked_cubes": 3, "queue": 16, "projection": 8},
        "encoder": {"name": "scdnet", "width": 16, "heads": 2, "feedforward": 16, "stem_width": 8},
    },
    "hitrs": {
        "recipe": "metres300",
        "encoder": {"name": "hitrs", "width": 8, "heads": 2, "head_width": 4, "layers": 1},
        "train": TRAIN | {"drop_last": True, "max_steps": 1},
    },
    "psp": {
        "recipe": "scaled300",
        "encoder": {"name": "dsta", "width": 8},
        "labels": 0.5,
        "settings": {"frames": 16},
        "train": TRAIN | {"labelled_batch": 4},
    },
    "simclr": {
        "recipe": "view50",
        "encoder": {"name": "tcn", "width": 8},
        "settings": {"hidden": 8, "projection": 4},
        "train": TRAIN,
    },
    "mamp": {
        "recipe": "ctr300",
        "encoder": {"name": "vit", "t_patch": 8, "width": 8, "depth": 1, "heads": 2},
        "settings": {"frames": 32, "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2},
        "train": TRAIN,
    },
    "umurl": {
        "recipe": "spine300",
        "encoder": {"name": "umurl", "width": 16},
        "settings": {"frames": 16, "projection": 8},
        "train": TRAIN,
    },
    "predict_cluster": {
        "recipe": "view50",
        "encoder": {"name": "bigru", "width": 4, "layers": 2},
        "train": TRAIN | {"steps_per_epoch": 2, "replacement": True},
    },
}
TOGETHER = ("umurl",)  # methods whose stream is `other`
QUICK = {"folds": 2, "strengths": [1.0]}
TASKS = {
    "linear": {"epochs": 2},
    "probe": QUICK,
    "knn": {},
    "retrieval": {},
    "classify": {},
    "finetune": {"train": TRAIN},
    "semi": {"labels": 0.5, "train": TRAIN},
    "semi_probe": {"labels": 0.5, "probe": QUICK},
    "lost_joints": {
        "joints": [3],
        "parts": False,
        "frames": [0.5],
        "probes": {"linear": {"epochs": 2}, "probe": QUICK, "knn": {}},
    },
}
MOVED = ["probe", "finetune"]  # tasks that are tried on the encoders of another data set, too
# The cells that make no sense: no classes were learnt, or there is nothing to tune.
SENSELESS = {(method, "classify") for method in METHODS if method not in ("supervised", "psp")} | {
    ("raw", task) for task in ("finetune", "semi")
}


def make_array(dataset, split, skeleton, recipe):
    """24 walks of one or two people, 24 to 50 frames, zero beyond; the first 16 are for
    training.
    """
    joints = load(skeleton).joints
    x = (
        np.random.default_rng(0).normal(size=(24, 3, 50, joints, 2)).cumsum(2).astype(np.float32)
        * 0.05
    )
    length = np.linspace(24, 50, 24).astype(np.int64)
    x[::3, ..., 1] = 0
    for clip, n in zip(x, length, strict=True):
        clip[:, n:] = 0
    meta = {
        "dataset": dataset,
        "recipe": {"name": recipe},
        "skeleton": skeleton,
        "people": 2,
        "classes": ["a", "b", "c"],
    }
    splits, clips = {split: (np.arange(16), np.arange(16, 24))}, [f"clip{i}" for i in range(24)]
    write_array(
        dataset,
        ArraySet(x, np.arange(24) % 3, length, np.arange(24, dtype=np.uint64), clips, splits, meta),
    )


@pytest.fixture
def params(tmp_path, monkeypatch):
    """Every method and task on 25 joints, and moved from there to 20."""
    monkeypatch.chdir(tmp_path)
    own = {
        "dataset": "synthetic",
        "splits": ["xsub"],
        "methods": [method for method in METHODS if method not in TOGETHER],
        "batch_norm": ["released"],
    }
    moved = own | {
        "dataset": "nwucla",
        "splits": ["xview"],
        "sources": ["synthetic/xsub"],
        "tasks": MOVED,
    }
    experiments = [own | {"tasks": list(TASKS)}, moved]
    together = {"methods": list(TOGETHER), "streams": ["other"]}
    experiments += [experiment | together for experiment in experiments]
    content = {
        "suite": "grid",
        "methods": METHODS,
        "tasks": TASKS,
        "suites": {"grid": {"summary": "", "experiments": experiments}},
    }
    write_settings(tmp_path, content)
    clips = [f"clip{i}" for i in range(16)]
    write_json("labels.json", vars(rank("synthetic", "xsub", 0, clips, np.arange(16) % 3, 3)))
    return config.load(tmp_path / "params.yaml")


def run_cell(params, cell):
    """One cell as its job runs it, with what its task reads; what is made for it is not made
    again.
    """
    source = Run(**{**cell.run.model_dump(), "dataset": "synthetic", "split": "xsub"})
    task, encoder = params.task_of(cell), paths.encoder(source)
    if not Path(encoder).exists():
        labelled = params.method_of(cell.run).labels
        pretrain(params, source, "synthetic", encoder, CPU, "labels.json" if labelled else None)
    needs, given = (
        task_traits(task.kind).needs,
        {"encoder": encoder, "array": cell.run.dataset, "labels": "labels.json"},
    )
    if needs == "snapshots":
        given["snapshots"] = paths.snapshots(source)
    features = paths.features(cell.run, cell.batch_norm, cell.source)
    if "features" in READS[needs]:
        extract(encoder, cell.run.dataset, cell.run.split, Encoding(cell.batch_norm), features, CPU)
    out, scores = (
        paths.metrics(cell),
        paths.scores(cell),
    )
    evaluate(params, cell, Inputs(**given, features=features), out, scores, CPU)
    return json.loads(Path(out).read_text())


def test_the_grid_holds_every_method():
    """A method that nobody tried every task on is one whose cells stop a night's run."""
    assert set(METHODS) == set(names("methods"))


@pytest.mark.parametrize("method", METHODS)
def test_every_task_has_a_number_or_a_reason(params, method):
    """One cell that crashes stops a suite of hundreds; one that is silently empty is never asked
    about.
    """
    cells = [cell for cell in params.cells("grid") if cell.run.method == method]
    for world in (("synthetic", "xsub", "kinect_v2"), ("nwucla", "xview", "kinect_v1")):
        make_array(*world, params.method("grid", method).recipe.name)
    for cell in cells:
        found = run_cell(params, cell)
        senseless = (method, cell.task) in SENSELESS
        assert bool(found.get("not_applicable")) == senseless, (
            cell.task,
            found.get("not_applicable"),
        )
        assert bool(found["rows"]) != senseless
        assert all(math.isfinite(row["value"]) for row in found["rows"])
        if config.classifies(params.task_of(cell)) and not senseless:
            assert {"top1", "macro_f1"} <= {row["metric"] for row in found["rows"]}
        if cell.task == "lost_joints":
            check_lost(method, found)
    table = [row for row in from_files(params, "grid").rows if row["method"] == method]
    assert {row["task"] for row in table} == set(TASKS)
    assert not [
        row for row in table if row["value"] is None and not row["reason"].startswith("n/a: ")
    ]


def check_lost(method, found):
    """Every loss is a row or has a reason; encoders that take all joints delete none, and
    coordinates that are gone fit no probe.
    """
    asked = {
        f"probe={probe};in={place};by={by};{what}"
        for probe in ("linear", "probe", "knn")
        for place in ("test", "both")
        for by in ("deletion", "zeros")
        for what in ("joints=3", "frames=0.5")
    }
    settings, without = {row["setting"] for row in found["rows"]}, found.get("without", {})
    assert asked <= settings | set(without)
    assert not settings & set(without)
    no_joints = {setting for setting in asked if "deletion;joints" in setting}
    if method in ("scdnet", "hitrs", "psp", "umurl", "predict_cluster", "simclr"):
        assert without == dict.fromkeys(no_joints, lost_joints.NO_DELETION)
    elif method == "raw":
        assert without == {
            setting: lost_joints.OTHER_FEATURES for setting in no_joints if "in=test" in setting
        }
    else:
        assert not without
