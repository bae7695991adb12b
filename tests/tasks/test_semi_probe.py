from dataclasses import replace

import numpy as np
import pytest
from tasks.test_finetune import CPU, trained  # noqa: F401  (a fixture)
from tasks.test_semi import ranking, semi_world  # noqa: F401  (a fixture)

from pstl.data.labels import labelled
from pstl.encoding.feature_file import FeatureSet
from pstl.errors import UserError
from pstl.tasks import probe, semi_probe

FAST = {"strengths": [1.0], "folds": 2}


def world(trained, tmp_path, ranking):  # noqa: F811
    """An encoder's clips with features of their own, of which classes can be told."""
    given = semi_world(trained, tmp_path, ranking)
    y, y_test = given.data.y[given.train], given.data.y[given.test]
    rng = np.random.default_rng(0)
    classes = given.data.meta["classes"]
    train, test = (
        (np.eye(len(classes))[side] + 0.8 * rng.normal(size=(len(side), len(classes)))).astype(
            np.float32
        )
        for side in (y, y_test)
    )
    features = FeatureSet(train, test, y, y_test, given.unseen, {"classes": classes})
    return replace(given, features=features)


def test_it_is_the_common_probe_of_the_labelled_clips_alone(trained, tmp_path, ranking):  # noqa: F811
    """Another clip's label in it, and five percent of the labels are worth more than they are."""
    given = world(trained, tmp_path, ranking)
    drawn = labelled(ranking, 0.5, given.data)
    rows = [i for i, clip in enumerate(given.train) if clip in drawn]
    assert 0 < len(rows) < len(given.train)
    few = replace(
        given.features, train=given.features.train[rows], y_train=given.features.y_train[rows]
    )
    expected = probe.TASK.run(few, probe.Config(**FAST), 0, CPU)
    result = semi_probe.TASK.run(given, semi_probe.Config(labels=0.5, probe=FAST), 0, CPU)
    np.testing.assert_array_equal(result.scores, expected.scores)
    assert result.metrics == expected.metrics
    assert result.setting == "rule=psp"
    assert result.labelled["clips"] == len(rows)


def test_all_labels_are_the_common_probe(trained, tmp_path, ranking):  # noqa: F811
    """The share is the only difference between the two tasks."""
    given = world(trained, tmp_path, ranking)
    expected = probe.TASK.run(given.features, probe.Config(**FAST), 0, CPU)
    result = semi_probe.TASK.run(given, semi_probe.Config(labels=1.0, probe=FAST), 0, CPU)
    np.testing.assert_array_equal(result.scores, expected.scores)


def test_labels_of_another_draw_are_refused(trained, tmp_path, ranking):  # noqa: F811
    """Clips of another draw under this one's name would be compared clip by clip with others."""
    given = world(trained, tmp_path, ranking)
    with pytest.raises(UserError, match="expected draw 1 of nwucla/xview, rule psp"):
        semi_probe.TASK.run(given, semi_probe.Config(labels=0.5, probe=FAST), 1, CPU)
