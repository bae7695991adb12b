"""Whether the files of a folder are still those that `fetch` copied: content, not size."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pstl.data import own_files, reading
from pstl.data.clip_files import LABELS
from pstl.errors import UserError
from pstl.files import checksum
from pstl.records import Places

Sums = Mapping[str, str]  # path below the folder -> checksum


class Noted(NamedTuple):
    """The clip of a file.   frames: name -> checksum of every file of its folder, where known."""

    clip: str
    frames: Sums


def sums(places: Places, root: Path) -> Sums:
    """What `fetch` said of every file; nothing where the folder itself, `root`, is read."""
    return {} if places.raw == root else places.sums


def check_table(labels: Path, fetched: Sums) -> None:
    """Raises: UserError if the labels are not those that were fetched."""
    if fetched.get(LABELS, "") not in ("", checksum(labels)):
        changed = "not the table that was fetched (another checksum)"
        raise UserError(f"{labels}: {changed}; put that one back, or run fetch again")


def noted(clips: Mapping[str, str], fetched: Sums) -> dict[str, Noted]:
    """What the reader of each file must know.   clips: path below the folder -> clip."""
    frames: dict[str, dict[str, str]] = {}
    for path, sha256 in fetched.items():
        folder, _, name = path.rpartition("/")
        frames.setdefault(folder, {})[name] = sha256
    return {
        file: Noted(clip, frames.get(file.rpartition("/")[0], {})) for file, clip in clips.items()
    }


def check_frames(folder: Path, fetched: Sums) -> None:
    """Raises: UserError if a folder of frames is not the one that was fetched."""
    if not fetched:
        return
    present = {path.name: path for path in own_files.frame_files(folder)}
    if other := sorted(present.keys() ^ fetched.keys()):
        problem = "was not fetched" if other[0] in present else "was fetched and is not there"
        raise UserError(f"{folder / other[0]}: {problem}; run fetch again")
    for name, path in present.items():
        reading.check_sum(str(path), reading.content(path), fetched[name])
