"""What is combined must be of the same data, encoder and cell: where it is not, one line says what
differs.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from arrays import write_array
from train.conftest import make_array, trained_run

from pstl import config
from pstl.config import Cell, Run
from pstl.data.store import open_array
from pstl.encoding.features import Encoding, extract
from pstl.errors import UserError
from pstl.evaluation import scores
from pstl.evaluation.fuse import fuse
from pstl.evaluation.run import evaluate
from pstl.graph import Inputs
from pstl.hub import export
from pstl.hub.trace import trace
from pstl.report import paired
from pstl.train import encoder_file

CPU = torch.device("cpu")
RUN = Run(suite="tiny", dataset="nwucla", split="xview", method="pstl", stream="joint", seed=0)
LOST_JOINTS = Cell(RUN, "released", "lost_joints")
FUSED = RUN.model_copy(update={"stream": "fused"})
LOST = {"joints": [3], "parts": False, "frames": [], "probes": {"knn": {}}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[config.Params, Path]:
    """Settings, and a folder with an array, an encoder and its features."""
    folder = tmp_path_factory.mktemp("trained")
    tasks = {"knn": {}, "lost_joints": LOST}
    params, array, encoder = trained_run(folder, RUN, tasks, snapshot_every=1)
    extract(encoder, array, "xview", Encoding("released"), folder / "features.npz", CPU)
    return params, folder


def other_array(folder: Path) -> Path:
    """The same clips with other coordinates, and a second split."""
    data = open_array(make_array(folder / "other", seed=1))
    splits = {**data.splits, "xsub": data.splits["xview"]}
    write_array(folder / "other", replace(data, x=np.array(data.x), splits=splits))
    return folder / "other"


def test_features_of_another_split_or_array_are_refused(trained, tmp_path):
    """Every check of the run's name passes; only what the file says about itself tells."""
    params, folder = trained
    array = other_array(tmp_path)
    extract(folder / "encoder.pt", array, "xsub", Encoding("released"), tmp_path / "xsub.npz", CPU)
    inputs = Inputs(features=tmp_path / "xsub.npz")
    with pytest.raises(
        UserError,
        match=r"features by .*/joint/s0 of nwucla/xsub \(released, clip\), expected .* of .*/xview",
    ):
        evaluate(params, Cell(RUN, "released", "knn"), inputs, tmp_path / "o.json", None, CPU)
    extract(
        folder / "encoder.pt", array, "xview", Encoding("released"), tmp_path / "xview.npz", CPU
    )
    inputs = Inputs(folder / "encoder.pt", folder / "array", tmp_path / "xview.npz")
    with pytest.raises(UserError, match=r"xview\.npz: features of another array \(data_checksum"):
        evaluate(params, LOST_JOINTS, inputs, tmp_path / "o.json", None, CPU)
    assert not (tmp_path / "o.json").exists()


def test_features_of_another_training_are_refused(trained, tmp_path):
    """Retrained with other settings, an encoder keeps its run's name; its old features are not its
    own.
    """
    params, folder = trained
    card, encoder = encoder_file.load(folder / "encoder.pt")
    newer = replace(card, provenance={**card.provenance, "run_id": "0" * 16})
    encoder_file.save(tmp_path / "encoder.pt", newer, encoder)
    inputs = Inputs(tmp_path / "encoder.pt", folder / "array", folder / "features.npz")
    with pytest.raises(UserError, match=r"features of another encoder \(run_id"):
        evaluate(params, LOST_JOINTS, inputs, tmp_path / "o.json", None, CPU)


def stream(folder: Path, name: str, **changes: object) -> str:
    """Scores and rows of one stream as a task leaves them."""
    about = {
        "dataset": "nwucla",
        "split": "xview",
        "method": "pstl",
        "stream": name,
        "seed": 0,
        "task": "linear",
        "batch_norm": "released",
        "data_checksum": "c" * 64,
        "clips": "k" * 16,
        "labels": "l" * 16,
        "run_id": name,
    }
    about |= {key: value for key, value in changes.items() if key in about}
    y = np.array(changes.get("y", [0, 1, 2]))
    scores.write(
        folder / f"{name}.scores.npz",
        scores.Scores(np.eye(3, int(changes.get("classes", 3))), y, np.ones(3, bool), about),
    )
    part = {
        "run_id": name,
        "data_checksum": "c" * 64,
        "settings_digest": name,
        "setting": str(changes.get("setting", "k=1;cosine")),
    }
    (folder / f"{name}.json").write_text(json.dumps({"rows": [part]}))
    return str(folder / f"{name}.scores.npz")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_checksum": "d" * 64}, r"data_checksum d{16}, not c{16}"),
        ({"clips": "m" * 16}, "clips m{16}, not k{16}"),
        ({"labels": "m" * 16}, "labels m{16}, not l{16}"),
        ({"split": "xview_disjoint"}, "scores of another cell .split xview_disjoint, not xview"),
        (
            {"batch_norm": "recalibrated"},
            "scores of another cell .batch_norm recalibrated, not released",
        ),
        ({"seed": 1}, "scores of another cell .seed 1, not 0"),
        ({"stream": "motion"}, "scores of another cell .stream motion, not bone"),
        ({"task": "probe"}, "scores of another cell .task probe, not linear"),
        ({"y": [0, 1, 1]}, "other classes of the test clips"),
        ({"classes": 4}, "4 classes, not 3"),
        ({"setting": "k=5;cosine"}, "streams of different settings .k=1;cosine, k=5;cosine"),
    ],
)
def test_streams_that_do_not_belong_together_are_not_fused(tmp_path, changes, message):
    """Scores of equal shape add up to a number, whatever they are of."""
    files = {"joint": stream(tmp_path, "joint"), "bone": stream(tmp_path, "bone")}
    weights = {"joint": 1.0, "bone": 1.0}
    cell = Cell(FUSED, "released", "linear", fused=weights)
    fuse(cell, files, tmp_path / "right.json", None)
    files["bone"] = stream(tmp_path, "bone", **changes)
    with pytest.raises(UserError, match=message):
        fuse(cell, files, tmp_path / "wrong.json", None)
    assert not (tmp_path / "wrong.json").exists()


def test_a_fused_row_says_what_was_asked_of_its_streams(tmp_path):
    """Without it five neighbours, fused, stand beside a paper's one, and 1 % of the labels beside
    all of them.
    """
    files = {
        "joint": stream(tmp_path, "joint", setting="k=5;cosine"),
        "bone": stream(tmp_path, "bone", setting="k=5;cosine"),
    }
    cell = Cell(FUSED, "released", "linear", fused={"joint": 0.6, "bone": 0.4})
    fuse(cell, files, tmp_path / "fused.json", None)
    rows = json.loads((tmp_path / "fused.json").read_text())["rows"]
    assert {row["setting"] for row in rows} == {"k=5;cosine;joint=0.6;bone=0.4"}


def test_other_test_clips_are_not_compared_clip_by_clip(tmp_path):
    """Two splits of one data set can have as many clips with the same classes; paired differences
    of them mean nothing.
    """
    a, b = (stream(tmp_path, name) for name in ("joint", "bone"))
    assert paired.compare(a, b, 10).clips == 3
    for changes, message in (
        ({"clips": "m" * 16}, "clips m{16}, not k{16}"),
        ({"split": "xsub"}, "split xsub, not xview"),
    ):
        b = stream(tmp_path, "bone", **changes)
        with pytest.raises(
            UserError,
            match=rf"3 test clips that are not the 3 of .*joint\.scores\.npz \({message}\)",
        ):
            paired.compare(a, b, 10)
    b = stream(
        tmp_path, "bone", data_checksum="d" * 64, batch_norm="recalibrated"
    )  # another recipe's array of the same clips
    assert paired.compare(a, b, 10).clips == 3


def test_snapshots_are_traced_on_their_own_data_only(trained, tmp_path):
    """Test clips of another preparation may have been training clips of this one."""
    params, folder = trained
    assert trace(params, RUN, folder / "snapshots.zip", folder / "array", ["knn"], CPU)
    with pytest.raises(
        UserError, match=r"snapshots\.zip, epoch-0001\.pt: snapshot of tiny/.* on data .*, expected"
    ):
        trace(params, RUN, folder / "snapshots.zip", other_array(tmp_path), ["knn"], CPU)
    with pytest.raises(UserError, match="unknown split 'xsub' of nwucla; known: xview"):
        trace(
            params,
            RUN.model_copy(update={"split": "xsub"}),
            folder / "snapshots.zip",
            folder / "array",
            ["knn"],
            CPU,
        )


def test_a_model_card_holds_its_own_scores_only(trained, tmp_path):
    """Rows of a transfer lie in the target's folder, and are another encoder's."""
    _, folder = trained
    card, encoder = encoder_file.load(folder / "encoder.pt")
    encoder_file.save(tmp_path / "encoder.pt", card, encoder)
    (tmp_path / "released").mkdir()
    for task, run_id in (("knn", card.provenance["run_id"]), ("from_msr_knn", "0" * 16)):
        row = {"task": task, "setting": "", "metric": "top1", "value": 50.0, "run_id": run_id}
        (tmp_path / "released" / f"{task}.json").write_text(json.dumps({"rows": [row]}))
    export.export(tmp_path / "encoder.pt", tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    assert "| knn |" in text
    assert "from_msr_knn" not in text
