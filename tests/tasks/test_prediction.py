"""Motion prediction: errors are distances in millimetres, the frames are the right ones, and what
can be predicted is.
"""

import doctest
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pstl.config import Run
from pstl.data.datasets import cmu, nwucla, synthetic
from pstl.data.fetch import fetch
from pstl.data.parse import parse
from pstl.data.recordings import write_recordings
from pstl.encoding.heads import TunedEncoder
from pstl.encoding.recorded import open_recorded
from pstl.errors import UserError
from pstl.metrics import motion as metrics_motion
from pstl.records import Clip, NotApplicable, Recording
from pstl.registry import load_dataset, names
from pstl.skeletons import load
from pstl.tasks import prediction
from pstl.tasks._forecasts import face, forecasts, one_body
from pstl.tasks._motion_heads import FeatureHead
from pstl.tasks.prediction import Config
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

RUN = Run(suite="s", dataset="nwucla", split="xview", method="raw", stream="joint", seed=0)
CPU = torch.device("cpu")
SKELETON = load("kinect_v1")


def recording(number, camera, frames=80, spec_name="nwucla"):
    """A body with one hand on a circle of its own phase and direction: what comes is in what was
    seen, but not in the last step's line.
    """
    rng = np.random.default_rng(number)
    body = np.random.default_rng(7).normal(size=(SKELETON.joints, 3))
    t = np.arange(frames) * 0.25 + rng.uniform(0, 6)
    xyz = np.broadcast_to(body, (frames, *body.shape)).copy()
    xyz[:, 7, 0] += 0.5 * np.cos(t)
    xyz[:, 7, 1] += 0.5 * np.sin(t)
    xyz += rng.normal(size=3)  # people stand elsewhere
    return Recording(
        Clip(f"r{number}", -1, xyz[:, :, None].astype(np.float32), camera=camera),
        np.arange(frames) * 1.0,
        (),
    )


def world(folder, encoder="raw", recordings=None):
    folder.mkdir(exist_ok=True)
    recordings = recordings or [recording(i, camera=1 if i < 8 else 3) for i in range(10)]
    write_recordings(folder / "r", nwucla.DATASET.spec, recordings)
    plugin = (
        {"name": encoder} if encoder == "raw" else {"name": encoder, "width": 2, "dropout": 0.5}
    )
    card = EncoderCard(
        "random_init",
        {},
        plugin,
        {"name": "resize50", "frames": 12},
        "kinect_v1",
        1,
        12,
        "joint",
        {"run": str(RUN)},
    )
    torch.manual_seed(0)
    encoder_file.save(folder / "encoder.pt", card, encoder_file.build(card))
    return open_recorded(
        RUN,
        "recalibrated",
        folder / "encoder.pt",
        folder / "r",
        folder / "prediction.last.pt",
        "",
        CPU,
    )


def config(**changes):
    return Config.model_validate(
        {
            "observe": 12,
            "predict": 6,
            "horizons": (1, 3, 6),
            "stride": 3,
            "test_stride": 5,
            "rivals": False,
        }
        | changes
    )


def test_errors_are_mean_distances_in_millimetres():
    """Formula test: a loop over windows, frames and joints."""
    assert not doctest.testmod(metrics_motion).failed
    a, b = np.random.default_rng(0).normal(size=(2, 4, 3, 5, 3))
    found = metrics_motion.joint_errors(torch.from_numpy(a), torch.from_numpy(b))
    for frame in range(3):
        loop = np.mean(
            [
                np.sqrt(((a[n, frame, v] - b[n, frame, v]) ** 2).sum())
                for n in range(4)
                for v in range(5)
            ]
        )
        assert float(found[frame]) == pytest.approx(1000 * loop)


def test_what_can_be_predicted_is(tmp_path):
    """A hand on a circle goes on along it: a head on coordinates must beat both naive baselines,
    and rows must say which is which.
    """
    result = prediction.TASK.run(
        world(tmp_path / "w"), config(tune="head", train={"epochs": 40, "lr": 0.003}), 0, CPU
    )
    still, straight = (result.others[f"baseline={name} velocity"] for name in ("zero", "constant"))
    assert set(result.metrics) == set(still) == {"mpjpe", "mpjpe_1", "mpjpe_3", "mpjpe_6"}
    assert result.metrics["mpjpe"] < 0.5 * still["mpjpe"]
    assert result.metrics["mpjpe_6"] < straight["mpjpe_6"]
    # One of V joints moves on a circle of half a metre by a quarter radian a frame: chords give the
    # baseline exactly.
    for frame in (1, 3, 6):
        chord = 2 * 0.5 * np.sin(0.25 * frame / 2)
        assert still[f"mpjpe_{frame}"] == pytest.approx(1000 * chord / SKELETON.joints, rel=1e-3)
    assert not list((tmp_path / "w").glob("prediction*"))


def test_from_scratch_is_the_same_network_without_its_weights(tmp_path):
    """Pre-training is only worth what it gains over this row; it must not inherit a single
    weight.
    """
    here = world(
        tmp_path / "w",
        "stgcn",
        [recording(i, camera=1 if i < 3 else 3, frames=40) for i in range(4)],
    )
    before = {k: v.clone() for k, v in here.encoder.state_dict().items()}
    result = prediction.TASK.run(here, config(train={"epochs": 2, "batch_size": 16}), 0, CPU)
    assert result.setting == "tune=all"
    naive = [f"baseline={name} velocity" for name in ("zero", "constant", "damped")]
    assert list(result.others) == ["baseline=from scratch", *naive]
    assert result.others["baseline=from scratch"] != result.metrics
    assert all(torch.equal(v, before[k]) for k, v in here.encoder.state_dict().items())
    fresh = here.copy(fresh=True).state_dict()
    assert fresh.keys() == before.keys()
    weights = [k for k in fresh if k.endswith("graph.weight")]
    assert weights
    assert not any(torch.equal(fresh[k], before[k]) for k in weights)
    # Neither depends on what the pre-trained weights are.
    with torch.no_grad():
        for p in here.encoder.parameters():
            p.add_(0.3)
    other = prediction.TASK.run(here, config(train={"epochs": 2, "batch_size": 16}), 0, CPU)
    assert other.others == result.others
    assert other.metrics != result.metrics
    without = prediction.TASK.run(here, config(from_scratch=False, train={"epochs": 1}), 0, CPU)
    assert list(without.others) == naive


@pytest.mark.parametrize("wanted", [False, True])
def test_dropout_is_off_unless_wanted(tmp_path, wanted):
    """A regression trained on halved activations is scaled wrongly when they are whole again."""
    here = world(
        tmp_path / "w",
        "stgcn",
        [recording(i, camera=1 if i < 3 else 3, frames=40) for i in range(4)],
    )
    encoder = here.copy()
    head = FeatureHead((12, 6, SKELETON.joints), encoder.width, 0, 0)
    predictor = TunedEncoder(encoder, here.card, head, encoder.width, "clip", wanted).train()
    states = {m.training for m in predictor.encoder.modules() if type(m).__name__ == "Dropout"}
    assert states == {wanted}
    assert predictor.encoder.input_norm.training


def test_windows_are_where_they_should_be(tmp_path):
    """The first predicted frame follows the last one seen; a frame shown twice would make every
    method look better.
    """
    here = world(tmp_path / "w")
    cut = forecasts(here, config().protocol, "test")
    first = here.store[int(here.test[0])].clip.xyz[:18, :, 0]
    whole = np.concatenate([cut.seen[0], cut.future[0]])
    np.testing.assert_allclose(whole, face(first[None], 11, SKELETON)[0], atol=1e-5)
    assert len(cut.seen) == 2 * len(range(12, 80 - 6 + 1, 5))


def test_facing_changes_no_distance():
    """Errors are measured after turning: they must be those of the recording."""
    xyz = np.random.default_rng(0).normal(size=(3, 9, SKELETON.joints, 3)).astype(np.float32)
    turned = face(xyz, 5, SKELETON)
    np.testing.assert_allclose(
        np.linalg.norm(turned[:, 0] - turned[:, 8], axis=-1),
        np.linalg.norm(xyz[:, 0] - xyz[:, 8], axis=-1),
        rtol=1e-4,
    )
    line = turned[:, 5, SKELETON.shoulders[1]] - turned[:, 5, SKELETON.shoulders[0]]
    assert (line[:, 0] > 0).all()
    np.testing.assert_allclose(line[:, 2], 0, atol=1e-5)
    np.testing.assert_allclose(turned[:, 5, SKELETON.centre], 0, atol=1e-6)


def test_absent_people_are_not_predicted(tmp_path):
    """A body that vanishes jumps to the origin: metres of error that say nothing about a method."""
    gap = recording(9, camera=3)
    gap.clip.xyz[40] = 0
    here = world(tmp_path / "w", recordings=[*(recording(i, 1) for i in range(2)), gap])
    cut = forecasts(here, config().protocol, "test")
    assert len(cut.seen) == len([f for f in range(12, 75, 5) if not f - 12 <= 40 < f + 6])
    assert np.abs(cut.future - cut.seen[:, -1:]).max() < 1.5


def test_a_public_protocol_decides_the_test_windows(tmp_path):
    """On CMU the test windows are those of the public code, whatever is observed."""
    rng = np.random.default_rng(0)
    card = EncoderCard(
        "random_init",
        {},
        {"name": "raw"},
        {"name": "resize50", "frames": 12},
        "cmu38",
        1,
        12,
        "joint",
    )
    encoder_file.save(tmp_path / "encoder.pt", card, encoder_file.build(card))
    clips = [
        Clip(
            side, -1, rng.normal(size=(150, 38, 1, 3)).astype(np.float32), listed={"standard": side}
        )
        for side in ("train", "test")
    ]
    write_recordings(
        tmp_path / "r", cmu.DATASET.spec, [Recording(c, np.arange(150.0), ()) for c in clips]
    )
    run = RUN.model_copy(update={"dataset": "cmu", "split": "standard"})
    here = open_recorded(
        run, "released", tmp_path / "encoder.pt", tmp_path / "r", tmp_path / "p.last.pt", "", CPU
    )
    for observe in (10, 50):
        cut = forecasts(here, config(observe=observe, predict=25, horizons=(1,)).protocol, "test")
        assert cut.seen.shape == (8, observe, 38, 3)
        start = cmu.DATASET.forecast_starts(150)[3]
        np.testing.assert_allclose(
            np.linalg.norm(cut.future[3, 0] - cut.seen[3, -1], axis=-1),
            np.linalg.norm(clips[1].xyz[start, :, 0] - clips[1].xyz[start - 1, :, 0], axis=-1),
            rtol=1e-4,
        )


def test_what_makes_no_sense_is_said(tmp_path):
    """An encoder without weights, horizons behind the last predicted frame, recordings that are too
    short.
    """
    here = world(tmp_path / "w")
    with pytest.raises(NotApplicable):
        prediction.TASK.run(here, config(tune="all"), 0, CPU)
    with pytest.raises(ValidationError, match="horizons are frames from 1 to predict=6"):
        config(horizons=(7,))
    with pytest.raises(UserError, match="no training recording shows one person for 90"):
        forecasts(here, config(observe=90).protocol, "training")


def test_a_body_is_followed_through_its_slots():
    """NTU's bodies change their slots: a window that jumps from one person to the other is metres
    of error no method can foresee.
    """
    xyz = np.zeros((6, 2, 2, 3), np.float32)
    bodies = np.array([[1, 2], [1, 2], [2, 1], [0, 2], [2, 0], [2, 0]], np.uint8)
    for frame, slots in enumerate(bodies):
        for slot, body in enumerate(slots):
            xyz[frame, :, slot] = 10 * body + 0.1 * frame if body else 0
    followed = one_body(Clip("c", 0, xyz, bodies=bodies))
    np.testing.assert_allclose(followed[:, 0, 0], 20 + 0.1 * np.arange(6), rtol=1e-6)
    np.testing.assert_array_equal(one_body(Clip("c", 0, xyz)), xyz[:, :, 0])


def test_ntu_files_are_predicted(tmp_path):
    """From `.skeleton` text with its bodies, joints and gaps to millimetres: the errors of a body
    that stays are those in the files.
    """
    settings = {
        "performers": 2,
        "cameras": 1,
        "repetitions": 1,
        "actions": ["wave fast", "march on the spot"],
        "frames": [40, 50],
    }
    fetch("synthetic", settings, tmp_path / "raw")
    parse("synthetic", settings, tmp_path / "raw", tmp_path / "s", jobs=1)
    run = RUN.model_copy(update={"dataset": "synthetic", "split": "xsub"})
    card = EncoderCard(
        "raw", {}, {"name": "raw"}, {"name": "resize50", "frames": 12}, "kinect_v2", 2, 12, "joint"
    )
    encoder_file.save(tmp_path / "encoder.pt", card, encoder_file.build(card))
    here = open_recorded(
        run,
        "released",
        tmp_path / "encoder.pt",
        tmp_path / "s",
        tmp_path / "prediction.last.pt",
        "",
        CPU,
    )
    result = prediction.TASK.run(here, config(tune="head", train={"epochs": 2}), 0, CPU)
    expected = []
    for i in here.test:
        xyz = one_body(here.store[i].clip).astype(np.float64)
        for first in range(12, len(xyz) - 6 + 1, 5):
            if xyz[first - 12 : first + 6].any(axis=(1, 2)).all():
                expected.append(np.linalg.norm(xyz[first + 2] - xyz[first - 1], axis=-1).mean())
    assert result.others["baseline=zero velocity"]["mpjpe_3"] == pytest.approx(
        1000 * np.mean(expected), rel=1e-4
    )
    assert len(expected) > 5


def test_only_simulated_people_are_kept_for_the_report(tmp_path):
    """Coordinates of real recordings must not leave in a results file; of simulated ones the
    picture needs truth and prediction.
    """
    assert (
        prediction.TASK.run(
            world(tmp_path / "w"), config(tune="head", train={"epochs": 1}), 0, CPU
        ).motions
        == []
    )
    cfg = synthetic.DATASET.Config.model_validate(
        {"performers": 2, "cameras": 1, "repetitions": 1, "frames": [40, 45]}
    )
    chosen = [name for name in synthetic.clip_names(cfg) if name.action in (1, 2)]
    clips = [
        Clip(
            str(n),
            n.action - 1,
            synthetic.simulate(cfg, n).xyz,
            subject=n.performer,
            camera=n.camera,
        )
        for n in chosen
    ]
    write_recordings(
        tmp_path / "r",
        synthetic.DATASET.spec,
        [Recording(clip, np.arange(len(clip.xyz)) * 1.0, ()) for clip in clips],
    )
    card = EncoderCard(
        "random_init",
        {},
        {"name": "raw"},
        {"name": "resize50", "frames": 12},
        "kinect_v2",
        2,
        12,
        "joint",
        {"run": "x"},
    )
    encoder_file.save(tmp_path / "encoder.pt", card, encoder_file.build(card))
    run = RUN.model_copy(update={"dataset": "synthetic", "split": "xsub"})
    here = open_recorded(
        run,
        "recalibrated",
        tmp_path / "encoder.pt",
        tmp_path / "r",
        tmp_path / "prediction.last.pt",
        "",
        CPU,
    )
    result = prediction.TASK.run(here, config(tune="head", train={"epochs": 1}), 0, CPU)
    assert len(result.motions) == prediction.SHOWN
    for entry in result.motions:
        future, found = (np.array(entry[part]) / 1000 for part in ("future", "found"))
        assert np.linalg.norm(found - future, axis=-1).mean() * 1000 == pytest.approx(
            entry["mpjpe"], abs=1
        )
        assert np.array(entry["seen"]).shape == (12, 25, 3)
    windows = forecasts(here, config().protocol, "test").future
    assert any(
        np.allclose(np.array(result.motions[0]["future"]) / 1000, window, atol=6e-4)
        for window in windows
    )


def test_no_recorded_data_set_counts_as_simulated():
    """One wrong flag would publish coordinates of real people."""
    assert [name for name in names("data.datasets") if load_dataset(name).spec.simulated] == [
        "synthetic",
        "synthetic_untrimmed",
    ]


def test_the_head_reads_standardised_features(tmp_path):
    """Clips differ by a hundredth of what all have in common: on plain features a head learns the
    common part, and never the clip.
    """
    here = world(
        tmp_path / "w",
        "stgcn",
        [recording(i, camera=1 if i < 3 else 3, frames=40) for i in range(4)],
    )
    cfg = config()
    train = forecasts(here, cfg.protocol, "training")
    clips = prediction._clips(here, train, train.windows)
    encoder = here.copy()
    here.renew(encoder, clips)
    head = FeatureHead((12, 6, SKELETON.joints), encoder.width, 0, 0)
    predictor = TunedEncoder(encoder, here.card, head, encoder.width, "clip")
    predictor.renew(clips)
    with torch.no_grad():
        head.layers.weight.copy_(torch.eye(*head.layers.weight.shape))
        offsets = predictor.outputs(clips.batch(torch.arange(len(clips)))).flatten(1)
        offsets = offsets[:, : here.encoder.width]
    alive = offsets.std(0) > 0.5  # a unit that is off for every clip stays at zero
    assert alive.any()
    torch.testing.assert_close(offsets.mean(0), torch.zeros(here.encoder.width), atol=1e-3, rtol=0)
    torch.testing.assert_close(
        offsets[:, alive].std(0), torch.ones(int(alive.sum())), atol=0.05, rtol=0
    )


def test_a_head_that_sees_poses_is_told_apart_in_every_way(tmp_path):
    """Ours, from scratch and without an encoder all have ridge regression beside them, and every
    row stands for each action and for every window, too.
    """
    here = world(
        tmp_path / "w",
        "stgcn",
        [recording(i, camera=1 if i < 3 else 3, frames=40) for i in range(5)],
    )
    name = here.store.spec.classes[2]
    labelled = replace(here.store, actions=[((2, 0.0, 40.0),)] * 5)
    cfg = config(
        tune="head", mirror=True, poses=4, hidden=8, with_ridge=True, rivals=True,
        per_action=True, every_window=True, train={"epochs": 2, "batch_size": 16},
    )  # fmt: skip
    result = prediction.TASK.run(replace(here, store=labelled), cfg, 0, CPU)
    learnt = ["baseline=from scratch", "baseline=dct mlp", "baseline=dct mlp and ridge"]
    naive = [f"baseline={each} velocity" for each in ("zero", "constant", "damped")]
    for row in [*learnt, *naive, "baseline=ridge"]:
        assert result.others[f"{row};subset={name}"] == result.others[row]
        assert result.others[f"{row};windows=all"].keys() == result.others[row].keys()
    assert f"tune=head;windows=all;subset={name}" in result.others
    for metric, row in (("below_scratch", learnt[0]), ("below_rival", learnt[2])):
        expected = result.others[row]["mpjpe"] - result.metrics["mpjpe"]
        assert result.metrics[metric] == pytest.approx(expected)
