"""Robustness: what is lost is really lost, at the place the row says, and nothing else changes."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from train.conftest import trained_run

from pstl.config import Cell, Run
from pstl.encoding.feature_file import open_features
from pstl.encoding.features import Encoding, encode_all, extract
from pstl.encoding.pretrained import open_pretrained
from pstl.errors import UserError
from pstl.evaluation.run import evaluate
from pstl.graph import Inputs
from pstl.records import NotApplicable
from pstl.rng import torch_generator
from pstl.skeletons import load
from pstl.tasks import lost_joints

CPU = torch.device("cpu")
RUN = Run(suite="tiny", dataset="nwucla", split="xview", method="pstl", stream="joint", seed=0)
TASK = {"joints": [1, 8], "frames": [0.5], "probes": {"linear": {"epochs": 3}, "knn": {}}}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Settings, array, encoder and features of one small trained run."""
    folder = tmp_path_factory.mktemp("trained")
    tasks = {"knn": {}, "linear": {}, "lost_joints": TASK}
    params, array, encoder = trained_run(folder, RUN, tasks)
    extract(encoder, array, "xview", Encoding("recalibrated"), folder / "features.npz", CPU)
    return params, array, encoder, folder / "features.npz"


@pytest.fixture
def pretrained(files, tmp_path):
    opened = open_pretrained(RUN, "recalibrated", files[2], files[1], tmp_path / "last.pt", "", CPU)
    opened.renew()
    return dataclasses.replace(opened, features=open_features(files[3]))


def test_every_condition_is_a_row_and_nothing_lost_is_the_plain_probe(files, tmp_path):
    """The curve begins where the usual tables stand, and each probe, place and kind of loss has its
    own.
    """
    params, array, encoder, features = files
    out = tmp_path / "lost_joints.json"
    cell = Cell(RUN, "recalibrated", "lost_joints")
    evaluate(params, cell, Inputs(encoder, array, features), out, None, CPU)
    rows = json.loads(out.read_text())["rows"]
    value = {row["setting"]: row["value"] for row in rows if row["metric"] == "top1"}
    lost = [
        "joints=0",
        "joints=1",
        "joints=8",
        *(f"part={name}" for name in load("kinect_v1").parts),
        "frames=0",
        "frames=0.5",
    ]
    assert set(value) == {
        f"probe={probe};in={place};by={by};{what}"
        for probe in ("linear", "knn")
        for place in ("test", "both")
        for by in ("deletion", "zeros")
        for what in lost
    }
    for probe in ("linear", "knn"):
        plain = lost_joints.load_plugin("tasks", probe)
        expected = plain.TASK.run(
            open_features(features), plain.Config(**TASK["probes"][probe]), 0, CPU
        ).metrics["top1"]
        assert value[f"probe={probe};in=both;by=zeros;joints=0"] == expected


def test_the_probe_of_the_test_alone_is_the_whole_clips_probe(pretrained):
    """Lost at the test only: the linear layer must not have seen one clip with a loss, however many
    tests it is tried on at once.
    """
    module = lost_joints.load_plugin("tasks", "linear")
    probe = lost_joints.Probe("linear", module.TASK, module.Config(epochs=3), 0, CPU)
    other = np.random.default_rng(0).normal(size=pretrained.features.test.shape).astype(np.float32)
    found = lost_joints.at_test(
        probe, pretrained.features, {"a": (other, other), "b": (other, pretrained.features.test)}
    )
    assert found["b"] == lost_joints.accuracy(probe, pretrained.features)
    assert found["a"] == lost_joints.accuracy(
        probe, dataclasses.replace(pretrained.features, test=other)
    )


def test_lost_joints_have_no_influence_when_deleted(pretrained):
    """Deletion takes a joint out of the graph: whatever its position was, the features are the
    same. Zeros stay in it.
    """
    joints = load("kinect_v1").parts["left arm"]
    loss = lost_joints.Loss("part=left arm", joints)
    before = {
        by: lost_joints.encode_side(
            pretrained, pretrained.test, loss, by, torch_generator(0, "lost frames", 1)
        )
        for by in ("deletion", "zeros")
    }
    x = np.array(pretrained.data.x)
    x[:, :, :, list(joints)] += 3
    moved = dataclasses.replace(pretrained, data=dataclasses.replace(pretrained.data, x=x))
    for by, features in before.items():
        np.testing.assert_array_equal(
            lost_joints.encode_side(
                moved, pretrained.test, loss, by, torch_generator(0, "lost frames", 1)
            ),
            features,
        )
    assert np.abs(before["zeros"] - before["deletion"]).max() > 1e-4
    assert np.abs(before["zeros"] - pretrained.features.test).max() > 1e-4


def test_a_loss_of_nothing_gives_the_cached_features(pretrained):
    """What is encoded here must be what the other tasks read, or a curve begins beside its own
    table.
    """
    for by in ("deletion", "zeros"):
        found = lost_joints.encode_side(
            pretrained,
            pretrained.test,
            lost_joints.Loss(""),
            by,
            torch_generator(0, "lost frames", 1),
        )
        np.testing.assert_allclose(found, pretrained.features.test, atol=1e-6)
    np.testing.assert_allclose(
        encode_all(pretrained.card, pretrained.encoder, pretrained.clips(pretrained.test)),
        pretrained.features.test,
        atol=1e-6,
    )


def test_joints_are_nested_and_the_same_for_every_method():
    """Two methods compared on different joints would not be compared."""
    skeleton = load("kinect_v2")
    order = lost_joints.random_order(skeleton, 0)
    assert sorted(order) == list(range(skeleton.joints))
    assert order == lost_joints.random_order(skeleton, 0) != lost_joints.random_order(skeleton, 1)


def test_an_encoder_that_cannot_delete_says_so(pretrained):
    """Zeros under the name of deletion would be a wrong row; frames can go from any clip."""
    pretrained.encoder.can_drop = False
    found = lost_joints.TASK.run(
        pretrained, lost_joints.Config(joints=(1,), frames=(0.5,), probes={"knn": {}}), 0, CPU
    )
    rows, parts = (
        {found.setting, *found.others},
        [f"part={name}" for name in load("kinect_v1").parts],
    )
    for place in ("test", "both"):
        where = f"probe=knn;in={place};by="
        assert {s for s in rows if s.startswith(where + "deletion")} == {
            where + "deletion;frames=0",
            where + "deletion;frames=0.5",
        }
        assert {where + f"zeros;{what}" for what in ("joints=0", "joints=1", *parts)} < rows
        assert all(
            found.without[where + f"deletion;{what}"] == lost_joints.NO_DELETION
            for what in ("joints=1", *parts)
        )
    assert not rows & set(found.without)
    with pytest.raises(NotApplicable):
        lost_joints.TASK.run(
            pretrained, lost_joints.Config(frames=(), by=("deletion",), probes={"knn": {}}), 0, CPU
        )


@pytest.mark.parametrize(
    "wrong", [{"frames": [1.0]}, {"joints": [0]}, {"probes": {}}, {"probes": {"knn": {"kk": 3}}}]
)
def test_impossible_settings_are_refused(wrong):
    """A typo in a probe's settings must stop before the first clip is encoded."""
    with pytest.raises((ValueError, UserError)):
        lost_joints.Config.model_validate(wrong)
