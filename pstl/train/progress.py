"""Progress lines for people and log files alike: loss, clips per second, time left.

No terminal tricks, no host sync.
"""

import logging
import time

log = logging.getLogger(__name__)
EVERY = 20.0  # seconds between lines inside a long epoch


class Progress:
    """Counts clips of one run from epoch `first` on.

    Speaks at the end of each epoch, and inside long ones.
    """

    def __init__(self, what: str, first: int, epochs: int, clips: int) -> None:
        self.what, self.first, self.epochs, self.clips = what, first, epochs, clips
        self.started = self.spoken = self.epoch_started = time.monotonic()
        self.busy = time.process_time()

    def epoch(self) -> None:
        """An epoch begins."""
        self.epoch_started, self.busy = time.monotonic(), time.process_time()

    def step(self, epoch: int, done: int) -> None:
        """`done` clips of epoch `epoch` (0-based) have been handed to the device."""
        now = time.monotonic()
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
        """What the epoch took: seconds, clips_per_second, cpu_percent (200: two busy cores)."""
        self.spoken = now = time.monotonic()
        seconds = max(now - self.epoch_started, 1e-9)
        rate, busy = self.clips / seconds, 100 * (time.process_time() - self.busy) / seconds
        log.info(
            "%s  epoch %d/%d  loss %.4g  %.0f clips/s  %s",
            self.what,
            epoch + 1,
            self.epochs,
            loss,
            rate,
            self._left(epoch + 1),
        )
        return {"seconds": seconds, "clips_per_second": rate, "cpu_percent": busy}

    def _left(self, done: float) -> str:
        an_epoch = (time.monotonic() - self.started) / max(done - self.first, 1e-9)
        return f"{duration(an_epoch * (self.epochs - done))} left"


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
