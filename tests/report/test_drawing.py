import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from pstl.report.charts import Chart, Curve, Curves
from pstl.report.class_charts import Confusion, Map, Span, Timeline
from pstl.report.drawing import NAMESPACES, PAPER, SCREEN, grid, save, to_svg
from pstl.report.mark_charts import Mark, Marks, Point, Points

CLASSES = [f"drink & eat {number}" for number in range(30)]
RNG = np.random.default_rng(0)
CHARTS = [
    Curves("a", "words", [Curve("x", [0, 1], [2, 3], [1, 2], [3, 4])], "x", "y"),
    Curves("b", "words", [Curve("x", range(40), [10.0**i for i in range(40)])], "x", "y", True),
    Marks("c", "words", [Mark("x", 50.0, "50", 40.0, 60.0, (("raw", 45.0),))], "%", (0, 100)),
    Points(
        "h",
        "words",
        [Point("x", "joint", 3.0, 50.0, 40.0, 60.0), Point("y", "", 30.0, 60.0)],
        "s",
        "%",
    ),
    Confusion("d", "words", np.eye(10) + RNG.integers(0, 2, (10, 10)), CLASSES[:10]),
    Confusion("e", "words", np.eye(30), CLASSES),
    Map("f", "words", RNG.normal(size=(60, 2)), np.arange(60) % 30, CLASSES),
    Timeline("g", "words", [("truth", [Span(0, 40, 0)])], 100, CLASSES),
]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.title)
def test_every_kind_of_chart_has_the_same_bytes_and_says_what_it_shows(
    chart: Chart, tmp_path: Path
) -> None:
    """Otherwise every look at the results would be a change for DVC and Snakemake."""
    text = to_svg(chart, "p-")
    assert text == to_svg(chart, "p-")
    root = ElementTree.fromstring(text)
    assert (root.get("role"), root.get("aria-label")) == ("img", "words")
    title = root.find("title", NAMESPACES)
    assert title is not None
    assert title.text == "words"
    assert all(element.get("id", "p-").startswith("p-") for element in root.iter())
    for suffix in ("png", "svg", "pdf"):
        one, two = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
        for path in (one, two):
            save(grid([chart], "", PAPER), path, PAPER)
        assert one.read_bytes() == two.read_bytes()


def test_names_stay_text() -> None:
    """Letters drawn as outlines can be neither searched nor copied nor read aloud."""
    root = ElementTree.fromstring(to_svg(CHARTS[4], ""))
    texts = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {f"{name} {number + 1}" for number, name in enumerate(CLASSES[:10])} <= texts


def test_an_interval_explains_itself() -> None:
    """A letter in a bar is too little to tell which action it is, and when."""
    root = ElementTree.fromstring(to_svg(CHARTS[7], ""))
    titles = [element.text for element in root.iter() if element.tag.endswith("title")]
    assert titles == ["words", f"{CLASSES[0]}, frames 0 to 40"]


def test_letters_of_a_pdf_are_whole_fonts(tmp_path: Path) -> None:
    """Publishers refuse type 3 fonts, which matplotlib writes where nothing is said."""
    save(grid(CHARTS[:1], "", PAPER), tmp_path / "a.pdf", PAPER)
    written = (tmp_path / "a.pdf").read_bytes()
    assert b"/Type0" in written
    assert b"/Type3" not in written


def test_a_line_with_two_values_at_one_place_is_refused() -> None:
    """It would be a zigzag of rows that do not belong together."""
    with pytest.raises(ValueError, match="several y at one x"):
        Curve("pstl", [1, 2, 2, 3], [5, 6, 1, 2])


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    """A user who draws as well must not find our fonts, or windows, in their plots."""
    code = (
        "import matplotlib, sys; before = matplotlib.rcParams.copy()\n"
        "from pstl.report import charts, drawing\n"
        "curves = charts.Curves('t', 't', [charts.Curve('a', [0, 1], [0, 1])], 'x', 'y')\n"
        "drawing.to_svg(curves, ''); drawing.grid([curves], '')\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_long_titles_do_not_run_into_the_next_chart() -> None:
    """Two names on top of each other are read as neither."""
    words = "detection: pstl, joint (baseline=training schedule): map_action " * 2
    charts = [replace(CHARTS[0], title=words)] * 3
    for medium in (SCREEN, PAPER):
        figure = grid(charts, "", medium)
        figure.canvas.draw()
        boxes = [axis.title.get_window_extent() for axis in figure.axes]
        pairs = itertools.combinations(boxes, 2)
        assert not any(one.overlaps(other) for one, other in pairs)
