"""Tables of numbers, one row a line: the rule of `reading` for texts that are all numbers."""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pstl.data import reading
from pstl.data.reading import REPAIR, Unit
from pstl.errors import UserError

Layout = Sequence[tuple[Unit, int]]  # of a row: (unit, number of columns), one after the other
BLOCK = 1 << 18  # bytes, or values, that are looked at in one go: temporaries stay small
# Nothing else is in a table: no comments, no NaN, no `true`, no 0x10, no 1_000, no digits or blanks
# of other alphabets.
CHARACTERS = b"0123456789+-.eE \t\n"
BLANK_LINE = re.compile(rb"^[ \t]+$", re.MULTILINE)
WORD = re.compile(rb"[^ \t]+")
NUMBER = re.compile(reading.NUMBER.pattern.encode())


def read(
    data: bytes, name: str, layout: Layout, rows: str, comma: bool = False, dtype: Any = np.float32
) -> np.ndarray:
    """The rows of a table. Lines end in LF, CRLF or CR; blank lines count for nothing.

    layout: of a row.   rows: what messages say is expected.
    comma: between numbers, else blanks or tabs.
    Returns: (rows, columns) dtype, at least one row.
    Raises: UserError that names the file and the row.
    """
    reading.check_size(len(data), name)
    text = data.removeprefix(reading.BYTE_ORDER_MARK)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    units: list[Unit] = []
    for unit, count in layout:
        units += [unit] * count
    if not text.strip():
        raise UserError(f"{name}: the file is empty: table of (0, 0), expected {rows}; {REPAIR}")
    if text.translate(None, CHARACTERS + b"," * comma) or _longest_line(text) > len(units) * (
        reading.LONGEST + 1
    ):
        raise _damaged(text, name, units, rows, comma)
    if comma and (b" " in text or b"\t" in text):
        text = BLANK_LINE.sub(b"", text)  # numpy would see one empty number in it
    try:
        table = np.loadtxt(
            io.BytesIO(text),
            delimiter="," if comma else None,
            comments=None,
            ndmin=2,
            encoding="ascii",
        )
    except ValueError:
        raise _damaged(text, name, units, rows, comma) from None
    if table.shape[1] != len(units):
        raise _damaged(text, name, units, rows, comma)
    _check_limits(table, units, name)
    return table.astype(dtype, copy=False)


def _longest_line(text: bytes) -> int:
    """Bytes of the longest line: one that is far longer than a row would fill the memory as a list
    of its fields."""
    characters = np.frombuffer(text, np.uint8)
    longest, last = 0, -1  # place of the line end before
    for first in range(0, len(characters), BLOCK):
        ends = np.flatnonzero(characters[first : first + BLOCK] == ord("\n")) + first
        longest = max(longest, int(np.diff(ends, prepend=last).max(initial=0)))
        last = int(ends[-1]) if len(ends) else last
    return max(longest, len(text) - last)


def _check_limits(table: np.ndarray, units: Sequence[Unit], name: str) -> None:
    """Raises: UserError that names the first row with a number beyond its unit's limit."""
    limit = np.array([unit.limit for unit in units])
    is_count = np.array([unit.whole for unit in units])
    step = max(1, BLOCK // len(units))
    for first in range(0, len(table), step):
        part = table[first : first + step]
        is_sound = np.abs(part) <= limit
        if is_count.any():
            counts = part[:, is_count]
            is_sound[:, is_count] &= (counts >= 0) & (counts == np.floor(counts))
        if not is_sound.all():
            row, column = np.argwhere(~is_sound)[0]
            raise _absurd(name, first + int(row) + 1, f"{part[row, column]:g}", units[column])


def _absurd(name: str, row: int, word: str, unit: Unit) -> UserError:
    limit = f"{unit.limit:g} {unit.name}".rstrip()
    return UserError(
        f"{name}: row {row} has NaN, infinite or absurd numbers: found {word}, which is not "
        f"finite, not whole, or beyond {limit}; "
        f"expected {reading.expected(unit)}; {REPAIR}"
    )


def _damaged(text: bytes, name: str, units: Sequence[Unit], rows: str, comma: bool) -> UserError:
    """What is wrong with the first row that is not a row of these units."""
    for row, line in enumerate(_rows(text), start=1):
        where = f"{name}: not a table of numbers: row {row}"
        words = [word.strip(b" \t") for word in line.split(b",")] if comma else WORD.findall(line)
        for word, unit in zip(words, units, strict=False):
            if word.lower().lstrip(b"+-") in (b"nan", b"inf", b"infinity"):
                return _absurd(name, row, reading.shown(word), unit)
            if not NUMBER.fullmatch(word):
                return UserError(f"{where}: found {reading.shown(word)}, expected {rows}; {REPAIR}")
        if len(words) != len(units):
            count = f"{len(words)} numbers, not whole rows of {len(units)}"
            return UserError(
                f"{where} has not {len(units)} numbers ({count}), expected {rows}; {REPAIR}"
            )
    return UserError(f"{name}: not a table of numbers, expected {rows}; {REPAIR}")


def _rows(text: bytes) -> Iterator[bytes]:
    """Lines that are not blank, each cut to a length that shows what is wrong with it."""
    for line in io.BytesIO(text):
        if stripped := line.strip(b" \t\n"):
            yield stripped[:BLOCK]
