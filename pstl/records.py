"""What passes between the parts of this project: clips, batches, features, results.

The contracts that give and take them are in pstl/contracts.py. Free of torch, because data jobs and
the rules of the workflow import this file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args

import numpy as np

from pstl.config.frozen import Frozen
from pstl.files import short_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch
    from torch import Tensor

    from pstl.data.spec import Remote
    from pstl.skeletons import Skeleton


@dataclass(frozen=True)
class Clip:
    """One recorded clip as read, before any recipe.

    xyz: (T, V, M, 3) float32, metres, M body slots in file order; an absent body is all zero.
    label: 0-based class.
    subject, camera, setup: as numbered by the data set (1-based), 0 where it has none.
    bodies: (T, M) uint8, whose coordinates stand in each slot: 1, 2, ... in the order in which the
        sensor's bodies first appear in the clip, 0 for none. None: a slot is a body.
    listed: split -> "train", "test" or "", where the release's own files say which side it is on.
    merged: for body 1, 2, ... which body it is to readers that hold the sensor's ids as floats;
        empty: they, too, tell all apart.
    """

    name: str
    label: int
    xyz: np.ndarray
    subject: int = 0
    camera: int = 0
    setup: int = 0
    bodies: np.ndarray | None = None
    listed: dict[str, str] = field(default_factory=dict)
    merged: tuple[int, ...] = ()


class Person(NamedTuple):
    """One person in one frame of somebody's own file.

    xyz: (V, 2 or 3) float64 as the file has it, NaN where a joint was not seen.
    track: which person this is, where the file says so; "": it does not.
    """

    xyz: np.ndarray
    track: str = ""


@dataclass(frozen=True)
class Poses:
    """What a reader found in somebody's own file, before anybody has judged it.

    frames: the people of each frame, in the order of time.
    body: whose joints these are, "" where the format does not say.
    joints: their names as the file has them, () where it has none; then they are in the body's
        order.
    units: of the coordinates, "" where the format does not say; "picture": pixels, or shares of a
        picture's width and height.
    up: the axis that points up, "y", "-y" or "z"; "": the format does not say.
    remarks: what a user should hear of, a line each.
    zero_is_unseen: a joint at 0, 0, 0 was not seen; else only NaN says so.
    """

    frames: tuple[tuple[Person, ...], ...]
    body: str = ""
    joints: tuple[str, ...] = ()
    units: str = ""
    up: str = ""
    remarks: tuple[str, ...] = ()
    zero_is_unseen: bool = True


@dataclass(frozen=True)
class Recording:
    """An untrimmed recording with timed labels.

    clip: coordinates of all frames, label -1.
    times: (T,) float64, rising, when each frame was taken, in the data set's unit.
    actions: (0-based class, start, end), both ends included, in the same unit; they may overlap.
        Frames outside every interval are background.
    """

    clip: Clip
    times: np.ndarray
    actions: tuple[tuple[int, float, float], ...]

    def labels(self) -> np.ndarray:
        """(T,) int64: the class of every frame, -1 for background.

        Where actions overlap, the one that begins later; of two that begin together the shorter.
        """
        labels = np.full(len(self.times), -1, dtype=np.int64)
        for label, start, end in sorted(self.actions, key=lambda a: (a[1], -a[2], a[0])):
            labels[(self.times >= start) & (self.times <= end)] = label
        return labels


@dataclass(frozen=True)
class Notes:
    """What other files than the recordings say: labels, lists of splits, corrections.

    by_file: name of a recording's file -> what its reader must know.
    remarks: what a user should hear of, a line each.
    """

    by_file: Mapping[str, Any] = field(default_factory=dict)
    remarks: Sequence[str] = ()


class Member(NamedTuple):
    """One file.

    archive: the archive it is in, or None for a file on disk, whose path `name` is.
    depth: how many of the folders above it are part of its name.
    sha256: of its content when it was fetched; empty: nobody said, or its archive has a checksum.
    """

    name: str
    archive: Path | None = None
    depth: int = 0
    sha256: str = ""

    @property
    def file(self) -> str:
        """Its name, without the folders that are no part of it."""
        return short_name(self.name, self.depth)

    @property
    def where(self) -> str:
        """What a message calls it."""
        return f"{self.archive}: {self.name}" if self.archive else self.name


class Places(Protocol):
    """Where the files of a data set lie.

    raw: the folder that `fetch` made, or any other with its files.
    sums: path, below `raw` if it is there, -> checksum, of what was fetched; empty: nobody said.
    """

    @property
    def raw(self) -> Path: ...

    @property
    def sums(self) -> Mapping[str, str]: ...

    def of(self, remote: Remote) -> list[Member]:
        """The files of one remote, sorted by name; none of an optional one that is not there.

        Raises: UserError naming a remote that is not there (any more), or a file that is twice.
        """

    def below(self, pattern: str) -> list[Member]:
        """Files of `raw` that match a glob pattern, sorted by name."""

    def texts(self, members: Sequence[Member]) -> dict[str, str]:
        """Small text files: file name -> content."""


class DatasetConfig(Frozen):
    """Settings of any data set; none of them changes a clip."""

    # Leave damaged files out and record them, instead of stopping.
    skip_damaged: bool = False
    # What a count means that is not that of the literature.
    wrong_counts: Literal["error", "warn"] = "error"


class Features(NamedTuple):
    """What an encoder gives.

    clip: (N, D), read by linear, kNN and retrieval.
    frames: (N, T', D'), read by detection and motion prediction. Row k is about the time k * T / T'
    of the view that was encoded, unless the encoder has a `stride`.
    """

    clip: Tensor
    frames: Tensor


Losses = dict[str, "Tensor"]  # "loss" is what is minimised, the others are its parts


class Batch(NamedTuple):
    """Some clips, or cached features in their place.

    x: (N, C, T, V, M) as the recipe made it (joint positions), or (N, R, D) cached features.
    length: (N,) recorded frames.
    y: (N,) classes, -1 where unlabelled, or other targets (N, ...); None without labels.
    present: (N, M) bool on the CPU, False for bodies that are all zero; None: not looked up.
    host_length: `length` on the CPU, whatever the device of x; None: not looked up.
    labelled: number of clips in front that were drawn among the labelled ones; all others then have
    y = -1. 0: no such part.
    epoch: epochs that were trained before, for what a method begins or ends on its way.
    """

    x: Tensor
    length: Tensor
    y: Tensor | None = None
    present: Tensor | None = None
    host_length: Tensor | None = None
    labelled: int = 0
    epoch: int = 0


class Source(Protocol):
    """What the training loop draws batches from.

    labelled: (L,) int64 on the CPU, which items have a class.
    share: of the items that have a class, as it was asked for.
    """

    device: torch.device
    labelled: Tensor
    share: float

    def __len__(self) -> int: ...

    def batch(self, index: Tensor) -> Batch:
        """The items `index` (n,), which lies on the CPU."""
        ...


@dataclass(frozen=True)
class Wants:
    """What a method asks of its data; by default nothing.

    The rules read it from a method's source, so it is written there as literals: `wants =
    Wants(labels=True)`. An object may ask for more than its class once its settings are known.
    """

    # Batches carry classes.
    labels: bool = False
    # Where only a fraction of clips has labels, the method learns from the others as well. A method
    # that needs labels and does not say this sees no other clips.
    unlabelled_clips: bool = False
    # An item of a training batch is one body of a clip (M = 1), never an absent one.
    single_bodies: bool = False
    # Frames; shorter recordings are left out of training.
    shortest: int = 1
    # Streams that enter the encoder, and so its batch norms, in one batch; (): the run's alone.
    streams_together: tuple[str, ...] = ()
    # The only stream that the method has, and why; "": joint, bone and motion. "other" is of a
    # method that is fed joint positions and makes several inputs of them.
    only_stream: str = ""
    only_stream_reason: str = ""
    # With "other": what these are, as published numbers state it.
    only_stream_input: str = ""


@dataclass(frozen=True)
class Problem:
    """What a method may know about its data."""

    skeleton: Skeleton
    people: int
    frames: int
    classes: int
    stream: str


class Imported(NamedTuple):
    """An encoder of released code: fields of its card, and its weights under our names."""

    card: dict[str, Any]
    weights: dict[str, Tensor]


# What a task reads.
Needs = Literal[
    "features",
    "clips",
    "labelled_clips",
    "clips_and_features",
    "labelled_features",
    "snapshots",
    "recordings",
]


# What each of them means: the files that a cell of such a task reads.
READS: dict[str, tuple[str, ...]] = {
    "features": ("features",),
    "clips": ("encoder", "array"),
    "labelled_clips": ("encoder", "array", "labels"),
    "clips_and_features": ("encoder", "array", "features"),
    "labelled_features": ("encoder", "array", "features", "labels"),
    "snapshots": ("encoder", "array", "snapshots"),
    "recordings": ("encoder", "recordings"),
}


# The module of pstl/evaluation that opens them: a job runs this one and none of the others.
OPENERS: dict[str, str] = {
    "features": "feature_inputs",
    "clips": "clip_inputs",
    "labelled_clips": "clip_inputs",
    "clips_and_features": "clip_inputs",
    "labelled_features": "clip_inputs",
    "snapshots": "clip_inputs",
    "recordings": "recording_inputs",
}


# What a trained encoder must leave behind: the coordinates of its recipe, and itself untrained.
Floor = Literal["raw", "untrained"]
FLOORS: tuple[Floor, ...] = get_args(Floor)


class NotApplicable(Exception):
    """A task that makes no sense for an encoder; the message is the reason that tables give."""


@dataclass(frozen=True)
class Result:
    """What a task gives back.

    metrics: name -> value, percent for shares; of test clips made by on_clips() alone.
    setting: what distinguishes these rows from others of the task, e.g. "k=1;cosine".
    scores: (N_test, classes) or None.   curve: one dict per epoch.
    not_applicable: why the task makes no sense here; there are no metrics then.
    without: setting -> why this one makes no sense.
    others: setting -> metrics of what the task compares with (baselines), rows of their own.
    norms: another state of the batch norms -> metrics of the same weights in it.
    timelines: some test recordings for the report: {"name", "frames", "classes",
    "truth": [[start, end, class]], "found": [[start, end, class, score]]}, in frames, classes
    from 0. No coordinates.
    motions: some predictions for the report, of simulated people only: {"name", "skeleton",
    "seen", "future", "found", "mpjpe"}, poses (T, V, 3) in whole millimetres.
    labelled: where only some training clips have labels: {"rule", "fraction", "draw", "clips",
    "digest"}, of which rule and how many.
    """

    metrics: dict[str, float]
    setting: str = ""
    scores: np.ndarray | None = None
    curve: list[dict[str, float]] = field(default_factory=list)
    not_applicable: str = ""
    without: dict[str, str] = field(default_factory=dict)
    others: Mapping[str, dict[str, float]] = field(default_factory=dict)
    norms: Mapping[str, dict[str, float]] = field(default_factory=dict)
    timelines: list[dict[str, Any]] = field(default_factory=list)
    motions: list[dict[str, Any]] = field(default_factory=list)
    labelled: dict[str, Any] = field(default_factory=dict)
