"""Formulas as MathML, made when the site is built: a page needs no script to show them.

A block ```math holds LaTeX, which code hosts show by themselves.
"""

from typing import Any

from latex2mathml.converter import convert


def fence(
    source: str, language: str, css_class: str, options: dict[str, Any], md: Any, **_: Any
) -> str:
    """One block of LaTeX as MathML; what pymdownx.superfences calls for ```math."""
    return f'<div class="{css_class}">{convert(source.strip(), display="block")}</div>'
