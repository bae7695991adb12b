"""Workers of this process, and their sudden ends, as a kernel short of memory makes them."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

NO_PROC = "needs /proc to find processes"
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason=NO_PROC)


def workers() -> list[int]:
    """Processes of the pools of this one."""
    found = []
    for entry in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with suppress(OSError):  # a process that ends while it is looked at
            for child in entry.read_text().split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


@contextmanager
def a_kill(rng: random.Random, within: float = 0) -> Iterator[list[float]]:
    """SIGKILL some worker at a random moment of the first `within` seconds after one has begun.

    Gives when it was (time.monotonic), or nothing if the work ends before.
    """
    hits: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        while not (begun := workers()):
            if stop.wait(0.002):
                return
        if stop.wait(rng.uniform(0, within)):
            return
        victim = rng.choice(workers() or begun)
        with suppress(OSError):
            os.kill(victim, signal.SIGKILL)
            hits.append(time.monotonic())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield hits
    finally:
        stop.set()
        watcher.join()
