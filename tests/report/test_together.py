"""The stream `other`: methods that take several inputs together, beside numbers of such methods."""

from pathlib import Path

import pytest
import torch
from report.fabricated import rows_of
from settings_files import write_settings

from pstl import config
from pstl.config import Cell, Params
from pstl.ops.streams import convert
from pstl.report.compare import compare
from pstl.report.paper import Published, load
from pstl.skeletons import load as load_skeleton

SHAPE = {"recipe": "resize50", "encoder": {"name": "stgcn", "width": 2}}
TRAIN = {"epochs": 1, "batch_size": 8, "lr": 0.001}
METHODS = {
    "umurl": {"recipe": "spine300", "encoder": {"name": "umurl", "width": 16}, "train": TRAIN},
    "pstl": SHAPE | {"train": TRAIN},
    "raw": {"recipe": "spine300", "encoder": "raw", "train": {"epochs": 0, "lr": 1}},
}
INPUT = "joint, motion and bone in one model"


@pytest.fixture
def params(tmp_path: Path) -> Params:
    """A suite of every stream, `other` included."""
    experiment = {
        "dataset": "ntu60",
        "splits": ["xsub"],
        "methods": list(METHODS),
        "batch_norm": ["released"],
        "tasks": ["knn"],
    }
    experiments = [experiment | {"streams": "all"}, experiment | {"streams": ["other"]}]
    suites = {"tiny": {"summary": "", "experiments": experiments}}
    content = {"suite": "tiny", "methods": METHODS, "tasks": {"knn": {}}, "suites": suites}
    return config.load(write_settings(tmp_path, content))


def test_each_method_has_the_streams_that_it_can_be_fed(params: Params) -> None:
    """PSTL trained on positions would stand as a model of three inputs; UmURL has no joint stream.
    Floors learn nothing, and coordinates are what UmURL must beat.
    """
    made = [(cell.run.method, cell.run.stream) for cell in params.cells("tiny")]
    single = ["joint", "bone", "motion"]
    expected = [(method, stream) for method in ("pstl", "raw") for stream in single]
    assert made == [*expected, ("umurl", "other"), ("raw", "other")]
    reasons = {str(run): why for run, why in params.not_applicable("tiny").items()}
    together = "UmURL takes joint, bone and motion in together (stream other)"
    assert reasons["tiny/ntu60/xsub/umurl/bone/s0"] == together
    assert "one stream at a time" in reasons["tiny/ntu60/xsub/pstl/other/s0"]


def line_of(params: Params, published: list[Published], method: str = "umurl"):
    """What the tables say of one of our 1-NN numbers on `other`."""
    run = config.Run.parse(f"tiny/ntu60/xsub/{method}/other/s0")
    made = rows_of(Cell(run, "released", "knn"), {"top1": 70.0}, setting="k=1;cosine")
    rows = [{**row, "reason": ""} for row in made]
    (line,) = compare(rows, published, params.compared("tiny"))
    return line


def test_numbers_of_the_same_inputs_stand_beside(params: Params) -> None:
    """UmURL's README prints 72.0 for joint, motion and bone in one model."""
    line = line_of(params, load())
    assert (line.published, line.setting) == (72.0, "k=1;cosine")
    assert line.mean_minus_published == pytest.approx(-2.0)
    assert line_of(params, load(), "raw").published is None


def test_numbers_of_other_inputs_do_not(params: Params) -> None:
    """`other` is no input: two models under it may have been fed differently."""
    (theirs,) = (
        p
        for p in load()
        if (p.method, p.split, p.task) == ("UmURL", "xsub", "knn") and p.dataset == "ntu60"
    )
    assert INPUT in theirs.setting
    fed = theirs._replace(setting=theirs.setting.replace(INPUT, "joint and depth"))
    assert line_of(params, [theirs]).published == 72.0
    assert line_of(params, [fed]).published is None


def test_what_is_fed_are_positions() -> None:
    """Bone and motion are made inside, in training and downstream alike."""
    x = torch.randn(2, 3, 4, 25, 1)
    assert torch.equal(convert(x, load_skeleton("kinect_v2"), "other"), x)
