"""A run of the workflow that is killed at random moments, and typed again each time."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from snakemake_calls import command, environment
from test_pipeline import clear, running

from pstl import interruption

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Hit(NamedTuple):
    """A kill.   seconds: after the last call of Snakemake."""

    process: str
    signal: str
    seconds: float


class Disturbed:
    """A run in `folder`, with Snakemake's options, until it is finished."""

    def __init__(self, root: Path, folder: Path, *options: str) -> None:
        self.root, self.folder, self.options = root, folder, options
        self.hits: list[Hit] = []
        self.begun = time.monotonic()
        self.snake = self.call()

    def call(self) -> subprocess.Popen[bytes]:
        """`make run`, without waiting for it."""
        cleared = clear(self.root, self.folder)
        assert cleared.returncode == 0, cleared.stderr
        self.begun = time.monotonic()
        words = command(self.root, *self.options)
        with open(self.folder / "said.log", "ab") as said:
            return subprocess.Popen(
                words,
                cwd=self.folder,
                env=environment(),
                stdout=said,
                stderr=said,
                preexec_fn=heed_all,
            )

    def hit(self, rng: random.Random) -> bool:
        """Kill Snakemake or one of its jobs. Returns: whether anything was there to be killed."""
        jobs = running(self.folder, "-m", "pstl")
        victim = rng.choice(jobs) if jobs and rng.random() < 0.5 else self.snake.pid
        number = rng.choice(SIGNALS)
        if self.snake.poll() is not None:
            return False
        try:
            name = what(victim)
            os.kill(victim, number)
        except OSError:
            return False  # it has just ended by itself
        self.hits.append(Hit(name, number.name, time.monotonic() - self.begun))
        if victim == self.snake.pid:
            self.snake.wait()
            self.snake = self.call()
        return True

    def settle(self) -> bool:
        """Type the same again where a killed job has ended the run. Returns: whether it is done."""
        code = self.snake.poll()
        if code not in (None, 0):
            assert code == 1, self.said()
            self.snake = self.call()
        return code == 0

    def finish(self) -> None:
        """Leave it alone until it is done."""
        while self.snake.wait() != 0:
            self.settle()

    def said(self) -> str:
        """The end of all that Snakemake said."""
        return (self.folder / "said.log").read_text()[-4000:]


def heed_all() -> None:
    """Whoever runs these tests in the background, or under nohup, has them ignore some."""
    for number in interruption.ENDING:
        signal.signal(number, signal.SIG_DFL)


def what(process: int) -> str:
    """The verb of a job, or snakemake."""
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
    return words[words.index("pstl") + 1] if "pstl" in words else "snakemake"
