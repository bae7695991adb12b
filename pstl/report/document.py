"""The page around its contents: templates filled in, everything in one file, nothing fetched."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pstl.report.charts import PALETTE, Chart
from pstl.report.drawing import to_svg


class Text(NamedTuple):
    """A cell that is more than plain text.

    kind: "number", "missing", "code", or "source" (addresses in it become links).
    """

    text: str
    kind: str


Cells = Sequence["str | Text"]


class Table(NamedTuple):
    """A table of a page."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Cells]


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its menu; subclasses hold what their template shows."""

    name: str
    heading: str
    template: str


def number(text: str) -> Text:
    """A cell that is aligned to the right."""
    return Text(text, "number")


def environment() -> Environment:
    """Templates of one page, in which each chart is drawn where it is shown, with its own ids."""
    templates = Environment(
        loader=PackageLoader("pstl.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    numbers = count(1)

    def svg(chart: Chart) -> Markup:
        """A chart as an element of the page."""
        return Markup(to_svg(chart, f"c{next(numbers)}-"))

    templates.filters["svg"] = svg
    templates.globals["series"] = len(PALETTE)
    return templates


def page(title: str, sections: Sequence[Section]) -> str:
    """A whole document."""
    content: dict[str, Any] = {"title": title, "sections": sections}
    return environment().get_template("page.html").render(content)
