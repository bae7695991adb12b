"""Known slips of a release, mended in the text of a file before it is read."""

from collections.abc import Iterable

from pstl.data.spec import Slip

BLANK = " \t\r\n,\ufeff"  # what surrounds the values of a row in one copy or another


def mended(text: str, file: str, slips: Iterable[Slip]) -> tuple[str, list[str]]:
    """A label file with the slips that are known of it as they are meant, and a line for each.

    A copy in which somebody has corrected them is left as it is.
    """
    lines, remarks = text.splitlines(keepends=True), []
    rows = [number for number, line in enumerate(lines) if line.strip(BLANK)]
    for slip in slips:
        if slip.file == file and slip.row <= len(rows):
            number = rows[slip.row - 1]
            if _values(lines[number]) == _values(slip.released):
                lines[number] = slip.read + "\n"
                remarks.append(str(slip))
    return "".join(lines), remarks


def _values(line: str) -> list[str]:
    return [part.strip() for part in line.strip(BLANK).split(",")]
