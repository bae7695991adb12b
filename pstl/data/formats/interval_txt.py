"""Timed labels of untrimmed videos in PKU-MMD's text: one file per video, one line `label,start,end,confidence` per action."""

from collections.abc import Iterable
from pathlib import Path

from pstl.errors import UserError
from pstl.files import Kind, read_text, write_text
from pstl.metrics_detection import Interval

INTERVALS = Kind("text of numbers, one line 'label,start,end,confidence' per action", "get another copy, or move it away")


def read_folder(folder: str | Path, confidences: bool = True) -> dict[str, list[Interval]]:
    """Video -> its intervals, by name; a video is a file name without its ending, hidden files are left out.

    confidences: whether every line must have one.   Raises: UserError naming the file and line that is not an interval, or the
    folder if there is no file or one video has two.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder, expected one with a file per video")
    videos: dict[str, list[Interval]] = {}
    for path in sorted(Path(folder).iterdir()):
        if not path.name.startswith("."):
            if path.stem in videos:
                raise UserError(f"{folder}: two files for video {path.stem}, e.g. {path.name}; remove one")
            videos[path.stem] = read(path, confidences)
    if not videos:
        raise UserError(f"{folder}: no file, expected one per video")
    return videos


def read(path: str | Path, confidences: bool = True) -> list[Interval]:
    """Intervals of one file; separators are commas, blanks or both, blank lines are skipped."""
    lines = read_text(path, INTERVALS, "ascii").splitlines()
    cells = ((number, line.replace(",", " ").split()) for number, line in enumerate(lines, start=1))
    return [_interval(Path(path).stem, row, f"{path}, line {number}", confidences) for number, row in cells if row]


def write(path: str | Path, intervals: Iterable[Interval]) -> None:
    """Write one video's intervals; confidences with seventeen digits, so that reading gives the same numbers."""
    write_text(path, "".join(f"{i.label},{i.start:.17g},{i.end:.17g},{i.confidence:.17g}\n" for i in intervals))


def _interval(video: str, row: list[str], where: str, confidences: bool) -> Interval:
    if len(row) not in ((4,) if confidences else (3, 4)):
        raise UserError(f"{where}: {len(row)} values, expected label,start,end,confidence")
    try:
        label, start, end, confidence = (float(value) for value in [*row, "1"][:4])
    except ValueError:
        raise UserError(f"{where}: {','.join(row)}: expected four numbers label,start,end,confidence") from None
    if label % 1 != 0 or label < 0:
        raise UserError(f"{where}: label {row[0]}, expected a whole number from 0")
    if not (abs(start) < float("inf") and start <= end < float("inf") and confidence == confidence):
        raise UserError(f"{where}: from {row[1]} to {row[2]}, confidence {row[-1]}; expected finite numbers and start <= end")
    return Interval(video, int(label), start, end, confidence)
