"""The edge between this program and the files around it.

What is wrong with a file is a line that names it. A file is read inside `reading` and written
inside `atomic` or `replaced`
(publish.py), and nowhere else (tests/test_architecture.py). So no reader lists
what can go wrong, and a new kind of file gets its messages for nothing.
"""

import csv
import hashlib
import io
import json
import math
import os
import re
import stat
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pstl import seals
from pstl.errors import UserError, trouble
from pstl.publish import atomic as atomic
from pstl.publish import kind_of
from pstl.publish import replaced as replaced

LONGEST = 160  # characters of a reason that somebody else's code gives
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how cells begin that spreadsheets compute
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # torch prints parts of its reasons in bold


class Kind(NamedTuple):
    """What a file is, for people.

    name: after "not a" and "expected a".   again: what to do with a damaged one.
    make: how to get a missing one; empty: nothing to say.
    """

    name: str
    again: str
    make: str = ""


def short_name(path: str, depth: int = 0) -> str:
    """A file's name with `depth` of the folders above it.

    >>> short_name("raw/s01s02/04/points.txt", depth=2)
    's01s02/04/points.txt'
    """
    return "/".join(path.rsplit("/", depth + 1)[-depth - 1 :])


@contextmanager
def reading(path: str | Path, kind: Kind) -> Iterator[None]:
    """Whatever fails inside is a failure to read `path`.

    The body opens this one file, takes it apart and checks what it holds, and does nothing else: an
    error of its own would be blamed on the file.
    Raises: UserError in one line: the path, what is wrong, what to do.
    """
    try:
        _regular(path, kind)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn about damage before they fail of it
            yield
    except (UserError, ImportError):
        raise
    except FileNotFoundError:
        way = f"; {kind.make}" if kind.make else ""
        raise UserError(f"{path}: {_absent(path)}{way}") from None
    except OSError as error:
        if error.errno is None:
            raise UserError(_damaged(path, kind, error)) from None
        remedy = f"have it made readable, or {kind.again}"
        raise UserError(f"{path}: cannot be read ({_reason(error)}); {remedy}") from None
    except Exception as error:
        raise UserError(_damaged(path, kind, error)) from None


@contextmanager
def taking_apart(name: str, kind: Kind) -> Iterator[None]:
    """Whatever fails inside is a failure of bytes that were read from the file `name`.

    Raises: UserError in one line: the name, what is wrong, what to do.
    """
    try:
        yield
    except (UserError, ImportError):
        raise
    except Exception as error:
        raise UserError(f"{name}: not a {kind.name} ({_reason(error)}); {kind.again}") from None


def read_text(path: str | Path, kind: Kind, encoding: str = "utf-8") -> str:
    """A whole text. Raises: UserError if it is missing, or not in this encoding."""
    with reading(path, kind):
        return Path(path).read_text(encoding)


def read_json(path: str | Path, kind: Kind, shape: Any = dict[str, Any]) -> Any:
    """What a JSON file holds.

    shape: what it must be, a pydantic model or any other type; keys that a model does not name
    are free.
    Raises: UserError if it is missing, not JSON in UTF-8, of another shape, not what was sealed, or
    holds a number that is not finite.
    """
    with reading(path, kind):
        content = parsed(seals.opened(Path(path).read_text("utf-8")))
        check_shape(content, shape)
        return content


def parsed(text: str) -> Any:
    """JSON without the numbers that JSON does not have. Raises: ValueError."""
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def check_shape(content: Any, shape: Any) -> None:
    """Raises: ValueError that says where `content` is not a `shape`."""
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(shape).validate_python(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "top level"
        raise ValueError(f"{place}: {first['msg'].lower()}") from None


def write_json(path: str | Path, value: Any) -> None:
    """Write sorted, indented JSON; the file appears whole or not at all.

    Raises: UserError for a number that is not finite.
    """
    write_text(path, json_text(path, value))


def write_record(path: str | Path, value: dict[str, Any]) -> None:
    """The same for what later steps read: sealed, so that read_json refuses what was changed."""
    write_text(path, seals.seal(json_text(path, value)))


def json_text(path: str | Path, value: Any) -> str:
    """What write_json writes. Raises: UserError for a number that is not finite."""
    if place := next(_strays(value), ""):
        raise UserError(f"{path}: {place}, expected a finite number; nothing was written")
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8; the file appears whole or not at all."""
    with atomic(path) as new:
        new.write_text(text, "utf-8", "backslashreplace")  # names that are no UTF-8


def by_ending(path: str | Path, known: Mapping[str, Any]) -> Any:
    """What writes a file of this name: a file is what its ending says, or is not written.

    known: ending -> writer.   Raises: UserError naming the known endings.
    """
    ending = Path(path).suffix.lower()
    if ending not in known:
        found = f"end in {ending}" if ending else "have no ending"
        raise UserError(
            f"{path}: files that {found} are not written here; known: {', '.join(known)}"
        )
    return known[ending]


def has_ending(path: str | Path | None, ending: str) -> None:
    """Before hours of work: an output that is asked for has the ending of what it will be.

    Raises: UserError.
    """
    if path is not None:
        by_ending(path, {ending: None})


def checksum(path: str | Path) -> str:
    """SHA-256 of a file. Raises: UserError if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(trouble(error, path)) from None
    except ValueError as error:
        raise UserError(f"{path}: cannot be read ({error}); correct the name") from None


def _regular(path: str | Path, kind: Kind) -> None:
    """A folder, a pipe or a device has no end, or no beginning."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        remedy = kind.make or kind.again
        raise UserError(f"{path}: {kind_of(mode)}, expected a {kind.name}; {remedy}")


def _absent(path: str | Path) -> str:
    return "a link to a file that is not there" if os.path.islink(path) else "no such file"


def _damaged(path: str | Path, kind: Kind, error: Exception) -> str:
    return f"{path}: not a {kind.name} ({_disk_or_empty(path) or _reason(error)}); {kind.again}"


def _disk_or_empty(path: str | Path) -> str:
    """What is wrong with a file whatever it should hold, which some libraries keep to themselves.

    It holds nothing, or cannot be read; empty if neither.
    """
    try:
        with open(path, "rb") as stream:
            return "" if stream.read(1) else "it is empty"
    except (OSError, ValueError) as error:  # the latter of a name that no file can have
        return _reason(error)


def _reason(error: Exception) -> str:
    """One line of what a library says, whatever it says."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, KeyError):
        return f"no {' '.join(map(str, error.args))} in it"
    said = " ".join(COLOURS.sub("", str(error)).split())
    shown = "".join(character for character in said[:LONGEST] if character.isprintable())
    return shown or type(error).__name__


def _no_number(text: str) -> Any:
    raise ValueError(f"found {text}, expected a finite number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"found {text}, expected a finite number")
    return number


def _strays(value: Any, place: str = "") -> Iterator[str]:
    """Where in JSON content the numbers are that are not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{place} is {value}"
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _strays(part, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _strays(part, f"{place}[{number}]")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A csv file with a header; lines end in a line feed, and no cell is a formula."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_no_formula(cell) for cell in row])
    return stream.getvalue()


def _no_formula(cell: object) -> object:
    """A cell behind an apostrophe where a spreadsheet would compute it; numbers are kept.

    >>> _no_formula("=1+1"), _no_formula("-0.5"), _no_formula(-0.5)
    ("'=1+1", '-0.5', -0.5)
    """
    if not isinstance(cell, str) or len(cell) < 2 or not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
