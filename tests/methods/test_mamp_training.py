"""MAMP through the training loop that all methods share."""

import json

import numpy as np
import pytest
import torch
from arrays import write_array
from settings_files import write_settings

from pstl import config
from pstl.data.store import ArraySet, open_array
from pstl.encoding.feature_file import open_features
from pstl.encoding.features import Encoding, extract
from pstl.methods import mamp
from pstl.train import encoder_file, loop
from pstl.train import pretrain as pretraining

CPU = torch.device("cpu")
RUN = config.Run(
    suite="tiny", dataset="nwucla", split="xview", method="mamp", stream="joint", seed=0
)
SETTINGS = {"frames": 20, "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2}


def make_params(folder, **train):
    section = {
        "recipe": "ctr300",
        "encoder": {"name": "vit", "t_patch": 5, "width": 16, "depth": 1, "heads": 2},
        "settings": SETTINGS,
        "train": {
            "epochs": 2,
            "batch_size": 8,
            "optimiser": "adamw",
            "lr": 0.01,
            "betas": [0.9, 0.95],
            "no_decay": ["bias", "norm"],
            "weight_decay": 0.05,
            "warmup_epochs": 1,
            "final_lr": 5.0e-3,
            "per_step": True,
        }
        | train,
    }
    experiment = {
        "dataset": "nwucla",
        "splits": ["xview"],
        "methods": ["mamp"],
        "tasks": ["knn"],
    }
    suites = {"tiny": {"summary": "", "experiments": [experiment]}}
    content = {
        "suite": "tiny",
        "methods": {"mamp": section},
        "tasks": {"knn": {}},
        "suites": suites,
    }
    return config.load(write_settings(folder, content))


@pytest.fixture
def array(tmp_path):
    """24 walks of 20 to 90 frames, zero beyond their length; the first 16 are for training."""
    x = np.random.default_rng(0).normal(size=(24, 3, 90, 20, 1)).cumsum(2).astype(np.float32) * 0.05
    length = np.linspace(20, 90, 24).astype(np.int64)
    for clip, n in zip(x, length, strict=True):
        clip[:, n:] = 0
    meta = {
        "dataset": "nwucla",
        "recipe": {"name": "ctr300"},
        "skeleton": "kinect_v1",
        "people": 1,
        "classes": ["a", "b", "c"],
    }
    splits = {"xview": (np.arange(16), np.arange(16, 24))}
    names, content = [f"clip{i}" for i in range(24)], np.arange(24, dtype=np.uint64)
    write_array(
        tmp_path / "array",
        ArraySet(x, np.arange(24) % 3, length, content, names, splits, meta),
    )
    return tmp_path / "array"


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, array, monkeypatch):
    """Masks, crops, rates within an epoch and moments all go on where they were: bit for bit."""
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
    whole, broken = (
        encoder_file.load(tmp_path / name / "encoder.pt")[1].state_dict()
        for name in ("whole", "broken")
    )
    assert all(torch.equal(whole[key], broken[key]) for key in whole)


def test_features_are_those_of_the_clean_view(tmp_path, array):
    """Downstream: centred 95 % in 20 frames, all tokens, no mask; the decoder is gone."""
    pretraining.pretrain(make_params(tmp_path, epochs=1), RUN, array, tmp_path / "encoder.pt", CPU)
    extract(
        tmp_path / "encoder.pt",
        array,
        "xview",
        Encoding("released"),
        tmp_path / "features.npz",
        CPU,
    )
    card, encoder = encoder_file.load(tmp_path / "encoder.pt")
    data = open_array(array)
    x, length = torch.from_numpy(np.array(data.x)), torch.from_numpy(data.length)
    with torch.no_grad():
        expected = encoder(mamp.Method.clean(mamp.Config(**SETTINGS), x, length)).clip.numpy()
    features = open_features(tmp_path / "features.npz")
    np.testing.assert_allclose(np.concatenate([features.train, features.test]), expected, atol=1e-5)
    assert (card.frames, card.stream, card.people) == (20, "joint", 1)
    assert not [name for name in encoder.state_dict() if "decoder" in name]


def test_bf16_trains_both_transformers(tmp_path, array):
    """Loss near fp32's, and weights that stay float32."""
    losses = []
    for precision in ("fp32", "bf16"):
        params = make_params(tmp_path, epochs=1, precision=precision)
        pretraining.pretrain(params, RUN, array, tmp_path / precision / "encoder.pt", CPU)
        curve = (tmp_path / precision / "curve.jsonl").read_text().splitlines()
        losses.append(json.loads(curve[-1])["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
    state = encoder_file.load(tmp_path / "bf16/encoder.pt")[1].state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32}
