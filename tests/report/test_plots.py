from pathlib import Path

import pytest
from fabricated import params, write_all

from pstl.report import paper, plots
from pstl.report.rows import Results, from_files
from pstl.report.tables import compare


def size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_a_suite_without_results_still_has_its_pictures(tmp_path: Path) -> None:
    """The report is a declared output of one job: it must not fail because nothing was trained yet."""
    plots.curves(tmp_path / "curves.png", Results([], {}, {}))
    plots.accuracy(tmp_path / "accuracy.png", [])
    assert size(tmp_path / "curves.png")[0] > 100
    assert size(tmp_path / "accuracy.png")[0] > 100


def test_every_method_has_a_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses of two methods have different scales and must not share an axis; tasks have a panel each."""
    monkeypatch.chdir(tmp_path)
    settings = params()
    write_all(settings)
    results = from_files(settings, "tiny")
    drawn = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: drawn.append(figure))
    plots.curves(tmp_path / "curves.png", results)
    plots.accuracy(tmp_path / "accuracy.png", compare(results.rows, paper.load()))
    titles = [[axis.get_title() for axis in figure.axes if axis.get_title()] for figure in drawn]
    assert titles == [["pstl on ntu60, xsub", "raw on ntu60, xsub"], ["linear on ntu60, xsub", "knn (k=1;cosine) on ntu60, xsub"]]
    bars = {
        label.get_text(): bar.get_width() for label, bar in zip(drawn[1].axes[0].get_yticklabels(), drawn[1].axes[0].patches, strict=True)
    }
    means = {f"{i.method}, {i.stream}": i.mean for i in compare(results.rows, []) if (i.task, i.metric) == ("linear", "top1")}
    assert bars == pytest.approx(means)  # later lines of `means` are the recalibrated ones: what is drawn is the headline
