"""The same function on many pieces of work, on all cores, results in order and memory bounded."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from pstl.errors import UserError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
AHEAD = 3  # pieces per worker that are begun before the first result is taken


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(function: Callable[[Piece], Result], pieces: Iterable[Piece], jobs: int) -> Iterator[Result]:
    """function(piece) of every piece, in order. jobs: processes; with 1 everything happens in this one.

    At most AHEAD pieces per worker are in memory. `function` and the pieces must be picklable. An error ends the work.
    Raises: UserError if a process is killed from outside.
    """
    if jobs <= 1:
        yield from map(function, pieces)
        return
    # Fresh processes: a fork would copy the locks of whatever threads this one has.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for piece in pieces:
                waiting.append(pool.submit(function, piece))
                if len(waiting) >= AHEAD * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise UserError(f"one of {jobs} processes was killed, perhaps for want of memory; run again, with fewer: --jobs 1") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
