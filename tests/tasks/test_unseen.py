"""Where released files repeat training clips on the test side, every metric of test clips has a
figure without them, in every task.
"""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from arrays import write_array
from train.conftest import make_array, make_params

from pstl import config
from pstl.config import Cell, Frozen, Run
from pstl.contracts import Task
from pstl.data.labels import rank
from pstl.data.store import open_array
from pstl.encoding.features import Encoding, extract
from pstl.errors import UserError
from pstl.evaluation import run as _run
from pstl.evaluation.fuse import fuse
from pstl.evaluation.run import evaluate
from pstl.files import write_json
from pstl.graph import Inputs
from pstl.metrics.classification import ACCURACIES
from pstl.metrics.clips import ClipMetrics, on_clips
from pstl.metrics.metric import UNSEEN
from pstl.records import Result
from pstl.registry import names, task_traits
from pstl.train.pretrain import pretrain

CPU = torch.device("cpu")
# Supervised: its encoder has a classifier of its own, so that every task makes sense.
RUN = Run(
    suite="tiny", dataset="nwucla", split="xview", method="supervised", stream="joint", seed=0
)
TRAIN = {"epochs": 2, "batch_size": 8, "lr": 5.0e-3}
QUICK = {"folds": 2, "strengths": [1.0]}
# Settings that make a task quick. A task that is not here is tried with its own.
TASKS = {
    "linear": {"epochs": 4},
    "probe": QUICK,
    "finetune": {"train": TRAIN, "test_every": 1},
    "semi": {"labels": 0.5, "train": TRAIN},
    "semi_probe": {"labels": 0.5, "probe": QUICK},
    "lost_joints": {
        "joints": [3],
        "parts": False,
        "frames": [0.5],
        "probes": {"linear": {"epochs": 2}, "knn": {"k": 3}},
    },
}
ON_CLIPS = [name for name in names("tasks") if task_traits(name).needs != "recordings"]
# the last of 8 test clips: what is drawn clip by clip, as lost frames, is then the same without
# them
TWINS = 3


def files(folder: Path, copies: bool) -> dict[str, Path]:
    """Encoder, features, array and labels of a tiny run; some test clips are copies of training
    clips, or these are not tested.
    """
    plain = open_array(make_array(folder / "plain"))
    train, test = plain.splits["xview"]
    x, y, content = np.array(plain.x), plain.y.copy(), plain.content.copy()
    for values in (x, y, content):
        values[test[-TWINS:]] = values[train[:TWINS]]
    data = replace(
        plain,
        x=x,
        y=y,
        content=content,
        splits={"xview": (train, test if copies else test[:-TWINS])},
    )
    write_array(folder / "array", data)
    made = {
        "array": folder / "array",
        "encoder": folder / "encoder.pt",
        "features": folder / "features.npz",
        "labels": folder / "l.json",
    }
    pretrain(settings(folder), RUN, made["array"], made["encoder"], CPU)
    extract(
        made["encoder"], made["array"], "xview", Encoding("recalibrated"), made["features"], CPU
    )
    write_json(
        made["labels"],
        vars(rank("nwucla", "xview", 0, [data.names[i] for i in train], data.y[train], 3)),
    )
    return made


def settings(folder: Path) -> config.Params:
    make_params(folder, snapshot_every=1)
    path = folder / "params.yaml"
    path.write_text(
        yaml.safe_dump(
            yaml.safe_load(path.read_text())
            | {"tasks": {name: TASKS.get(name, {}) for name in ON_CLIPS}}
        )
    )
    return config.load(path)


@pytest.fixture(scope="module")
def sides(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[bool, tuple[config.Params, dict[str, Path]]]:
    """The same run with the copies on the test side, and without them."""
    found = {}
    for copies in (True, False):
        folder = tmp_path_factory.mktemp("world")
        found[copies] = settings(folder), files(folder, copies)
    return found


def metrics(
    world: tuple[config.Params, dict[str, Path]], task: str, out: Path
) -> dict[tuple[str, str], float]:
    params, made = world
    files = {name: made[name] for name in ("encoder", "array", "features", "labels")}
    inputs = Inputs(**files, snapshots=made["encoder"].with_name("snapshots.zip"))
    cell, scores = Cell(RUN, "recalibrated", task), out.with_suffix(".scores.npz")
    evaluate(params, cell, inputs, out, scores, CPU)
    rows = json.loads(out.read_text())["rows"]
    return {(f"{row['batch_norm']};{row['setting']}", row["metric"]): row["value"] for row in rows}


@pytest.mark.parametrize("task", ON_CLIPS)
def test_every_metric_has_the_figure_of_a_split_without_the_copies(task, sides, tmp_path):
    """Leaving copies out must give what the task gives where they were never tested: no metric is
    exempt, and none is another one.
    """
    every, without = (
        metrics(sides[True], task, tmp_path / "a.json"),
        metrics(sides[False], task, tmp_path / "b.json"),
    )
    assert without
    assert not any(name.endswith(UNSEEN) for _, name in without)
    assert {key for key in every if key[1].endswith(UNSEEN)} == {
        (setting, name + UNSEEN) for setting, name in without
    }
    assert {key for key in every if not key[1].endswith(UNSEEN)} == set(without)
    for (setting, name), value in without.items():
        assert every[setting, name + UNSEEN] == pytest.approx(value, abs=1e-9), name


def test_a_fusion_leaves_the_copies_out_as_its_streams_do(sides, tmp_path):
    """A fused cell reads scores, not clips: it must still know which clips they are of."""
    found = {}
    for copies, world in sides.items():
        folder, streams = tmp_path / str(copies), {}
        for stream in ("joint", "bone"):
            path = folder / stream / "linear.json"
            path.parent.mkdir(parents=True)
            metrics(world, "linear", path)
            scores = path.with_suffix(".scores.npz")
            content = dict(np.load(scores))
            about = json.loads(str(content["about"])) | {"stream": stream}
            np.savez(scores, **content | {"about": np.array(json.dumps(about))})
            streams[stream] = str(scores)
        fused = RUN.model_copy(update={"stream": "fused"})
        cell = Cell(fused, "recalibrated", "linear", fused={"joint": 1.0, "bone": 0.5})
        fuse(cell, streams, folder / "f.json", folder / "f.npz")
        found[copies] = {
            row["metric"]: row["value"]
            for row in json.loads((folder / "f.json").read_text())["rows"]
        }
    assert {
        name: value for name, value in found[True].items() if name.endswith(UNSEEN)
    } == pytest.approx({name + UNSEEN: value for name, value in found[False].items()})
    assert {"top1", "top5", "macro_f1", "top1_equal"} == set(found[False])


class Careless(Task):
    """A task that gives back the same whatever it is given."""

    settings = Frozen
    metrics = ACCURACIES

    def __init__(self, result: Result) -> None:
        self.result = result

    def run(self, *_: object) -> Result:
        return self.result


def test_a_new_task_cannot_forget_it(sides, tmp_path, monkeypatch):
    """A task that makes its metrics by itself is refused at its first run, whatever the split: not
    where somebody reads a table.
    """
    half = ClipMetrics(top1=50.0, top1_unseen=50.0, top5=50.0)
    for copies, result in (
        (False, Result({"top1": 50.0})),
        (False, Result(ClipMetrics(top1=50.0), others={"baseline=x": {"top1": 50.0}})),
        (True, Result(half)),
    ):
        params, made = sides[copies]
        module = SimpleNamespace(TASK=Careless(result))
        monkeypatch.setattr(_run, "load_plugin", lambda *_, module=module: module)
        inputs = Inputs(features=made["features"])
        cell = Cell(RUN, "recalibrated", "knn")
        with pytest.raises(UserError, match=r"task knn: metrics of test clips without .*on_clips"):
            evaluate(params, cell, inputs, tmp_path / "new.json", None, CPU)
        assert not (tmp_path / "new.json").exists()


def test_where_all_clips_are_copies_or_none_is_there_is_one_figure_only():
    """A mean over no clips is no number."""
    y = torch.tensor([1.0, 0.0])
    for unseen in ([True, True], [False, False]):
        assert on_clips(lambda kept: {"m": float(y[kept].mean())}, np.array(unseen)) == {"m": 0.5}
    assert on_clips(lambda kept: {"m": float(y[kept].mean())}, np.array([True, False])) == {
        "m": 0.5,
        "m_unseen": 1.0,
    }
