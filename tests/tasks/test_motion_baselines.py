"""What motion prediction is compared with: each baseline is what its name says, chooses on training
windows alone, and its rows are counted as the public code counts.
"""

import numpy as np
import pytest
import torch

from pstl.records import Batch
from pstl.skeletons import load
from pstl.tasks import _extrapolation as extrapolation
from pstl.tasks._forecasts import Forecasts, both_ways, face, mirrored, with_mirrored
from pstl.tasks._motion_heads import PoseHead
from pstl.tasks._motion_rows import Counted, by_action, every_window, gains, table
from pstl.tasks._pose_network import DAMPING, PoseNetwork, cosines
from pstl.tasks.prediction import Config

SKELETON = load("cmu38")
OBSERVE, PREDICT, JOINTS = 12, 5, 4


def windows(count, step, seed=0, recordings=6):
    """Windows made frame after frame from two random poses.   step: (previous, last) -> next."""
    rng = np.random.default_rng(seed)
    poses = list(rng.normal(size=(2, count, JOINTS, 3)))
    for _ in range(OBSERVE + PREDICT - 2):
        poses.append(step(poses[-2], poses[-1]))
    xyz = np.stack(poses, axis=1).astype(np.float32)
    number = np.arange(count)
    return Forecasts(xyz[:, :OBSERVE], xyz[:, OBSERVE:], number % recordings, number % 2)


def slowing(before, last):
    """Each step is seven tenths of the one before."""
    return last + 0.7 * (last - before)


def test_damping_is_that_of_the_training_windows():
    """Read off the test, the baseline would be told what it has to say."""
    train, test = windows(60, slowing), windows(5, lambda before, last: 2 * last - before, seed=1)
    still = windows(5, slowing, seed=1)
    np.testing.assert_allclose(
        extrapolation.damped_velocity(train, still), still.targets, atol=1e-4
    )
    told = extrapolation.damped_velocity(train, test)
    step = test.seen[:, -1] - test.seen[:, -2]
    np.testing.assert_allclose(told[:, 1], (0.7 + 0.49) * step, rtol=1e-4)
    rows = extrapolation.carried_on(train, test)
    np.testing.assert_allclose(rows["baseline=constant velocity"], test.targets, atol=1e-4)
    assert not rows["baseline=zero velocity"].any()


def test_ridge_is_the_regression_it_says():
    """Against least squares with the penalty as rows of their own, for the choice it made; motion
    that is linear in the last frames is foretold.
    """
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]

    def linear(before, last):
        return 0.9 * last @ turn + 0.05 * before

    train, test = windows(300, linear), windows(20, linear, seed=1)
    told = extrapolation.ridge(train, test)
    still = np.abs(test.targets).mean()
    assert np.abs(told - test.targets).mean() < 0.02 * still
    x, y = extrapolation._inputs(train), train.targets.reshape(len(train.seen), -1)
    found = []
    for frames in extrapolation.FRAMES:
        for strength in extrapolation.STRENGTHS:
            part = x[:, : 3 * JOINTS * frames]
            centred = part - part.mean(0)
            penalty = np.sqrt(strength * len(x)) * np.eye(part.shape[1])
            wanted = np.concatenate([y - y.mean(0), np.zeros((part.shape[1], y.shape[1]))])
            weights = np.linalg.lstsq(np.concatenate([centred, penalty]), wanted)[0]
            shown = extrapolation._inputs(test)[:, : part.shape[1]] - part.mean(0)
            found.append((shown @ weights + y.mean(0)).reshape(told.shape))
    assert min(np.abs(each - told).max() for each in found) < 1e-4


def test_ridge_chooses_on_recordings_it_has_not_seen(monkeypatch):
    """On windows of the same recording the weakest penalty always wins: they overlap."""
    seen = []
    solved = extrapolation._solved
    monkeypatch.setattr(
        extrapolation, "_solved", lambda sums, *a: seen.append(sums.windows) or solved(sums, *a)
    )
    train = windows(60, slowing, recordings=5)
    extrapolation.ridge(train, windows(4, slowing, seed=1))
    tried = len(extrapolation.FRAMES) * len(extrapolation.STRENGTHS) * extrapolation.FOLDS
    assert seen == [48] * tried + [60]


def test_the_network_begins_as_a_damped_step():
    """Whatever it is given beside the poses: training then only has to learn what is better."""
    network = PoseNetwork(6, PREDICT, JOINTS, hidden=8, blocks=2, width=3)
    network.begin(torch.Generator().manual_seed(0))
    poses = torch.randn(2, 6, JOINTS, 3)
    told = network(poses, torch.randn(2, 1, 3))
    gone = torch.tensor([sum(DAMPING**k for k in range(1, n + 1)) for n in range(1, PREDICT + 1)])
    step = (poses[:, -1] - poses[:, -2])[:, None]
    torch.testing.assert_close(told, step * gone[None, :, None, None])
    waves = cosines(7)
    torch.testing.assert_close(waves @ waves.T, torch.eye(7), atol=1e-6, rtol=0)


def test_a_feature_is_heard_and_the_future_is_not():
    """A head that reads its own targets would be perfect, and one that is deaf to the encoder would
    make every pre-training look alike.
    """
    network = PoseNetwork(6, PREDICT, JOINTS, hidden=8, blocks=2, width=3)
    head = PoseHead(OBSERVE, network, seed=0)
    torch.nn.init.normal_(network.leave.weight)
    window = torch.randn(2, OBSERVE + PREDICT, JOINTS, 3)
    features = torch.randn(2, 1, 3)

    def said(y, x):
        return head.outputs(Batch(x, torch.ones(2, dtype=torch.long), y))

    told = said(window, features)
    torch.testing.assert_close(said(window[:, :OBSERVE], features), told)
    assert not torch.allclose(said(window, features + 1), told)
    earlier = window.clone()
    earlier[:, : OBSERVE - 6] += 1
    torch.testing.assert_close(said(earlier, features), told)
    losses = head(Batch(features, torch.ones(2, dtype=torch.long), window), torch.Generator())
    assert losses["loss"] == losses["poses"] + losses["velocities"]


def test_a_window_and_its_mirror_image_are_told_alike():
    """Left and right are exchanged and back again; the turned body still has its shoulders along x,
    the right one ahead.
    """
    rng = np.random.default_rng(0)
    xyz = face(rng.normal(size=(3, OBSERVE + PREDICT, 38, 3)), OBSERVE - 1, SKELETON)
    side = Forecasts(xyz[:, :OBSERVE], xyz[:, OBSERVE:], np.arange(3), np.zeros(3, int))
    doubled = with_mirrored(side, SKELETON)
    np.testing.assert_array_equal(mirrored(doubled.seen[3:], SKELETON), side.seen)
    left, right = SKELETON.shoulders
    line = doubled.seen[:, -1, right] - doubled.seen[:, -1, left]
    assert (line[:, 0] > 0).all()
    np.testing.assert_allclose(line[:, 2], 0, atol=1e-5)
    np.testing.assert_allclose(both_ways(doubled.targets, SKELETON), side.targets, atol=1e-6)


def test_rows_of_actions_add_up_and_the_public_unit_is_a_multiple():
    """Papers print actions and their mean; a row in the wrong unit is a quarter better or worse."""
    test = windows(10, slowing)._replace(action=np.array([0, 1] * 5))
    told = {"tune=head": np.zeros_like(test.future), "baseline=x": 0.1 * test.targets}
    count = Counted((1, 5), 1.25, ("walk", "run", "absent"))
    rows = table(told, test, count)
    parts = by_action(told, test, count)
    assert set(parts) == {f"{name};subset={action}" for name in told for action in ("walk", "run")}
    later = {name: offsets[1:] for name, offsets in told.items()}
    every = every_window(later, test.part(slice(1, None)), count)
    for name in told:
        of_actions = [parts[f"{name};subset={action}"] for action in ("walk", "run")]
        for metric, value in rows[name].items():
            assert np.mean([part[metric] for part in of_actions]) == pytest.approx(value)
        for metric in ("mpjpe", "mpjpe_5"):
            assert rows[name][f"public_{metric}"] == pytest.approx(1.25 * rows[name][metric])
        counted = [every[f"{name};windows=all;subset={action}"] for action in ("walk", "run")]
        mean = np.mean([part["mpjpe_1"] for part in counted])
        assert every[f"{name};windows=all"]["mpjpe_1"] == pytest.approx(mean)
    assert "public_mpjpe" not in table(told, test, count._replace(scale=None))["tune=head"]


def test_gains_are_over_the_like():
    """Beside ridge regression, the head without an encoder has it, too."""
    rows = {
        "tune=all": {"mpjpe": 50.0},
        "baseline=from scratch": {"mpjpe": 52.0},
        "baseline=dct mlp": {"mpjpe": 60.0},
    }
    assert gains(rows, "tune=all") == {"below_scratch": 2.0, "below_rival": 10.0}
    rows["baseline=dct mlp and ridge"] = {"mpjpe": 49.0}
    assert gains(rows, "tune=all")["below_rival"] == -1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": 1, "hidden": 8}, "poses is 0, or 2 to observe=50"),
        ({"poses": 51, "hidden": 8}, "poses is 0, or 2 to observe=50"),
        ({"poses": 5}, "needs hidden"),
        ({"with_ridge": True, "rivals": False}, "with_ridge needs rivals"),
    ],
)
def test_heads_that_cannot_be_are_said(changes, message):
    """One line before hours, not a shape error after them."""
    with pytest.raises(ValueError, match=message):
        Config.model_validate(changes)
