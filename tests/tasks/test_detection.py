"""Detection: what is learned on training recordings is found in others, and nothing about the test
reaches what is chosen.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pstl.config import BodyViews, Run
from pstl.data.datasets import utkinect
from pstl.data.recordings import write_recordings
from pstl.encoding.recorded import open_recorded
from pstl.metrics.detection import ActionInterval
from pstl.records import Batch, Clip, NotApplicable, Recording
from pstl.skeletons import load
from pstl.tasks import detection
from pstl.tasks._detector import Detector, FrameClassifier
from pstl.tasks._intervals import (
    PostProcessing,
    all_intervals,
    background_scores,
    frame_accuracy,
    intervals,
    timeline,
)
from pstl.tasks.detection import Config
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard

SPEC = replace(utkinect.DATASET.spec, classes=utkinect.DATASET.spec.classes)
J = load(SPEC.skeleton).joints
RUN = Run(suite="s", dataset="utkinect", split="xsub", method="raw", stream="joint", seed=0)
CPU = torch.device("cpu")


def recording(subject, rng, moved=None):
    """A standing body that twice lifts a hand (class 0) and twice lowers its head (class 1), at
    times of its own.
    """
    frames = 200
    xyz = np.broadcast_to(
        np.random.default_rng(3).normal(size=(J, 3)), (frames, J, 3)
    ).copy() + rng.normal(0, 0.02, (frames, J, 3))
    actions, at = [], 0
    for label in rng.permutation([0, 0, 1, 1]):
        first = at + int(rng.integers(6, 34))
        last = first + int(rng.integers(10, 15))
        xyz[first : last + 1, 7 if label == 0 else 3, 1] += 1.5
        actions.append((int(label) if moved is None else moved, float(2 * first), float(2 * last)))
        at = last
    return Recording(
        Clip(f"s{subject:02d}", -1, xyz[:, :, None].astype(np.float32), subject=subject),
        2.0 * np.arange(frames),
        tuple(actions),
    )


def world(folder, name="raw", moved=None, batch_norm="recalibrated"):
    """Recordings of six training and two test performers; `moved`: every label of the test
    recordings is replaced by it.
    """
    rng = np.random.default_rng(0)
    subjects = (1, 2, 3, 4, 5, 6, 7)
    write_recordings(
        folder / "r", SPEC, [recording(s, rng, moved if s > 5 else None) for s in subjects]
    )
    plugin = {"name": name} if name == "raw" else {"name": name, "width": 1}
    card = EncoderCard(
        "random_init",
        {},
        plugin,
        {"name": "resize50", "frames": 24},
        "kinect_v1",
        1,
        24,
        "joint",
        {"run": str(RUN)},
    )
    torch.manual_seed(0)
    encoder_file.save(folder / "encoder.pt", card, encoder_file.build(card))
    return open_recorded(
        RUN, batch_norm, folder / "encoder.pt", folder / "r", folder / "detection.last.pt", "", CPU
    )


def config(**changes):
    return Config.model_validate(
        {"window": 24, "stride": 8, "train": {"epochs": 60}, "least": (1, 4), "smoothing": (1, 5)}
        | changes
    )


def test_what_is_learned_is_found(tmp_path):
    """Actions that a linear layer can tell apart must be found where they are, far better than by
    their usual time.
    """
    result = detection.TASK.run(world(tmp_path), config(), 0, CPU)
    assert result.setting == "tune=head"
    assert result.metrics["greedy_ap"] > 80
    assert result.metrics["frame_accuracy"] > 85
    assert (
        result.metrics["greedy_map_video_0.1"]
        >= result.metrics["greedy_map_video"]
        >= result.metrics["greedy_map_video_0.7"]
    )
    # The mean over all ten classes cannot exceed the two that occur; one-to-one matching averages
    # over those two.
    assert result.metrics["map_action"] <= 20 < result.metrics["greedy_map_action"]
    assert result.others["baseline=all background"]["greedy_ap"] == 0
    schedule = result.others["baseline=training schedule"]
    assert schedule["greedy_ap"] < result.metrics["greedy_ap"] - 30
    assert list(tmp_path.glob("*.pt")) == [
        tmp_path / "encoder.pt"
    ]  # what was kept for an interruption is gone


def test_test_labels_decide_nothing(tmp_path):
    """A smoothing chosen on test labels is test-set selection: with other test labels the same
    intervals must be found.
    """
    results = []
    for name, moved in (("a", None), ("b", 5)):
        (tmp_path / name).mkdir()
        results.append(
            detection.TASK.run(world(tmp_path / name, moved=moved), config(), 0, CPU).metrics
        )
    for kept in ("proposals", "smoothing", "least"):
        assert results[0][kept] == results[1][kept]
    assert results[0]["greedy_ap"] > results[1]["greedy_ap"] == 0


def test_the_whole_encoder_can_be_tuned(tmp_path):
    """From scratch or pre-trained, `tune: all` must change the encoder's weights and leave the
    caller's copy alone.
    """
    here = world(tmp_path, "stgcn")
    before = {k: v.clone() for k, v in here.encoder.state_dict().items()}
    result = detection.TASK.run(here, config(tune="all", train={"epochs": 2, "lr": 0.005}), 0, CPU)
    assert result.setting == "tune=all"
    assert all(torch.equal(v, before[k]) for k, v in here.encoder.state_dict().items())
    again = detection.TASK.run(here, config(tune="all", train={"epochs": 2, "lr": 0.005}), 0, CPU)
    assert again.metrics == result.metrics
    (tmp_path / "raw").mkdir()
    weightless = world(tmp_path / "raw")
    with pytest.raises(NotApplicable):
        detection.TASK.run(weightless, config(tune="all"), 0, CPU)


def test_performers_are_held_out_whole(tmp_path):
    """Two recordings of one person on both sides would choose a post-processing for people one
    already knows.
    """
    here = world(tmp_path)
    fit, held = detection.hold_out(here, config())
    assert sorted([*fit, *held]) == here.train.tolist()
    names = [{here.store[i].clip.subject for i in side} for side in (fit, held)]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_intervals_are_in_the_recordings_own_time():
    """Frames are unevenly spaced: an interval in frames would be scored against a ground truth in
    another unit.
    """
    times = np.array([0.0, 2, 4, 10, 12, 30])
    scores = torch.tensor(
        [
            [0.9, 0.1, 0.0],
            [0.2, 0.8, 0.0],
            [0.1, 0.6, 0.3],
            [0.9, 0.0, 0.1],
            [0.1, 0.2, 0.7],
            [0.8, 0.1, 0.1],
        ]
    )
    clip = Recording(Clip("v", -1, np.zeros((6, J, 1, 3), np.float32)), times, ())
    found = intervals(scores, clip, PostProcessing(1, 1))
    assert [(p.video, p.label, p.start, p.end) for p in found] == [
        ("v", 1, 2.0, 4.0),
        ("v", 2, 12.0, 12.0),
    ]
    assert [p.confidence for p in found] == pytest.approx([0.7, 0.7])
    assert [p.label for p in intervals(scores, clip, PostProcessing(1, 2))] == [1]


def test_timelines_show_one_recording_in_its_own_frames() -> None:
    """The picture sets found beside true intervals: a wrong time base, class or recording would
    make good detections look bad.
    """
    times = np.array([100.0, 110.0, 120.0, 130.0, 140.0])
    clip = Clip("s01", -1, np.zeros((5, 20, 1, 3), np.float32))
    watched = Recording(clip, times, ((1, 110.0, 130.0),))
    found = [
        ActionInterval("s01", 2, 120.0, 140.0, 0.5),
        ActionInterval("s02", 1, 100.0, 110.0, 0.9),
    ]
    shown = timeline(watched, found, ("walk", "sit"))
    assert (shown["frames"], shown["truth"], shown["found"]) == (5, [[1, 3, 1]], [[2, 4, 1, 0.5]])


def test_what_finds_nothing_stands_beside():
    """Most frames are background: a frame accuracy without this row looks like skill."""
    rng = np.random.default_rng(0)
    tests = [recording(1, rng), recording(2, rng)]
    scores = background_scores(tests, 10)
    post = PostProcessing(1, 1)
    assert not all_intervals(scores, tests, post)
    background = np.concatenate([r.labels() < 0 for r in tests]).mean()
    assert frame_accuracy(scores, tests, post) == pytest.approx(100 * background)


def test_the_encoder_is_tuned_on_other_views_of_the_windows(tmp_path):
    """Views that never reach the network would be a setting that lies."""
    here = world(tmp_path, "stgcn")
    train = {"epochs": 2, "lr": 0.005}
    plain = detection.TASK.run(here, config(tune="all", train=train), 0, CPU)
    turned = detection.TASK.run(
        here, config(tune="all", train=train, augment={"turn_deg": 40, "jitter": 0.1}), 0, CPU
    )
    assert plain.metrics["frame_accuracy"] != turned.metrics["frame_accuracy"]
    with pytest.raises(ValueError, match="needs tune"):
        config(augment={"mirror": 0.5})


def test_without_a_choice_nobody_is_held_out(tmp_path, monkeypatch):
    """A training for nothing doubles the time of every cell."""
    trained = []
    real = detection.window_scores

    def counted(inputs, cfg, train, test, what, fresh=False):
        trained.append(what)
        return real(inputs, cfg, train, test, what, fresh)

    monkeypatch.setattr(detection, "window_scores", counted)
    here = world(tmp_path)
    few = config(smoothing=(5,), least=(4,), train={"epochs": 1})
    metrics = detection.TASK.run(here, few, 0, CPU).metrics
    assert trained == ["all of training"]
    assert (metrics["smoothing"], metrics["least"]) == (5, 4)


def test_what_pretraining_gains_is_counted_run_by_run(tmp_path):
    """A difference of two means over seeds hides that both were trained on the same order and
    views; a fresh network that is the tuned one would show no gain ever."""
    here = world(tmp_path, "stgcn")
    settings = {"tune": "all", "from_scratch": True, "smoothing": (1,), "least": (1,)}
    result = detection.TASK.run(here, config(**settings, train={"epochs": 2, "lr": 0.005}), 0, CPU)
    scratch = result.others["baseline=from scratch"]
    gain = result.metrics["map_action"] - scratch["map_action"]
    assert result.metrics["above_scratch"] == pytest.approx(gain)
    assert scratch["frame_accuracy"] != result.metrics["frame_accuracy"]
    with pytest.raises(ValueError, match="needs tune"):
        config(from_scratch=True)


def test_an_action_is_cut_at_every_level_and_the_sharpest_cut_stays():
    """Background wins the borders of an action that is sure in its middle alone: cut where it is
    the most probable, it is too short to overlap the truth."""
    low = [0.05, 0.05, 0.35, 0.4, 0.8, 0.4, 0.35, 0.05, 0.05, 0.05]
    scores = torch.tensor([low]).T
    scores = torch.cat([1 - scores, scores, torch.zeros_like(scores)], dim=1)
    clip = Recording(Clip("v", -1, np.zeros((10, J, 1, 3), np.float32)), 2.0 * np.arange(10), ())
    narrow = intervals(scores, clip, PostProcessing(1, 1))
    assert [(p.start, p.end) for p in narrow] == [(8.0, 8.0)]
    wide = intervals(scores, clip, PostProcessing(1, 1, (0.1, 0.5)))
    assert [(p.label, p.start, p.end) for p in wide] == [(1, 8.0, 8.0), (1, 4.0, 12.0)]
    assert wide[0].confidence == pytest.approx(0.8 - (0.35 + 0.4 + 0.4 + 0.35) / 4)
    assert wide[1].confidence == pytest.approx(0.46 - 0.05)
    # 0.3 and 0.1 cut the same five frames: said once.
    again = intervals(scores, clip, PostProcessing(1, 2, (0.1, 0.3, 0.5)))
    assert [(p.start, p.end) for p in again] == [(4.0, 12.0)]


def test_members_are_trained_apart_and_averaged(tmp_path, monkeypatch):
    """Members of one seed would be one network at several times the price, and two that keep their
    progress in one file would take each other's weights."""
    asked = []

    def scores(inputs, cfg, sides, what, fresh):
        asked.append((inputs.run.seed, what))
        return [torch.full((4, 3), float(len(asked))), torch.full((2, 3), 2.0 * len(asked))]

    monkeypatch.setattr(detection, "member_scores", scores)
    here = world(tmp_path)
    mean = detection.window_scores(here, config(members=3), here.train, here.test, "all")
    assert [float(of.mean()) for of in mean] == [2.0, 4.0]
    assert asked[0] == (here.run.seed, "all")
    assert [len(set(column)) for column in zip(*asked, strict=True)] == [3, 3]


def test_labels_go_along_with_a_part_of_a_window(tmp_path):
    """A part stretched over the window shows every action later and longer: labels that stayed
    would teach the network to be wrong about boundaries."""
    here = world(tmp_path, "stgcn")
    frames = 24
    y = torch.arange(frames).expand(8, frames)
    x = (1.0 + y).view(8, 1, frames, 1, 1).expand(8, 3, frames, J, 1)
    head = FrameClassifier(4, torch.arange(3.0), [1.0, 1.0], 0.0, 0)
    detector = Detector(here.encoder, here.card, head, BodyViews(shortest=0.4))
    batch = Batch(x, torch.full((8,), frames), y)
    view = detector.view(batch, torch.Generator().manual_seed(0))
    shown = view.x[:, 0, :, 0, 0] - 1
    assert (shown - view.y).abs().max() <= 0.5
    lengths = view.y[:, -1] - view.y[:, 0] + 1
    assert lengths.min() < 16
    assert lengths.max() <= frames
