"""Files and folders that appear whole, or not at all, whatever happens meanwhile.

What is written lies beside its place, under a name that says who writes it; it is on the disk
before it gets its own name, so that a power cut leaves the old or the new, and no empty file.
"""

import logging
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from pstl import locks
from pstl.errors import UserError, trouble

log = logging.getLogger(__name__)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that takes its place at the end.

    It goes if the body fails; what a killed writer of this machine left goes, too.
    Raises: UserError if the disk or folder does not let itself be written to, or `path` is no place
    for a file.
    """
    path = Path(path)
    new = _aside(path)
    with _writing(path, new):
        if path.exists() and not path.is_file():  # renaming onto a device would replace the device
            raise UserError(
                f"{path}: {kind_of(path.stat().st_mode)} stands where the file should be; "
                "name another output"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        try:
            yield new
            _to_disk(new)
            os.replace(new, path)
            _to_disk(path.parent)
        finally:
            new.unlink(missing_ok=True)


@contextmanager
def replaced(folder: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder` that takes its place at the end.

    It goes if the body fails; what a killed writer of this machine left goes, too. Of two that
    write one folder at a time the last one wins, with all its files.
    Raises: UserError if the disk does not let itself be written to, or a file stands in its place.
    """
    folder = Path(folder)
    new = _aside(folder)
    with _writing(folder, new):
        if folder.exists() and not folder.is_dir():
            stands = "a file stands where a folder should be"
            raise UserError(f"{folder}: {stands}: move it away, or name another output")
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            yield new
            for written in sorted(new.rglob("*"), reverse=True):  # a folder after what it holds
                _to_disk(written)
            _to_disk(new)
            _exchange(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)


def kind_of(mode: int) -> str:
    """What stands where a file should be, for people."""
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe or socket" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "a device"


def _exchange(new: Path, folder: Path) -> None:
    """Give a folder its name, one process at a time.

    The one before it is moved away in one step: who is killed while deleting leaves no half under
    the name.
    """
    old = new.with_name(f"{new.name}.old")
    waited = partial(log.info, "%s: another process is just replacing it", folder)
    with locks.locked(folder.with_name(f".{folder.name}.lock"), waited):
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
    _to_disk(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _aside(path: Path) -> Path:
    """Where this process writes what will be `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}@{socket.gethostname()}")


def _sweep(path: Path) -> None:
    """Remove what killed writers of `path` left. Whether one lives is known on its machine only."""
    with suppress(OSError):
        for left in path.parent.glob(f".{_literal(path.name)}.*@{_literal(socket.gethostname())}*"):
            number = left.name.removeprefix(f".{path.name}.").partition("@")[0]
            if not number.isdigit() or _lives(int(number)):
                continue
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def _literal(name: str) -> str:
    """A name as a pattern that fits it only."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _to_disk(path: Path) -> None:
    """Have the system write what it still keeps in memory of a file, or of a folder's names.

    What cannot be opened or is no file or folder, as a link to nowhere, is passed over, and so are
    file systems that know no such call.
    """
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _writing(path: Path, new: Path) -> Iterator[None]:
    """What fails on the way names `path`, and not the temporary `new`."""
    try:
        yield
    except OSError as error:
        raise UserError(trouble(error, path)) from None
    except UserError as error:
        if str(new) not in str(error):
            raise
        raise UserError(str(error).replace(str(new), str(path))) from None
