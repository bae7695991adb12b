from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import params, write_all

from pstl.report import panels, paper, plots
from pstl.report.compare import compare
from pstl.report.drawing import grid
from pstl.report.joined import Joined
from pstl.report.rows import Results, from_files
from pstl.report.tables import Line, unswept


def size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_a_suite_without_results_still_has_its_pictures(tmp_path: Path) -> None:
    """The report is a declared output of one job.

    It must not fail because nothing was trained yet.
    """
    plots.write_all(Joined(params(), "tiny", Results([], {}, {}), [], []), tmp_path)
    assert size(tmp_path / "settings.png")[0] > 100
    assert size(tmp_path / "curves.png")[0] > 100
    assert size(tmp_path / "accuracy.png")[0] > 100
    assert size(tmp_path / "labels.png")[0] > 100
    assert size(tmp_path / "moved.png")[0] > 100


def test_every_method_has_a_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses of two methods have different scales and must not share an axis.

    Tasks have a panel each.
    """
    monkeypatch.chdir(tmp_path)
    settings = params()
    write_all(settings)
    results = from_files(settings, "tiny")
    lines = compare(results.rows, paper.load())
    drawn = [grid(panels.training(results), ""), grid(plots.accuracy(lines), "")]
    titles = [[axis.get_title() for axis in figure.axes if axis.get_title()] for figure in drawn]
    assert titles == [
        ["pstl on ntu60, xsub", "raw on ntu60, xsub"],
        ["linear\nntu60, xsub", "knn (k=1;cosine)\nntu60, xsub"],
    ]
    bars = {
        label.get_text(): bar.get_width()
        for label, bar in zip(
            drawn[1].axes[0].get_yticklabels(), drawn[1].axes[0].patches, strict=True
        )
    }
    means = {
        f"{i.method}, {i.stream}": i.mean
        for i in compare(results.rows, [])
        if (i.task, i.metric) == ("linear", "top1")
    }
    assert bars == pytest.approx(
        means
    )  # later lines of `means` are the recalibrated ones: what is drawn is the headline


def swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """Lines of a fabricated suite with a task in many settings added for one method."""
    monkeypatch.chdir(tmp_path)
    settings = params()
    write_all(settings)
    lines = compare(from_files(settings, "tiny").rows, [])
    first = next(
        line
        for line in lines
        if line.method == "pstl" and line.batch_norm == "recalibrated" and line.metric == "top1"
    )
    places = [
        f"probe={probe};in=test;joints={n}"
        for probe in ("linear", "knn")
        for n in (8, 0, 3, 1, 5, 12, 2)
    ]
    places += [f"probe=linear;in=test;frames={share}" for share in (0, 0.2, 0.4)]
    return lines + [
        replace(first, task="lost_joints", setting=place, mean=90.0 - i, std=1.0)
        for i, place in enumerate(places)
    ]


def test_a_number_in_the_settings_becomes_a_curve_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joints lost against accuracy.

    Points out of order would draw a zigzag, other probes in one panel a wrong comparison.
    """
    lines = swept(tmp_path, monkeypatch)
    axes = [axis for axis in grid(plots.settings(lines), "").axes if axis.get_title()]
    assert [axis.get_xlabel() for axis in axes][:4] == ["joints lost"] * 4
    assert "frames" in axes[4].get_xlabel()
    assert "probe=linear" in axes[0].get_title()
    assert "probe=knn" in axes[2].get_title()
    line = axes[0].get_lines()[0]
    assert list(line.get_xdata()) == [0, 1, 2, 3, 5, 8, 12]
    assert list(line.get_ydata()) == [89, 87, 84, 88, 86, 90, 85]


def test_a_task_in_many_settings_leaves_the_headline_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred conditions of one task would bury every other number."""
    lines = swept(tmp_path, monkeypatch)
    assert {line.task for line in lines} - {line.task for line in unswept(lines)} == {"lost_joints"}
