"""What an interrupted training finds when it comes back.

Half a file, a flipped bit, a full disk, another process at work.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile

import pytest
import torch

from pstl.cli import main
from pstl.config import Run
from pstl.errors import UserError
from pstl.train import checkpoint, encoder_file, loop
from pstl.train import pretrain as pretraining
from train.conftest import make_params, without_progress

CPU = torch.device("cpu")
RUN = Run(
    suite="tiny", dataset="nwucla", split="xview", method="supervised", stream="joint", seed=0
)


def weights(folder):
    return encoder_file.load(folder / "encoder.pt")[1].state_dict()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def interrupted(params, array, folder, monkeypatch, at=3):
    """Train in `folder` until epoch `at` begins."""
    epoch = loop.train_epoch

    def stop(*args):
        if args[1] == at:
            raise KeyboardInterrupt
        return epoch(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            pretraining.pretrain(params, RUN, array, folder / "encoder.pt", CPU)
    checkpoint.release(folder / "last.pt")  # as the end of a process does


@pytest.fixture
def world(tmp_path, array, monkeypatch):
    """Settings, array, the folder of an undisturbed run, and that of one which was stopped after
    three of four epochs.
    """
    params = make_params(tmp_path, epochs=4)
    pretraining.pretrain(params, RUN, array, tmp_path / "whole/encoder.pt", CPU)
    interrupted(params, array, tmp_path / "run", monkeypatch)
    return params, array, tmp_path / "whole", tmp_path / "run"


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    """One bit, in an archive in the last number of its largest part."""
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as parts:
            largest = max(parts.infolist(), key=lambda part: part.file_size)
            place = content.find(parts.read(largest), largest.header_offset) + largest.file_size - 1
    content[place] ^= 16
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, flip])
def test_the_checkpoint_before_a_damaged_one_is_used_and_said(world, damage, caplog):
    """One epoch is lost instead of the night.

    Torch itself would load a flipped bit without complaint.
    """
    params, array, whole, run = world
    damage(run / "last.pt")
    pretraining.pretrain(params, RUN, array, run / "encoder.pt", CPU)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "last.pt: not a readable file" in warnings[0]
    assert "going on from the checkpoint before it, last.previous.pt, after 2 epochs" in warnings[0]
    assert same(weights(run), weights(whole))
    assert sorted(path.name for path in run.iterdir()) == [
        "curve.jsonl",
        "encoder.pt",
        "run.json",
        "snapshots.zip",
    ]


def test_killed_between_two_names_nothing_is_lost(world):
    """The old checkpoint has been moved away and the new one is not there yet.

    The old one counts.
    """
    params, array, whole, run = world
    (run / "last.pt").unlink()
    (run / ".last.pt.4711").write_bytes(b"half of a checkpoint")
    pretraining.pretrain(params, RUN, array, run / "encoder.pt", CPU)
    assert same(weights(run), weights(whole))
    assert not list(run.glob(".last*"))


def test_a_checkpoint_is_read_once(world, monkeypatch):
    """It holds the weights, twice the moments of the optimiser and the queues: gigabytes."""
    params, array, _, run = world
    read, seen = checkpoint.read, []
    monkeypatch.setattr(checkpoint, "read", lambda path: seen.append(path) or read(path))
    pretraining.pretrain(params, RUN, array, run / "encoder.pt", CPU)
    assert seen == [run / "last.pt"]


def test_two_damaged_checkpoints_stop_the_run(world):
    """Beginning anew without a word would look like progress; what is damaged is named."""
    params, array, _, run = world
    cut(run / "last.pt")
    cut(run / "last.previous.pt")
    with pytest.raises(
        UserError, match=r"last\.previous\.pt: not a readable file of weights .* delete it"
    ):
        pretraining.pretrain(params, RUN, array, run / "encoder.pt", CPU)


@pytest.mark.parametrize("name", ["x.npy", "y.npy", "splits.npz"])
def test_a_damaged_array_is_named_before_anything_is_trained(world, name):
    """A flipped bit in the data is a wrong table that nobody can explain."""
    params, array, _, run = world
    flip(array / name)
    reason = rf"{name}: .*checksum \w+, expected \w+\)"
    with pytest.raises(UserError, match=rf"{reason}; delete .*array and run again"):
        pretraining.pretrain(params, RUN, array, run / "encoder.pt", CPU)
    assert (run / "last.pt").exists()


def test_a_clock_that_jumps_changes_nothing(world, monkeypatch):
    """Machines correct their clocks in the night.

    Dates may then lie in the future, and epochs seem to last for years.
    """
    params, array, whole, run = world
    jumps = iter([4e9, 0.0, 2e9] * 10_000)
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    for path, date in (
        ("last.pt", 0),
        ("last.previous.pt", 4_000_000_000),
        ("curve.jsonl", 4_000_000_000),
    ):
        os.utime(run / path, (date, date))
    pretraining.pretrain(params, RUN, array, run / "encoder.pt", CPU)
    assert same(weights(run), weights(whole))
    assert all(
        0 <= json.loads(line)["seconds"] < 600
        for line in (run / "curve.jsonl").read_text().splitlines()
    )


def arguments(params, array, out):
    return [
        "pretrain",
        "--params",
        str(params),
        "--run",
        str(RUN),
        "--array",
        str(array),
        "--out",
        str(out),
        "--device",
        "cpu",
    ]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_loses_nothing(world, tmp_path):
    """The commonest failure of all.

    Here the limit on a file's size stands for it: the same error from the same call.
    """
    _, array, whole, run = world
    size = (run / "last.pt").stat().st_size

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

    command = [
        sys.executable,
        "-m",
        "pstl",
        *arguments(tmp_path / "params.yaml", array, run / "encoder.pt"),
    ]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True)
    lines = without_progress(done.stderr)
    assert done.returncode == 2
    assert len(lines) == 1, done.stderr
    assert "file too large; raise the limit" in lines[0]
    assert checkpoint.read(run / "last.pt")["epoch"] == 3
    main(command[3:])
    assert same(weights(run), weights(whole))


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mount"),
    reason="only root may mount a file system of a given size",
)
def test_a_disk_that_is_really_full(world, tmp_path, capsys):
    """The same on a file system with half a megabyte, and on one that cannot be written at all, as
    root, whom modes do not stop.
    """
    _, array, whole, run = world
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "pstl", str(disk)], capture_output=True
    ).returncode:
        pytest.skip("this machine does not let root mount")
    try:
        shutil.copytree(run, disk / "run")
        free = shutil.disk_usage(disk).free
        (disk / "ballast").write_bytes(bytes(free - 8192))
        for option, said in (
            (None, "no space left on device; free some room"),
            ("remount,ro", "read-only file system; write somewhere else"),
        ):
            if option:
                subprocess.run(["mount", "-o", option, str(disk)], check=True)
            with pytest.raises(SystemExit) as stop:
                main(arguments(tmp_path / "params.yaml", array, disk / "run/encoder.pt"))
            checkpoint.release(disk / "run/last.pt")  # as the end of a process does
            assert stop.value.code == 2
            assert said in capsys.readouterr().err.splitlines()[-1]
            assert checkpoint.read(disk / "run/last.pt")["epoch"] == 3
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        (disk / "ballast").unlink()
        main(arguments(tmp_path / "params.yaml", array, disk / "run/encoder.pt"))
        assert same(weights(disk / "run"), weights(whole))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_file_where_a_folder_should_be_is_one_line(world, tmp_path, capsys):
    """Modes do not stop root, but this does.

    Nothing is written, and the line says what is in the way.
    """
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        main(arguments(tmp_path / "params.yaml", world[1], tmp_path / "taken/run/encoder.pt"))
    assert stop.value.code == 2
    assert "a file stands where a folder should be" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_run_is_trained_by_one_process_at_a_time(world):
    """Two that write one last.pt make a run of which nobody knows what it was trained with.

    A lock ends with its owner.
    """
    _, _, _, run = world
    lock = (
        "import sys; from pathlib import Path; from pstl.train.checkpoint import lock;"
        "lock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", lock, run / "last.pt"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(
        UserError,
        match=rf"last\.pt: process {other.pid} on .* is training this run; wait for it, or end it",
    ):
        checkpoint.lock(run / "last.pt")
    other.kill()
    other.communicate()
    checkpoint.lock(run / "last.pt")
