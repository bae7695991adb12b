import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pstl.config import Run
from pstl.errors import UserError
from pstl.methods import aimclr
from pstl.train import encoder_file, loop
from pstl.train import pretrain as pretraining
from pstl.train.precision import use_bf16
from pstl.train.pretrain import pretrain

from .conftest import make_array, make_params

CPU = torch.device("cpu")


def run(method="pstl"):
    return Run(suite="tiny", dataset="nwucla", split="xview", method=method, stream="joint", seed=0)


def weights(path):
    return encoder_file.load(path)[1].state_dict()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_same_seed_same_bits(tmp_path, array):
    """Reproducible means bit for bit on one machine."""
    params = make_params(tmp_path)
    for name in ("a", "b"):
        pretrain(params, run(), array, tmp_path / name / "encoder.pt", CPU)
    assert same(weights(tmp_path / "a/encoder.pt"), weights(tmp_path / "b/encoder.pt"))


def test_labels_never_reach_pretraining(tmp_path, array):
    """A self-supervised score is void if labels leak.

    Other labels must not change one weight, while a supervised run changes.
    """
    params = make_params(tmp_path)
    shuffled = make_array(tmp_path / "shuffled", y=np.random.default_rng(1).integers(0, 3, 24))
    for method, equal in (("pstl", True), ("supervised", False)):
        pretrain(params, run(method), array, tmp_path / method / "true.pt", CPU)
        pretrain(params, run(method), shuffled, tmp_path / method / "false.pt", CPU)
        assert (
            same(weights(tmp_path / method / "true.pt"), weights(tmp_path / method / "false.pt"))
            == equal
        )


def test_test_clips_never_reach_pretraining(tmp_path, array):
    """Whatever stands in the test half, the encoder must come out the same."""
    from arrays import write_array

    from pstl.data.store import ArraySet, open_array

    data = open_array(array)
    x = np.array(data.x)
    x[16:] = 1e3
    write_array(
        tmp_path / "other",
        ArraySet(x, data.y, data.length, data.content, data.names, data.splits, data.meta),
    )
    params = make_params(tmp_path)
    for folder in ("array", "other"):
        pretrain(params, run(), tmp_path / folder, tmp_path / f"{folder}.out" / "encoder.pt", CPU)
    assert same(
        weights(tmp_path / "array.out/encoder.pt"), weights(tmp_path / "other.out/encoder.pt")
    )


@pytest.mark.parametrize("method", ["pstl", "supervised", "aimclr"])
def test_resumed_run_equals_an_uninterrupted_one(tmp_path, array, method, monkeypatch):
    """An interruption after the first epoch must leave no trace in the weights or in the curve."""
    params = make_params(tmp_path)
    pretrain(params, run(method), array, tmp_path / "whole/encoder.pt", CPU)
    epoch = loop.train_epoch

    def killed(*args):
        if args[1] == 1:
            raise KeyboardInterrupt
        return epoch(*args)

    monkeypatch.setattr(loop, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(params, run(method), array, tmp_path / "broken/encoder.pt", CPU)
    assert not (tmp_path / "broken/encoder.pt").exists()
    torch.manual_seed(99)  # whatever happened in between must not matter
    monkeypatch.setattr(loop, "train_epoch", epoch)
    pretrain(params, run(method), array, tmp_path / "broken/encoder.pt", CPU)
    assert same(weights(tmp_path / "whole/encoder.pt"), weights(tmp_path / "broken/encoder.pt"))
    curves = [
        [
            json.loads(line)["loss"]
            for line in (tmp_path / f / "curve.jsonl").read_text().splitlines()
        ]
        for f in ("whole", "broken")
    ]
    assert curves[0] == curves[1]
    assert not (tmp_path / "broken/last.pt").exists()


def test_a_batch_says_how_many_epochs_are_behind(tmp_path, array, monkeypatch):
    """What begins after some epochs must begin there after an interruption, too."""
    seen, forward = [], aimclr.Method.forward

    def watched(method, batch, rng):
        seen.append(batch.epoch)
        return forward(method, batch, rng)

    monkeypatch.setattr(aimclr.Method, "forward", watched)
    pretrain(make_params(tmp_path, epochs=3), run("aimclr"), array, tmp_path / "encoder.pt", CPU)
    assert seen == [0, 0, 1, 1, 2, 2]


def test_settings_that_do_not_go_together_are_one_line(tmp_path, array):
    """A queue that batches do not fill evenly is refused before anything is trained."""
    params = make_params(tmp_path, batch_size=9)
    with pytest.raises(UserError, match=r"methods\.aimclr: settings\.queue is 24, expected a mult"):
        pretrain(params, run("aimclr"), array, tmp_path / "encoder.pt", CPU)
    assert not (tmp_path / "encoder.pt").exists()


def test_a_checkpoint_of_other_settings_waits_beside(tmp_path, array, monkeypatch, caplog):
    """Finishing with old weights would put a wrong number into the table, and refusing would cost
    who tries a setting on the way his hours: each goes on where it was.
    """
    out, begun, finish = tmp_path / "run/encoder.pt", [], pretraining.finish
    epoch = loop.train_epoch
    monkeypatch.setattr(loop, "train_epoch", lambda *args: begun.append(args[1]) or epoch(*args))
    monkeypatch.setattr(pretraining, "finish", lambda *args: None)  # leaves last.pt behind
    pretrain(make_params(tmp_path), run(), array, out, CPU)
    pretrain(make_params(tmp_path, lr=2e-3), run(), array, out, CPU)
    assert begun == [0, 1, 0, 1]
    assert "of other settings; kept as last.pt." in caplog.text
    assert len(list(out.parent.glob("last.pt.????????????"))) == 1
    monkeypatch.setattr(pretraining, "finish", finish)
    begun.clear()
    pretrain(make_params(tmp_path), run(), array, out, CPU)  # all of its epochs were done
    assert not begun
    assert (tmp_path / "run/encoder.pt").exists()
    assert not (tmp_path / "run/last.pt").exists()
    assert (
        len(list(out.parent.glob("last.pt.????????????"))) == 1
    )  # of the other, which nobody finished


def test_damaged_checkpoint_is_named(tmp_path, array):
    """Half a file must not look like a crash of the program."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/last.pt").write_bytes(b"PK\x03\x04 half of a file")
    with pytest.raises(UserError, match=r"last\.pt"):
        pretrain(make_params(tmp_path), run(), array, tmp_path / "run/encoder.pt", CPU)


def test_loss_that_explodes_is_an_error(tmp_path, array):
    """A NaN encoder must never be written."""
    with pytest.raises(UserError, match="loss is"):
        pretrain(
            make_params(tmp_path, lr=1e30, epochs=4, optimiser="sgd"),
            run("supervised"),
            array,
            tmp_path / "run/encoder.pt",
            CPU,
        )
    assert not (tmp_path / "run/encoder.pt").exists()


def test_array_of_another_recipe_is_refused(tmp_path, array):
    """The wrong array would train without complaint and mean nothing."""
    meta = json.loads((array / "meta.json").read_text())
    (array / "meta.json").write_text(json.dumps(meta | {"recipe": {"name": "other"}}))
    with pytest.raises(UserError, match="recipe"):
        pretrain(make_params(tmp_path), run(), array, tmp_path / "run/encoder.pt", CPU)


def test_run_json_knows_where_the_encoder_comes_from(tmp_path, array):
    """Every row of a table is traced through these fields."""
    pretrain(make_params(tmp_path), run(), array, tmp_path / "run/encoder.pt", CPU)
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts["data_checksum"] == json.loads((array / "meta.json").read_text())["checksum"]
    assert facts["finished"] is True
    assert facts["settings"]["train"]["lr"] == 1e-3
    assert {
        "run_id",
        "git",
        "device",
        "seconds",
        "peak_mb",
        "versions",
        "machine",
        "settings_digest",
    } <= facts.keys()


def test_bf16_trains(tmp_path, array):
    """The precision setting reaches the encoder: another result than fp32, and a finite one."""
    pretrain(make_params(tmp_path), run(), array, tmp_path / "a/encoder.pt", CPU)
    pretrain(make_params(tmp_path, precision="bf16"), run(), array, tmp_path / "b/encoder.pt", CPU)
    assert not same(weights(tmp_path / "a/encoder.pt"), weights(tmp_path / "b/encoder.pt"))


def test_random_init_is_written_untrained(tmp_path, array):
    """Zero epochs: the floor is the encoder as it was drawn."""
    pretrain(make_params(tmp_path), run("random_init"), array, tmp_path / "run/encoder.pt", CPU)
    state = weights(tmp_path / "run/encoder.pt")
    assert not state["input_norm.running_mean"].any()


def test_a_run_ends_at_its_last_step(tmp_path, array):
    """16 clips in batches of 4, two a step.

    The third step is the first half of epoch 1, with the rate of step 2.
    """
    by_step = {
        "max_steps": 3,
        "batch_size": 4,
        "accumulate": 2,
        "schedule": "linear",
        "warmup_steps": 2,
        "decay_steps": 6,
    }
    pretrain(
        make_params(tmp_path, epochs=9, **by_step), run(), array, tmp_path / "run/encoder.pt", CPU
    )
    curve = [json.loads(line) for line in (tmp_path / "run/curve.jsonl").read_text().splitlines()]
    assert [(epoch["step"], epoch["lr"]) for epoch in curve] == [(2, 0.0), (3, pytest.approx(1e-3))]


def test_a_rate_may_follow_the_steps_within_an_epoch(tmp_path, array, monkeypatch):
    """MAMP's warm-up rises with every step: 4 batches an epoch, two a step, two epochs to 0.1."""
    update, rates = loop.update, []

    def noted(trainable, optim, settings, rate):
        rates.append(rate)
        update(trainable, optim, settings, rate)

    monkeypatch.setattr(loop, "update", noted)
    rising = {"batch_size": 4, "accumulate": 2, "lr": 0.1, "warmup_epochs": 2, "per_step": True}
    pretrain(make_params(tmp_path, **rising), run(), array, tmp_path / "run/encoder.pt", CPU)
    assert rates == pytest.approx([0, 0.025, 0.05, 0.075])


@pytest.mark.slow
def test_torchrun_gives_the_encoder_of_one_process(tmp_path, array):
    """The command a cluster runs: the same weights within float error.

    Dropout is off, because each rank draws its own.

    The rate is so low that one unit of a tiny network that rounding switches on does not lead
    training elsewhere.
    """
    make_params(tmp_path, batch_size=8, lr=1e-5, optimiser="sgd")
    text = (
        (tmp_path / "params.yaml").read_text().replace("width: 2", "width: 2\n      dropout: 0.0")
    )
    (tmp_path / "params.yaml").write_text(text)
    command = [
        "pstl",
        "pretrain",
        "--params",
        tmp_path / "params.yaml",
        "--run",
        str(run()),
        "--array",
        array,
        "--device",
        "cpu",
    ]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    subprocess.run(
        [sys.executable, "-m", *command, "--out", tmp_path / "one/encoder.pt"], check=True, env=env
    )
    subprocess.run(
        [sys.executable, "-m", *torchrun, *command, "--out", tmp_path / "two/encoder.pt"],
        check=True,
        env=env,
    )
    one, two = weights(tmp_path / "one/encoder.pt"), weights(tmp_path / "two/encoder.pt")
    for key in one:
        torch.testing.assert_close(
            one[key], two[key], atol=2e-5, rtol=2e-4, msg=lambda m, key=key: f"{key}: {m}"
        )


def test_bf16_keeps_the_difference_between_clips(tmp_path, array):
    """Pooled features of different clips differ in the third digit.

    Rounded to bf16 they would be equal and nothing be learnt.
    """
    from pstl.config import Plugin
    from pstl.data.store import open_array

    params = make_params(tmp_path)
    section = params.method("tiny", "pstl").model_copy(update={"encoder": Plugin(name="stgcn")})
    data = open_array(array)
    method = pretraining.build_method(run(), section, pretraining.card_of(run(), section, data), 3)
    x = torch.from_numpy(np.array(data.x[:8])) * 0.01
    for block in method.encoder.blocks:
        block.time[-1].p = 0.0
    plain = method.encoder(x).clip.detach()
    use_bf16(method)
    half = method.encoder(x).clip.detach()
    assert half.dtype == torch.float32
    signal, noise = plain.std(0).mean(), (half - half.mean(0) - plain + plain.mean(0)).abs().mean()
    assert noise < 0.2 * signal
