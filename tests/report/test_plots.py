import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from fabricated import params, write_all

from pstl.report import headline_panels, paper, plots, rebuild, setting_panels
from pstl.report.charts import MOST, Curve, Curves, parted
from pstl.report.colours import Look
from pstl.report.compare import compare
from pstl.report.drawing import grid
from pstl.report.joined import Joined
from pstl.report.rows import Results, from_files
from pstl.report.sweeps import FEWEST, sweeps
from pstl.report.tables import Line, as_shown, by_split, unswept

KEPT = Path(__file__).parents[2] / "results/measured"
SWEPT = ("lost-joints-cpu", "cmu-prediction-cpu", "utkinect-detection-cpu", "robustness-cpu")


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
    assert {path.stem for path in tmp_path.iterdir()} == set(plots.NOTHING)
    assert all(size(path)[0] > 100 for path in tmp_path.iterdir())


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Joined:
    """A fabricated suite."""
    monkeypatch.chdir(tmp_path)
    settings = params()
    write_all(settings)
    results = from_files(settings, "tiny")
    return Joined(settings, "tiny", results, [], compare(results.rows, paper.load()))


def test_every_method_has_a_panel_of_losses(tiny: Joined) -> None:
    """Losses of two methods have different scales and must not share an axis."""
    charts = plots.every(tiny)["curves"]
    assert [chart.title for chart in charts] == ["pstl on ntu60, xsub", "raw on ntu60, xsub"]
    (_, curve, *_) = charts[0].curves
    assert curve.name == "bone"
    assert list(curve.low) == [9.5, 4.75, pytest.approx(9.5 / 3)]
    assert list(curve.high) == [11.5, 6.75, pytest.approx(9.5 / 3 + 2)]


def test_bars_of_one_task_stand_in_one_chart_and_on_one_axis(tiny: Joined) -> None:
    """Fused scores in a panel of their own could not be set beside what they are fused of."""
    charts = headline_panels.accuracy(tiny.lines, tiny.looks, {})
    assert [chart.title for chart in charts] == [
        "linear: top1, ntu60, xsub",
        "knn: top1, k=1;cosine, ntu60, xsub",
    ]
    assert len({chart.span for chart in charts}) == 1
    shown = {mark.row: mark.value for mark in charts[0].marks}
    means = {
        f"{line.method}, {line.stream}": line.mean
        for line in tiny.lines
        if (line.task, line.metric) == ("linear", "top1")
    }  # later lines are the recalibrated ones: what is drawn is the headline
    assert shown == means
    assert list(shown.values()) == sorted(shown.values(), reverse=True)


def test_a_chart_without_one_number_beside_another_has_a_sensible_axis() -> None:
    """One share of labels, 20 %, was drawn on an axis from 19 to 21."""
    chart = Curves("t", "t", [Curve("a", [20], [50])], "labels, %", "%")
    (axis,) = grid([chart], "").axes
    low, high = axis.get_xlim()
    assert low <= 0
    assert high >= 40


def lines_of(folder: str) -> list[Line]:
    """Kept rows as lines."""
    return compare(rebuild.rows_of(KEPT / folder), [])


def looks_of(lines: list[Line]) -> dict[str, Look]:
    """Looks of a suite that has these lines."""
    return Joined(params(), "tiny", Results([], {}, {}), [], lines).looks


def swept(methods: int) -> list[Line]:
    """Lines of many methods, streams, probes, losses and seeds; no two are alike."""
    (first, *_) = lines_of("lost-joints-cpu")
    ways = itertools.product(
        range(methods), ("joint", "bone"), ("linear", "knn"), ("test", "both"), (0, 3, 8, 12)
    )
    lines = []
    for number, (method, stream, probe, moment, lost) in enumerate(ways):
        setting = f"probe={probe};in={moment};by=zeros;joints={lost}"
        named = {"method": f"method_{method}", "stream": stream, "setting": setting, "floor": ""}
        lines.append(replace(first, **named, mean=90 - 0.01 * number, std=1.0))
    return lines


@pytest.mark.parametrize("source", [*SWEPT, 2, 40])
def test_a_line_has_one_number_at_each_place_and_a_name_of_its_own(source: str | int) -> None:
    """Rows that differ in another setting were joined into zigzags, in five panels of five."""
    lines = swept(source) if isinstance(source, int) else lines_of(source)
    drawn = sweeps(as_shown(lines))
    assert drawn
    placed = [point for series in drawn.values() for points in series.values() for point in points]
    numbers = [id(line) for _, line in placed]
    assert len(set(numbers)) == len(numbers)
    for of_split in by_split(lines).values():
        for chart in setting_panels.over_settings(as_shown(of_split), looks_of(lines)):
            names = [curve.name for curve in chart.curves]
            assert len(set(names)) == len(names)
            seen = [(c.look.tone, c.look.glyph, c.look.dash) for c in chart.curves]
            assert len(set(seen)) == len(seen)
            for curve in (*chart.curves, *chart.behind):
                assert len(curve.x) >= FEWEST
                assert list(curve.x) == sorted(set(curve.x))


@pytest.mark.parametrize("source", [*SWEPT, 2, 40])
def test_panels_of_one_number_are_few_can_be_read_and_compared(source: str | int) -> None:
    """Panels with an axis of their own each, or more than a page of them, hide what they are drawn
    for: lost joints have eight conditions, and the loss in each."""
    lines = swept(source) if isinstance(source, int) else lines_of(source)
    for of_split in by_split(lines).values():
        charts = setting_panels.over_settings(as_shown(of_split), looks_of(lines))
        by_axis: dict[tuple[str, str], set[object]] = {}
        for chart in charts:
            assert len(chart.curves) <= MOST
            task, _, _ = chart.title.partition(":")
            by_axis.setdefault((task, chart.y_label), set()).add(chart.y_span)
        assert all(len(spans) == 1 for spans in by_axis.values())
        if isinstance(source, str):
            assert len(charts) <= 16


def test_of_many_methods_each_is_seen_before_all_others() -> None:
    """Forty lines in one panel are a tangle; forty panels can not be compared."""
    curves = [Curve(f"m{i}", [0, 1], [i, i + 1]) for i in range(40)]
    parts = parted(Curves("t", "t", curves, "x", "y"))
    shown = [curve.name for chart in parts for curve in chart.curves]
    assert sorted(shown) == sorted(curve.name for curve in curves)
    assert shown[0] == "m39"
    assert all(len(chart.behind) == 40 for chart in parts)
    assert len({(chart.x_span, chart.y_span) for chart in parts}) == 1


def test_a_task_in_many_settings_leaves_the_headline_alone() -> None:
    """A hundred conditions of one task would bury every other number."""
    lines = [*swept(2), *lines_of("nwucla-cpu")]
    assert "lost_joints" not in {line.task for line in unswept(lines)}
    assert "linear" in {line.task for line in unswept(lines)}


def test_dvc_shows_pictures_that_are_there() -> None:
    """In a fresh clone those of kept results, and after a run those that the report has drawn."""
    root = KEPT.parents[1]
    declared = yaml.safe_load((root / "dvc.yaml").read_text())
    made = {name for out in declared["stages"]["pipeline"]["outs"] for name in out}
    of_suite = [name for name in declared["plots"] if "${suite}" in name]
    kept = [name for name in declared["plots"] if name not in of_suite]
    assert set(of_suite) <= made
    assert kept
    assert all((root / name).is_file() for name in kept)
