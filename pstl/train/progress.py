"""Progress lines for people and log files alike: loss, clips per second, time left.

Speed is that of the last minute, or of the last two steps where these take longer: jobs that share
the machine come and go, and the mean since the start would tell of neighbours that are gone. The
first step is not counted, which loads libraries and warms up; nor is what an earlier process did.
No terminal tricks, no host sync.
"""

import logging
import time
from collections import deque
from collections.abc import Callable

log = logging.getLogger(__name__)
EVERY = 20.0  # seconds between lines inside a long epoch
RECENT = 60.0  # seconds that speed is taken over
CLOSEST = 1.0  # seconds between marks that are kept apart
EXPLAINED = (
    f"clips/s and time left are by the speed of the last {RECENT:.0f} s, first step left out"
)


class Pace:
    """How fast something is lately, from marks of how much is done."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float]] = deque()

    def mark(self, now: float, done: float) -> None:
        """At this time so much is done, in all."""
        marks = self._marks
        if len(marks) > 1 and marks[-1][0] - marks[-2][0] < CLOSEST:
            marks.pop()
        marks.append((now, done))
        while len(marks) > 2 and marks[1][0] <= now - RECENT:
            marks.popleft()

    def rate(self, now: float) -> float | None:
        """How much a second: done between the marks, over the time up to now.

        Time since the last mark counts where it is longer than usual: what stalls becomes slower
        before it goes on. None: nothing to take it from.
        """
        if len(self._marks) < 2:
            return None
        (first, before), (last, done) = self._marks[0], self._marks[-1]
        a_mark = (last - first) / (len(self._marks) - 1)
        waiting = max(0.0, now - last - a_mark)
        return (done - before) / max(last - first + waiting, 1e-9)


class Progress:
    """Counts clips of one run from epoch `first` on.

    Speaks at the end of each epoch, and inside long ones.
    """

    def __init__(
        self,
        what: str,
        first: int,
        epochs: int,
        clips: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.epochs, self.clips, self.clock = what, epochs, clips, clock
        self.pace, self.done = Pace(), 0
        self.spoken = self.epoch_started = clock()
        self.warm: tuple[float, int] | None = None  # when the first step was over, and its clips
        self.began = first
        self.busy = time.process_time()

    def epoch(self) -> None:
        """An epoch begins."""
        self.epoch_started, self.busy, self.done = self.clock(), time.process_time(), 0

    def step(self, epoch: int, done: int) -> None:
        """`done` clips of epoch `epoch` (0-based) have been handed to the device."""
        now, self.done = self.clock(), done
        if self.warm is None:
            self.warm = now, done
            log.info("%s  %s", self.what, EXPLAINED)
        self.pace.mark(now, epoch * self.clips + done)
        if now - self.spoken > EVERY:
            self.spoken = now
            log.info(
                "%s  epoch %d/%d  %d/%d clips  %s",
                self.what,
                epoch + 1,
                self.epochs,
                done,
                self.clips,
                self._left(epoch + done / self.clips),
            )

    def end_of_epoch(self, epoch: int, loss: float) -> dict[str, float]:
        """What the epoch took: seconds, clips_per_second, cpu_percent (200: two busy cores).

        ended is the date: seconds since 1970, as the machine has it.

        clips_per_second is of this epoch and this process alone, without the process's first step.
        """
        self.spoken = now = self.clock()
        seconds = max(now - self.epoch_started, 1e-9)
        busy = 100 * (time.process_time() - self.busy) / seconds
        rate = self.done / seconds
        if self.warm and epoch == self.began and self.done > self.warm[1]:
            rate = (self.done - self.warm[1]) / max(now - self.warm[0], 1e-9)
        log.info(
            "%s  epoch %d/%d  loss %.4g  %.0f clips/s  %s",
            self.what,
            epoch + 1,
            self.epochs,
            loss,
            rate,
            self._left(epoch + 1),
        )
        took = {"seconds": seconds, "clips_per_second": rate, "cpu_percent": busy}
        return took | {"ended": time.time()}

    def _left(self, done: float) -> str:
        """Time left in words.   done: epochs, the one that runs in part."""
        rate = self.pace.rate(self.clock())
        if done >= self.epochs:
            return "done"
        if not rate:
            return "time left not known yet"
        return f"{duration(self.clips * (self.epochs - done) / rate)} left"


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(5), duration(125), duration(7322)
    ('5 s', '2 min 05 s', '2 h 02 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
