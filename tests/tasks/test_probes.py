from dataclasses import replace

import numpy as np
import pytest
import torch

from pstl.encoding.feature_file import FeatureSet
from pstl.metrics.classification import top_k
from pstl.metrics.retrieval import average_precision
from pstl.tasks import knn, linear, retrieval

CPU = torch.device("cpu")


def features(train, test, y_train, y_test, unseen=None):
    unseen = np.ones(len(y_test), bool) if unseen is None else np.array(unseen)
    as32 = lambda a: np.asarray(a, dtype=np.float32)  # noqa: E731
    return FeatureSet(
        as32(train),
        as32(test),
        np.array(y_train),
        np.array(y_test),
        unseen,
        {"classes": ["a", "b", "c"]},
    )


def blobs(noise, n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 2 * n)
    x = rng.normal(size=(3, 8))[y] * 3 + rng.normal(size=(2 * n, 8)) * noise
    return features(x[:n], x[n:], y[:n], y[n:])


def test_accuracy_is_exact_over_samples():
    """Averaging batch averages would weigh the last short batch too much."""
    scores, y = torch.eye(3)[[0, 1, 2, 0, 1]], torch.tensor([0, 1, 2, 1, 1])
    assert float(top_k(scores, y, 1)) == pytest.approx(80)
    assert float(top_k(scores, y, 3)) == 100


def test_average_precision_by_hand():
    """Hits at ranks 1 and 3: (1/1 + 2/3) / 2; no hit at all: 0."""
    hits = torch.tensor([[True, False, True, False], [False] * 4])
    torch.testing.assert_close(
        average_precision(hits), torch.tensor([5 / 6, 0.0], dtype=torch.double)
    )


def test_retrieval_equals_a_plain_loop():
    """Blocked and vectorised, the metrics are those of the definition."""
    f = blobs(4.0)
    found = retrieval.TASK.run(f, retrieval.Config(), 0, CPU).metrics
    unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)  # noqa: E731
    similarity = unit(f.test.astype(np.float64)) @ unit(f.train.astype(np.float64)).T
    r5, precisions = [], []
    for row, label in zip(similarity, f.y_test, strict=True):
        hits = f.y_train[np.argsort(-row)] == label
        r5.append(hits[:5].any())
        precisions.append(np.mean([hits[: i + 1].mean() for i in np.flatnonzero(hits)]))
    assert found["r5"] == pytest.approx(100 * np.mean(r5))
    assert found["map"] == pytest.approx(100 * np.mean(precisions), rel=1e-6)
    assert found["r1"] == pytest.approx(knn.TASK.run(f, knn.Config(), 0, CPU).metrics["top1"])


def test_knn_votes_and_breaks_ties_by_the_nearest():
    """k = 3 with one vote each goes to the nearest; two votes beat the nearest."""
    train, test = [[1.0, 0], [0.9, 0.3], [0.8, 0.5]], [[1.0, 0.01]]
    cosine = knn.Config(k=3)
    assert (
        knn.TASK.run(features(train, test, [2, 1, 0], [2]), cosine, 0, CPU).metrics["top1"] == 100
    )
    assert (
        knn.TASK.run(features(train, test, [2, 1, 1], [1]), cosine, 0, CPU).metrics["top1"] == 100
    )


def test_linear_probe_separates_what_is_separable_and_not_noise():
    """The probe must learn, and must not invent."""
    cfg = linear.Config(epochs=40, batch_size=8)
    assert linear.TASK.run(blobs(0.3), cfg, 0, CPU).metrics["top1"] > 95
    noise = blobs(0.3)
    noise.y_train[:] = np.random.default_rng(5).integers(0, 3, 60)
    assert linear.TASK.run(noise, cfg, 0, CPU).metrics["top1"] < 75


def test_linear_headline_is_the_last_epoch():
    """Best-on-test is stored beside it and never stands in for it."""
    results = [
        linear.TASK.run(blobs(6.0), linear.Config(epochs=25, batch_size=8), seed, CPU)
        for seed in range(4)
    ]
    y = torch.from_numpy(blobs(6.0).y_test)
    for result in results:
        curve = [point["top1"] for point in result.curve]
        assert result.metrics["top1"] == pytest.approx(curve[-1])
        assert result.metrics["top1"] == pytest.approx(
            float(top_k(torch.from_numpy(result.scores), y, 1))
        )
        assert result.metrics["top1_best"] == max(curve)
    assert any(result.metrics["top1_best"] > result.metrics["top1"] for result in results)


def test_linear_is_reproducible_by_seed():
    """Same seed, same CPU, same bits."""
    a, b, c = (
        linear.TASK.run(blobs(2.0), linear.Config(epochs=3), seed, CPU).scores for seed in (0, 0, 1)
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("task", [linear, knn])
def test_copies_of_training_clips_are_told_apart(task):
    """Where a release repeats training clips in its test set, the accuracy without them stands
    beside the protocol's.
    """
    f = blobs(3.0)
    f.test[:30], f.y_test[:30] = f.train[:30], f.y_train[:30]
    f.unseen[:30] = False
    metrics = task.TASK.run(f, task.Config(), 0, CPU).metrics
    rest = features(f.train, f.test[30:], f.y_train, f.y_test[30:])
    assert metrics["top1_unseen"] == pytest.approx(
        task.TASK.run(rest, task.Config(), 0, CPU).metrics["top1"]
    )
    assert metrics["top1_unseen"] < metrics["top1"]


def test_normalisation_undoes_what_an_encoder_adds_to_all_clips():
    """A large common part hides all differences from the cosine; what is subtracted comes from
    training clips alone.
    """
    f = blobs(2.0)
    plain = knn.TASK.run(f, knn.Config(metric="euclidean"), 0, CPU).metrics
    moved = replace(f, train=f.train + 3e3, test=f.test + 3e3)
    centred = knn.TASK.run(moved, knn.Config(normalise="centred"), 0, CPU)
    same = knn.TASK.run(
        replace(f, train=f.train - f.train.mean(0), test=f.test - f.train.mean(0)),
        knn.Config(),
        0,
        CPU,
    )
    assert centred.setting == "k=1;cosine;centred"
    assert centred.metrics == same.metrics
    assert (
        knn.TASK.run(moved, knn.Config(metric="euclidean", normalise="centred"), 0, CPU).metrics
        == plain
    )
    stretched = [
        np.where(np.arange(8) == 0, 1e4, 1.0).astype(np.float32) * side
        for side in (f.train, f.test)
    ]
    cfg = retrieval.Config(normalise="standardised", ranks=(1, 3))
    found = [
        retrieval.TASK.run(g, cfg, 0, CPU).metrics
        for g in (f, replace(f, train=stretched[0], test=stretched[1]))
    ]
    assert found[0] == pytest.approx(found[1], abs=1)
    assert set(found[0]) == {"r1", "r3", "map"}


def test_fused_votes_that_tie_go_to_the_closer_neighbour():
    """With one neighbour per stream and equal weights, three streams often disagree; the class with
    the lowest number must not win.
    """
    one, two = (torch.tensor([[c]]) for c in (2, 0))
    scores = knn.votes(one, torch.tensor([[0.9]]).double(), 3) + knn.votes(
        two, torch.tensor([[0.8]]).double(), 3
    )
    assert int(scores.argmax()) == 2
    many = knn.votes(
        torch.tensor([[1, 0, 0, 2, 2]]), torch.tensor([[0.1, 0.1, 0.1, 1.0, 1.0]]).double(), 3
    )
    assert int(many.argmax()) == 0
