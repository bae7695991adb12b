"""A very small world: 24 random clips, a narrow encoder, two epochs; seconds on one core."""

import numpy as np
import pytest
import torch
from arrays import write_array
from settings_files import write_settings

from pstl import config
from pstl.data.store import ArraySet
from pstl.train.pretrain import pretrain

TRAIN = {"epochs": 2, "batch_size": 8, "lr": 1.0e-3, "warmup_epochs": 0}


def make_params(folder, tasks=None, **train):
    """A params.yaml with one narrow PSTL and one narrow supervised run."""
    shape = {"recipe": "resize50", "encoder": {"name": "stgcn", "width": 2}, "train": TRAIN | train}
    methods = {
        "pstl": shape | {"settings": {"projector_width": 16}},
        "supervised": shape,
        # Neighbours are mined in the second epoch.
        "aimclr": shape | {"settings": {"queue": 24, "projection": 8, "mine_after": 1}},
        "random_init": shape | {"train": {"epochs": 0, "lr": 1}},
    }
    experiment = {
        "dataset": "nwucla",
        "splits": ["xview"],
        "methods": list(methods),
        "tasks": ["knn"],
    }
    content = {
        "suite": "tiny",
        "methods": methods,
        "tasks": tasks or {"knn": {}},
        "suites": {"tiny": {"summary": "", "experiments": [experiment]}},
    }
    return config.load(write_settings(folder, content))


def make_array(folder, y=None, seed=0):
    """24 clips of a random walk whose step depends on the class; the first 16 are for training."""
    rng = np.random.default_rng(seed)
    classes = np.arange(24) % 3
    x = (rng.normal(size=(24, 3, 50, 20, 1)) * (1 + classes[:, None, None, None, None])).cumsum(
        2
    ).astype(np.float32) * 0.02
    meta = {
        "dataset": "nwucla",
        "recipe": {"name": "resize50"},
        "skeleton": "kinect_v1",
        "people": 1,
        "classes": ["a", "b", "c"],
    }
    splits = {"xview": (np.arange(16), np.arange(16, 24))}
    names = [f"clip{i}" for i in range(24)]
    y = classes if y is None else y
    write_array(
        folder, ArraySet(x, y, np.full(24, 50), np.arange(24, dtype=np.uint64), names, splits, meta)
    )
    return folder


def trained_run(folder, run, tasks=None, **train):
    """Settings, array folder and encoder of one small run that has been trained."""
    params = make_params(folder, tasks, **train)
    array = make_array(folder / "array")
    pretrain(params, run, array, folder / "encoder.pt", torch.device("cpu"))
    return params, array, folder / "encoder.pt"


@pytest.fixture
def array(tmp_path):
    return make_array(tmp_path / "array")


def without_progress(stderr: str) -> list[str]:
    """What a run says, without its lines about speed and epochs."""
    return [line for line in stderr.splitlines() if "clips/s" not in line]
