"""The table of labels of a folder of clips: labels.csv, a row for every clip."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pstl.data import reading
from pstl.errors import UserError

CLIP = ("clip", "file", "name", "path", "video")
LABEL = ("label", "class", "action")
PERFORMER = ("performer", "subject", "person", "actor", "participant")
CAMERA = ("camera", "view")
SEPARATORS = ",;\t"
EXPECTED = "a header with the columns clip and label, and perhaps performer, camera and others"


class Row(NamedTuple):
    """One clip.   clip: its file or folder, as the table calls it.   columns: all of the row."""

    clip: str
    label: str
    performer: str
    camera: str
    columns: dict[str, str]


def read(path: Path) -> list[Row]:
    """The rows of the table, in its order.

    Raises: UserError naming the line: no such column, a row without a label, a clip named twice.
    """
    lines = list(reading.lines(reading.content(path), str(path)))
    if not lines:
        raise UserError(f"{path}: the file is empty, expected {EXPECTED}")
    separator = max(SEPARATORS, key=lines[0][1].count)
    header, *rows = (_words(line, separator) for _, line in lines)
    titles = [title.lower() for title in header]
    place = {what: _column(titles, what, path) for what in (CLIP, LABEL, PERFORMER, CAMERA)}
    table: list[Row] = []
    seen: dict[str, int] = {}
    for (number, _), words in zip(lines[1:], rows, strict=True):
        where = f"{path}: line {number}"
        if len(words) != len(titles):
            raise UserError(f"{where}: {len(words)} values, expected {len(titles)}")
        clip, label, performer, camera = (words[c] if c >= 0 else "" for c in place.values())
        row = Row(clip, label, performer, camera, dict(zip(titles, words, strict=True)))
        if not row.clip or not row.label:
            lack = "clip" if not row.clip else f"label of {row.clip}"
            raise UserError(f"{where}: no {lack}; fill it in, or take the row out")
        if row.clip in seen:
            raise UserError(f"{where}: {row.clip} stands in line {seen[row.clip]} already")
        seen[row.clip] = number
        table.append(row)
    if not table:
        raise UserError(f"{path}: a header and no row below it, expected a row for every clip")
    return table


def names(path: Path) -> list[str]:
    """A list of names, one a line. Raises: UserError for an empty one."""
    listed = [line for _, line in reading.lines(reading.content(path), str(path))]
    if not listed:
        raise UserError(f"{path}: the file is empty, expected a name a line")
    return listed


def _words(line: str, separator: str) -> list[str]:
    return [word.strip() for word in next(csv.reader([line], delimiter=separator))]


def _column(titles: Sequence[str], called: tuple[str, ...], path: Path) -> int:
    """The column of one of these titles; -1 if there is none and none is needed."""
    for title in called:
        if title in titles:
            return titles.index(title)
    if called in (CLIP, LABEL):
        found = ", ".join(titles[:8])
        raise UserError(f"{path}: columns {found}, expected one called {' or '.join(called)}")
    return -1
