"""What killed writers left, wherever it is below a folder: the next writer of a file removes only
what was to become that file."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from pstl import locks
from pstl.publish import ENDS, OLD, lives, remove

# As publish.py names them: of what, by which process, on which machine.
NAME = re.compile(r"\.(?P<name>.+)\.(?P<process>[0-9]+)@(?P<place>.+)", re.DOTALL)
LOCK = ".lock"


def sweep(folder: Path) -> list[Path]:
    """Remove what killed writers of this machine left below a folder, and locks that nobody holds.

    A folder that was moved away, and not replaced, gets its name back. Returns: what is gone.
    """
    gone = []
    for path, kept in _left(folder):
        if kept is None:
            remove(path)
        elif not os.path.lexists(kept):
            os.rename(path, kept)
        else:
            remove(path)
        gone.append(path)
    for path in sorted(folder.rglob(f".*{LOCK}")):
        held = locks.acquire(path, timeout=0) if path.is_file() else None
        if held is not None:
            locks.remove(held)
            gone.append(path)
    return gone


def _left(folder: Path) -> Iterator[tuple[Path, Path | None]]:
    """What is left, and what it was before it was moved away, if it was."""
    host = socket.gethostname()
    for top, folders, files in os.walk(folder):
        for name in sorted([*folders, *files]):
            parts = NAME.fullmatch(name)
            if parts is None or parts["place"] not in {host + end for end in ENDS}:
                continue
            if name in folders:
                folders.remove(name)  # nothing in it is looked at
            if not lives(int(parts["process"])):
                was = Path(top, parts["name"]) if parts["place"].endswith(OLD) else None
                yield Path(top, name), was
