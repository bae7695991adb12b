"""What the grid is made of: a run is one pre-training, a cell one evaluation of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, get_args

from pstl.config.frozen import Frozen
from pstl.config.settings import Stream
from pstl.config.validation import known
from pstl.errors import UserError

# Names of entries and suites become names of folders, words of the shell and Snakemake's wildcards.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
FUSED = "fused"  # stands where a run's stream does for joint + bone + motion, fused late
EARLIER_FUSED = "3s"  # what earlier versions wrote for it
EXPECTED = "expected suite/dataset/split/method/stream/s<seed>"
EXAMPLE = "e.g. builtin/synthetic/xsub/pstl/joint/s0"


class Run(Frozen):
    """One pre-training. `stream` is joint, bone, motion, other, or fused for fused scores.

    labels: share of the training labels that the method learns from; None: it sees none, or all.
    """

    suite: str
    dataset: str
    split: str
    method: str
    stream: str
    seed: int
    labels: float | None = None

    def __str__(self) -> str:
        share = [] if self.labels is None else [f"labels={self.labels:g}"]
        parts = [self.suite, self.dataset, self.split, self.method, self.stream, *share]
        return "/".join([*parts, f"s{self.seed}"])

    @classmethod
    def parse(cls, text: str) -> "Run":
        """Inverse of str(run). Raises: UserError for any other text."""
        parts = text.strip("/").split("/")
        share = parts.pop(5).removeprefix("labels=") if len(parts) == 7 else ""
        seed = parts[5].removeprefix("s") if len(parts) == 6 else ""
        if not seed.isdigit() or parts[5] == seed:
            raise UserError(f"run {text!r}: {EXPECTED}, {EXAMPLE}")
        stream = FUSED if parts[4] == EARLIER_FUSED else parts[4]
        return cls(
            suite=parts[0],
            dataset=parts[1],
            split=parts[2],
            method=parts[3],
            stream=known(stream, (*get_args(Stream), FUSED), f"stream in run {text!r}:"),
            seed=int(seed),
            labels=_share(share, text) if share else None,
        )


@dataclass(frozen=True)
class Cell:
    """One evaluation of a run: a row of the grid.

    labels: share of the training labels that the task draws; None where it draws none.
    source: dataset/split of the run whose encoder is used; empty for the run's own.
    protocol: method entry whose paper's protocol it is; empty for the settings all methods share.
    fused: weights of the streams of a fused cell; None for all others.
    """

    run: Run
    batch_norm: str
    task: str
    labels: float | None = None
    source: str = ""
    protocol: str = ""
    fused: Mapping[str, float] | None = field(default=None, compare=False)

    @property
    def share(self) -> float | None:
        """Share of the labels that the task draws or the method has learnt from."""
        return self.run.labels if self.labels is None else self.labels

    @property
    def identity(self) -> dict[str, str | int]:
        """What names the cell in rows of results: its axes, "" where it is on none."""
        run = self.run
        return {
            "task": self.task,
            "dataset": run.dataset,
            "split": run.split,
            "stream": run.stream,
            "labels": "" if self.share is None else f"{self.share:g}",
            "source": self.source,
            "protocol": self.protocol,
            "method": run.method,
            "seed": run.seed,
            "batch_norm": self.batch_norm,
        }

    @property
    def name(self) -> str:
        """Task and axes, fit for a file name: semi,labels=0.01,protocol=hitrs. Never parsed."""
        return cell_name(self.task, self.labels, self.source, self.protocol)

    def __str__(self) -> str:
        return f"{self.run}/{self.batch_norm}/{self.name}"


def cell_name(task: str, labels: float | None, source: str, protocol: str) -> str:
    """Name of a cell within its run and batch-norm variant.

    >>> cell_name("finetune", None, "ntu60/xsub", "scdnet")
    'finetune,source=ntu60-xsub,protocol=scdnet'
    """
    axes = {
        "labels": "" if labels is None else f"{labels:g}",
        "source": source.replace("/", "-"),
        "protocol": protocol,
    }
    return ",".join([task, *(f"{axis}={value}" for axis, value in axes.items() if value)])


def _share(text: str, run: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UserError(f"run {run!r}: labels={text}, expected a share above 0 and up to 1")
    return share
