"""Charts as SVG for the page, and as PNG, SVG or PDF for files.

The same numbers give the same bytes. No state of pyplot is used.
"""

import io
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from pstl.files import atomic
from pstl.report.charts import ABOUT, GRID, HEIGHT, INK, WIDTH, Chart, Entry
from pstl.report.colours import PALETTE

# Colours of a drawing -> their names in page.css, which has others for a dark screen.
THEME = {INK: "var(--ink)", GRID: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(PALETTE)
}
MOST_CHARTS = 60  # of one picture
LEGEND_ROW = 0.02  # height of a row of the legend in inches, for each point of the font
LETTERS = 130  # of a title for an inch and a point of the font, axis labels beside it left out
WITHOUT: Any = {  # what would differ from run to run
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
STYLE: Any = {
    "svg.hashsalt": "pstl",
    "svg.fonttype": "none",  # text stays text: it can be searched, copied and read aloud
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "pdf.fonttype": 42,  # whole fonts, which publishers ask for
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


class Medium(NamedTuple):
    """Where a picture is shown.

    width: of a chart in inches; 0 leaves it as it is.   font: size in points.   columns: charts
    side by side, at most.
    """

    width: float
    font: float
    columns: int


SCREEN = Medium(0.0, 9.0, 3)
PAPER = Medium(3.4, 7.0, 2)  # a column of a two-column page; two side by side fill both


def style(medium: Medium) -> Any:
    """Settings of matplotlib for a medium."""
    return {**STYLE, "font.size": medium.font}


def to_svg(chart: Chart, prefix: str) -> str:
    """An <svg> element for a page.   prefix: of its ids, which are unique in the page if this is.

    Its colours are names of page.css.
    """
    with matplotlib.rc_context(style(SCREEN)):
        layout = ConstrainedLayoutEngine()
        figure = Figure(figsize=chart.size, dpi=FINE, layout=layout)
        axis = figure.add_subplot()
        figure.patch.set_visible(False)
        axis.patch.set_visible(False)
        chart.draw(axis)
        layout.execute(figure)
        figure.set_layout_engine(None)  # or savefig would draw everything once more for it
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    for tone, name in THEME.items():
        text = text.replace(tone, name)
    return _for_page(text, prefix, chart)


def grid(charts: Sequence[Chart], nothing: str, medium: Medium = SCREEN) -> Figure:
    """Charts side by side with one legend.   nothing: what is said where there are none."""
    shown = charts[:MOST_CHARTS]
    with matplotlib.rc_context(style(medium)):
        columns, width, heights = _layout(shown, medium)
        entries = _entries(shown)
        beside = _legend_columns(entries, width, medium)
        below = -(-len(entries) // beside) * LEGEND_ROW * medium.font
        figure = Figure(figsize=(width, sum(heights) + below), layout="constrained")
        table = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
        axes = list(table.flat)
        for axis, chart in zip(axes, shown, strict=False):
            chart.draw(axis)
            axis.set_title(_wrapped(chart.title, width / columns, medium), fontsize="small")
        for axis in axes[len(shown) :]:
            axis.set_axis_off()
        if not shown:
            axes[0].text(0.5, 0.5, nothing, ha="center", va="center")
        if entries:
            handles = [_handle(entry) for entry in entries]
            names = [entry.name for entry in entries]
            figure.legend(handles, names, loc="outside lower center", ncols=beside)
        if len(charts) > len(shown):
            figure.suptitle(f"the first {len(shown)} of {len(charts)}", fontsize="small")
    return figure


def _wrapped(title: str, width: float, medium: Medium) -> str:
    """A title in lines that do not reach into the next chart's.   width: of a chart in inches."""
    most = max(12, int(width * LETTERS / medium.font))
    return "\n".join(textwrap.fill(line, most) for line in title.splitlines())


def _layout(charts: Sequence[Chart], medium: Medium) -> tuple[int, float, list[float]]:
    """Columns, width of the picture, and the height of each row."""
    sizes = [chart.size for chart in charts] or [(WIDTH, HEIGHT)]
    widest = max(width for width, _ in sizes)
    per_row = medium.columns * 2 if widest < WIDTH else medium.columns
    rows = -(-len(sizes) // per_row)
    columns = -(-len(sizes) // rows)
    whole = widest + 0.6
    width = medium.width * min(columns, medium.columns) if medium.width else whole * columns
    scale = width / (whole * columns)
    heights = []
    for start in range(0, len(sizes), columns):
        heights.append(scale * (max(h for _, h in sizes[start : start + columns]) + 0.45))
    return columns, width, heights


def _entries(charts: Sequence[Chart]) -> list[Entry]:
    """The legends of all charts, each entry once."""
    entries: dict[Entry, None] = {}
    for chart in charts:
        entries |= dict.fromkeys(chart.legend)
    return list(entries)


def _legend_columns(entries: Sequence[Entry], width: float, medium: Medium) -> int:
    longest = max((len(entry.name) for entry in entries), default=0)
    return max(1, int(width / (medium.font * (0.06 + 0.0083 * longest))))


def _handle(entry: Entry) -> Line2D:
    look = entry.look
    face = "none" if look.floor else look.tone
    dash: Any = look.dash if entry.line else ""
    mark: Any = {"marker": look.marker, "markersize": 4, "markerfacecolor": face}
    return Line2D([], [], color=look.tone, linestyle=dash, **mark)


def save(figure: Figure, path: Path, medium: Medium = SCREEN) -> None:
    """Write a picture as what its name ends with. Raises: UserError if it cannot be written."""
    suffix = path.suffix.removeprefix(".")
    with matplotlib.rc_context(style(medium)), atomic(path) as new:
        figure.savefig(new, format=suffix, dpi=100, metadata=WITHOUT[suffix])


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
