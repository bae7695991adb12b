"""What a recording's file may hold, one rule for every reader: its size, its text, its lines, its
numbers.

A reader takes bytes, lines, words and JSON from here, tables from `number_table`, and so keeps the
rule for nothing; tests/data/test_reading.py refuses a format that parses by itself. Reading a file
takes at most EXPANSION times its size in memory, and ALLOWANCE.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pstl import files
from pstl.errors import UserError

EXPANSION = 10
ALLOWANCE = 16 << 20  # bytes
LARGEST_FILE = 1 << 30  # bytes; the longest recordings of the sets read here have 8 MB
LARGEST_LIST = 1 << 19  # bytes of labels or of names; the longest here has 30 kB
LONGEST = 64  # bytes of a number: no sensor writes more digits
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DEEPEST = 16  # lists and objects within one another
REPAIR = "the file is damaged, replace it by a whole copy"
RECORDING = files.Kind("file of a recording or its labels", "replace it by a whole copy")

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
BLOCK = 1 << 18  # bytes that are looked at in one go: temporaries stay small
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
COSTLIEST = 200  # bytes that a byte of JSON takes in Python at most
LINE = re.compile(r"[^\r\n]+")
FOREIGN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


class Unit(NamedTuple):
    """What a number counts, and the largest magnitude that is no defect.

    whole: 0, 1, 2 and so on only.
    """

    name: str
    limit: float
    whole: bool = False


# Coordinates: 5.1 m at most in NW-UCLA, 4.3 in UTKinect, 3.9 in MSR Action3D, and 5.3 is what code
# for NTU RGB+D scales by. A depth camera counts millimetres in 16 bits, up to 65 m. What is beyond
# a kilometre is damage, or has another unit.
METRES = Unit("m", 1000.0)
# An axis times an angle: up to half a turn by definition, and 3.14 in the CMU files.
RADIANS = Unit("rad", 4 * math.pi)
# Five days at 24 frames a second; UTKinect's are below 5,100.
FRAMES = Unit("frames", 1e7, whole=True)
LABELS = Unit("", 1e6, whole=True)
# Times and confidences of somebody else's detections, in frames or seconds.
TIMES = Unit("frames or seconds", 1e9)
# Columns of a table that no reader keeps.
UNREAD = Unit("", 1e6)


def content(path: str | Path, kind: files.Kind = RECORDING) -> bytes:
    """The bytes of a file.

    Raises: UserError if there is none, it cannot be read, or it is larger than LARGEST_FILE.
    """
    with files.reading(path, kind):
        check_size(Path(path).stat().st_size, str(path))
        return Path(path).read_bytes()


def check_sum(name: str, data: bytes, sha256: str) -> None:
    """Raises: UserError if bytes are not those that were fetched.   sha256: empty if unknown."""
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(
            f"{name}: not the file that was fetched (another checksum); replace it by that one, or "
            "run fetch again"
        )


def check_size(size: int, name: str, largest: int = LARGEST_FILE) -> None:
    """Raises: UserError if a file of so many bytes is too large to be one of its kind."""
    if size > largest:
        raise UserError(f"{name}: {size} bytes, expected at most {largest}; {REPAIR}")


def check_arrays(needed: int, size: int, name: str) -> None:
    """Raises: UserError if the arrays of a file of `size` bytes take `needed` bytes, far more than
    what it says can fill."""
    if needed > 2 * size + ALLOWANCE:
        raise UserError(
            f"{name}: {size} bytes of text declare {needed} bytes of coordinates, which they "
            f"cannot fill; {REPAIR}"
        )


def decoded(data: bytes) -> str:
    """UTF-8 as text, with or without a byte-order mark; bytes that are none become U+FFFD, which
    lines() refuses with their line."""
    return data.decode("utf-8-sig", "replace")


def lines(source: str | bytes, name: str, largest: int = LARGEST_LIST) -> Iterator[tuple[int, str]]:
    """(number from 1, line without blanks around it) of every line that is not blank.

    Lines end in LF, CRLF or CR.
    Raises: UserError that names the file, and the line with bytes that are no UTF-8, or control
    characters other than tabs.
    """
    check_size(len(source), name, largest)
    text = decoded(source) if isinstance(source, bytes) else source.removeprefix("\ufeff")
    if wrong := FOREIGN.search(text):
        line = text.count("\n", 0, wrong.start()) + 1
        raise UserError(
            f"{name}: line {line}: found {wrong.group()!r}, expected a text in UTF-8; {REPAIR}"
        )
    number, scanned = 1, 0
    for line_of_text in LINE.finditer(text):
        number += len(text[scanned : line_of_text.start()].replace("\r\n", "\n"))
        scanned = line_of_text.end()
        if stripped := line_of_text.group().strip(" \t"):
            yield number, stripped


def fields(line: str, separators: str = " \t") -> list[str]:
    """What stands between blanks, tabs, or the separators named; nothing is empty."""
    return [field for field in re.split(f"[{separators}]", line) if field]


def number(word: str, where: str, unit: Unit, what: str = "") -> float:
    """A word as a finite number within its unit's limit.

    what: expected, for messages.   Raises: UserError.
    """
    value = parsed(word)
    if not is_sound(value, unit):
        raise UserError(
            f"{where}: found {word[:30]!r}, expected {what or expected(unit)}; {REPAIR}"
        )
    return value


def parsed(word: str) -> float:
    """A number of digits, a sign, a point and an exponent; NaN for any other word."""
    return float(word) if len(word) <= LONGEST and NUMBER.fullmatch(word) else math.nan


def is_sound(value: float, unit: Unit) -> bool:
    """Whether a value is finite and within its unit's limit."""
    return abs(value) <= unit.limit and (not unit.whole or (value >= 0 and value.is_integer()))


def expected(unit: Unit) -> str:
    """A unit in words."""
    kind = "a whole number from 0" if unit.whole else "a finite number"
    return f"{kind} up to {unit.limit:g} {unit.name}".rstrip()


def shown(word: bytes) -> str:
    """A word of a file as messages show it, shortened."""
    return repr(bytes(word[:30]))


def json_object(data: bytes, name: str) -> dict[str, Any]:
    """One JSON object in UTF-8. Raises: UserError as json_value() does, or if it is no object."""
    value = json_value(data, name)
    if not isinstance(value, dict):
        raise UserError(
            f"{name}: expected an object of JSON, found {type(value).__name__}; {REPAIR}"
        )
    return value


def json_value(data: bytes, name: str, expansion: int = EXPANSION) -> Any:
    """What a JSON text in UTF-8 holds.

    expansion: how many times its size a sound one may take as lists of Python.
    Raises: UserError if it is none, a key occurs twice in an object, it is nested more than DEEPEST
    deep, or it would take more than that.
    """
    check_size(len(data), name)
    _check_nesting(data, name, expansion)
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name}: not valid JSON ({error}); {REPAIR}") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice[:30]!r} occurs twice")
    return content


def _check_nesting(data: bytes, name: str, expansion: int) -> None:
    """Brackets and commas tell, before anything is built, how deep lists nest and what they
    take."""
    brackets = data.translate(None, NO_BRACKETS)
    opened = brackets.count(b"[") + brackets.count(b"{")
    if COSTLIEST * len(data) > ALLOWANCE:
        # A list takes some 100 bytes, a place in it 8 and a number 24, a string some 60, a key and
        # its value some 200 more.
        taken = (
            100 * opened
            + 32 * data.count(b",")
            + 30 * data.count(b'"')
            + COSTLIEST * data.count(b":")
        )
        if taken + 2 * len(data) > expansion * len(data) + ALLOWANCE:
            raise UserError(
                f"{name}: {opened} lists and objects in {len(data)} bytes, more than any "
                f"recording has; {REPAIR}"
            )
    depth = 0
    for first in range(0, len(brackets), BLOCK):
        part = np.frombuffer(brackets[first : first + BLOCK], np.uint8)
        steps = np.where((part == ord("[")) | (part == ord("{")), 1, -1).cumsum()
        if depth + int(steps.max()) > DEEPEST:
            raise UserError(
                f"{name}: lists nested more than {DEEPEST} deep, more than any recording has; "
                f"{REPAIR}"
            )
        depth += int(steps[-1])


def without_words(data: bytes, rows: Sequence[Any], depth: int) -> bool:
    """Whether the lists within lists, `depth` levels, of a JSON text hold no `true` and `false`,
    which count as 1 and 0 in Python."""
    letters = data.translate(None, b"0123456789.-+,[] \n")
    if b"true" not in letters and b"false" not in letters:
        return True
    for _ in range(depth - 1):
        rows = list(itertools.chain.from_iterable(rows))
    return bool not in set(map(type, rows))
