import numpy as np
import pytest
from tasks.test_finetune import CPU, RUN, SHORT, opened, world  # noqa: F401  (a fixture)

from pstl.data.labels import Ranking, labelled
from pstl.data.store import open_array
from pstl.errors import UserError
from pstl.files import write_json
from pstl.tasks import finetune, semi
from pstl.tasks._pretrained import open_pretrained


@pytest.fixture
def ranking(world):  # noqa: F811
    data = open_array(world[1])
    train = data.splits["xview"][0]
    names = [[data.names[i] for i in train if data.y[i] == c] for c in range(len(data.meta["classes"]))]
    return Ranking("nwucla", "xview", 0, names)


def semi_world(world, tmp_path, ranking):  # noqa: F811
    path = tmp_path / "labels.json"
    write_json(path, {"dataset": ranking.dataset, "split": ranking.split, "draw": ranking.draw, "classes": ranking.classes})
    return open_pretrained(RUN, "released", world[2], world[1], tmp_path / "last.pt", "", CPU, path)


def test_clips_without_labels_move_no_weight(world, tmp_path, ranking):  # noqa: F811
    """A semi-supervised number is worth nothing if the other labels, or the clips behind them, leak into training."""
    given = semi_world(world, tmp_path, ranking)
    kept = labelled(ranking, 0.5, given.data)
    assert 0 < len(kept) < len(given.train)
    a = semi.run(given, semi.Config(labels=0.5, train=SHORT), 0, CPU)
    other = semi_world(world, tmp_path, ranking)
    hidden = np.setdiff1d(other.train, kept)
    other.data.y.setflags(write=True)
    other.data.y[hidden] = (other.data.y[hidden] + 1) % 3
    b = semi.run(other, semi.Config(labels=0.5, train=SHORT), 0, CPU)
    np.testing.assert_array_equal(a.scores, b.scores)
    assert a.setting == "labels=0.5"


def test_all_labels_are_fine_tuning(world, tmp_path, ranking):  # noqa: F811
    """The fraction is the only difference between the two tasks, so 100 % must give the very same scores."""
    a = semi.run(semi_world(world, tmp_path, ranking), semi.Config(labels=1, train=SHORT), 0, CPU)
    b = finetune.run(opened(world, tmp_path), finetune.Config(train=SHORT), 0, CPU)
    np.testing.assert_array_equal(a.scores, b.scores)


def test_labels_of_another_draw_are_refused(world, tmp_path, ranking):  # noqa: F811
    """Seeds that share one draw by mistake would make the spread over draws look smaller than it is."""
    with pytest.raises(UserError, match="draw 0 of nwucla/xview, expected draw 1"):
        semi.run(semi_world(world, tmp_path, ranking), semi.Config(labels=0.5, train=SHORT), 1, CPU)
    with pytest.raises(UserError, match="labels: none"):
        semi.run(opened(world, tmp_path), semi.Config(labels=0.5, train=SHORT), 0, CPU)
