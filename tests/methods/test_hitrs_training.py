"""Hi-TRS from the command line, through the training loop that all methods share."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from arrays import write_array
from settings_files import write_settings

from pstl.cli import main
from pstl.config import Run, load
from pstl.data.store import ArraySet, open_array
from pstl.encoding.feature_file import open_features
from pstl.methods import hitrs
from pstl.train import encoder_file, loop
from pstl.train import pretrain as pretraining

CPU = torch.device("cpu")
RUN = "tiny/nwucla/xview/hitrs/motion/s0"
TRAIN = {
    "epochs": 9,
    "max_steps": 3,
    "batch_size": 6,
    "accumulate": 2,
    "optimiser": "adamw",
    "lr": 1e-3,
    "weight_decay": 0.01,
    "no_decay": ["bias", "norm", "positions", "token"],
    "clip_norm": 1.0,
    "schedule": "linear",
    "warmup_steps": 1,
    "decay_steps": 9,
}


@pytest.fixture
def world(tmp_path):
    """params.yaml and 24 walks of 12 to 60 frames of one or two people, zero beyond.

    The first 16 are for training.
    """
    x = np.random.default_rng(0).normal(size=(24, 3, 60, 20, 2)).cumsum(2).astype(np.float32) * 0.05
    length = np.linspace(12, 60, 24).astype(np.int64)
    x[::3, ..., 1] = 0
    for clip, n in zip(x, length, strict=True):
        clip[:, n:] = 0
    meta = {
        "dataset": "nwucla",
        "recipe": {"name": "metres300"},
        "skeleton": "kinect_v1",
        "people": 2,
        "classes": ["a", "b", "c"],
    }
    splits, names = {"xview": (np.arange(16), np.arange(16, 24))}, [f"clip{i}" for i in range(24)]
    write_array(
        tmp_path / "array",
        ArraySet(x, np.arange(24) % 3, length, np.arange(24, dtype=np.uint64), names, splits, meta),
    )
    encoder = {"name": "hitrs", "width": 8, "heads": 2, "head_width": 4, "layers": 1}
    methods = {"hitrs": {"recipe": "metres300", "encoder": encoder, "train": TRAIN}}
    tasks = {"linear": {"epochs": 2}, "knn": {}}
    experiment = {
        "dataset": "nwucla",
        "splits": ["xview"],
        "methods": ["hitrs"],
        "streams": ["motion"],
        "tasks": list(tasks),
    }
    content = {
        "suite": "tiny",
        "methods": methods,
        "tasks": tasks,
        "suites": {"tiny": {"summary": "", "experiments": [experiment]}},
    }
    write_settings(tmp_path, content)
    return tmp_path


def pretrain(world, out):
    main(
        [
            "pretrain",
            "--params",
            f"{world}/params.yaml",
            "--run",
            RUN,
            "--array",
            f"{world}/array",
            "--out",
            f"{out}",
            "--device",
            "cpu",
        ]
    )


def weights(path):
    return encoder_file.load(path)[1].state_dict()


def test_from_array_to_accuracies(world):
    """Pre-train, extract, probe: the features are those of every recording's own frames, in the
    paper's motion stream.
    """
    pretrain(world, world / "run/encoder.pt")
    curve = [json.loads(line) for line in (world / "run/curve.jsonl").read_text().splitlines()]
    assert curve[-1]["step"] == 3
    assert {"pose", "clip", "order", "last", "clip_right", "order_right", "last_right"} < curve[
        0
    ].keys()
    out = ["--out", f"{world}/features.npz", "--batch-norm", "released", "--device", "cpu"]
    main(
        [
            "features",
            "--encoder",
            f"{world}/run/encoder.pt",
            "--array",
            f"{world}/array",
            "--split",
            "xview",
            *out,
        ]
    )
    for task in ("linear", "knn"):
        out = [
            "--features",
            f"{world}/features.npz",
            "--out",
            f"{world}/{task}.json",
            "--batch-norm",
            "released",
            "--device",
            "cpu",
        ]
        main(["evaluate", "--params", f"{world}/params.yaml", "--run", RUN, "--task", task, *out])
        assert any(
            row["metric"] == "top1"
            for row in json.loads((world / f"{task}.json").read_text())["rows"]
        )
    card, encoder = encoder_file.load(world / "run/encoder.pt")
    assert (card.people, card.stream, card.frames) == (2, "motion", 60)
    data = open_array(world / "array")
    for i in (0, 7):
        alone = torch.from_numpy(np.array(data.x[i : i + 1, :, : data.length[i]]))
        with torch.no_grad():
            expected = encoder(
                hitrs.Method.as_stream(alone, encoder_file.skeleton_of(card), "motion")
            ).clip[0]
        np.testing.assert_allclose(
            open_features(world / "features.npz").train[i], expected.numpy(), atol=1e-5
        )


def test_its_fine_tuning_protocol_trains_the_encoder(world):
    """The paper's protocol: augmented recordings of any length, every weight.

    A clip of 12 frames is no reason to stop.
    """
    pretrain(world, world / "run/encoder.pt")
    text = yaml.safe_load((world / "params.yaml").read_text())
    train = {
        "epochs": 2,
        "batch_size": 4,
        "accumulate": 2,
        "optimiser": "adamw",
        "lr": 1e-2,
        "clip_norm": 1.0,
    }
    text["tasks"]["finetune"] = {"augment": True, "train": train}
    (world / "params.yaml").write_text(yaml.safe_dump(text))
    out = ["--out", f"{world}/finetune.json", "--batch-norm", "released", "--device", "cpu"]
    source = ["--encoder", f"{world}/run/encoder.pt", "--array", f"{world}/array"]
    main(
        [
            "evaluate",
            "--params",
            f"{world}/params.yaml",
            "--run",
            RUN,
            "--task",
            "finetune",
            *source,
            *out,
        ]
    )
    content = json.loads((world / "finetune.json").read_text())
    losses = [record["loss"] for record in content["curve"]]
    assert len(losses) == 2
    assert losses[1] != losses[0]


def test_items_are_bodies_of_long_enough_recordings(world):
    """19 frames at least, each person for itself, absent ones never.

    The released pre-training set (Hi-TRS spec 1.1, 1.4).
    """
    params, run, data = load(world / "params.yaml"), Run.parse(RUN), open_array(world / "array")
    section = params.method("tiny", "hitrs")
    method = pretraining.build_method(run, section, pretraining.card_of(run, section, data), 3)
    clips = pretraining.training_clips(data, run, section, method, CPU)
    train = data.splits["xview"][0]
    wanted = [
        data.length[i]
        for i in train
        for slot in range(2)
        if data.length[i] >= 19 and data.x[i, ..., slot].any()
    ]
    assert clips.host_length.tolist() == wanted


def test_a_resumed_run_equals_an_uninterrupted_one(world, monkeypatch):
    """Also where steps, not epochs, make the schedule and the end: bit for bit."""
    epochs = loop.train_epoch
    pretrain(world, world / "whole/encoder.pt")

    def killed(running, epoch, step):
        if epoch == 1:
            raise RuntimeError("killed")
        return epochs(running, epoch, step)

    monkeypatch.setattr(loop, "train_epoch", killed)
    with pytest.raises(RuntimeError, match="killed"):
        pretrain(world, world / "broken/encoder.pt")
    monkeypatch.setattr(loop, "train_epoch", epochs)
    pretrain(world, world / "broken/encoder.pt")
    whole, broken = weights(world / "whole/encoder.pt"), weights(world / "broken/encoder.pt")
    assert all(torch.equal(whole[key], broken[key]) for key in whole)


def test_a_trace_counts_real_steps(world):
    """Accuracy against steps: items are bodies and the last epoch is cut short, so only the run's
    own curve knows the steps.
    """
    text = yaml.safe_load((world / "params.yaml").read_text())
    text["methods"]["hitrs"]["train"] |= {"snapshot_every": 1}
    (world / "params.yaml").write_text(yaml.safe_dump(text))
    pretrain(world, world / "run/encoder.pt")
    out = [
        "--array",
        f"{world}/array",
        "--tasks",
        "knn",
        "--out",
        f"{world}/trace.json",
        "--device",
        "cpu",
    ]
    main(
        [
            "trace",
            "--params",
            f"{world}/params.yaml",
            "--run",
            RUN,
            "--snapshots",
            f"{world}/run/snapshots.zip",
            *out,
        ]
    )
    assert [row["steps"] for row in json.loads((world / "trace.json").read_text())] == [2, 2, 3, 3]


def test_bf16_stays_near_float32(world):
    """The three levels run in bf16, losses and sums in float32."""
    losses = []
    for precision in ("fp32", "bf16"):
        text = yaml.safe_load((world / "params.yaml").read_text())
        text["methods"]["hitrs"]["train"] |= {"precision": precision}
        (world / "params.yaml").write_text(yaml.safe_dump(text))
        pretrain(world, world / precision / "encoder.pt")
        losses.append(
            json.loads((world / precision / "curve.jsonl").read_text().splitlines()[0])["loss"]
        )
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert {value.dtype for value in weights(world / "bf16/encoder.pt").values()} == {torch.float32}


@pytest.mark.slow
def test_torchrun_gives_the_encoder_of_one_process(world):
    """The command a cluster runs.

    Dropout is off, because each rank draws its own; plain SGD, because Adam magnifies rounding.
    """
    text = yaml.safe_load((world / "params.yaml").read_text())
    text["methods"]["hitrs"]["train"] |= {"optimiser": "sgd"}
    text["methods"]["hitrs"]["encoder"] |= {"dropout": 0.0}
    (world / "params.yaml").write_text(yaml.safe_dump(text))
    command = [
        "pstl",
        "pretrain",
        "--params",
        f"{world}/params.yaml",
        "--run",
        RUN,
        "--array",
        f"{world}/array",
        "--device",
        "cpu",
    ]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    subprocess.run(
        [sys.executable, "-m", *torchrun, *command, "--out", f"{world}/two/encoder.pt"],
        check=True,
        env=env,
    )
    pretrain(world, world / "one/encoder.pt")
    one, two = weights(world / "one/encoder.pt"), weights(world / "two/encoder.pt")
    for key in one:
        torch.testing.assert_close(
            one[key], two[key], atol=1e-5, rtol=1e-4, msg=lambda m, key=key: f"{key}: {m}"
        )
