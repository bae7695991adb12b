"""UmURL through the training loop that all methods share."""

import numpy as np
import pytest
import torch
from arrays import write_array
from settings_files import write_settings

from pstl import config
from pstl.data.store import ArraySet, open_array
from pstl.encoding.feature_file import open_features
from pstl.encoding.features import Encoding, extract
from pstl.methods import umurl
from pstl.train import encoder_file, loop
from pstl.train import pretrain as pretraining

CPU = torch.device("cpu")
RUN = config.Run(
    suite="tiny", dataset="nwucla", split="xview", method="umurl", stream="other", seed=0
)
RECIPE = {"name": "spine300", "spine_up": False}


def make_params(folder, features="fused", **train):
    settings = {"epochs": 2, "batch_size": 8, "lr": 0.001, "schedule": "step", "milestones": [1]}
    section = {
        "recipe": RECIPE,
        "encoder": {"name": "umurl", "width": 16, "features": features},
        "settings": {"frames": 16, "projection": 12},
        "train": settings | train,
    }
    experiment = {
        "dataset": "nwucla",
        "splits": ["xview"],
        "methods": ["umurl"],
        "streams": ["other"],
        "tasks": ["knn"],
    }
    suites = {"tiny": {"summary": "", "experiments": [experiment]}}
    methods = {"umurl": section}
    content = {"suite": "tiny", "methods": methods, "tasks": {"knn": {}}, "suites": suites}
    return config.load(write_settings(folder, content))


@pytest.fixture
def array(tmp_path):
    """24 walks of 20 to 60 frames, zero beyond their length; the first 16 are for training."""
    x = np.random.default_rng(0).normal(size=(24, 3, 60, 20, 1)).cumsum(2).astype(np.float32) * 0.05
    length = np.linspace(20, 60, 24).astype(np.int64)
    for clip, n in zip(x, length, strict=True):
        clip[:, n:] = 0
    meta = {
        "dataset": "nwucla",
        "recipe": RECIPE,
        "skeleton": "kinect_v1",
        "people": 1,
        "classes": ["a", "b", "c"],
    }
    splits = {"xview": (np.arange(16), np.arange(16, 24))}
    names = [f"clip{i}" for i in range(24)]
    content = np.arange(24, dtype=np.uint64)
    data = ArraySet(x, np.arange(24) % 3, length, content, names, splits, meta)
    write_array(tmp_path / "array", data)
    return tmp_path / "array"


def weights(path):
    return encoder_file.load(path)[1].state_dict()


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, array, monkeypatch):
    """Projectors, their norms' statistics and Adam's moments all come back: bit for bit."""
    params, epochs = make_params(tmp_path), loop.train_epoch
    pretraining.pretrain(params, RUN, array, tmp_path / "whole/encoder.pt", CPU)

    def killed(running, epoch, step):
        if epoch == 1:
            raise KeyboardInterrupt
        return epochs(running, epoch, step)

    monkeypatch.setattr(loop, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        pretraining.pretrain(params, RUN, array, tmp_path / "broken/encoder.pt", CPU)
    monkeypatch.setattr(loop, "train_epoch", epochs)
    pretraining.pretrain(params, RUN, array, tmp_path / "broken/encoder.pt", CPU)
    whole, broken = weights(tmp_path / "whole/encoder.pt"), weights(tmp_path / "broken/encoder.pt")
    assert all(torch.equal(whole[key], broken[key]) for key in whole)


@pytest.mark.parametrize("features", ["fused", "joint"])
def test_features_are_those_of_the_whole_clip(tmp_path, array, features):
    """Fused ones downstream, or those of one modality where the setting says so: training has the
    same loss for both.
    """
    params = make_params(tmp_path, features, epochs=1)
    pretraining.pretrain(params, RUN, array, tmp_path / "encoder.pt", CPU)
    extract(
        tmp_path / "encoder.pt",
        array,
        "xview",
        Encoding("released"),
        tmp_path / "features.npz",
        CPU,
    )
    card, encoder = encoder_file.load(tmp_path / "encoder.pt")
    data, cfg = open_array(array), umurl.Config(frames=16)
    x = umurl.Method.clean(cfg, torch.from_numpy(np.array(data.x)), torch.from_numpy(data.length))
    with torch.no_grad():
        alone = encoder.encode(encoder.embed(x, "joint")).clip
        expected = alone if features == "joint" else encoder(x).clip
    ours = open_features(tmp_path / "features.npz")
    np.testing.assert_allclose(np.concatenate([ours.train, ours.test]), expected, atol=1e-5)
    assert torch.equal(encoder(x).clip, alone) == (features == "joint")
    assert (card.frames, card.stream, card.people) == (16, "other", 1)
