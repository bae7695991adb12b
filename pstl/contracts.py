"""What the parts of this project promise one another, written once: a section per contract.

A contract is a class whose defaults stand here, so that a part that needs nothing special says
nothing. Encoders and methods are torch modules as well: their base classes are in pstl/modules.py.
Free of torch, because data jobs and the rules of the workflow import this file.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
)

import numpy as np

from pstl.config.settings import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch
    from torch import Generator, Tensor, nn

    from pstl.data.spec import DatasetSpec, Remote
    from pstl.located import Located
    from pstl.metrics.metric import Metric
    from pstl.skeletons import Skeleton

# ------------------------------------------------------------------------------------------ Dataset


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
    """

    name: str
    archive: Path | None = None

    @property
    def file(self) -> str:
        """Its name without folders."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def where(self) -> str:
        """What a message calls it."""
        return f"{self.archive}: {self.name}" if self.archive else self.name


class Places(Protocol):
    """Where the files of a data set lie.

    raw: the folder that `fetch` made, or any other with its files.
    """

    @property
    def raw(self) -> Path: ...

    def of(self, remote: Remote) -> list[Member]:
        """The files of one remote, sorted by name; none of an optional one that is not there.

        Raises: UserError naming a remote that is not there (any more), or a file that is twice.
        """
        ...

    def below(self, pattern: str) -> list[Member]:
        """Files of `raw` that match a glob pattern, sorted by name."""
        ...

    def texts(self, members: Sequence[Member]) -> dict[str, str]:
        """Small text files: file name -> content."""
        ...


class DatasetConfig(Frozen):
    """Settings of any data set; none of them changes a clip."""

    # Leave damaged files out and record them, instead of stopping.
    skip_damaged: bool = False
    # What a count means that is not that of the literature.
    wrong_counts: Literal["error", "warn"] = "error"


class Dataset(ABC):
    """Where clips come from, what they mean and how they are split. A module of pstl/data/datasets
    exports one object, `DATASET`.

    spec: the facts.   Config: settings people may give, a DatasetConfig.
    untrimmed: it has recordings with timed labels (`read_recording`) besides clips.
    """

    spec: DatasetSpec
    Config: type[DatasetConfig] = DatasetConfig
    untrimmed: ClassVar[bool] = False

    @abstractmethod
    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """The clips of one file, in order.

        data: its bytes.   note: what notes() says of it, None if nothing.
        Raises: UserError that names a damaged file.
        """

    def read_recording(self, member: Member, data: bytes, note: Any) -> Recording:
        """The untrimmed recording of one file, as read() gets it; only where `untrimmed`."""
        raise NotImplementedError(f"{self.spec.name} is not untrimmed")

    def members(self, places: Places) -> list[Member]:
        """The files with recordings, in the order in which their clips are stored.

        Default: those of every remote, sorted by name, without `notes`.
        Raises: UserError if something that must be there is not.
        """
        members: list[Member] = []
        for remote in self.spec.remotes:
            members += [] if remote.notes else places.of(remote)
        return members

    def notes(self, places: Places, members: Sequence[Member]) -> Notes:
        """What other files say of these recordings. Default: nothing."""
        return Notes()

    def make(self, cfg: Any, folder: Path) -> None:
        """Make the files in an existing folder; only data sets without remotes."""
        raise NotImplementedError(f"{self.spec.name} is fetched, not made")

    def expected(self, cfg: Any) -> dict[str, tuple[int, int]]:
        """(training, test) clips of every split whose counts are known. Default: the spec's."""
        return self.spec.expected

    def absent(self, files: Sequence[str]) -> list[str]:
        """Clips that a complete copy has and these files lack. Default: nobody can tell."""
        return []

    def forecast_starts(self, frames: int) -> list[int] | None:
        """First predicted frames of the test windows of a recording with so many frames.

        Default: None, the data set has no protocol of its own.
        """
        return None


# ------------------------------------------------------------------------------------------- Recipe


class Recipe(ABC):
    """One paper's preprocessing: clips to an array. A module of pstl/data/recipes exports one
    object, `RECIPE`.

    Config: settings people may give.   longest: frames of a clip that are kept.
    kept_bodies, kept_frames: which ones, where there are more, for messages.
    metres: of one unit of the array, about, by which bodies of an odd size are told.
    """

    Config: type[Frozen] = Frozen
    longest: int = sys.maxsize
    kept_bodies: str = "the recipe chooses"
    kept_frames: str = "the first"
    metres: float = 1.0

    @abstractmethod
    def apply(
        self, clips: Sequence[Clip], skeleton: Skeleton, people: int, cfg: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """x (N, 3, T, V, M) float32 and the used lengths (N,) int64; T may differ between calls.

        skeleton: of V joints.   people: M, body slots.   cfg: a Config.
        """

    def frames(self, cfg: Any) -> int:
        """T of the whole array, at most. Default: `longest`."""
        return self.longest

    def one_body_a_slot(self, clip: Clip) -> np.ndarray:
        """The clip as (T, V, bodies, 3), each body in a slot of its own. Default: as it stands."""
        return clip.xyz


# ------------------------------------------------------------------------------------------ Encoder


class Features(NamedTuple):
    """What an encoder gives.

    clip: (N, D), read by linear, kNN and retrieval.
    frames: (N, T', D'), read by detection and motion prediction. Row k is about the time k * T / T'
    of the view that was encoded, unless the encoder has a `stride`.
    """

    clip: Tensor
    frames: Tensor


class Encoder:
    """One file of pstl/backbones: `Config`, its settings, and `Encoder`, a BaseEncoder.

    Built as Encoder(cfg, skeleton, people, frames).
    """

    # D, the numbers of a clip's feature.
    width: int
    # Whether joints can be deleted; if not, losing a joint means filling it with zeros.
    can_drop: bool = False
    # An encoder with a stride takes clips of any length: forward(x, drop, length), length (N,) or
    # None for all T frames. Its row k of `frames` is centred on frame k * stride; a clip has
    # ceil(length / stride) rows, and what follows them is zero.
    stride: int | None = None

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        """Features of clips, float32 also under autocast: clips differ by less than bf16 resolves.

        x: (N, C, T, V, M).   drop: (K,) int64, joints to delete, or None.
        """
        raise NotImplementedError


# ---------------------------------------------------------------------------------------- Trainable

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
    """

    x: Tensor
    length: Tensor
    y: Tensor | None = None
    present: Tensor | None = None
    host_length: Tensor | None = None
    labelled: int = 0


class Trainable:
    """What the training loop needs, and nothing more. Methods are such, and so are tasks' heads."""

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One training step's losses.

        rng: a CPU generator, fresh for the step and equal on every rank.
        """
        raise NotImplementedError

    def after_step(self) -> None:
        """Called after each optimiser step: momentum encoders, queues."""

    def sharded(self) -> Sequence[nn.Module]:
        """Modules that see one rank's share of a batch, whose norms are therefore synchronised.

        They may run in bf16. What comes after `gather` sees the whole batch.
        """
        return ()


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


# ------------------------------------------------------------------------------------------- Method


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
    # The only stream that the method has, and why; "": it has all.
    only_stream: str = ""
    only_stream_reason: str = ""


@dataclass(frozen=True)
class Problem:
    """What a method may know about its data."""

    skeleton: Skeleton
    people: int
    frames: int
    classes: int
    stream: str


class Method(Trainable):
    """One file of pstl/methods: `Config`, its settings, and `Method`, a BaseMethod.

    Built as Method(cfg, encoder, problem). It knows no optimiser, epoch, device, file or logger.
    """

    wants: Wants = Wants()
    # Of a method that learns classes: kept with the encoder, see classify().
    classifier: nn.Linear | None

    @staticmethod
    def frames(cfg: Frozen, recorded: int) -> int:
        """Frames of a view, which the encoder is built for; by default those of the clips."""
        return recorded

    @staticmethod
    def clean(cfg: Frozen, x: Tensor, length: Tensor) -> Tensor:
        """The deterministic view that is encoded downstream, before stream conversion.

        x: (N, 3, T, V, M), length: (N,).   Returns: (N, 3, frames, V, M); by default x itself.
        """
        return x

    @staticmethod
    def as_stream(x: Tensor, skeleton: Skeleton, stream: str) -> Tensor:
        """Joint positions (N, 3, T, V, M) as the stream, same shape; methods differ in motion."""
        raise NotImplementedError

    @classmethod
    def clean_stream(
        cls, cfg: Frozen, x: Tensor, length: Tensor, skeleton: Skeleton, stream: str
    ) -> Tensor:
        """The clean view as one stream: what the encoder is fed downstream."""
        return cls.as_stream(cls.clean(cfg, x, length), skeleton, stream)

    @classmethod
    def augmented(
        cls, cfg: Frozen, x: Tensor, length: Tensor, rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """The random view its paper fine-tunes on, before stream conversion, and its length.

        x: (N, 3, T, V, M), length: (N,).   By default the clean view.
        """
        return cls.clean(cfg, x, length), length

    @staticmethod
    def classify(encode: Callable[[str], Tensor], classifier: nn.Linear) -> Tensor:
        """Class scores (N, classes) of a method that has a classifier.

        encode(stream): clip features (N, D) of the clean view, "" for the run's stream.
        """
        scores: Tensor = classifier(encode(""))
        return scores


# ----------------------------------------------------------------------------------------- Importer


class Imported(NamedTuple):
    """An encoder of released code: fields of its card, and its weights under our names."""

    card: dict[str, Any]
    weights: dict[str, Tensor]


class Importer:
    """One file of pstl/importers, IMPORTER: checkpoints of one method's released code."""

    # A weight that every such encoder has: by its name the encoder is found in a checkpoint.
    anchor: str
    # The body of the data sets that the released code reads.
    skeleton: str = "kinect_v2"

    def read(self, located: Located, skeleton: str) -> Imported:
        """The encoder of a checkpoint, trained on `skeleton`.

        Raises: KeyError for a weight that is not there, UserError for one that does not fit.
        """
        raise NotImplementedError

    def official_name(self, name: str) -> str:
        """What the released code calls a weight of ours; all names of one made of several."""
        raise NotImplementedError

    def classifier(self, located: Located) -> dict[str, Tensor] | None:
        """Weights of the classifier: weight (classes, D) and bias (classes,); None: it has none."""
        return None


# --------------------------------------------------------------------------------------------- Task

Needs = Literal[
    "features", "clips", "labelled_clips", "clips_and_features", "snapshots", "recordings"
]

# What each of them means: the files that a cell of such a task reads.
READS: dict[str, tuple[str, ...]] = {
    "features": ("features",),
    "clips": ("encoder", "array"),
    "labelled_clips": ("encoder", "array", "labels"),
    "clips_and_features": ("encoder", "array", "features"),
    "snapshots": ("encoder", "array", "snapshots"),
    "recordings": ("encoder", "recordings"),
}
# The module of pstl/evaluation that opens them: a job runs this one and none of the others.
OPENERS: dict[str, str] = {
    "features": "feature_inputs",
    "clips": "clip_inputs",
    "labelled_clips": "clip_inputs",
    "clips_and_features": "clip_inputs",
    "snapshots": "clip_inputs",
    "recordings": "recording_inputs",
}

Inputs = TypeVar("Inputs", contravariant=True)
Settings = TypeVar("Settings", bound="Frozen", contravariant=True)


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


class Task(ABC, Generic[Inputs, Settings]):
    """A downstream task. Its module holds one object of its class: `TASK = Linear()`.

    settings: class of the settings under the task's entry in params.yaml.
    metrics: every metric it reports; one that has a title is what its tables are headed by.

    The other attributes are read from the source by the rules, which do not import torch, so a
    task writes them as literals in its own class:
    needs: what `inputs` is, and so which files the cell reads (READS).
    classifies: whether Result.scores are class scores, which are fused, compared and drawn.
    probes: tasks whose code this one runs by name.
    one_protocol: nothing is trained, so a published number may be compared with ours whatever
    paper it is from: what decides stands in the rows' setting.
    """

    needs: ClassVar[Needs] = "features"
    classifies: ClassVar[bool] = False
    probes: ClassVar[tuple[str, ...]] = ()
    one_protocol: ClassVar[bool] = False
    settings: ClassVar[type[Frozen]]
    metrics: ClassVar[tuple[Metric, ...]]

    @abstractmethod
    def run(self, inputs: Inputs, cfg: Settings, seed: int, device: torch.device) -> Result:
        """Try an encoder.

        inputs: FeatureSet (needs "features"), Pretrained (clips and snapshots), or Recorded.
        cfg: an object of `settings`.   seed: of the run.
        Raises: NotApplicable if the task makes no sense for this encoder.
        """
