"""The contract every method keeps: forward(batch, rng) -> losses, after_step(), .encoder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Generator, Tensor, nn

from pstl.backbones._base import BaseEncoder
from pstl.config import Frozen
from pstl.ops.streams import convert
from pstl.skeletons import Skeleton

Losses = dict[str, Tensor]  # "loss" is what is minimised, the others are its parts


class Batch(NamedTuple):
    """x: (N, C, T, V, M) as the recipe made it (joint positions).   length: (N,) recorded frames.

    y: (N,) classes, -1 where unlabelled; None in every purely self-supervised run.
    labelled: number of clips in front that were drawn among the labelled ones; all others then have y = -1. 0: no such part.
    present: (N, M) bool on the CPU, False for bodies that are all zero, whatever the device of x; None: not looked up.
    host_length: `length` on the CPU, whatever the device of x; None: not looked up.
    """

    x: Tensor
    length: Tensor
    y: Tensor | None = None
    present: Tensor | None = None
    host_length: Tensor | None = None
    labelled: int = 0


@dataclass(frozen=True)
class Problem:
    """What a method may know about its data."""

    skeleton: Skeleton
    people: int
    frames: int
    classes: int
    stream: str


class BaseMethod(nn.Module):
    """A method is built as Method(cfg, encoder, problem). It knows no optimiser, epoch, device, file or logger."""

    needs_labels: bool = False  # True: batches carry y
    one_body: bool = False  # True: an item of a training batch is one body of a clip (M = 1), never an absent one
    shortest: int = 1  # frames; training leaves shorter recordings out
    learns_from_unlabelled: bool = False  # False: where only a fraction has labels, a method that needs them sees no other clips
    together: tuple[
        str, ...
    ] = ()  # streams that enter the encoder, and so its batch norms, in one batch; (): the run's alone
    classifier: nn.Linear  # of a method that learns classes: kept with the encoder, see classify()

    def __init__(self, cfg: Any, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__()
        self.cfg, self.encoder, self.problem = cfg, encoder, problem

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One training step's losses. `rng` is a CPU generator, fresh for the step and equal on every rank."""
        raise NotImplementedError

    def after_step(self) -> None:
        """Called after each optimiser step: momentum encoders, queues."""

    def sharded(self) -> list[nn.Module]:
        """Modules that see one rank's share of a batch (their norms are synchronised); what comes after `gather` sees it all."""
        return [self.encoder]

    @staticmethod
    def frames(cfg: Frozen, recorded: int) -> int:
        """Frames of a view, which the encoder is built for; by default those of the recipe's clips."""
        return recorded

    @staticmethod
    def clean(cfg: Frozen, x: Tensor, length: Tensor) -> Tensor:
        """The deterministic view that is encoded downstream, before stream conversion; by default the recipe's clip itself."""
        return x

    @staticmethod
    def as_stream(x: Tensor, skeleton: Skeleton, stream: str) -> Tensor:
        """Joint positions (N, 3, T, V, M) as the wanted stream, same shape; methods differ in what motion is."""
        return convert(x, skeleton, stream)

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
        """The random view its paper fine-tunes on, before stream conversion, and its length; by default the clean one."""
        return cls.clean(cfg, x, length), length

    @staticmethod
    def classify(encode: Callable[[str], Tensor], classifier: nn.Linear) -> Tensor:
        """Class scores of a method that has a classifier.

        encode(stream): clip features (N, D) of the clean view, "" for the run's stream.   Returns: (N, classes).
        """
        scores: Tensor = classifier(encode(""))
        return scores
