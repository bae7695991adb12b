import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from pstl.report.charts import (
    Bar,
    Bars,
    Chart,
    Confusion,
    Curve,
    Curves,
    Map,
    Span,
    Timeline,
)
from pstl.report.drawing import NAMESPACES, grid, save_png, to_svg

CLASSES = [f"drink & eat {number}" for number in range(30)]
RNG = np.random.default_rng(0)
CHARTS = [
    Curves("a", "words", [Curve("x", [0, 1], [2, 3], [1, 1])], "x", "y"),
    Curves("b", "words", [Curve("x", range(40), [10.0**i for i in range(40)])], "x", "y", True),
    Bars("c", "words", [Bar("x", 50.0, 40.0, 60.0, 45.0)], "%"),
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
    for name in ("1.png", "2.png"):
        save_png(grid([chart], ""), tmp_path / name)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_names_stay_text() -> None:
    """Letters drawn as outlines can be neither searched nor copied nor read aloud."""
    root = ElementTree.fromstring(to_svg(CHARTS[3], ""))
    texts = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {f"{name} {number + 1}" for number, name in enumerate(CLASSES[:10])} <= texts


def test_an_interval_explains_itself() -> None:
    """A letter in a bar is too little to tell which action it is, and when."""
    root = ElementTree.fromstring(to_svg(CHARTS[6], ""))
    titles = [element.text for element in root.iter() if element.tag.endswith("title")]
    assert titles == ["words", f"{CLASSES[0]}, frames 0 to 40"]


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
