"""Several processes are one: every method, through the loop that trains it, on 2 processes and on
1, and back and forth between them.

In float64 and without dropout (each process draws its own), so that what is left is the order of
sums. One start of two processes serves all methods.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp

from pstl.cli import main
from pstl.config import MethodSettings, Run
from pstl.data.loader import shuffled
from pstl.data.store import ArraySet
from pstl.errors import UserError
from pstl.train import checkpoint, distributed, encoder_file, loop
from pstl.train import pretrain as pretraining
from train.conftest import make_params, without_progress

CPU = torch.device("cpu")
STGCN = {"recipe": "resize50", "encoder": {"name": "stgcn", "width": 2, "dropout": 0.0}}
BARLOW = STGCN | {"settings": {"projector_width": 16}}
QUEUED = {"queue": 36, "projection": 8, "temperature": 0.5}
PLAIN = {
    "batch_size": 9,
    "optimiser": "sgd",
    "lr": 0.01,
    "momentum": 0.9,
    "schedule": "constant",
}  # 9 does not divide by two
METHODS = {
    "pstl": BARLOW,
    "pstl_per_clip": {
        **STGCN,
        "method": "pstl",
        "settings": {"projector_width": 16, "per_sample": True},
    },
    "skeletonbt": BARLOW,
    "supervised": STGCN,
    "skeletonclr": STGCN | {"settings": QUEUED},
    "aimclr": STGCN | {"settings": QUEUED | {"mine_after": 1, "noise": 0.1}},
    "scdnet": {
        "recipe": "spine300",
        "encoder": {
            "name": "scdnet",
            "width": 16,
            "heads": 2,
            "feedforward": 16,
            "stem_width": 8,
            "dropout": 0.0,
        },
        "settings": {"queue": 24, "projection": 8},
    },
    "hitrs": {
        "recipe": "metres300",
        "encoder": {
            "name": "hitrs",
            "width": 8,
            "heads": 2,
            "head_width": 4,
            "layers": 1,
            "dropout": 0.0,
        },
        "train": {"accumulate": 2, "clip_norm": 1.0},
    },
    "predict_cluster": {
        "recipe": "view50",
        "encoder": {"name": "bigru", "width": 8},
        "settings": {"fixed": "state"},
        "train": {"steps_per_epoch": 2, "replacement": True, "clip_norm": 1.0},
    },
    "psp": {
        "recipe": "scaled300",
        "encoder": {"name": "dsta", "width": 8},
        "settings": {"frames": 16},
        "labels": 0.5,
        "train": {"steps_per_epoch": 2, "labelled_batch": 5, "batch_size": 7},
    },
    "simclr": {
        "recipe": "view50",
        "encoder": {"name": "tcn", "width": 8},
        "settings": {"hidden": 8, "projection": 4},
    },
    "mamp": {
        "recipe": "ctr300",
        "encoder": {"name": "vit", "width": 8, "depth": 1, "heads": 2},
        "settings": {"frames": 32, "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2},
        "train": {"per_step": True},
    },
    "umurl": {
        "recipe": "spine300",
        "encoder": {"name": "umurl", "width": 8},
        "settings": {"frames": 16, "projection": 8},
    },
}


def walks(recipe: str, frames: int) -> ArraySet:
    """24 walks of 20 to `frames` frames, zero beyond; the first 16 are for training."""
    x = (
        np.random.default_rng(0).normal(size=(24, 3, frames, 20, 1)).cumsum(2).astype(np.float32)
        * 0.05
    )
    length = (
        np.full(24, frames)
        if recipe == "resize50"
        else np.linspace(20, frames, 24).astype(np.int64)
    )
    for clip, n in zip(x, length, strict=True):
        clip[:, n:] = 0
    meta = {
        "dataset": "nwucla",
        "recipe": {"name": recipe},
        "skeleton": "kinect_v1",
        "people": 1,
        "classes": ["a", "b", "c"],
    }
    splits = {"xview": (np.arange(16), np.arange(16, 24))}
    names = [f"clip{i}" for i in range(24)]
    return ArraySet(
        x,
        np.arange(24) % 3,
        length,
        np.arange(24, dtype=np.uint64),
        names,
        splits,
        meta | {"checksum": ""},
    )


def trained(name: str, epochs: int, last: Path) -> dict[str, torch.Tensor]:
    """Everything a method holds after so many epochs, those in `last` included."""
    entry = METHODS[name]
    section = MethodSettings.model_validate(
        {"method": name, **entry, "train": PLAIN | entry.get("train", {}) | {"epochs": epochs}}
    )
    data = walks(section.recipe.name, 50 if section.recipe.name == "resize50" else 60)
    stream = encoder_file.streams_of(section.method)[0]
    run = Run(suite="tiny", dataset="nwucla", split="xview", method=name, stream=stream, seed=0)
    known = np.arange(8) if section.labels else None
    method = pretraining.build_method(
        run, section, pretraining.card_of(run, section, data, known), 3
    )
    clips = pretraining.training_clips(data, run, section, method, CPU, known)
    method.double()
    clips.x = clips.x.double()
    loop.train(method, clips, section.train, loop.Session(name, 0, last, "digest"))
    checkpoint.release(last)
    return method.state_dict()


def on_two(rank: int, port: str, folder: Path) -> None:
    """What one of two processes does: two epochs; one epoch.

    The second epoch after a first one on one process.
    """
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    distributed.start(CPU)
    for name in METHODS:
        states = {
            "two": trained(name, 2, folder / f"{name}.two.pt"),
            "moved": trained(name, 2, folder / f"{name}.one.pt"),
        }
        trained(name, 1, folder / f"{name}.begun-on-two.pt")
        if rank == 0:
            torch.save(states, folder / f"{name}.states")
    distributed.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two processes have trained every method."""
    folder = tmp_path_factory.mktemp("ranks")
    for name in METHODS:
        trained(name, 1, folder / f"{name}.one.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    mp.spawn(on_two, args=(port, folder), nprocs=2)
    return folder


def compare(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for key in expected:
        torch.testing.assert_close(
            found[key], expected[key], atol=1e-7, rtol=1e-5, msg=lambda m, key=key: f"{key}: {m}"
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_two_processes_are_one(world: Path, tmp_path: Path, name: str) -> None:
    """A batch spread over GPUs must be the paper's batch.

    Its statistics, its negatives, its queue, its loss.

    And a checkpoint is of the run, not of the machine: begun on two it ends on one, and the other
    way round.
    """
    one = trained(name, 2, tmp_path / "last.pt")
    start = trained(name, 0, tmp_path / "none.pt")
    weights = [key for key in one if one[key].is_floating_point()]
    assert any(not torch.allclose(one[key], start[key], atol=1e-4) for key in weights), (
        "nothing was learned, so nothing is shown"
    )
    states = torch.load(world / f"{name}.states", weights_only=True)
    compare(states["two"], one)
    compare(states["moved"], one)
    compare(trained(name, 2, world / f"{name}.begun-on-two.pt"), one)


def test_one_epoch_visits_every_clip_once() -> None:
    """Shuffling is a permutation, another one each epoch, and ranks share it."""
    first, second = (torch.cat(shuffled(37, 8, drop_last=False, seed=0, epoch=e)) for e in (0, 1))
    assert first.sort().values.tolist() == list(range(37))
    assert not torch.equal(first, second)
    assert [len(b) for b in shuffled(37, 8, drop_last=True, seed=0, epoch=0)] == [8, 8, 8, 8]


RUN = "tiny/nwucla/xview/supervised/joint/s0"


def pretrain(folder: Path, *options: str) -> list[str]:
    return [
        "pretrain",
        *("--params", f"{folder}/params.yaml", "--run", RUN, "--array", f"{folder}/array"),
        *("--out", f"{folder}/run/encoder.pt", "--device", "cpu", *options),
    ]


def children(parent: int) -> list[int]:
    """Processes that `parent` has started."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in found]


def gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def until(what: Callable[[], Any], process: "subprocess.Popen[str]") -> Any:
    """Poll what() until it gives something true while `process` runs."""
    while not (value := what()):
        assert process.poll() is None, "training ended before it could be disturbed"
        time.sleep(0.02)
    return value


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find processes")
def test_a_stopped_process_ends_the_run_with_one_line(tmp_path: Path, array: Path) -> None:
    """A process that is there and does not answer, as on a machine that hangs: the others would
    wait for it for ever.
    """
    make_params(tmp_path, epochs=10_000, batch_size=16)
    command = [sys.executable, "-m", "pstl", *pretrain(tmp_path, "--gpus", "2")]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PSTL_PATIENCE_S": "15"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as launcher:
        until((tmp_path / "run/last.pt").exists, launcher)
        ranks = children(launcher.pid)
        os.kill(ranks[1], signal.SIGSTOP)
        lines = without_progress(launcher.communicate()[1])
    assert launcher.returncode == 2
    assert len(lines) == 1, lines
    assert "a process of this training has not answered for 15 s; run again" in lines[0]
    assert all(map(gone, ranks))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find processes")
def test_a_killed_process_ends_the_others_and_the_run_goes_on(tmp_path: Path, array: Path) -> None:
    """`--gpus 2`, on the CPU where there are none.

    A process is killed, then what started them; then one process goes on alone.
    """
    make_params(tmp_path, epochs=10_000, batch_size=16)
    last = tmp_path / "run/last.pt"
    command = [sys.executable, "-m", "pstl", *pretrain(tmp_path, "--gpus", "2")]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as launcher:
        until(last.exists, launcher)
        ranks = children(launcher.pid)
        assert len(ranks) == 2
        os.kill(ranks[1], signal.SIGKILL)
        lines = without_progress(launcher.communicate()[1])
    assert launcher.returncode == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith(
        "pstl pretrain: process 2 of 2 was killed by SIGKILL, so the others were ended; run again"
    )
    assert all(map(gone, ranks))
    reached = checkpoint.read(last)["epoch"]
    assert reached >= 1

    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as launcher:
        until(lambda: checkpoint.read(last)["epoch"] > reached, launcher)
        ranks = children(launcher.pid)
        launcher.kill()
        while not all(map(gone, ranks)):
            time.sleep(0.02)
    reached = checkpoint.read(last)["epoch"]
    make_params(tmp_path, epochs=reached + 1, batch_size=16)
    state = checkpoint.read(last)
    # As if so few epochs had been wanted from the start.
    torch.save(state | {"settings": settings_digest(tmp_path, array)}, last)
    main(pretrain(tmp_path, "--gpus", "1"))
    assert len((tmp_path / "run/curve.jsonl").read_text().splitlines()) == reached + 1
    assert encoder_file.load(tmp_path / "run/encoder.pt")


def settings_digest(folder: Path, array: Path) -> str:
    from pstl.config import load
    from pstl.data.store import open_array

    params, run = load(folder / "params.yaml"), Run.parse(RUN)
    return str(
        pretraining.card_of(run, params.method("tiny", "supervised"), open_array(array)).provenance[
            "settings_digest"
        ]
    )


def test_a_group_that_cannot_be_joined_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip in a launcher, or a node that is taken, ended in a page of torch's frames."""
    monkeypatch.setattr(distributed, "follow_parent", lambda: None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.delenv("RANK", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        for rank in ("", "abc", "0"):  # the last one would listen where another does
            if rank:
                monkeypatch.setenv("RANK", rank)
            with pytest.raises(UserError, match=r"training by several processes: .*; start all"):
                distributed.start(torch.device("cpu"))
