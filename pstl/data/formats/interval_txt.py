"""Timed labels of untrimmed videos in PKU-MMD's text: one file per video, one line
`label,start,end,confidence` per action."""

from collections.abc import Iterable
from pathlib import Path

from pstl.data import reading
from pstl.errors import UserError
from pstl.files import Kind, write_text
from pstl.metrics.detection import ActionInterval

INTERVALS = Kind(
    "text of numbers, one line 'label,start,end,confidence' per action",
    "get another copy, or move it away",
)
MOST = 50_000  # intervals of a video: what is beyond is a mistake, and would fill the memory
LARGEST = 16 << 20  # bytes


def read_folder(folder: str | Path, confidences: bool = True) -> dict[str, list[ActionInterval]]:
    """Video -> its intervals, by name; a video is a file name without its ending, hidden files are
    left out.

    confidences: whether every line must have one.
    Raises: UserError naming the file and line that is not an interval, or the folder if there is no
    file or one video has two.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder, expected one with a file per video")
    videos: dict[str, list[ActionInterval]] = {}
    for path in sorted(Path(folder).iterdir()):
        if not path.name.startswith("."):
            if path.stem in videos:
                raise UserError(
                    f"{folder}: two files for video {path.stem}, e.g. {path.name}; remove one"
                )
            videos[path.stem] = read(path, confidences)
    if not videos:
        raise UserError(f"{folder}: no file, expected one per video")
    return videos


def read(path: str | Path, confidences: bool = True) -> list[ActionInterval]:
    """Intervals of one file, at most MOST; separators are commas, blanks or both, blank lines are
    skipped."""
    data = reading.content(path, INTERVALS)
    if not data.removeprefix(reading.BYTE_ORDER_MARK).isascii():
        raise UserError(f"{path}: not a {INTERVALS.name}; {INTERVALS.again}")
    if data.count(b"\n") + data.count(b"\r") > 2 * MOST:
        raise UserError(
            f"{path}: more than {MOST} lines, expected one for each action; keep the most "
            "confident ones"
        )
    intervals = []
    for number, line in reading.lines(data, str(path), LARGEST):
        intervals.append(_interval(Path(path).stem, line, f"{path}, line {number}", confidences))
    return intervals


def write(path: str | Path, intervals: Iterable[ActionInterval]) -> None:
    """Write one video's intervals; confidences with seventeen digits, so that reading gives the
    same numbers."""
    write_text(
        path,
        "".join(f"{i.label},{i.start:.17g},{i.end:.17g},{i.confidence:.17g}\n" for i in intervals),
    )


def _interval(video: str, line: str, where: str, confidences: bool) -> ActionInterval:
    row = reading.fields(line, ", \t")
    if len(row) not in ((4,) if confidences else (3, 4)):
        raise UserError(f"{where}: {len(row)} values, expected label,start,end,confidence")
    label, start, end, confidence = (reading.parsed(word) for word in [*row, "1"][:4])
    if not reading.is_sound(label, reading.LABELS):
        raise UserError(f"{where}: label {row[0][:30]}, expected a whole number from 0")
    if (
        not all(reading.is_sound(value, reading.TIMES) for value in (start, end, confidence))
        or start > end
    ):
        raise UserError(
            f"{where}: {','.join(row)[:80]}: expected four numbers label,start,end,confidence; "
            "expected finite numbers and start <= end"
        )
    return ActionInterval(video, int(label), start, end, confidence)
