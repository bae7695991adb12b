"""The page around its contents: templates filled in, everything in one file, nothing fetched."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import count
from typing import Any, ClassVar, Literal, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pstl.report.charts import Chart
from pstl.report.colours import PALETTE
from pstl.report.drawing import to_svg
from pstl.report.glossary import TERMS

EMPTY = ("", "-")  # what a cell holds that has nothing to say


class Text(NamedTuple):
    """A cell that is more than plain text.

    kind: "number", "missing", "code", or "source" (addresses in it become links).
    """

    text: str
    kind: str


Cells = Sequence["str | Text"]


class Table(NamedTuple):
    """A table of a page; the first cell of a row names the row."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Cells]

    @property
    def filled(self) -> "Table":
        """The same without the columns that are empty in every row."""
        kept = []
        for column in range(len(self.header)):
            if not self.rows or any(_words(row[column]) not in EMPTY for row in self.rows):
                kept.append(column)
        rows = []
        for row in self.rows:
            rows.append([row[column] for column in kept])
        return Table(self.caption, [self.header[column] for column in kept], rows)

    @property
    def terms(self) -> dict[str, str]:
        """What the words at the heads of its columns mean, where that is not plain."""
        return {name: TERMS[name] for name in self.header if name in TERMS}


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its menu; subclasses hold what their template shows.

    folds: whether it can be folded away, and how it is found; what is closed is not printed.
    """

    name: str
    heading: str
    template: str
    folds: ClassVar[Literal["never", "open", "closed"]] = "closed"


def number(text: str) -> Text:
    """A cell that is aligned to the right."""
    return Text(text, "number")


def environment() -> Environment:
    """Templates of one page, in which each chart is drawn where it is shown, with its own ids.

    What is put into them is escaped; the style and the script of every page are `page.css` and
    `page.js`, and no other script runs: the page names theirs by its hash.
    """
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
    script, style = _template("page.js"), _template("page.css")
    templates.globals |= {
        "series": len(PALETTE),
        "script": Markup(script),
        "script_hash": _hash(script),
        "style": Markup(style),
        "style_hash": _hash(style),
    }
    return templates


def page(title: str, sections: Sequence[Section]) -> str:
    """A whole document."""
    content: dict[str, Any] = {"title": title, "sections": sections}
    return environment().get_template("page.html").render(content)


def _template(name: str) -> str:
    """A file of templates/ as it is."""
    return (resources.files("pstl.report") / "templates" / name).read_text("utf-8")


def _hash(content: str) -> str:
    """What a content policy names a script or a style by."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _words(cell: str | Text) -> str:
    return cell if isinstance(cell, str) else cell.text
