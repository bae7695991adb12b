"""Charts as SVG for the page and as PNG for files. The same numbers give the same bytes.

No state of pyplot is used.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pstl.files import atomic
from pstl.report.charts import ABOUT, GRID, HEIGHT, INK, Chart
from pstl.report.colours import PALETTE

# Colours of a drawing -> their names in page.css, which has others for a dark screen.
THEME = {INK: "var(--ink)", GRID: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(PALETTE)
}
STYLE: Any = {
    "svg.hashsalt": "pstl",
    "svg.fonttype": "none",  # text stays text: it can be searched, copied and read aloud
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "mathtext.default": "regular",
    "text.parse_math": False,  # names are anybody's words, and may hold two dollar signs
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": "medium",
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": "small",
}
# Dots per inch at which text is measured: at 72, an SVG's, widths are rounded letter by letter.
FINE = 400
NAMESPACES = {"": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}
REFERENCE = re.compile(r'(?:xlink:href="#|url\(#)([^")]+)')
LINK = f"{{{NAMESPACES['xlink']}}}href"
for prefix, address in NAMESPACES.items():
    ElementTree.register_namespace(prefix, address)


def to_svg(chart: Chart, prefix: str) -> str:
    """An <svg> element for a page.   prefix: of its ids, which are unique in the page if this is.

    Its colours are names of page.css.
    """
    with matplotlib.rc_context(STYLE):
        layout = ConstrainedLayoutEngine()
        figure = Figure(figsize=chart.size, dpi=FINE, layout=layout)
        axis = figure.add_subplot()
        figure.patch.set_visible(False)
        axis.patch.set_visible(False)
        chart.draw(axis)
        layout.execute(figure)
        figure.set_layout_engine("none")  # or savefig would draw everything once more for it
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    for tone, name in THEME.items():
        text = text.replace(tone, name)
    return _for_page(text, prefix, chart)


def grid(charts: Sequence[Chart], nothing: str) -> Figure:
    """Charts side by side, three in a row.   nothing: what is said where there are none."""
    with matplotlib.rc_context(STYLE):
        columns = max(1, min(3, len(charts)))
        rows = max(1, -(-len(charts) // columns))
        height = max((chart.size[1] for chart in charts), default=HEIGHT) + 0.5
        figure = Figure(figsize=(5.2 * columns, height * rows), layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axis, chart in zip(axes, charts, strict=False):
            chart.draw(axis)
            axis.set_title(chart.title, fontsize="small")
            if axis.get_legend_handles_labels()[0]:
                axis.legend()
        for axis in axes[len(charts) :]:
            axis.set_axis_off()
        if not charts:
            axes[0].text(0.5, 0.5, nothing, ha="center", va="center")
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Write a picture. Raises: UserError if it cannot be written."""
    with matplotlib.rc_context(STYLE), atomic(path) as new:
        figure.savefig(new, format="png", dpi=100, metadata={"Software": None})


def _for_page(text: str, prefix: str, chart: Chart) -> str:
    """matplotlib's document as an element: words for everyone, ids of its own, nothing unused."""
    used = set(REFERENCE.findall(text))
    root = ElementTree.fromstring(text)
    for element in list(root):
        rules = element.find("style", NAMESPACES)  # they stand in page.css
        if element.tag.endswith("metadata") or rules is not None:
            root.remove(element)
    for element in list(root.iter()):
        name = element.attrib.pop("id", "")
        if name in used:
            element.set("id", prefix + name)
        if name.startswith(ABOUT):
            _add_title(element, name.removeprefix(ABOUT))
        if LINK in element.attrib:
            element.set(LINK, element.get(LINK, "").replace("#", f"#{prefix}", 1))
        if "clip-path" in element.attrib:
            element.set("clip-path", element.get("clip-path", "").replace("#", f"#{prefix}"))
        if "d" in element.attrib:
            element.set("d", " ".join(element.get("d", "").split()))
    width, _ = chart.size
    root.attrib.pop("height")
    root.attrib.pop("width")
    root.set("role", "img")
    root.set("aria-label", chart.alt)
    root.set("style", f"max-width:{width * 6.6:.1f}rem")
    _add_title(root, chart.alt)
    return ElementTree.tostring(root, encoding="unicode")


def _add_title(element: ElementTree.Element, words: str) -> None:
    title = ElementTree.Element(f"{{{NAMESPACES['']}}}title")
    title.text = words
    element.insert(0, title)
