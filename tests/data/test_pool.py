"""The pool always ends, whatever happens to its workers: with its results in order, or one line."""

import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
from killing import NEEDS_PROC, a_kill, workers

from pstl.data import pool
from pstl.errors import UserError

LINE = "one of 3 processes was killed, perhaps for want of memory; run again, with fewer: --jobs 1"
BIG = 1 << 20  # bytes: more than any pipe takes before somebody reads


def squared(number):
    return number * number


def heavy(number):
    """Work of uneven length and an answer that must be read to be written."""
    time.sleep(0.002 * (number % 7))
    return np.full(BIG, number, np.uint8)


def refuses(number):
    if number == 5:
        raise UserError("five.txt: is damaged")
    return number


class Unreadable(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def raises_what_cannot_be_sent(number):
    raise Unreadable("some", "reason")


def makes_what_cannot_be_sent(number):
    return lambda: number


def ends_itself(number):
    os._exit(3)


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_results_come_in_the_order_of_the_pieces(jobs):
    """Clips are written in this order, and a store's checksum depends on it."""
    assert list(pool.each(squared, range(50), jobs)) == [n * n for n in range(50)]
    assert list(pool.each(squared, [], jobs)) == []


def test_pieces_are_taken_only_a_few_ahead():
    """Pieces are unpacked files: taken all at once they would fill the memory."""
    taken = []
    results = pool.each(squared, (taken.append(n) or n for n in range(1000)), 2)
    for _ in range(10):
        next(results)
    assert len(taken) <= 10 + pool.AHEAD * 2
    results.close()
    assert not active_children()


def test_a_consumer_who_stops_leaves_no_process():
    """A disk that is full stops the store in the middle; its workers must not stay."""
    results = pool.each(heavy, range(1000), 2)
    next(results)
    results.close()
    assert not active_children()


def test_an_error_arrives_as_it_was_raised():
    """The one line that names a damaged file is written in a worker and read by a person."""
    with pytest.raises(UserError, match=r"^five\.txt: is damaged$"):
        list(pool.each(refuses, range(100), 2))
    assert not active_children()


@pytest.mark.parametrize("function", [raises_what_cannot_be_sent, makes_what_cannot_be_sent])
def test_what_cannot_be_sent_is_an_error_and_no_hang(function):
    """Of an answer that is lost nobody would ever hear."""
    reasons = r"Unreadable: some reason|pickle"
    with pytest.raises((RuntimeError, AttributeError, TypeError), match=reasons):
        list(pool.each(function, range(4), 2))


def test_a_worker_that_ends_by_itself_is_one_line():
    """A crash in native code looks like a kill, and must be told as plainly."""
    with pytest.raises(UserError, match=r"one of 2 processes was killed.*--jobs 1"):
        list(pool.each(ends_itself, range(4), 2))


@NEEDS_PROC
@pytest.mark.parametrize("seed", range(8))
def test_a_worker_killed_at_any_moment_is_one_line(seed):
    """A kill while others write large results once held the pool, and its caller, for ever."""
    rng, end, done = random.Random(seed), "", []
    began = time.monotonic()
    with a_kill(rng, within=rng.choice([0.02, 0.6, 1.5])) as hits:
        try:
            done = [int(result[0]) for result in pool.each(heavy, range(200), 3)]
        except UserError as error:
            end = str(error)
    if hits and end:
        assert end == LINE
    else:  # nobody was hit, or somebody who had nothing left to do
        assert done == list(range(200))
    assert not active_children()
    sys.stderr.write(f"seed {seed}: {end[:24] or 'all done'}, {time.monotonic() - began:.1f} s\n")


@NEEDS_PROC
def test_all_workers_killed_at_once_is_one_line():
    """What a full memory does to a whole group of processes."""
    results = pool.each(heavy, range(200), 3)
    next(results)
    for worker in workers():
        os.kill(worker, signal.SIGKILL)
    with pytest.raises(UserError, match="one of 3 processes was killed"):
        list(results)


SLEEPY = """
import sys, time
from multiprocessing import active_children
from pathlib import Path
from pstl.data import pool
results = pool.each(time.sleep, [0.0] * 4 + [0.5] * 1000, 2)
next(results)
print(*[child.pid for child in active_children()], flush=True)
list(results)
"""


@NEEDS_PROC
def test_workers_end_with_the_process_that_asked_them():
    """A reading that was killed outright must not leave processes behind that hold its archive."""
    command = [sys.executable, "-c", SLEEPY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        pids = [int(word) for word in asking.stdout.readline().split()]
        asking.kill()
    assert len(pids) == 2
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.05)  # the suite's limit per test ends this if they stay
