"""Which large files were compared with their checksums since they last changed, so that the ten
gigabytes of an array are read for that once, and not by every job.

A record is an empty file of this user on this machine, named after all that the system says of the
state of the file it is about, and after the checksum. The time of the last change of a file's
entry (ctime) is part of a state: who changes content and sets its date back cannot set that back. A
copy is another file, so it is compared anew; where records cannot be kept every job compares.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pstl import files

SMALL = 2**20  # bytes; smaller files are compared every time
# Clocks of file systems are coarse: what was changed just before it was compared may change again
# without another date.
SETTLED_NS = 2 * 10**9


class State(NamedTuple):
    """What the system says of a file.

    name: of its record, which is another one after any change.
    lasting: whether it is worth a record, and whether another change would show.
    """

    name: str
    lasting: bool


def once(path: Path, checksum: str, compare: Callable[[], None]) -> None:
    """Compare a file with its checksum, unless that was done since it last changed.

    compare: raises if the file is not what the checksum says.   Raises: OSError, what it raises.
    """
    before = state(path, checksum)
    if is_recorded(before):
        return
    compare()
    if state(path, checksum) == before:
        record(before)


def summed(path: Path) -> str:
    """The checksum of a file, which need not be compared with it again in the state it is in.

    Raises: OSError, UserError.
    """
    before = state(path, "").name
    total = files.checksum(path)
    if state(path, "").name == before:
        record(state(path, total))
    return total


def state(path: Path, checksum: str) -> State:
    """The state of a file that should have this checksum. Raises: OSError."""
    facts = path.stat()
    changed = max(facts.st_mtime_ns, facts.st_ctime_ns)
    settled = time.time_ns() - changed > SETTLED_NS
    numbers = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    name = hashlib.sha256(repr((*numbers, checksum)).encode()).hexdigest()
    return State(name, settled and facts.st_size >= SMALL)


def is_recorded(seen: State) -> bool:
    """Whether a file in this state was compared with its checksum, and agreed."""
    return seen.lasting and _is_private(_folder()) and (_folder() / seen.name).exists()


def record(seen: State) -> None:
    """Keep that a file, which was in this state before and after it was read, is as it should be.

    Where that cannot be kept, the next job compares again.
    """
    if seen.lasting:
        with contextlib.suppress(OSError):
            _folder().mkdir(mode=0o700, exist_ok=True)
            if _is_private(_folder()):
                (_folder() / seen.name).touch()


def _folder() -> Path:
    return Path(tempfile.gettempdir(), f"pstl-verified-{os.getuid()}")


def _is_private(folder: Path) -> bool:
    """Whether nobody else can have put a record there."""
    try:
        seen = folder.lstat()
    except OSError:
        return False
    foreign = stat.S_IMODE(seen.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and not foreign
