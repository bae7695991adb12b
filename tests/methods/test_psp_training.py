"""PSP through the training loop that all methods share.

Lists of labels, batches of both kinds, its own classifier.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
import yaml
from arrays import write_array
from settings_files import write_settings

from pstl import config
from pstl.data import labels
from pstl.data.loader import Clips
from pstl.data.store import ArraySet, open_array
from pstl.encoding.features import recalibrate
from pstl.encoding.pretrained import open_pretrained
from pstl.errors import UserError
from pstl.files import write_json
from pstl.tasks import classify
from pstl.train import batches, encoder_file, loop
from pstl.train import pretrain as pretraining

CPU = torch.device("cpu")
NAMES = [f"clip{i:02}" for i in range(72)]
TRAIN = np.arange(48)
SHAPE = {"recipe": "scaled300", "encoder": {"name": "dsta", "width": 8}}


def run(method="psp", seed=0):
    return config.Run(
        suite="tiny", dataset="nwucla", split="xview", method=method, stream="joint", seed=seed
    )


def make_params(folder, fraction=0.25, **train):
    semi = {
        "epochs": 2,
        "steps_per_epoch": 3,
        "batch_size": 12,
        "labelled_batch": 6,
        "optimiser": "sgd",
        "lr": 0.01,
        "nesterov": True,
    }
    full = {"epochs": 2, "batch_size": 8, "lr": 0.001}
    methods = {
        "psp": SHAPE | {"labels": fraction, "train": semi | train, "settings": {"frames": 16}},
        "supervised": SHAPE | {"labels": fraction, "train": full},
        "random_init": SHAPE | {"train": {"epochs": 0, "lr": 1.0}},
    }
    experiment = {
        "dataset": "nwucla",
        "splits": ["xview"],
        "methods": list(methods),
        "tasks": ["classify"],
    }
    suites = {"tiny": {"summary": "", "experiments": [experiment]}}
    content = {"suite": "tiny", "methods": methods, "tasks": {"classify": {}}, "suites": suites}
    return config.load(write_settings(folder, content))


def make_array(folder, y=None):
    """72 clips of three actions; the first 48 are for training.

    In each the arms drift along another axis, and all joints a little in ways of the clip's own,
    which position and motion both show.
    """
    rng, classes = np.random.default_rng(0), np.arange(72) % 3
    length = rng.integers(30, 61, 72)
    x = np.zeros((72, 3, 60, 20, 1), np.float32)
    for clip, c, n in zip(x, classes, length, strict=True):
        drift = rng.normal(size=(3, 1, 20, 1)) * 0.02
        drift[c, :, 4:12] += 0.04
        clip[:, :n] = drift * np.arange(n)[:, None, None] + rng.normal(size=(3, n, 20, 1)) * 0.01
    meta = {
        "dataset": "nwucla",
        "recipe": {"name": "scaled300"},
        "skeleton": "kinect_v1",
        "people": 1,
        "classes": ["a", "b", "c"],
    }
    splits = {"xview": (TRAIN, np.arange(48, 72))}
    y = classes if y is None else y
    write_array(folder, ArraySet(x, y, length, np.arange(72, dtype=np.uint64), NAMES, splits, meta))
    return folder


def make_labels(path, draw=0, split="xview", rule="psp"):
    ranking = labels.rank("nwucla", split, draw, [NAMES[i] for i in TRAIN], TRAIN % 3, 3)
    write_json(path, vars(labels.by_rule(ranking, rule)))
    return path


@pytest.fixture
def array(tmp_path):
    return make_array(tmp_path / "array")


@pytest.fixture
def lists(tmp_path):
    return make_labels(tmp_path / "d0.json")


def weights(path):
    return encoder_file.load(path)[1].state_dict()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("method", ["psp", "supervised"])
def test_labels_outside_the_list_never_reach_training(tmp_path, array, lists, method):
    """5 % must mean 5 %: other classes for the clips that are not on the list change no weight, for
    those on it they do.
    """
    params = make_params(tmp_path)
    known = labels.labelled(labels.read(lists), 0.25, open_array(array))
    assert len(known) == 12
    y = np.arange(72) % 3
    elsewhere, there = (y + 1) % 3, y.copy()
    elsewhere[known], there[known] = y[known], (y[known] + 1) % 3
    there[known[:6]] = y[known[:6]]
    for name, classes in (("elsewhere", elsewhere), ("there", there)):
        make_array(tmp_path / name, y=classes)
    for name in ("array", "elsewhere", "there"):
        pretraining.pretrain(
            params,
            run(method),
            tmp_path / name,
            tmp_path / f"{name}.out" / "encoder.pt",
            CPU,
            lists,
        )
    a, b, c = (
        weights(tmp_path / f"{name}.out" / "encoder.pt") for name in ("array", "elsewhere", "there")
    )
    assert same(a, b)
    assert not same(a, c)


@pytest.mark.parametrize("rule", ["psp", "random", "per_class_round", "per_class_7"])
def test_an_encoder_says_which_labels_it_learnt_from(tmp_path, array, rule):
    """20 % by another rule are other clips and more of them; no name of a method tells that."""
    lists, data = make_labels(tmp_path / "d0.json", rule=rule), open_array(array)
    section = make_params(tmp_path).method("tiny", "psp")
    section = section.model_copy(update={"label_rule": rule, "labels": 0.2})
    known = pretraining.known_labels(data, run(), section, lists)
    assert len(known) == (10 if rule == "per_class_7" else 9)  # of 16, 16 and 16 clips
    said = pretraining.card_of(run(), section, data, known).provenance["labelled"]
    assert said.pop("digest")
    assert said == {"rule": rule, "fraction": 0.2, "draw": 0, "clips": len(known)}


def test_every_share_of_the_paper_has_its_labelled_part(tmp_path, array, lists):
    """The share asked for decides, not what a rule makes of it (PSP spec 7: 9 beside 90)."""
    for fraction, rows in ((0.25, 23), (0.3, 27)):  # 12 of 48 clips are labelled at both
        section = make_params(tmp_path, fraction, labelled_batch="fraction", batch_size=90).method(
            "tiny", "psp"
        )
        data, known = (
            open_array(array),
            pretraining.known_labels(open_array(array), run(), section, lists),
        )
        method = pretraining.build_method(
            run(), section, pretraining.card_of(run(), section, data, known), 3
        )
        clips = pretraining.training_clips(data, run(), section, method, CPU, known)
        assert (len(known), batches.labelled_size(section.train, clips)) == (12, rows)


def test_a_supervised_baseline_sees_the_labelled_clips_alone(tmp_path, array, lists):
    """What semi-supervised training is measured against; psp has all clips."""
    params, data = make_params(tmp_path), open_array(array)
    for method, count in (("supervised", 12), ("psp", 48)):
        section = params.method("tiny", method)
        known = pretraining.known_labels(data, run(method), section, lists)
        built = pretraining.build_method(
            run(method), section, pretraining.card_of(run(method), section, data), 3
        )
        clips = pretraining.training_clips(data, run(method), section, built, CPU, known)
        assert (len(clips), len(clips.labelled)) == (count, 12)


def test_a_list_that_does_not_belong_is_refused(tmp_path, array, lists):
    """Another draw or split under a run's name, or a fraction without a list, would be another
    experiment in the table.
    """
    params, other = make_params(tmp_path), make_labels(tmp_path / "d1.json", draw=1)
    cases = [
        (
            run(),
            None,
            r"sees 0\.25 of the labels; pass --labels data/labels/nwucla/xview/psp/d0\.json",
        ),
        (run(), other, r"labels of xview, draw 1; expected xview, draw 0"),
        (
            run(),
            make_labels(tmp_path / "s.json", split="xview_disjoint"),
            "labels of xview_disjoint",
        ),
        (
            run(),
            make_labels(tmp_path / "r.json", rule="random"),
            "rule random, labels of xview, draw 0; expected xview, draw 0, .*rule psp; pass",
        ),
        (run("random_init"), lists, "names no fraction"),
    ]
    for which, file, message in cases:
        with pytest.raises(UserError, match=message):
            pretraining.pretrain(params, which, array, tmp_path / "out/encoder.pt", CPU, file)
    assert not (tmp_path / "out/encoder.pt").exists()


def test_a_fraction_for_a_method_without_labels_is_refused(tmp_path):
    """It would be ignored and reported."""
    make_params(tmp_path)
    path = tmp_path / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["methods"]["random_init"]["labels"] = 0.1
    path.write_text(yaml.safe_dump(content))
    params = config.load(path)
    with pytest.raises(UserError, match="random_init sees no labels"):
        config.check_plugins(params, "tiny")


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, array, lists, monkeypatch):
    """Both parts of a batch go on where they were, bit for bit."""
    params, epochs = make_params(tmp_path), loop.train_epoch
    pretraining.pretrain(params, run(), array, tmp_path / "whole/encoder.pt", CPU, lists)

    def killed(*args):
        if args[1] == 1:
            raise KeyboardInterrupt
        return epochs(*args)

    monkeypatch.setattr(loop, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        pretraining.pretrain(params, run(), array, tmp_path / "broken/encoder.pt", CPU, lists)
    monkeypatch.setattr(loop, "train_epoch", epochs)
    pretraining.pretrain(params, run(), array, tmp_path / "broken/encoder.pt", CPU, lists)
    assert same(weights(tmp_path / "whole/encoder.pt"), weights(tmp_path / "broken/encoder.pt"))


def test_another_draw_is_another_run(tmp_path, array, lists):
    """A checkpoint of other labelled clips must not be gone on with."""
    section, data = make_params(tmp_path).method("tiny", "psp"), open_array(array)
    digests = {
        pretraining.card_of(run(), section, data, known).provenance["settings_digest"]
        for known in (None, np.arange(3), np.arange(4))
    }
    assert len(digests) == 3


def test_a_few_dozen_steps_learn(tmp_path, array, lists):
    """Four labels a class and the unlabelled rest.

    Every loss falls, and test clips are told apart by the classifier of the run.
    """
    params = make_params(tmp_path, epochs=3, steps_per_epoch=10, labelled_batch=12)
    pretraining.pretrain(params, run(), array, tmp_path / "encoder.pt", CPU, lists)
    curve = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert curve[-1]["classes"] < curve[0]["classes"] / 4
    for level in ("body", "part", "joint"):
        # Log 23: all other rows of 12 clips alike.
        assert curve[-1][level] < min(curve[0][level], np.log(23)) - 0.05, level
    assert [record["step"] for record in curve] == [10, 20, 30]
    result, again = (own_scores(tmp_path, array, norm) for norm in ("released", "recalibrated"))
    assert result.metrics["top1"] > 55  # chance is a third
    assert result.scores.shape == (24, 3)
    assert again.metrics["top1"] > 55
    assert not np.allclose(again.scores, result.scores)


def own_scores(folder, array, norm):
    """What the run's own classifier says of the test clips."""
    world = open_pretrained(run(), norm, folder / "encoder.pt", array, folder / "c.pt", "", CPU)
    own = {
        "classifier": encoder_file.load_classifier(folder / "encoder.pt"),
        "snapshots": folder / "snapshots.zip",
    }
    return classify.TASK.run(dataclasses.replace(world, **own), classify.Config(), 0, CPU)


def test_recalibrated_statistics_are_of_both_streams(tmp_path, array, lists):
    """The classifier reads joint and motion through norms that saw both in one batch.

    Those of one stream would not suit it.
    """
    pretraining.pretrain(
        make_params(tmp_path, epochs=1), run(), array, tmp_path / "encoder.pt", CPU, lists
    )
    (card, encoder), data = encoder_file.load(tmp_path / "encoder.pt"), open_array(array)
    recalibrate(card, encoder, Clips(data, TRAIN, CPU))
    x, length = torch.from_numpy(np.array(data.x[TRAIN])), torch.from_numpy(data.length[TRAIN])
    index = torch.arange(16) * length[:, None] // 16
    rows = torch.arange(len(x))[:, None]
    joint, following = (
        x.movedim(2, 1)[rows, i] for i in (index, torch.minimum(index + 1, length[:, None] - 1))
    )
    both = torch.cat([joint, following - joint]).permute(0, 2, 1, 3, 4).squeeze(4)
    conv, norm = encoder.trunk.stem[:2]
    torch.testing.assert_close(norm.running_mean, conv(both).mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
