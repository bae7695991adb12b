"""Settings of encoding: what is read of a trained encoder, and by which scale. They change no
encoder, hold alike for floors, and rows say them.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from settings_files import settings_of
from train.conftest import trained_run

from pstl import graph
from pstl.backbones import raw, tcn
from pstl.config import Cell, Run
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.features import Encoding, extract
from pstl.encoding.pooling import by_time, pooled
from pstl.encoding.standardise import whitened
from pstl.errors import UserError
from pstl.evaluation.run import evaluate
from pstl.graph import Inputs
from pstl.skeletons import load as load_skeleton
from pstl.tasks import knn, linear, lost_joints, probe, retrieval
from pstl.train import encoder_file

CPU = torch.device("cpu")
RUN = Run(suite="tiny", dataset="nwucla", split="xview", method="pstl", stream="joint", seed=0)
TASKS = {"knn": {}, "knn_joints": {"base": "knn", "pooling": "joints", "normalise": "whitened"}}


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def features(train, test):
    """Two classes in turn."""
    y, y_test = (np.arange(len(side)) % 2 for side in (train, test))
    meta = {"classes": ["a", "b"]}
    return FeatureSet(train, test, y, y_test, np.ones(len(test), bool), meta)


@pytest.mark.parametrize(("rows", "parts"), [(13, 4), (12, 3), (3, 5), (1, 2)])
def test_parts_of_the_time_cover_it_in_order(rows, parts):
    """Written as a loop: each part is the mean of its rows, and of a part shorter than a row it is
    that row. Rows behind a clip's end must not count.
    """
    frames, counts = drawn(3, rows, 2), [rows, max(1, rows // 2), 1]
    found = by_time(frames, torch.tensor(counts), parts).view(3, parts, 2)
    for clip, count in enumerate(counts):
        for part in range(parts):
            first = part * count // parts
            end = max((part + 1) * count // parts, first + 1)
            torch.testing.assert_close(found[clip, part], frames[clip, first:end].mean(0))


def test_joints_kept_apart_average_to_the_encoders_own_feature(tmp_path):
    """What is kept apart is what the encoder averages, and nothing else."""
    _, _, path = trained_run(tmp_path, RUN)
    _, encoder = encoder_file.load(path)
    x = drawn(4, 3, 50, 20, 1)
    each = pooled(encoder, x, None, None, "joints").view(4, -1, 20)
    torch.testing.assert_close(each.mean(2), pooled(encoder, x, None, None, "clip"))


def test_coordinates_have_every_pooling():
    """A floor that cannot be pooled as the encoder above it is no floor of it."""
    x = drawn(2, 3, 8, 20, 1)
    encoder = raw.Encoder(raw.Config(), load_skeleton("kinect_v1"), 1, 8)
    joints = pooled(encoder, x, None, None, "joints")
    torch.testing.assert_close(joints, x.mean((2, 4)).flatten(1))
    halves = pooled(encoder, x, None, None, "time2").view(2, 2, 3, 20)
    torch.testing.assert_close(halves, x.view(2, 3, 2, 4, 20).mean(3).transpose(1, 2))


def test_an_encoder_that_mixes_joints_cannot_keep_them_apart():
    """One line that names the encoder, not a stack."""
    encoder = tcn.Encoder(tcn.Config(width=4), load_skeleton("kinect_v1"), 1, 8)
    with pytest.raises(UserError, match="the encoder tcn does not keep joints apart; expected"):
        pooled(encoder, drawn(2, 3, 8, 20, 1), None, None, "joints")


@pytest.mark.parametrize(("clips", "width"), [(50, 8), (8, 50)])
def test_whitened_training_clips_differ_alike_in_all_directions(clips, width):
    """Without shrinkage the covariance of what is left is the identity; with all of it nothing but
    the common scale changes, so that neighbours stay.
    """
    stretched = drawn(clips, width) * torch.logspace(-2, 2, width)
    train, test = stretched.numpy() + 7, (stretched + 0.1 * drawn(clips, width, seed=1)).numpy() + 7
    white, _ = whitened(train, test, 0.0)
    rank = min(clips - 1, width)
    covariance = white.T @ white / clips
    axes = covariance.diagonal().argsort(descending=True)[:rank]
    one = torch.eye(rank, dtype=torch.double)
    torch.testing.assert_close(covariance[axes][:, axes], one, atol=1e-6, rtol=0)
    both = features(train, test)
    all_of_it = knn.Config(normalise="whitened", shrinkage=1.0)
    centred = knn.TASK.run(both, knn.Config(normalise="centred"), 0, CPU)
    np.testing.assert_array_equal(
        knn.TASK.run(both, all_of_it, 0, CPU).scores.argmax(1), centred.scores.argmax(1)
    )


def test_whitening_sees_training_clips_alone():
    """A test clip must not depend on who is tested with it, nor on labels."""
    train, test = drawn(30, 6).numpy(), drawn(9, 6, seed=1).numpy()
    torch.testing.assert_close(whitened(train, test, 0.5)[1][:4], whitened(train, test[:4], 0.5)[1])


@pytest.mark.parametrize("task", [knn, linear, probe, retrieval])
def test_rows_say_what_is_not_usual(task):
    """Two numbers of one name are two experiments; what is usual goes on without a word."""
    both = features(drawn(20, 4).numpy(), drawn(6, 4, seed=1).numpy())
    short = {"epochs": 1} if task is linear else {}
    usual = task.TASK.run(both, task.Config(**short), 0, CPU).setting
    cfg = task.Config(**short, normalise="whitened", shrinkage=0.25, pooling="time2")
    found = task.TASK.run(both, cfg, 0, CPU).setting
    assert found == ";".join(filter(None, [usual, "pooling=time2", "whitened=0.25"]))


def test_features_of_another_pooling_are_refused(tmp_path):
    """They fit every probe: only what the file says of itself tells."""
    params, array, encoder = trained_run(tmp_path, RUN, TASKS)
    for pooling in ("clip", "joints"):
        extract(encoder, array, "xview", Encoding("released", pooling), f"{tmp_path}/f.npz", CPU)
        files = Inputs(features=tmp_path / "f.npz")
        right, other = ("knn", "knn_joints") if pooling == "clip" else ("knn_joints", "knn")
        evaluate(params, Cell(RUN, "released", right), files, tmp_path / "r.json", None, CPU)
        with pytest.raises(UserError, match=rf"\(released, {pooling}\), expected"):
            evaluate(params, Cell(RUN, "released", other), files, tmp_path / "o.json", None, CPU)
    assert json.loads((tmp_path / "r.json").read_text())["rows"][0]["setting"] == (
        "k=1;cosine;pooling=joints;whitened=0.5"
    )


def test_a_pooling_that_there_is_not_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"pooling 'all': expected clip, joints or"):
        extract("encoder.pt", "array", "xview", Encoding("released", "all"), tmp_path / "f", CPU)
    with pytest.raises(ValueError, match="to clip features alone"):
        lost_joints.Config(probes={"knn": {"pooling": "joints"}})


def test_a_floor_is_encoded_as_what_stands_above_it():
    """Each pooling has a file of its own, which the workflow makes; nothing is trained for it."""
    learns = {"recipe": "resize50", "encoder": "stgcn", "train": {"epochs": 1, "lr": 0.1}}
    block = {"dataset": "nwucla", "splits": ["xview"], "methods": ["pstl"], "tasks": [*TASKS]}
    suite = {"summary": "", "floors": True, "experiments": [block]}
    content = {"suite": "s", "methods": {"pstl": learns}, "tasks": TASKS}
    params = settings_of(content | {"suites": {"s": suite}})
    joints = [cell for cell in params.cells("s") if cell.task == "knn_joints"]
    assert {cell.run.method for cell in joints} == {"pstl", "raw.resize50", "untrained.pstl"}
    assert len(params.runs("s")) == len({cell.run for cell in joints})
    for cell in joints:
        usual = graph.features(params, replace(cell, task="knn"))
        assert graph.features(params, cell) == usual.replace("/feat", "/pooled/joints/feat")
