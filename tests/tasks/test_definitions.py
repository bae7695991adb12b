"""Every metric against its definition in plain Python, on cases in which scores, clips and
distances tie and classes are absent.
"""

import math

import numpy as np
import pytest
import torch
from ops.search_references import average_precision, crowded, majority, order

from pstl.encoding.feature_file import FeatureSet
from pstl.metrics.classification import classified_clips, confusion, macro_f1, top_k
from pstl.metrics.motion import joint_errors
from pstl.tasks import knn, retrieval

CPU = torch.device("cpu")
KINDS = ("small", "collapsed", "duplicates", "zeros")
METRICS = ("cosine", "euclidean")
CASES = 100


def features(rng: np.random.Generator, kind: str) -> FeatureSet:
    """Some clips of five classes, of which some are absent on a side; clip names play no part."""
    test, train = crowded(rng, kind)
    y, y_test = (rng.integers(0, rng.integers(1, 6), len(side)) for side in (train, test))
    return FeatureSet(
        train, test, y, y_test, rng.random(len(test)) < 0.7, {"classes": list("abcde")}
    )


def tied_scores(rng: np.random.Generator) -> tuple[list[list[float]], list[int]]:
    """Scores of a few clips with few levels, and their classes, some of which never occur."""
    clips, classes, levels = rng.integers(1, 9), rng.integers(1, 8), rng.integers(1, 5)
    scores = rng.integers(0, levels, (clips, classes)) / 4
    return scores.tolist(), rng.integers(0, rng.integers(1, classes + 1), clips).tolist()


def ranked(scores: list[float]) -> list[int]:
    """Classes, best first, of equals the lower number first."""
    return sorted(range(len(scores)), key=lambda c: (-scores[c], c))


def table(y: list[int], said: list[int], classes: int) -> list[list[int]]:
    """Clips of each class (rows) by what they are taken for."""
    counts = [[0] * classes for _ in range(classes)]
    for true, other in zip(y, said, strict=True):
        counts[true][other] += 1
    return counts


def mean_f1(counts: list[list[int]]) -> float:
    """Over the classes that occur or are said."""
    values = []
    for c, row in enumerate(counts):
        total = sum(row) + sum(other[c] for other in counts)
        values += [2 * row[c] / total] if total else []
    return sum(values) / len(values)


def rankings(f: FeatureSet, metric: str) -> list[list[int]]:
    """Training clips by their distance from each test clip."""
    gallery = f.train.astype(int).tolist()
    return [order(query, gallery, metric) for query in f.test.astype(int).tolist()]


def mean(values: list[float], kept: np.ndarray) -> float:
    """In percent, over some clips."""
    return 100 * sum(value for value, keep in zip(values, kept, strict=True) if keep) / sum(kept)


def test_accuracies_are_those_of_the_definition_where_scores_tie():
    """A collapsed classifier says one score for all classes: what it gets must not hang on a
    processor's order of equals.
    """
    rng = np.random.default_rng(0)
    for _ in range(10 * CASES):
        scores, y = tied_scores(rng)
        ours = torch.tensor(scores, dtype=torch.double), torch.tensor(y)
        for k in (1, 2, 5):
            hits = [true in ranked(own)[:k] for own, true in zip(scores, y, strict=True)]
            assert float(top_k(*ours, k)) == pytest.approx(100 * sum(hits) / len(y))
        counts = table(y, [ranked(own)[0] for own in scores], len(scores[0]))
        assert confusion(*ours).tolist() == counts
        assert float(macro_f1(confusion(*ours))) == pytest.approx(100 * mean_f1(counts))
        unseen = rng.random(len(y)) < 0.5
        found = classified_clips(*ours, unseen)
        assert found["top1"] == pytest.approx(float(top_k(*ours, 1)))
        assert ("top1_unseen" in found) == (0 < unseen.sum() < len(y))


def test_a_score_that_is_no_number_is_never_right():
    """What is compared with NaN is false, so that counting who is better would make NaN the
    best.
    """
    scores = torch.tensor([[math.nan, 0.0, 1.0], [math.nan, 1.0, 0.0], [math.nan] * 3])
    y = torch.tensor([2, 0, 1])
    assert [float(top_k(scores, y, k)) for k in (1, 2, 5)] == pytest.approx([0, 100 / 3, 100 / 3])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_neighbours_vote_as_by_definition(kind, metric):
    """Most votes win, of equals the class of the nearest; of equally near clips the first in the
    file is the nearer.
    """
    rng = np.random.default_rng(0)
    for _ in range(CASES):
        f, k = features(rng, kind), int(rng.integers(1, 7))
        said = [majority(f.y_train[row[:k]].tolist()) for row in rankings(f, metric)]
        found = knn.TASK.run(f, knn.Config(k=k, metric=metric), 0, CPU)
        assert found.scores.argmax(1).tolist() == said
        assert found.metrics["top1"] == pytest.approx(100 * np.mean(said == f.y_test))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_retrieval_is_as_by_definition(kind, metric):
    """Mean average precision and hits among the first k, from rankings that are written out."""
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        f = features(rng, kind)
        rows = zip(rankings(f, metric), f.y_test, strict=True)
        hits = [(f.y_train[row] == true).tolist() for row, true in rows]
        found = retrieval.TASK.run(f, retrieval.Config(metric=metric), 0, CPU).metrics
        assert ("map_unseen" in found) == (0 < f.unseen.sum() < len(hits))
        for name, value in found.items():
            kept = f.unseen if name.endswith("_unseen") else np.ones(len(hits), bool)
            base = name.removesuffix("_unseen")
            each = [
                average_precision(own) if base == "map" else any(own[: int(base[1:])])
                for own in hits
            ]
            assert value == pytest.approx(mean(each, kept), abs=1e-10), name


@pytest.mark.parametrize("normalise", ["none", "centred", "standardised"])
@pytest.mark.parametrize("metric", METRICS)
def test_the_nearest_neighbour_is_the_first_hit(metric, normalise):
    """Accuracy of the nearest neighbour and recall at 1 are one question; two answers would be two
    tables that contradict.
    """
    rng = np.random.default_rng(2)
    for case in range(CASES):
        f = features(rng, KINDS[case % len(KINDS)])
        if (
            case % 3 == 0
            # no whole numbers, but clips that an encoder tells apart in the last digits only
        ):
            f.train[:] = 1 + 1e-7 * f.train
            f.test[:] = 1 + 1e-7 * f.test
        settings = {"metric": metric, "normalise": normalise}
        nearest = knn.TASK.run(f, knn.Config(k=1, **settings), 0, CPU).metrics
        found = retrieval.TASK.run(f, retrieval.Config(**settings), 0, CPU).metrics
        for ending in ("", "_unseen"):
            assert nearest.get(f"top1{ending}") == found.get(f"r1{ending}")


def test_joint_errors_are_as_by_definition():
    """Millimetres of every frame, averaged over joints and windows alike."""
    rng = np.random.default_rng(0)
    for _ in range(CASES):
        shape = (*rng.integers(1, 4, 3), 3)
        said, true = (rng.integers(-2, 3, shape) / 4 for _ in range(2))
        errors = np.array(
            [
                math.dist(*pair)
                for pair in zip(said.reshape(-1, 3), true.reshape(-1, 3), strict=True)
            ]
        )
        expected = [1000 * frame.mean() for frame in errors.reshape(shape[:3]).swapaxes(0, 1)]
        assert joint_errors(
            torch.from_numpy(said), torch.from_numpy(true)
        ).tolist() == pytest.approx(expected)
