"""Files of weights that others released: found in folders the user names, else downloaded."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pstl import paths
from pstl.config import WeightFile
from pstl.data.archives import find_file
from pstl.data.download import Unobtainable, downloaded
from pstl.errors import UserError
from pstl.files import Kind, checksum, reading

log = logging.getLogger(__name__)
BROUGHT = Kind("readable file of weights", "get another copy")


def obtain(file: WeightFile, archives: Sequence[str | Path] = ()) -> Path:
    """The file with the checksum that is stated, from where it lies.

    archives: folders searched at any depth; data/weights is always searched, and downloads are kept
    there.
    Raises: UserError if there is no such file and none can be downloaded, or only others of its
    name.
    """
    store = Path(paths.WEIGHTS)
    folders = [*(Path(os.path.expanduser(folder)) for folder in archives), store]
    others = []
    for path in _named(file, folders):
        with reading(path, BROUGHT):
            if checksum(path) == file.sha256:
                return path
        others.append(path)
    if file.url:
        for path in others:
            log.warning("%s: another file of that name, passed over", path)
        return _downloaded(file, store / file.sha256[:16] / file.name)
    if others:
        raise UserError(
            f"{others[0]}: sha256 {checksum(others[0])}, expected {file.sha256}; "
            "get the file that is meant, or correct 'sha256'"
        )
    where = ", ".join(map(str, folders))
    remedy = "put it there, name its folder with --archives, or give its 'url'"
    raise UserError(f"{file.file}: not there, nor in {where}; {remedy}")


def _named(file: WeightFile, folders: Sequence[Path]) -> list[Path]:
    """Files that may be the one: that of the path, else every one of the name in the folders."""
    if file.file and Path(file.file).is_file():
        return [Path(file.file)]
    return find_file([file.name], [folder for folder in folders if folder.exists()])


def _downloaded(file: WeightFile, target: Path) -> Path:
    """The file from its URL. Raises: UserError if it cannot be had, or is another one."""
    try:
        return downloaded(file.url, file.sha256, target)
    except Unobtainable as reason:
        where = f"get {file.url} yourself and name its folder with --archives"
        raise UserError(f"{file.name}: {reason}; {where}") from None
