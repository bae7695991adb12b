import logging
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from arrays import write_array

from pstl.config import Run
from pstl.data.store import open_array
from pstl.encoding.pretrained import open_pretrained
from pstl.errors import UserError
from pstl.records import NotApplicable
from pstl.tasks import classify
from pstl.train import checkpoint, encoder_file, snapshots
from pstl.train import pretrain as pretraining
from train.conftest import make_array, make_params

CPU = torch.device("cpu")
RUN = Run(
    suite="tiny", dataset="nwucla", split="xview", method="supervised", stream="joint", seed=0
)
EVERY = {"epochs": 3, "snapshot_every": 1, "schedule": "constant"}


def trained(folder, array, **train):
    folder.mkdir(exist_ok=True)
    pretraining.pretrain(
        make_params(folder, **EVERY | train), RUN, array, folder / "encoder.pt", CPU
    )
    return folder / "snapshots.zip"


def weights(file):
    """Epochs -> tensors of encoder and classifier."""
    found = {}
    for epochs, path in snapshots.unpacked(file):
        head = encoder_file.load_classifier(path).state_dict()
        found[epochs] = [*encoder_file.load(path)[1].state_dict().values(), *head.values()]
    return found


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def looked_at(folder, array, norm="released"):
    """What `classify` says of a trained run."""
    world = open_pretrained(RUN, norm, folder / "encoder.pt", array, folder / "c.pt", "", CPU)
    head = encoder_file.load_classifier(folder / "encoder.pt")
    world = replace(world, classifier=head, snapshots=folder / "snapshots.zip")
    return classify.TASK.run(world, classify.Config(), 0, CPU)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folders of an array, and of a run of three epochs with a snapshot after each."""
    folder = tmp_path_factory.mktemp("finished")
    array = make_array(folder / "array")
    trained(folder / "run", array)
    return array, folder / "run"


@pytest.fixture
def copied(finished, tmp_path):
    """The same run, to be spoilt."""
    shutil.copytree(finished[1], tmp_path / "run")
    return finished[0], tmp_path / "run"


@pytest.mark.parametrize("step", ["between epochs", "before the checkpoint"])
def test_an_interruption_loses_no_snapshot(finished, tmp_path, monkeypatch, step):
    """A run killed at any moment of an epoch's end must leave the file of one that was not, to the
    byte.
    """
    array, whole = finished[0], finished[1] / "snapshots.zip"
    saved = checkpoint.save

    def killed(*args):
        if step == "before the checkpoint" and args[2] == 2:
            raise KeyboardInterrupt
        saved(*args)
        if step == "between epochs" and args[2] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "broken", array)
    monkeypatch.setattr(checkpoint, "save", saved)
    broken = trained(tmp_path / "broken", array)
    assert broken.read_bytes() == whole.read_bytes()
    assert zipfile.ZipFile(whole).namelist() == ["epoch-0001.pt", "epoch-0002.pt", "epoch-0003.pt"]
    assert not (tmp_path / "broken/snapshots").exists()


def test_snapshots_of_other_settings_are_not_taken(finished, tmp_path, caplog):
    """What an earlier training left in the folder must not stand for this one.

    What lacks is said.
    """
    array, run = finished
    left = snapshots.folder_of(tmp_path / "new/encoder.pt")
    left.mkdir(parents=True)
    for epochs, file in snapshots.unpacked(run / "snapshots.zip"):
        (left / f"epoch-{epochs:04d}.pt").write_bytes(file.read_bytes())
    trained(tmp_path / "new", array, lr=0.1, epochs=2, snapshot_every=2)
    assert list(weights(tmp_path / "new/snapshots.zip")) == [2]
    assert not equal(weights(tmp_path / "new/snapshots.zip")[2], weights(run / "snapshots.zip")[2])
    card = encoder_file.load(tmp_path / "new/encoder.pt")[0]
    with caplog.at_level(logging.WARNING):
        snapshots.pack(tmp_path / "new/encoder.pt", card, [1, 2])
    assert "no snapshot after epochs 1, 2" in caplog.text


def test_snapshots_saw_no_test_clip(finished, tmp_path):
    """Other coordinates and classes on the test side must not move a weight of any epoch."""
    array, run = finished
    data = open_array(array)
    x, y = np.array(data.x), data.y.copy()
    x[16:], y[16:] = 3.0, (y[16:] + 1) % 3
    write_array(tmp_path / "changed", replace(data, x=x, y=y))
    one = weights(run / "snapshots.zip")
    other = weights(trained(tmp_path / "other", tmp_path / "changed"))
    assert all(equal(one[epochs], other[epochs]) for epochs in (1, 2, 3))


def test_a_look_is_what_a_training_that_stopped_there_gives(finished, tmp_path):
    """Best of the looks is a number somebody could have printed.

    That of a run with so many epochs.
    """
    array, run = finished
    result = looked_at(run, array, "recalibrated")
    ends = []
    for epochs in (1, 2):
        trained(tmp_path / f"{epochs}", array, epochs=epochs, snapshot_every=0)
        ends.append(looked_at(tmp_path / f"{epochs}", array, "recalibrated"))
    assert result.curve[:2] == [end.curve[0] for end in ends]
    assert [each["epoch"] for each in result.curve] == [0, 1, 2]
    values = [each["top1"] for each in result.curve]
    assert result.metrics["top1"] == values[-1]
    assert result.metrics["top1_best"] == max(values)
    assert result.metrics["best_epoch"] == 1 + values.index(max(values))
    assert "top1_best" not in ends[0].metrics


def test_both_states_come_with_a_recalibrated_cell(finished):
    """PSP prints the best epoch in the state that training left.

    That number must stand beside ours.
    """
    array, run = finished
    released, both = looked_at(run, array), looked_at(run, array, "recalibrated")
    assert both.norms == {"released": released.metrics}
    assert not released.norms
    assert not np.allclose(both.scores, released.scores)


def test_the_classifier_of_another_data_set_makes_no_sense(finished):
    """Its classes are others, and their numbers mean nothing here."""
    array, run = finished
    world = open_pretrained(RUN, "released", run / "encoder.pt", array, run / "c", "", CPU)
    elsewhere = RUN.model_copy(update={"dataset": "msraction3d"})
    head = encoder_file.load_classifier(run / "encoder.pt")
    with pytest.raises(NotApplicable, match="knows the classes of nwucla"):
        classify.TASK.run(replace(world, run=elsewhere, classifier=head), classify.Config(), 0, CPU)


@pytest.mark.parametrize("damage", [b"", b"PK", b"not a zip at all"])
def test_a_damaged_file_is_named(copied, damage):
    """Half a download must be one line with its path."""
    array, run = copied
    (run / "snapshots.zip").write_bytes(damage)
    with pytest.raises(UserError, match=r"snapshots\.zip: not a readable file of snapshots"):
        looked_at(run, array)


def test_one_flipped_bit_is_noticed(copied):
    """A weight that changed on the disk must not become an accuracy."""
    array, run = copied
    content = bytearray((run / "snapshots.zip").read_bytes())
    content[len(content) // 2] ^= 1
    (run / "snapshots.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"snapshots\.zip"):
        looked_at(run, array)


def test_snapshots_of_another_run_are_refused(copied, tmp_path):
    """The best epoch of another training would be this one's."""
    array, run = copied
    trained(tmp_path / "other", array, lr=0.1, epochs=1).replace(run / "snapshots.zip")
    with pytest.raises(UserError, match=r"epoch-0001\.pt is of run .*, expected"):
        looked_at(run, array)


def test_a_run_without_snapshots_has_an_empty_file(finished, tmp_path):
    """The graph promises the file for every run; what is not asked for costs nothing."""
    file = trained(tmp_path / "run", finished[0], epochs=1, snapshot_every=0)
    assert list(snapshots.unpacked(file)) == []
