"""Encoders moved between data sets, and joints lost: what the report sets side by side."""

from dataclasses import fields

import numpy as np
import pytest

from pstl.report import equal, moved, moved_page, moved_tables
from pstl.report.setting_panels import over_settings
from pstl.report.tables import Line
from pstl.report.text import Notes


def line(**values: object) -> Line:
    """A line of simclr by knn with one seed, but for `values`."""
    nothing: dict[str, object] = dict.fromkeys((field.name for field in fields(Line)), "")
    numbers = dict.fromkeys(
        ("mean", "std", "mean_minus_raw", "mean_minus_untrained", "published", "like",
         "mean_minus_published", "like_minus_published"),
    )  # fmt: skip
    common = {
        "dataset": "nwucla", "split": "xview", "task": "knn", "method": "simclr",
        "stream": "joint", "metric": "top1", "batch_norm": "recalibrated", "seeds": 1,
        "seeds_asked": 1,
    }  # fmt: skip
    return Line(**{**nothing, **numbers, **common, **values})  # type: ignore[arg-type]


OWN = line(mean=80.0, mean_minus_raw=1.0, mean_minus_untrained=20.0)
MOVED = line(mean=70.0, source="sbu/fold1")
LINES = [
    OWN,
    line(mean=60.0, method="untrained.simclr", floor="untrained"),
    MOVED,
    line(dataset="sbu", split="fold1", mean=50.0, mean_minus_untrained=-5.0),
]


def test_a_gain_is_over_the_targets_own_floor_where_the_source_has_none() -> None:
    """Minus the wrong floor a move looks like learning, or like harm."""
    (matrix,) = moved.matrices(LINES)
    assert matrix.sources == matrix.targets == ("nwucla/xview", "sbu/fold1")
    assert matrix.gain("sbu/fold1", "nwucla/xview") == pytest.approx(10)
    assert matrix.gain("nwucla/xview", "nwucla/xview") == pytest.approx(20)
    assert matrix.gain("sbu/fold1", "sbu/fold1") == pytest.approx(-5)
    assert matrix.gain("nwucla/xview", "sbu/fold1") is None
    own_body = line(mean=70.0, source="sbu/fold1", mean_minus_untrained=3.0)
    (matrix,) = moved.matrices([OWN, own_body])
    assert matrix.gain("sbu/fold1", "nwucla/xview") == 3.0


def test_the_table_shows_numbers_gains_and_floors_of_every_target() -> None:
    """One look says what to take for which data; what was not run is an empty cell."""
    heading, _, title, table = moved_tables.blocks(LINES, Notes())
    assert (heading, title) == ("## Moved between data sets", "### knn: simclr, joint")
    assert table.splitlines()[2:] == [
        "| nwucla/xview | 80.0 [+20.0] |  |",
        "| sbu/fold1 | 70.0 [+10.0] | 50.0 [-5.0] |",
        "| *coordinates* | 79.0 | - |",
        "| *untrained* | 60.0 | 55.0 |",
    ]
    (chart,) = moved_tables.charts(LINES)
    assert chart.texts[1] == ["70.0 (+10.0)", "50.0 (-5.0)"]
    assert np.isnan(chart.gains[0, 1])
    assert np.isnan(chart.gains[2:]).all()


def test_without_moved_encoders_there_is_no_matrix() -> None:
    """Most suites move nothing: an empty section would puzzle their readers."""
    assert moved_tables.blocks([OWN], Notes()) == []
    assert moved_page.section([OWN]) == []


def lost(method: str, *means: float) -> list[Line]:
    """Accuracies with 0, 3 and 8 joints lost."""
    settings = [f"by=zeros;joints={count}" for count in (0, 3, 8)]
    lines = []
    for setting, mean in zip(settings, means, strict=True):
        lines.append(line(task="lost_joints", method=method, setting=setting, mean=mean))
    return lines


def test_lost_joints_are_compared_at_equal_accuracy_alone() -> None:
    """A method that knows more can lose more: only equals tell who is robust."""
    lines = [*lost("a", 70, 60, 50), *lost("b", 71, 66, 61), *lost("c", 90, 89, 88)]
    title, table, words = equal.blocks(lines)
    assert title == "### lost_joints, top1 (by=zeros), joint: lost at equal accuracy"
    assert table.splitlines()[2:] == ["| a | b | 70.0 | 71.0 | -10.0 | -5.0 | -20.0 | -10.0 |"]
    assert "2 points" in words


def test_a_second_chart_starts_every_method_at_nothing_lost() -> None:
    """Curves that start apart hide which of them falls faster."""
    absolute, relative = over_settings([*lost("a", 70, 60, 50), *lost("b", 90, 89, 88)], {})
    assert [list(curve.y) for curve in absolute.curves] == [[70, 60, 50], [90, 89, 88]]
    assert [list(curve.y) for curve in relative.curves] == [[0, -10, -20], [0, -1, -2]]
