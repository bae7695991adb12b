"""One function on many pieces of work, on all cores: results in order, memory bounded, and an end
whatever is killed."""

import os
import pickle
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from pstl import interruption
from pstl.errors import UserError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
AHEAD = 3  # pieces per worker that are begun before the first result is taken


class Killed(Exception):
    """A worker is gone, and did not say why."""


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    function: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    jobs: int,
) -> Iterator[Result]:
    """function(piece) of every piece, in order. jobs: processes; with 1 all happens in this one.

    At most AHEAD pieces per worker are in memory. `function` and the pieces must be picklable. An
    error ends the work; one that cannot be pickled arrives as a RuntimeError with its text.
    Raises: UserError if a process is killed from outside, or none can be started.
    """
    if jobs <= 1:
        yield from map(function, pieces)
        return
    workers: list[Worker] = []
    idle: deque[Worker] = deque()
    threads = ThreadPoolExecutor(jobs)  # one waits for each worker
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            if len(workers) < jobs:
                workers.append(Worker())
                idle.append(workers[-1])
            waiting.append(threads.submit(_ask_one_of, idle, function, piece))
            if len(waiting) >= AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except Killed:
        reason = f"one of {jobs} processes was killed, perhaps for want of memory"
        raise UserError(f"{reason}; run again, with fewer: --jobs 1") from None
    finally:
        for worker in workers:
            worker.process.kill()  # before waiting for the threads: it is what ends their waiting
        threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.bury()


class Worker:
    """A process, and the one pipe to it. It shares no queue and no lock: killed, it leaves nothing
    locked and nobody waiting, because the pipe's other end closes with it.

    A standard pool has one pipe for all results: after a kill its workers can wait for ever to
    write to it, and the pool for them.
    """

    def __init__(self) -> None:
        """Raises: UserError if the system gives no process."""
        # A fresh process: a fork would copy the locks of whatever threads this one has. It gets
        # nothing but the pipe: what is handed to a starting process must be read by it, or blocks.
        context = get_context("spawn")
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=_serve, args=(far,), daemon=True)
        try:
            self.process.start()
        except OSError as error:
            self.pipe.close()
            reason = f"no further process can be started ({error.strerror})"
            raise UserError(f"{reason}; run with fewer: --jobs 1") from None
        finally:
            far.close()

    def ask(self, question: bytes) -> bytes:
        """The answer. Raises: Killed if there will be none."""
        try:
            self.pipe.send_bytes(question)
            return self.pipe.recv_bytes()
        except (EOFError, OSError):
            raise Killed from None

    def bury(self) -> None:
        """Take note of the end of a killed process."""
        self.process.join()
        self.process.close()
        self.pipe.close()


def _ask_one_of(
    idle: deque[Worker],
    function: Callable[[Piece], Result],
    piece: Piece,
) -> Result:
    """What a worker makes of a piece; there are never more askers than workers."""
    question = pickle.dumps((function, piece))
    worker = idle.popleft()
    try:
        answer = worker.ask(question)
    finally:
        idle.append(worker)
    result, error = pickle.loads(answer)
    if error is not None:
        raise error
    return result


def _serve(pipe: Connection) -> None:
    """A worker's life: it ends with whoever asks."""
    interruption.ignore()  # the asker heeds signals, and ends its workers
    with suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


def _answer(question: bytes) -> bytes:
    """(result, None) or (None, error), pickled; always something that can be sent and read."""
    try:
        function, piece = pickle.loads(question)
        return pickle.dumps((function(piece), None))
    except Exception as error:
        text = traceback.format_exc()
        if not isinstance(error, UserError):  # whose one line says all
            error.add_note(f"in a worker process:\n{text}")
        try:
            answer = pickle.dumps((None, error))
            pickle.loads(answer)  # an exception may be written and not be readable
        except Exception:
            answer = pickle.dumps((None, RuntimeError(text)))
        return answer
