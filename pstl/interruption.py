"""SIGTERM and SIGHUP end a process as Ctrl-C does: it cleans up; if it cannot, it ends anyway."""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

PATIENCE_S = 3.0  # from a signal to the end of a process that does not heed it
LONGER_S = 6.0  # the same of one that waits for such processes to end
MOMENT_S = 1.0  # in which further signals are the same wish: a terminal's, and that of who is asked
ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
JOB = "python"  # what the program of a job is called, with or without a version


def heed(before: Callable[[], None] = lambda: None, patience: float = PATIENCE_S) -> int | None:
    """Have this process interrupted by each of ENDING that it does not ignore, as `nohup` has it.

    before: what is done first.   patience: seconds, after which it ends wherever it is: in C code
    no signal is seen. A second signal ends it at once.
    Returns: what to close to have it end no more; None in another thread, which hears no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    begun: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        begun.append(number)
        if len(begun) == 1:
            before()
            raise KeyboardInterrupt

    heeded = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, interrupt)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    words = (reading, heeded, patience)
    threading.Thread(target=_watch, args=words, name="heeding", daemon=True).start()
    return writing


def _watch(reading: int, heeded: list[int], patience: float) -> None:
    """End this process some time after a signal, which the system writes here as it comes."""
    number = 0
    while number not in heeded:
        if not (written := os.read(reading, 1)):
            os.close(reading)
            return  # nobody heeds any more
        number = written[0]
    end = time.monotonic() + patience
    time.sleep(MOMENT_S)
    os.set_blocking(reading, False)
    with suppress(BlockingIOError):
        os.read(reading, 1 << 16)  # of the same wish
    while (left := end - time.monotonic()) > 0:
        if not select.select([reading], [], [], left)[0]:
            continue
        again = os.read(reading, 1 << 16)
        if not again:  # the body has ended, and the process is ending
            time.sleep(left)
        elif set(again) & set(heeded):
            break
    os._exit(128 + number)


@contextmanager
def heeding() -> Iterator[None]:
    """Heed signals while the body runs."""
    earlier = {number: signal.getsignal(number) for number in ENDING}
    writing = heed()
    if writing is None:
        yield
        return
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        os.close(writing)
        for number, handler in earlier.items():
            if handler is not None:
                signal.signal(number, handler)


def ignore() -> None:
    """Leave it to whoever started this process to end it."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def end_jobs() -> None:
    """Send SIGTERM to the jobs of this process, those that a shell runs for it too. By /proc."""
    parents = _parents()
    shells = [os.getpid()]
    while shells:
        above = shells.pop()
        for process in [each for each, parent in parents.items() if parent == above]:
            if not _name(process).startswith(JOB):
                shells.append(process)
                continue
            with suppress(OSError):
                os.kill(process, signal.SIGTERM)


def _parents() -> dict[int, int]:
    """Process id -> that of its parent, of every process that /proc shows."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # it has just ended
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return parents


def _name(process: int) -> str:
    """What a process runs; empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text()
    return ""
