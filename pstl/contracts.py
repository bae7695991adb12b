"""What the parts of this project promise one another, written once: a section per contract.

A contract is a class whose defaults stand here, so that a part that needs nothing special says
nothing. Encoders and methods are torch modules as well: their base classes are in pstl/modules.py.
Free of torch, because data jobs and the rules of the workflow import this file.
"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import torch
    from torch import Generator, Tensor, nn

    from pstl.config import Frozen
    from pstl.located import Located
    from pstl.metrics.metric import Metric
    from pstl.skeletons import Skeleton

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
