"""Runs the code blocks of a page of docs/, in order, as a reader would type them."""

import re
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.M | re.S)


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """(language, file name after it or "", code) of every fenced block."""
    return [(m[1], m[2] or "", m[3]) for m in BLOCK.finditer(page.read_text())]
