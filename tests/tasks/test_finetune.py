import json

import numpy as np
import pytest
import torch
from arrays import write_array
from train.conftest import trained_run

from pstl import config
from pstl.config import Cell, Run
from pstl.data.store import ArraySet, open_array
from pstl.encoding.pretrained import open_pretrained
from pstl.errors import UserError
from pstl.evaluation.run import evaluate
from pstl.graph import Inputs
from pstl.tasks import _finetune, finetune
from pstl.train import encoder_file, loop

CPU = torch.device("cpu")
RUN = Run(suite="tiny", dataset="nwucla", split="xview", method="pstl", stream="joint", seed=0)
SHORT = {"epochs": 2, "batch_size": 8, "lr": 1.0e-3}
TASKS = {
    "knn": {},
    "finetune": {"train": SHORT},
    "finetune_default": {"kind": "finetune", "train": SHORT, "test_every": 5, "summary": ""},
    "finetune_looks": {"kind": "finetune", "train": SHORT, "test_every": 1},
    "finetune_steps": {"kind": "finetune", "train": SHORT | {"accumulate": 4, "whole_steps": True}},
    "finetune_half": {
        "kind": "finetune",
        "train": SHORT,
        "frozen": ["input_norm", "blocks.0", "importance.0"],
    },
    "transfer": {"kind": "finetune", "train": SHORT, "source": "nwucla/xview"},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Settings, array folder and encoder of one small run, with tasks that train it further."""
    return trained_run(tmp_path_factory.mktemp("trained"), RUN, TASKS)


def run_task(trained, out, task="finetune", norm="released", run=RUN, array=None):
    params, own, encoder = trained
    scores = out.with_name(f"{task}.scores.npz")
    inputs = Inputs(encoder, array or own)
    evaluate(params, Cell(run, norm, task), inputs, out, scores, CPU)
    with np.load(scores) as f:
        return json.loads(out.read_text()), f["scores"]


def values(content):
    return [(row["batch_norm"], row["metric"], row["value"]) for row in content["rows"]]


def opened(trained, tmp_path, norm="released"):
    return open_pretrained(RUN, norm, trained[2], trained[1], tmp_path / "last.pt", "", CPU)


@pytest.mark.parametrize("norm", ["released", "recalibrated"])
def test_an_interrupted_finetuning_ends_with_the_same_scores(trained, tmp_path, monkeypatch, norm):
    """Killed after the first epoch and called again, there must be no trace in scores, looks and
    disk.
    """
    task = "finetune_looks"
    uncut, whole = run_task(trained, tmp_path / f"whole/{task}.json", task, norm)
    epoch, started = loop.train_epoch, []

    def killed(*args):
        if args[1] == 1:
            raise KeyboardInterrupt
        return epoch(*args)

    monkeypatch.setattr(loop, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        run_task(trained, tmp_path / f"broken/{task}.json", task, norm)
    assert (tmp_path / f"broken/{task}.last.pt").exists()
    torch.manual_seed(99)
    monkeypatch.setattr(
        loop, "train_epoch", lambda *args: (started.append(args[1]), epoch(*args))[1]
    )
    content, resumed = run_task(trained, tmp_path / f"broken/{task}.json", task, norm)
    assert started == [1]
    np.testing.assert_array_equal(whole, resumed)
    assert len(content["curve"]) == 2
    assert values(content) == values(uncut)
    assert not list((tmp_path / "broken").glob("*.pt"))


def test_frozen_parts_stay_and_the_others_move(trained, tmp_path):
    """A layer said to be frozen that drifts, by gradients or by batch statistics, makes another
    protocol of it.
    """
    before = encoder_file.load(trained[2])[1].state_dict()
    given = opened(trained, tmp_path)
    cfg = finetune.Config(train=SHORT, frozen=TASKS["finetune_half"]["frozen"])
    finetune.TASK.run(given, cfg, 0, CPU)
    for name, value in given.encoder.state_dict().items():
        still = name.startswith(("input_norm.", "blocks.0.")) or name == "importance.0"
        assert torch.equal(value, before[name]) == still, name


def test_an_unknown_part_lists_the_parts_there_are(trained, tmp_path):
    """A typo must not silently train what should be frozen."""
    with pytest.raises(
        UserError, match=r"no part 'block\.0'; known: blocks, importance, input_norm"
    ):
        finetune.TASK.run(opened(trained, tmp_path), finetune.Config(frozen=("block.0",)), 0, CPU)


def test_finetuning_learns_and_starts_from_the_given_weights(trained, tmp_path):
    """Twenty epochs on separable clips must fit them, and other weights at the start must give
    other scores.
    """
    cfg = finetune.Config(train={"epochs": 20, "batch_size": 8, "lr": 5e-3})
    given = opened(trained, tmp_path)
    result = finetune.TASK.run(given, cfg, 0, CPU)
    assert result.curve[-1]["loss"] < 0.5 * result.curve[0]["loss"]
    other = opened(trained, tmp_path)
    with torch.no_grad():
        for parameter in other.encoder.parameters():
            parameter.mul_(1.5)
    assert not np.allclose(finetune.TASK.run(other, cfg, 0, CPU).scores, result.scores)


def test_views_are_trained_on_where_their_amounts_are_set(trained, tmp_path):
    """An ablation that does nothing would lie; amounts of nothing are no view."""
    scores = []
    for augment in (False, {}, {"turn_deg": 30.0}, {"shortest": 0.5}):
        cfg = finetune.Config(train=SHORT, augment=augment)
        scores.append(finetune.TASK.run(opened(trained, tmp_path), cfg, 0, CPU).scores)
    plain, none, turned, cut = scores
    np.testing.assert_array_equal(none, plain)
    assert not np.allclose(turned, plain)
    assert not np.allclose(cut, plain)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_an_encoder_moves_by_its_share_of_the_rate(trained, tmp_path, optimiser):
    """The new layer needs steps that would undo what pre-training has learnt."""
    ends = []
    for share in (1.0, 0.1, 0.0):
        inputs = opened(trained, tmp_path)
        before = {name: p.clone() for name, p in inputs.encoder.named_parameters()}
        one = {"epochs": 1, "batch_size": 8, "max_steps": 1, "optimiser": optimiser, "lr": 1e-3}
        finetune.TASK.run(inputs, finetune.Config(train=one, encoder_rate=share), 0, CPU)
        ends.append({name: p - before[name] for name, p in inputs.encoder.named_parameters()})
    for name, step in ends[0].items():
        torch.testing.assert_close(ends[1][name], 0.1 * step, atol=2e-7, rtol=1e-2)
        assert not ends[2][name].any()
    assert any(bool(step.any()) for step in ends[0].values())


def test_statistics_are_kept_while_the_weights_of_norms_move(trained, tmp_path):
    """Of few clips, or of one camera, statistics are worse than those of pre-training."""
    inputs = opened(trained, tmp_path)
    before = encoder_file.load(trained[2])[1].state_dict()
    finetune.TASK.run(inputs, finetune.Config(train=SHORT, keep_statistics=True), 0, CPU)
    after = inputs.encoder.state_dict()
    buffers = [name for name, _ in inputs.encoder.named_buffers() if "running" in name]
    assert buffers
    assert all(torch.equal(after[name], before[name]) for name in buffers)
    assert not torch.equal(after["input_norm.weight"], before["input_norm.weight"])


def test_kept_statistics_are_those_that_are_tested_with(trained, tmp_path, monkeypatch):
    """Renewed once more after training they would not be those that the weights were tuned to."""
    monkeypatch.setattr(_finetune, "recalibrate", lambda *_: pytest.fail("renewed once more"))
    cfg = finetune.Config(train=SHORT, keep_statistics=True)
    result = finetune.TASK.run(opened(trained, tmp_path, "recalibrated"), cfg, 0, CPU)
    assert not result.norms


def test_test_clips_train_nothing(trained, tmp_path):
    """Coordinates and labels of the test side must not move one weight, whatever batch-norm variant
    is tested.
    """
    data = open_array(trained[1])
    x, y = np.array(data.x), data.y.copy()
    x[16:], y[16:] = 3.0, (y[16:] + 1) % 3
    write_array(
        tmp_path / "other",
        ArraySet(x, y, data.length, data.content, data.names, data.splits, data.meta),
    )
    weights = []
    for array in (trained[1], tmp_path / "other"):
        given = open_pretrained(
            RUN, "recalibrated", trained[2], array, tmp_path / "last.pt", "", CPU
        )
        finetune.TASK.run(given, finetune.Config(train=SHORT, test_every=1), 0, CPU)
        weights.append(given.encoder.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("norm", ["released", "recalibrated"])
def test_looking_at_the_test_clips_changes_nothing(trained, tmp_path, norm):
    """Looks must cost the headline nothing: the same weights and scores to the bit."""
    ends = []
    for every in (0, 1):
        given = opened(trained, tmp_path, norm)
        cfg = finetune.Config(train=SHORT, test_every=every)
        ends.append((finetune.TASK.run(given, cfg, 0, CPU), given.encoder.state_dict()))
    (blind, before), (seeing, after) = ends
    np.testing.assert_array_equal(blind.scores, seeing.scores)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {name: seeing.metrics[name] for name in blind.metrics} == blind.metrics
    assert "top1" in seeing.curve[0]
    assert "top1" not in blind.curve[0]


@pytest.mark.parametrize("norm", ["released", "recalibrated"])
def test_the_best_look_stands_beside_the_last_epoch(trained, tmp_path, norm):
    """Papers print the best of their looks; the headline stays the last epoch."""
    cfg = finetune.Config(train=SHORT | {"epochs": 5}, test_every=2, epochs_shown=(3,))
    result = finetune.TASK.run(opened(trained, tmp_path, norm), cfg, 0, CPU)
    looked = {record["epoch"] + 1: record["top1"] for record in result.curve if "top1" in record}
    assert list(looked) == [2, 3, 4, 5]
    assert result.metrics["top1"] == looked[5]
    assert result.metrics["top1_epoch_3"] == looked[3]
    assert result.metrics["top1_best"] == max(looked.values())
    reached = [epoch for epoch, value in looked.items() if value == result.metrics["top1_best"]]
    assert result.metrics["best_epoch"] == reached[0]


def test_one_training_gives_both_states_of_the_batch_norms(trained, tmp_path):
    """The like-for-like number is the one a released cell has, without a second training."""
    cfg = finetune.Config(train=SHORT | {"epochs": 4}, test_every=1, epochs_shown=(2,))
    plain, both = opened(trained, tmp_path), opened(trained, tmp_path, "recalibrated")
    released, recalibrated = (
        finetune.TASK.run(plain, cfg, 0, CPU),
        finetune.TASK.run(both, cfg, 0, CPU),
    )
    weights, others = plain.encoder.state_dict(), both.encoder.state_dict()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert not released.norms
    assert recalibrated.norms == {"released": released.metrics}
    assert [r["top1_released"] for r in recalibrated.curve] == [r["top1"] for r in released.curve]
    assert not np.allclose(recalibrated.scores, released.scores)


def test_frozen_parts_work_with_the_statistics_of_their_variant(trained, tmp_path):
    """A frozen batch norm uses its statistics in training: the variants are two trainings."""
    cfg = finetune.Config(train=SHORT, frozen=("input_norm", "blocks"))
    plain, both = opened(trained, tmp_path), opened(trained, tmp_path, "recalibrated")
    released, recalibrated = (
        finetune.TASK.run(plain, cfg, 0, CPU),
        finetune.TASK.run(both, cfg, 0, CPU),
    )
    assert recalibrated.norms["released"].keys() == released.metrics.keys()
    weights, others = plain.encoder.state_dict(), both.encoder.state_dict()
    assert not torch.equal(weights["input_norm.running_mean"], others["input_norm.running_mean"])


def test_rows_say_which_state_they_are_of(trained, tmp_path):
    """A number of the other state would be subtracted from the wrong thing; seconds count once."""
    content, _ = run_task(trained, tmp_path / "finetune.json", norm="recalibrated")
    states = {}
    for row in content["rows"]:
        states.setdefault(row["batch_norm"], {})[row["metric"]] = row
    assert list(states) == ["recalibrated", "released"]
    assert states["recalibrated"].keys() == states["released"].keys()
    assert states["released"].keys() >= {"top1", "top1_best", "best_epoch"}
    assert all(row["seconds"] > 0 for row in states["recalibrated"].values())
    assert all(row["seconds"] == 0 for row in states["released"].values())


def test_too_few_clips_for_a_step_leave_nothing_behind(trained, tmp_path):
    """16 clips in batches of 8 make no step of 4: one line before anything is written or locked."""
    out = tmp_path / "few" / "finetune_steps.json"
    with pytest.raises(UserError, match="2 batches of 8 in an epoch make no step of 4"):
        run_task(trained, out, "finetune_steps")
    assert not out.parent.exists()


def test_an_epoch_that_is_never_reached_is_refused():
    """A row that a shortened protocol cannot fill must not vanish in silence."""
    with pytest.raises(ValueError, match="epochs_shown holds 50, but epochs are 1 to 8"):
        finetune.Config(train={"epochs": 8}, epochs_shown=(50,))


def test_an_epoch_that_steps_cut_off_is_refused(trained, tmp_path):
    """16 clips in batches of 8 are 2 steps an epoch: 3 steps end a training within its second."""
    cfg = finetune.Config(train=SHORT | {"epochs": 9, "max_steps": 3}, epochs_shown=(3,))
    with pytest.raises(UserError, match=r"train\.max_steps ends it after 2"):
        finetune.TASK.run(opened(trained, tmp_path), cfg, 0, CPU)


def test_progress_belongs_to_the_settings_as_they_count(trained, tmp_path, monkeypatch):
    """Half a training begun with other looks, or under another default, has another curve."""
    digests = []

    def stopped(*args, **_):
        digests.append(args[3].settings_digest)
        raise KeyboardInterrupt

    monkeypatch.setattr(_finetune, "train", stopped)
    for task in ("finetune", "finetune_default", "finetune_looks"):
        with pytest.raises(KeyboardInterrupt):
            run_task(trained, tmp_path / "f.json", task)
    assert digests[0] == digests[1] != digests[2]


def test_the_encoder_of_another_run_is_refused(trained, tmp_path):
    """Rows must not be filed under the wrong run."""
    with pytest.raises(UserError, match="expected tiny/nwucla/xview/pstl/bone/s0"):
        run_task(trained, tmp_path / "finetune.json", run=RUN.model_copy(update={"stream": "bone"}))


def test_a_task_without_its_files_says_which(trained, tmp_path):
    """The command line must name what is missing."""
    cell = Cell(RUN, "released", "finetune")
    with pytest.raises(UserError, match="pass --encoder FILE and --array FOLDER"):
        evaluate(trained[0], cell, Inputs(), tmp_path / "f.json", None, CPU)
    cell = Cell(RUN, "released", "knn")
    with pytest.raises(UserError, match="pass --features FILE"):
        evaluate(trained[0], cell, Inputs(), tmp_path / "f.json", None, CPU)


def test_defaults_are_pstls_protocol():
    """Adam, 0.005, cosine to 0 over 150 epochs, batches of 128, no decay, no augmentation (PSTL
    spec 9).
    """
    cfg = finetune.Config()
    t = cfg.train
    assert (t.optimiser, t.lr, t.schedule, t.epochs, t.batch_size, t.weight_decay) == (
        "adam",
        5e-3,
        "cosine",
        150,
        128,
        0,
    )
    assert not cfg.augment


def test_scdnet_entry_is_the_protocol_of_its_line(root):
    """SGD 0.01, momentum 0.9, 80 epochs of 64 clips, drops at 50 and 70, random crops (SCD-Net spec
    7.3).
    """
    cfg = finetune.Config(
        **config.load(root / "params.yaml").task("builtin", "finetune", "scdnet").settings
    )
    t = cfg.train
    found = (
        t.optimiser,
        t.lr,
        t.momentum,
        t.weight_decay,
        t.batch_size,
        t.epochs,
        t.schedule,
        t.milestones,
    )
    assert found == ("sgd", 0.01, 0.9, 0, 64, 80, "step", (50, 70))
    assert cfg.augment
    assert cfg.initial == "normal"
