"""Where the clips of a folder and the table of their labels lie."""

import glob
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from pstl import paths as project
from pstl.data import clip_files, own_files
from pstl.data.clip_files import LABELS
from pstl.data.kinds._label_table import Row
from pstl.errors import UserError

TAKEN = (LABELS, "manifest.json")  # names of what `fetch` puts beside the clips


class Files(NamedTuple):
    """Where everything lies.   root: the folder.   labels: the table."""

    root: Path
    labels: Path


def located(name: str, folder: str, table: str) -> Files:
    """Where the folder and its table are; where it is not on this machine, what fetch copied of it.

    Raises: UserError if they are not there.
    """
    if not folder:
        raise UserError(f"datasets.{name}: no path; name the folder of the clips")
    root = Path(os.path.expanduser(folder))
    if os.path.isdir(root):  # unlike Path's, no error for a name that is too long for the system
        labels = next((p for p in (root / table, Path(table)) if os.path.isfile(p)), None)
        if labels is None:
            expected = "a table with the columns clip and label"
            raise UserError(f"datasets.{name}.labels: no {root / table}, expected {expected}")
        return Files(root, labels)
    copied = Path(project.raw(name))
    if (copied / LABELS).is_file():
        return Files(copied, copied / LABELS)
    raise UserError(f"datasets.{name}.path: no folder {folder} here; correct the path")


def stamp(path: Path) -> str:
    state = os.stat(path)
    return f"{state.st_size} {state.st_mtime_ns}"


def clip_paths(name: str, files: Files, rows: Sequence[Row]) -> dict[str, Path]:
    """Clip -> its file or folder. A clip is called by its place in the folder, without an ending.

    Raises: UserError for one that is not there, is no clip, or is there twice.
    """
    paths: dict[str, Path] = {}
    missing = []
    for row in rows:
        if Path(row.clip).is_absolute() or ".." in Path(row.clip).parts:
            raise UserError(f"{files.labels}: {row.clip} is not in the folder {files.root}")
        path = _path(files.root, row.clip)
        if path is None:
            missing.append(row.clip)
            continue
        if path.is_dir() and not clip_files.is_clip(path):
            expected = "expected a file, or a folder with a .json for every frame"
            raise UserError(f"{files.labels}: {row.clip} is a folder without a clip, {expected}")
        if path == files.labels:
            raise UserError(f"{files.labels}: {row.clip} is this table; take its row out")
        place = path.relative_to(files.root)
        if place.as_posix() in TAKEN:
            raise UserError(f"{files.labels}: {row.clip}: no clip can be called {place}; rename it")
        clip = (place if path.is_dir() else place.with_suffix("")).as_posix()
        if clip in paths:
            raise UserError(f"{files.labels}: {row.clip} and another row are of one clip, {clip}")
        paths[clip] = path
    if missing:
        count = f"{len(missing)} clips of {files.labels} have no file there, e.g. {missing[0]}"
        raise UserError(f"datasets.{name}: {count}; add them, or take their rows out")
    return paths


def _path(root: Path, clip: str) -> Path | None:
    """The file or folder that a row names, with its ending or without."""
    named = root / clip
    if os.path.exists(named):
        return named
    beside = named.parent.glob(f"{glob.escape(named.name)}.*") if named.parent.is_dir() else ()
    return next((path for path in sorted(beside) if clip_files.is_clip(path)), None)


def unlabelled(files: Files, listed: Collection[Path]) -> list[str]:
    """What a user should hear of clips that no row names."""
    endings = own_files.suffixes()
    known = {*listed, files.labels}
    others = []
    for path in sorted(files.root.rglob("*")):
        is_listed = path in known or any(parent in known for parent in path.parents)
        hidden = any(part.startswith(".") for part in path.relative_to(files.root).parts)
        if path.is_file() and path.suffix.lower() in endings and not is_listed and not hidden:
            others.append(path)
    if not others:
        return []
    count = "1 file has" if len(others) == 1 else f"{len(others)} files have"
    return [f"{count} no row in {files.labels.name} and no part in it, e.g. {others[0]}"]
