"""What the parts of this project promise one another, written once: a class per contract.

Its defaults stand here, so that a part that needs nothing special says nothing. What is passed
between the parts is in pstl/records.py; bases of those that are torch modules as well are in
pstl/modules.py. Free of torch, because data jobs and the rules of the workflow import this file.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from pstl.config.frozen import Frozen
from pstl.config.settings import TrainSettings
from pstl.records import (
    Batch,
    Clip,
    DatasetConfig,
    Features,
    Floor,
    Imported,
    Losses,
    Member,
    Needs,
    Notes,
    Places,
    Poses,
    Recording,
    Result,
    Wants,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch
    from torch import Generator, Tensor, nn

    from pstl.data.spec import DatasetSpec
    from pstl.located import Located
    from pstl.metrics.metric import Metric
    from pstl.ops.class_scores import LinearScores
    from pstl.skeletons import Skeleton


class Dataset(ABC):
    """Where clips come from, what they mean and how they are split. A module of pstl/data/datasets
    exports one object, `DATASET`.

    spec: the facts.   Config: settings people may give, a DatasetConfig.
    untrimmed: it has recordings with timed labels (`read_recording`) besides clips.
    forecast_scale: what public code of motion prediction calls a millimetre, as a multiple; None:
    it says nothing, or has the same unit.
    """

    spec: DatasetSpec
    Config: type[DatasetConfig] = DatasetConfig
    untrimmed: ClassVar[bool] = False
    forecast_scale: ClassVar[float | None] = None

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

    def remarks(self) -> list[str]:
        """What a user should hear of before a file is read, a line each. Default: nothing."""
        return []

    def place(self) -> Path | None:
        """The folder in which people keep its files, where settings say so. Default: None."""
        return None

    def forecast_starts(self, frames: int) -> list[int] | None:
        """First predicted frames of the test windows of a recording with so many frames.

        Default: None, the data set has no protocol of its own.
        """
        return None


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

    def spanned(self, frames: int, cfg: Any) -> int:
        """Of a clip with so many frames, how many the array's frames are spread over.

        Default: all.
        """
        return frames

    def one_body_a_slot(self, clip: Clip) -> np.ndarray:
        """The clip as (T, V, bodies, 3), each body in a slot of its own. Default: as it stands."""
        return clip.xyz


class DatasetKind(ABC):
    """A data set that params.yaml or a suite declares: `NAME: {kind: KIND, ...}`, without a module
    of its own. A module of pstl/data/kinds exports one object, `KIND`.

    Config: the settings it takes.
    """

    Config: type[DatasetConfig]

    @abstractmethod
    def dataset(self, name: str, cfg: Any) -> Dataset:
        """The data set. Raises: UserError for settings or files that make none."""

    def modules(self) -> list[str]:
        """Other plug-ins that it runs, as modules below pstl. Default: none."""
        return []

    @abstractmethod
    def facts(self, name: str, cfg: Any) -> str:
        """A hash of the files that decide what the data set is: its classes, clips and splits."""

    @abstractmethod
    def state(self, name: str, cfg: Any) -> str:
        """A hash of the state of all its files, which changes when one of them does."""


class Reader(ABC):
    """One kind of file that people have of their own. A module of pstl/data/readers exports one
    object, `READER`.

    suffixes: endings of its files.   marks: bytes that all stand in such a file, where its ending
    does not tell it from other kinds.   expects: what is in it, for messages.
    a_file_a_frame: a clip is a folder of such files, in the order of their names.
    """

    suffixes: ClassVar[tuple[str, ...]]
    marks: ClassVar[tuple[bytes, ...]] = ()
    expects: ClassVar[str]
    a_file_a_frame: ClassVar[bool] = False

    @abstractmethod
    def read(self, data: bytes, where: str, body: str) -> Poses:
        """The people of a file, as it has them.

        body: whose joints these are, where somebody has said so; else "".
        Raises: UserError that says what was found in `where`, and what is expected.
        """


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

    def slower(self) -> Mapping[str, float]:
        """Modules, by name, that are trained at a share of the rate. Default: none."""
        return {}


class Method(Trainable):
    """One file of pstl/methods: `Config`, its settings, and `Method`, a BaseMethod.

    Built as Method(cfg, encoder, problem). It knows no optimiser, epoch, device, file or logger.
    """

    wants: Wants = Wants()
    # Its encoder is fed clips as they are (frames, clean and as_stream are the base's) and starts
    # as it was built: all such methods share one untrained encoder as their floor. The rules read
    # it from the source.
    plain_view: ClassVar[bool] = False
    # Of a method that learns classes: kept with the encoder, see classify().
    classifier: nn.Linear | None

    @staticmethod
    def mismatch(cfg: Frozen, train: TrainSettings) -> str:
        """What of the method's settings does not go with those of training; "": all does."""
        return ""

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


class Importer:
    """One file of pstl/importers, IMPORTER: checkpoints of one method's released code."""

    # A weight that every such encoder has: by its name the encoder is found in a checkpoint.
    anchor: str
    # The body of the data sets that the released code reads.
    skeleton: str = "kinect_v2"
    # What a linear classifier is called there, beside the encoder's weights.
    head: str = "fc"
    # Of code that keeps an encoder for each stream in one file: stream -> what it is called.
    parts: Mapping[str, str] = {}

    def read(self, located: Located, skeleton: str) -> Imported:
        """The encoder of a checkpoint, trained on `skeleton`. Raises: KeyError, UserError."""
        raise NotImplementedError

    def official_name(self, name: str) -> str:
        """What the released code calls a weight of ours; all names of one made of several."""
        raise NotImplementedError

    def classifier(self, located: Located) -> dict[str, Tensor] | None:
        """Weights of the classifier: weight (classes, D) and bias (classes,); None: it has none."""
        return None


Inputs = TypeVar("Inputs", contravariant=True)
Settings = TypeVar("Settings", bound="Frozen", contravariant=True)


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
    floors: what stands beside a trained encoder by itself: "raw", the coordinates of its recipe;
    "untrained", its encoder as it was initialised.
    """

    needs: ClassVar[Needs] = "features"
    classifies: ClassVar[bool] = False
    probes: ClassVar[tuple[str, ...]] = ()
    one_protocol: ClassVar[bool] = False
    floors: ClassVar[tuple[Floor, ...]] = ("raw", "untrained")
    settings: ClassVar[type[Frozen]]
    metrics: ClassVar[tuple[Metric, ...]]

    @abstractmethod
    def run(self, inputs: Inputs, cfg: Settings, seed: int, device: torch.device) -> Result:
        """Try an encoder.

        inputs: FeatureSet (needs "features"), Pretrained (clips and snapshots), or Recorded.
        cfg: an object of `settings`.   seed: of the run.
        Raises: NotApplicable if the task makes no sense for this encoder.
        """

    def classifier(
        self, inputs: Inputs, cfg: Settings, seed: int, device: torch.device
    ) -> LinearScores | None:
        """What names classes as run() does, for people who use the encoder; None: nothing so simple
        does.
        """
        return None
