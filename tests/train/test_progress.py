"""Time left and clips per second, on a clock that the tests turn."""

import logging

import pytest

from pstl.train.progress import Progress


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Job:
    """Trains 10 clips a step, 100 an epoch.   first: epoch it goes on from."""

    def __init__(self, caplog: pytest.LogCaptureFixture, first: int = 0, epochs: int = 20) -> None:
        caplog.set_level(logging.INFO)
        self.clock, self.caplog, self.epochs = Clock(), caplog, epochs
        self.progress = Progress("job", first, epochs, 100, self.clock)

    def epoch(self, number: int, *seconds: float) -> dict[str, float]:
        """An epoch of ten steps; one number of seconds is that of all of them."""
        self.progress.epoch()
        for step in range(10):
            self.clock.now += seconds[step] if len(seconds) > 1 else seconds[0]
            self.progress.step(number, 10 * (step + 1))
        return self.progress.end_of_epoch(number, 1.0)

    def left(self) -> str:
        """What the last line says of the time left."""
        return self.caplog.messages[-1].rsplit("  ", 1)[1]


def test_time_left_follows_a_neighbour_that_starts(caplog) -> None:
    """The mean since the start would promise the speed of an hour ago for hours."""
    job = Job(caplog)
    for number in range(10):
        job.epoch(number, 1.0)
    assert job.left() == "1 min 40 s left"  # 10 epochs of 10 s
    for number in range(10, 14):
        record = job.epoch(number, 2.0)  # the speed halves
    assert record["clips_per_second"] == pytest.approx(5)
    assert job.left() == "2 min 00 s left"  # 6 epochs of 20 s; the mean would have said 77 s
    for number in range(14, 19):
        job.epoch(number, 1.0)  # and comes back
    assert job.left() == "11 s left"  # of the last 60 s, 10 were slow
    job.epoch(19, 1.0)
    assert job.left() == "done"


def test_the_first_step_is_not_counted(caplog) -> None:
    """It loads libraries: in a short run it is longer than all others together."""
    job = Job(caplog)
    record = job.epoch(0, 30.0, *[1.0] * 9)
    assert record["clips_per_second"] == pytest.approx(10)
    assert record["seconds"] == pytest.approx(39)
    assert job.left() == "3 min 10 s left"
    assert "last 60 s, first step left out" in caplog.text


def test_a_resumed_job_counts_its_own_steps_only(caplog) -> None:
    """What an earlier process did took no time of this one."""
    job = Job(caplog, first=18)
    record = job.epoch(18, 4.0, *[2.0] * 9)
    assert record["clips_per_second"] == pytest.approx(5)
    assert job.left() == "20 s left"


def test_a_stall_shows_and_is_forgotten(caplog) -> None:
    """A disk that hangs for ten minutes is no reason to promise the old speed, nor a week."""
    job = Job(caplog, epochs=100)
    for number in range(6):
        job.epoch(number, 1.0)
    job.epoch(6, *[1.0] * 9, 600.0)
    stalled = job.left()
    assert "h" in stalled
    for number in range(7, 14):
        job.epoch(number, 1.0)
    assert job.left() == "14 min 20 s left"  # 86 epochs of 10 s


def test_steps_longer_than_the_window_have_a_speed(caplog) -> None:
    """A step of two minutes is all that there is to tell the speed by."""
    job = Job(caplog, epochs=2)
    job.epoch(0, 120.0)
    assert job.left() == "20 min 00 s left"


def test_nothing_is_promised_before_there_is_a_speed(caplog) -> None:
    """After one step there is only the start-up to go by."""
    job = Job(caplog)
    job.progress.epoch()
    job.clock.now += 60
    job.progress.step(0, 10)
    assert job.left() == "time left not known yet"


def test_an_epoch_that_ends_early_is_not_counted_whole(caplog) -> None:
    """max_steps ends an epoch in its middle: clips that were not seen took no time."""
    job = Job(caplog, epochs=1)
    job.progress.epoch()
    for step in range(4):
        job.clock.now += 1
        job.progress.step(0, 10 * (step + 1))
    assert job.progress.end_of_epoch(0, 1.0)["clips_per_second"] == pytest.approx(10)
