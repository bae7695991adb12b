"""Locks between processes: a file that one process at a time holds.

The system frees a lock when the process that holds it ends, however it ends.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

# What file systems without locks answer, some of those over a network.
WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
MOMENT_S = 0.1  # in which a lock is tried again whose file its holder is just removing


def acquire(path: str | Path, timeout: float = MOMENT_S) -> "FileLock | None":
    """Hold a lock until it is released, or this process ends.

    path: the lock's file, in a folder that exists.   timeout: seconds; negative waits for ever.
    Returns: None if another process holds it. Where files cannot be locked, nobody does.
    Raises: OSError if the file cannot be made.
    """
    from filelock import FileLock, Timeout  # takes a tenth of a second to import

    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        return None
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
    return lock


def remove(lock: "FileLock") -> None:
    """Release a lock and take its file away; who waits for it makes a new one."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


@contextmanager
def locked(path: str | Path, on_waiting: Callable[[], None], keep: bool = False) -> Iterator[None]:
    """Hold a lock while the body runs, and wait for it before.

    on_waiting: called once if another process holds it.   keep: leave its file in its place.
    """
    lock = acquire(path)
    if lock is None:
        on_waiting()
        lock = acquire(path, timeout=-1)
    assert lock is not None  # without a timeout it is never refused
    try:
        yield
    finally:
        lock.release() if keep else remove(lock)
