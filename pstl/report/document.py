"""The HTML around the content: one file, no network, no script that matters."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
# The browser itself refuses whatever would leave the file.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


class Markup(str):
    """HTML that is ready; any other text is escaped before it reaches the page."""


class Number(str):
    """Text of a number: aligned to the right."""


def page(title: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """A whole document.   sections: (id, heading, HTML)."""
    links = "".join(
        f'<li><a href="#{name}">{escape(heading)}</a></li>' for name, heading, _ in sections
    )
    body = "".join(
        f'<section id="{name}"><h2>{escape(heading)}</h2>{content}</section>\n'
        for name, heading, content in sections
    )
    style, script = ((ASSETS / name).read_text() for name in ("page.css", "page.js"))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{style}</style></head>\n'
        f'<body><header><h1>{escape(title)}</h1><nav aria-label="Sections"><ul>{links}</ul></nav></header>\n'
        f"<main>{body}</main><script>{script}</script></body></html>\n"
    )


def table(caption: str, header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself where the screen is narrow. Cells: Number, Markup or plain text."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    rows = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in body)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{_cell(value)}</tr>' for name, value in pairs
    )
    return f'<div class="wide"><table>{rows}</table></div>'


def figure(caption: str, drawing: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"


def wide(caption: str, drawing: str) -> str:
    """A drawing that keeps its letters readable and scrolls by itself where the screen is narrow."""
    return f'<div class="wide drawing" role="region" tabindex="0" aria-label="{escape(caption)}">{drawing}</div>'


def grid(figures: Iterable[str], kind: str = "grid") -> str:
    return f'<div class="{kind}">{"".join(figures)}</div>'


def note(words: str) -> str:
    return f'<p class="note">{words if isinstance(words, Markup) else escape(words)}</p>'


def hidden(summary: str, content: str) -> str:
    """Content that opens on a click, and on paper."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def code(words: str) -> Markup:
    return Markup(f"<code>{escape(words)}</code>")


def linked(words: str) -> Markup:
    """Text in which addresses are links."""
    parts = [
        f'<a href="{escape(w)}">{escape(w)}</a>'
        if w.startswith(("https://", "http://"))
        else escape(w)
        for w in words.split(" ")
    ]
    return Markup(" ".join(parts))


def _cell(cell: str) -> str:
    if isinstance(cell, Number):
        return f'<td class="number">{escape(cell)}</td>'
    return f"<td>{cell}</td>" if isinstance(cell, Markup) else f"<td>{escape(cell)}</td>"
