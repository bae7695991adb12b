from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from pstl.encoding.feature_file import FeatureSet
from pstl.errors import UserError
from pstl.metrics.classification import confusion, macro_f1
from pstl.rng import numpy_generator
from pstl.tasks import probe
from pstl.tasks._logistic import Regressions, minimise

CPU = torch.device("cpu")


def features(clips=60, width=5, seed=0):
    """Three overlapping classes; the features differ in size by orders of magnitude, one never
    changes, two are almost the same.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 2 * clips)
    x = rng.normal(size=(3, width))[y] + 1.5 * rng.normal(size=(2 * clips, width))
    x[:, 1] = x[:, 0] + 0.01 * x[:, 1]
    x = (x * np.logspace(-3, 3, width) + 5).astype(np.float32)
    x[:, 2] = 7.1
    return FeatureSet(
        x[:clips],
        x[clips:],
        y[:clips],
        y[clips:],
        np.ones(clips, bool),
        {"classes": ["a", "b", "c"]},
    )


def reference(f, strength, kept=slice(None)):
    """The same problem for another solver, whose C multiplies the summed loss."""
    scaler = StandardScaler().fit(f.train.astype(float))
    y = f.y_train[kept]
    x = scaler.transform(f.train.astype(float))[
        kept
    ]  # in float64: scikit-learn follows the type it is given
    model = LogisticRegression(C=1 / (strength * len(y)), tol=1e-9, max_iter=10_000).fit(x, y)
    return lambda side: model.predict_log_proba(scaler.transform(side.astype(float)))


@pytest.mark.parametrize(
    ("clips", "width", "strength"), [(60, 5, 1.0), (60, 5, 1e-3), (30, 50, 1e-2)]
)
def test_the_answer_is_scikit_learns(clips, width, strength):
    """Exact means that another solver finds the same probabilities, also where the features are
    more than the clips.
    """
    f = features(clips, width)
    result = probe.TASK.run(f, probe.Config(strengths=(strength,), folds=2, tolerance=1e-7), 0, CPU)
    ours = torch.from_numpy(result.scores).double().log_softmax(1).numpy()
    np.testing.assert_allclose(ours, reference(f, strength)(f.test), atol=1e-4)


def test_the_strength_is_the_one_that_held_out_training_clips_prefer():
    """Chosen by another solver, fold by fold, the strength is the same; and no test clip has a say
    in it.
    """
    f, cfg = features(), probe.Config(strengths=(10.0, 0.1, 1e-4), folds=3)
    fold, right = probe.folds(f.y_train, 3, numpy_generator(4, "probe")), []
    for strength in cfg.strengths:
        held_out = [
            (i, reference(f, strength, fold != i)(f.train[fold == i]).argmax(1)) for i in range(3)
        ]
        right.append(
            sum(int((predicted == f.y_train[fold == i]).sum()) for i, predicted in held_out)
        )
    result = probe.TASK.run(f, cfg, 4, CPU)
    assert [round(record["cv_top1"] * len(fold) / 100) for record in result.curve] == right
    assert [record["chosen"] for record in result.curve] == [
        float(i == int(np.argmax(right))) for i in range(3)
    ]
    other = probe.TASK.run(
        replace(f, test=f.test[::-1].copy(), y_test=1 - f.y_test.clip(max=1)), cfg, 4, CPU
    )
    assert other.curve == result.curve
    np.testing.assert_allclose(other.scores, result.scores[::-1], atol=1e-5)


def test_the_size_of_a_feature_does_not_matter():
    """Encoders differ in scale by orders of magnitude; a probe that is common to all must not
    prefer one for it.
    """
    f, cfg = features(), probe.Config(strengths=(1e-2,), folds=2)
    other = replace(f, train=f.train * 64, test=f.test * 64)
    np.testing.assert_allclose(
        probe.TASK.run(f, cfg, 0, CPU).scores, probe.TASK.run(other, cfg, 0, CPU).scores, atol=1e-3
    )


def test_folds_deal_out_every_class_evenly():
    """A fold without a class cannot tell which strength that class needs."""
    y = np.repeat([0, 1, 2], [10, 11, 3])
    fold = probe.folds(y, 5, numpy_generator(0, "probe"))
    counts = np.array([np.bincount(fold[y == c], minlength=5) for c in range(3)])
    assert (np.ptp(counts, axis=1) <= 1).all()
    assert np.ptp(counts.sum(0)) <= 1


def test_macro_f1_is_scikit_learns():
    """Rare classes count as much as frequent ones; a class that neither occurs nor is predicted is
    no class with F1 0.
    """
    rng = np.random.default_rng(0)
    y, scores = rng.integers(0, 4, 50), rng.normal(size=(50, 6))
    scores[:, 5] = -9
    ours = float(macro_f1(confusion(torch.from_numpy(scores), torch.from_numpy(y))))
    assert ours == pytest.approx(100 * f1_score(y, scores.argmax(1), average="macro"))


def test_too_few_clips_are_refused():
    """A fold without clips would make every strength equal."""
    f = features()
    with pytest.raises(UserError, match="4 training and 60 test clips; expected at least 5"):
        probe.TASK.run(replace(f, train=f.train[:4], y_train=f.y_train[:4]), probe.Config(), 0, CPU)


def test_weak_strengths_on_many_features_are_solved():
    """An optimiser that stops early gives an accuracy of its own: with more features than clips,
    0.5 points were gained so on NW-UCLA.
    """
    rng = np.random.default_rng(3)
    y = np.arange(120) % 4
    means = rng.normal(size=(4, 300))
    x = (means[y] + 4 * rng.normal(size=(120, 300)) * np.logspace(-2, 1, 300)).astype(np.float32)
    f = FeatureSet(x[:80], x[80:], y[:80], y[80:], np.ones(40, bool), {"classes": list("abcd")})
    cfg = probe.Config(strengths=(1e-3, 1e-5), folds=2)
    result = probe.TASK.run(f, cfg, 0, CPU)
    chosen = next(record["l2"] for record in result.curve if record["chosen"])
    ours = torch.from_numpy(result.scores).double().softmax(1).numpy()
    np.testing.assert_allclose(ours, np.exp(reference(f, chosen)(f.test)), atol=1e-4)
    fold = probe.folds(f.y_train, 2, numpy_generator(0, "probe"))
    for record in result.curve:
        right = sum(
            int(
                (
                    reference(f, record["l2"], fold != i)(f.train[fold == i]).argmax(1)
                    == f.y_train[fold == i]
                ).sum()
            )
            for i in range(2)
        )
        assert round(record["cv_top1"] * 80 / 100) == right


def test_weak_strengths_are_solved_where_classes_can_be_told_apart():
    """Where every clip is told rightly the loss hardly bends any more: a gradient that was small
    beside the first curvature is then still far from the answer.
    """
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.normal(size=(3, 6))[y] * 4 + rng.normal(size=(90, 6))
    x = torch.from_numpy(np.c_[x, np.ones(90)])
    shares = torch.full((1, 90), 1 / 90, dtype=torch.float64)
    problem = Regressions(x, torch.from_numpy(y), shares, 1e-8)
    start = x.new_zeros(1, 3, 7)
    weights, steep = minimise(problem, start, 3e-6, 3000)
    finer, _ = minimise(problem, weights, 1e-9, 3000)
    assert steep <= 3e-6
    torch.testing.assert_close(weights, finer, rtol=0, atol=0.1)  # of weights up to 12


@pytest.mark.parametrize("normalise", ["none", "centred", "standardised", "whitened"])
@pytest.mark.parametrize(("clips", "width"), [(60, 5), (30, 50)])
def test_the_classifier_that_is_passed_on_gives_the_scores_of_the_probe(
    clips: int, width: int, normalise: str
) -> None:
    """Whoever is given weights and a classifier must get the numbers of the tables, whatever the
    probe does to features first.
    """
    f = features(clips, width)
    cfg = probe.Config(strengths=(1e-1,), folds=2, normalise=normalise)
    layer = probe.TASK.classifier(f, cfg, 0, CPU)
    ours = layer.of(torch.from_numpy(f.test).double())
    scores = probe.TASK.run(f, cfg, 0, CPU).scores
    np.testing.assert_allclose(ours.numpy(), scores, rtol=1e-4, atol=1e-4)


def test_a_classifier_of_other_features_than_the_encoders_own_is_refused() -> None:
    """Weights that are passed on give clip features; a layer on others would fit none of them."""
    with pytest.raises(UserError, match="probe with pooling joints: expected clip"):
        probe.TASK.classifier(features(), probe.Config(pooling="joints"), 0, CPU)
