"""Files and folders that appear whole, or not at all, whatever happens meanwhile.

What is written lies beside its place, under a name that says who writes it; it is on the disk
before it gets its own name, so that a power cut leaves the old or the new, and no empty file. Two
folders exchange their names in one step where the system can do that; elsewhere the old one gives
its name up first, and the next call gives it back if nothing came after.
"""

import ctypes
import errno
import glob
import hashlib
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

# Bytes of a name that is part of temporary ones; with process and host they have 255 at most.
LONGEST = 160
# What ends the temporary names of one writer: of folders it replaced, and SQLite's beside a file.
OLD = ".old"
ENDS = ("", OLD, "-journal", "-wal", "-shm")
# What systems and file systems answer that know no exchange of names.
WITHOUT_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
DATA = "data"  # folder of a project in which everything is made by it
LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT}  # written, and did not reach the disk


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
def replaced(folder: str | Path, sign: str = "") -> Iterator[Path]:
    """Yield a temporary folder beside `folder` that takes its place at the end.

    sign: a file that every such folder holds: one without it is somebody's, and not replaced,
    unless it is empty or lies in the project's `data`; empty: all may be.

    It goes if the body fails; what a killed writer of this machine left goes, too. Of two that
    write one folder at a time the last one wins, with all its files. A link to a folder is replaced
    as one to a file is: what it leads to stays as it is.
    Raises: UserError if the disk does not let itself be written to, or a file stands in its place.
    """
    folder = Path(folder)
    _check_ours(folder, sign)
    new = _aside(folder)
    with _writing(folder, new):
        if folder.exists() and not folder.is_dir():
            stands = "a file stands where a folder should be"
            raise UserError(f"{folder}: {stands}: move it away, or name another output")
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        remove(new)
        new.mkdir()
        try:
            yield new
            for written in sorted(new.rglob("*"), reverse=True):  # a folder after what it holds
                _to_disk(written)
            _to_disk(new)
            _put_in_place(new, folder)
        finally:
            remove(new)


def _check_ours(folder: Path, sign: str) -> None:
    """A folder is replaced with all that is in it. Raises: UserError if that is somebody's."""
    real = os.path.realpath(folder)
    for kept in (os.getcwd(), os.path.expanduser("~")):
        if Path(os.path.realpath(kept)).is_relative_to(real):
            raise UserError(f"{folder}: would be replaced, and holds {kept}; name another folder")
    made_here = not folder.is_absolute() and DATA in folder.parts[:-1]
    if not sign or made_here or not os.path.isdir(folder) or os.path.lexists(folder / sign):
        return
    if others := sorted(os.listdir(folder)):
        held = f"holds {others[0]} and no {sign}, so nothing of ours"
        raise UserError(f"{folder}: would be replaced, and {held}; name another folder")


def kind_of(mode: int) -> str:
    """What stands where a file should be, for people."""
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe or socket" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "a device"


def _put_in_place(new: Path, folder: Path) -> None:
    """Give a folder its name, one process at a time. The one before it, if any, is removed."""
    if folder.is_symlink():
        log.warning("%s: was a link to %s, which stays as it is", folder, os.readlink(folder))
    waited = partial(log.info, "%s: another process is just replacing it", folder)
    with locks.locked(folder.with_name(f"{_mark(folder)}lock"), waited):
        if not os.path.lexists(folder):
            os.replace(new, folder)
        elif not _exchanged(new, folder):
            old = new.with_name(f"{new.name}{OLD}")
            os.replace(folder, old)
            os.replace(new, folder)
            os.replace(old, new)
    _to_disk(folder.parent)
    remove(new)


def _exchanged(one: Path, other: Path) -> bool:
    """Have two places exchange their names in one step; false where nothing can do that.

    Whoever is killed leaves them as they were, or exchanged.
    Raises: OSError if the disk does not let itself be written to.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)  # of Linux alone
    if rename is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return True
    number = ctypes.get_errno()
    if number in WITHOUT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _aside(path: Path) -> Path:
    """Where this process writes what will be `path`."""
    return path.with_name(f"{_mark(path)}{os.getpid()}@{socket.gethostname()}")


def _mark(path: Path) -> str:
    """What the temporary names of `path` begin with: its own, or its digest where that is long."""
    name = os.fsencode(path.name)
    is_long = len(name) > LONGEST
    return f".{hashlib.sha256(name).hexdigest()[:32] if is_long else path.name}."


def _sweep(path: Path) -> None:
    """Remove what killed writers of `path` left. Whether one lives is known on its machine only.

    What one of them had moved away, and put nothing in its place, gets its name back.
    """
    mark, places = _mark(path), {socket.gethostname() + end for end in ENDS}
    with suppress(OSError):
        for left in path.parent.glob(f"{glob.escape(mark)}*@*"):
            number, _, place = left.name.removeprefix(mark).partition("@")
            if place in places and number.isdecimal() and not lives(int(number)):
                if place.endswith(OLD) and not os.path.lexists(path):
                    os.rename(left, path)
                remove(left)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it, as far as that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()


def lives(process: int) -> bool:
    """Whether a process of this number is on this machine, also one that /proc does not show."""
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
    Raises: OSError if the disk says that it has not got it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in LOST:
            raise
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
