from dataclasses import replace

import numpy as np
import pytest
from tasks.test_finetune import CPU, RUN, SHORT, opened, trained  # noqa: F401  (a fixture)

from pstl.data.labels import Ranking, labelled
from pstl.data.store import open_array
from pstl.encoding.pretrained import open_pretrained
from pstl.errors import UserError
from pstl.files import write_json
from pstl.records import Result
from pstl.report.paper import decisive
from pstl.tasks import finetune, semi


@pytest.fixture
def ranking(trained):  # noqa: F811
    data = open_array(trained[1])
    train = data.splits["xview"][0]
    names = [
        [data.names[i] for i in train if data.y[i] == c] for c in range(len(data.meta["classes"]))
    ]
    return Ranking("nwucla", "xview", 0, names)


def semi_world(trained, tmp_path, ranking):  # noqa: F811
    path = tmp_path / "labels.json"
    write_json(path, vars(ranking))
    return open_pretrained(
        RUN, "released", trained[2], trained[1], tmp_path / "last.pt", "", CPU, path
    )


def test_clips_without_labels_move_no_weight(trained, tmp_path, ranking):  # noqa: F811
    """A semi-supervised number is worth nothing if the other labels, or the clips behind them, leak
    into training.
    """
    given = semi_world(trained, tmp_path, ranking)
    kept = labelled(ranking, 0.5, given.data)
    assert 0 < len(kept) < len(given.train)
    a = semi.TASK.run(given, semi.Config(labels=0.5, train=SHORT), 0, CPU)
    other = semi_world(trained, tmp_path, ranking)
    hidden = np.setdiff1d(other.train, kept)
    other.data.y.setflags(write=True)
    other.data.y[hidden] = (other.data.y[hidden] + 1) % 3
    b = semi.TASK.run(other, semi.Config(labels=0.5, train=SHORT), 0, CPU)
    np.testing.assert_array_equal(a.scores, b.scores)
    assert a.setting == "rule=psp"
    assert a.labelled["digest"]
    assert (
        a.labelled.items()
        >= {"rule": "psp", "fraction": 0.5, "draw": 0, "clips": len(kept)}.items()
    )


def test_a_result_says_by_which_rule_its_clips_were_drawn(trained, tmp_path, ranking):  # noqa: F811
    """1 % is 360, 400, 419 or 420 clips of NTU-60: a number without its rule cannot be compared."""
    every = replace(
        ranking, rule="random", classes=[[name for names in ranking.classes for name in names]]
    )
    results = []
    for fraction, given in ((0.5, every), (0.5, replace(ranking, rule="per_class_round"))):
        cfg = semi.Config(labels=fraction, label_rule=given.rule, train=SHORT)
        results.append(semi.TASK.run(semi_world(trained, tmp_path, given), cfg, 0, CPU))
    a, b = results
    assert (a.setting, b.setting) == ("rule=random", "rule=per_class_round")
    total = len(every.classes[0])
    assert a.labelled["clips"] == int(0.5 * total)
    assert b.labelled["clips"] == sum(round(0.5 * len(names)) for names in ranking.classes)
    assert a.labelled["digest"] != b.labelled["digest"]
    # A published number that names no rule stands beside both.
    assert decisive(a.setting) == decisive(b.setting) == decisive("")


def test_all_labels_are_fine_tuning(trained, tmp_path, ranking):  # noqa: F811
    """The fraction is the only difference between the two tasks, so 100 % must give the very same
    scores.
    """
    a = semi.TASK.run(
        semi_world(trained, tmp_path, ranking), semi.Config(labels=1, train=SHORT), 0, CPU
    )
    b = finetune.TASK.run(opened(trained, tmp_path), finetune.Config(train=SHORT), 0, CPU)
    np.testing.assert_array_equal(a.scores, b.scores)


def test_another_draw_is_not_gone_on_with(trained, tmp_path, ranking, monkeypatch):  # noqa: F811
    """An interrupted task whose labels were drawn anew would train on some clips of each draw."""
    digests = []
    monkeypatch.setattr(
        semi._finetune, "run", lambda few, *_: digests.append(few.digest) or Result({})
    )
    other = replace(ranking, classes=[names[::-1] for names in ranking.classes])
    for lists in (ranking, ranking, other):
        semi.TASK.run(
            semi_world(trained, tmp_path, lists), semi.Config(labels=0.5, train=SHORT), 0, CPU
        )
    assert digests[0] == digests[1] != digests[2]


def test_labels_of_another_draw_are_refused(trained, tmp_path, ranking):  # noqa: F811
    """Seeds that share one draw by mistake would make the spread over draws look smaller than it
    is.
    """
    with pytest.raises(UserError, match="draw 0 of nwucla/xview, expected draw 1"):
        semi.TASK.run(
            semi_world(trained, tmp_path, ranking), semi.Config(labels=0.5, train=SHORT), 1, CPU
        )
    with pytest.raises(
        UserError,
        match="labels: rule psp, draw 0 of nwucla/xview, "
        "expected draw 0 of nwucla/xview, rule random; pass its file",
    ):
        semi.TASK.run(
            semi_world(trained, tmp_path, ranking),
            semi.Config(labels=0.5, label_rule="random", train=SHORT),
            0,
            CPU,
        )
    with pytest.raises(UserError, match="labels: none"):
        semi.TASK.run(opened(trained, tmp_path), semi.Config(labels=0.5, train=SHORT), 0, CPU)
