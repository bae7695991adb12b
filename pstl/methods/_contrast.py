"""What SkeletonCLR and AimCLR share: MoCo on skeletons (AimCLR spec 1, 3, 5).

A query encoder, its momentum encoder, a queue of past keys, and normal views.
"""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pstl.config import Count, Frozen, NotNegative, Share, TrainSettings
from pstl.methods._momentum import Queue, momentum_encoder, momentum_update
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops import augment
from pstl.ops.collective import gather, place
from pstl.ops.streams import convert
from pstl.records import Problem

SPREAD = 0.02  # of the first weights


class ContrastConfig(Frozen):
    """Defaults are the released code's values (AimCLR spec 5, 6)."""

    projection: Count = 128
    queue: Count = 32768  # K, a multiple of the batch
    momentum: Share = 0.999
    temperature: float = Field(default=0.07, gt=0)
    padding_ratio: Count = 6  # temporal crop: padding of T // 6 frames at both ends
    shear_amplitude: NotNegative = 0.5


class ContrastMethod(BaseMethod):
    """Encoder and projector, the average of both over the past, and its past keys."""

    cfg: ContrastConfig

    def __init__(self, cfg: ContrastConfig, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        width = encoder.width
        self.projector = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, cfg.projection)
        )
        self.key_encoder = momentum_encoder(encoder)
        self.key_projector = momentum_encoder(self.projector)
        # The released code copies the query network into the key network and then gives both new
        # random numbers, so the keys start as those of a stranger (AimCLR spec 3).
        for part in (encoder, self.projector, self.key_encoder, self.key_projector):
            part.apply(initialise)
        self.queue = Queue(cfg.queue, cfg.projection)
        self.new_keys: list[Tensor] = []  # since the last optimiser step

    @staticmethod
    def mismatch(cfg: Frozen, train: TrainSettings) -> str:
        """Keys fill the queue batch by batch, to its end (AimCLR spec 6)."""
        assert isinstance(cfg, ContrastConfig)
        fits = cfg.queue % train.batch_size == 0
        found = f"settings.queue is {cfg.queue}, expected a multiple of train.batch_size"
        return "" if fits else f"{found} {train.batch_size}; change one of them"

    def sharded(self) -> list[nn.Module]:
        """Both encoders."""
        return [self.encoder, self.key_encoder]

    def view(self, x: Tensor, rng: Generator) -> Tensor:
        """A normal view: each clip cropped and sheared, then turned into the stream.

        x: (N, 3, T, V, M) -> same shape.   Drawn for the global batch, so that ranks together equal
        one process.
        """
        first, total = place(x)
        here = slice(first, first + len(x))
        x = augment.shift_frames(x, self.shifts(x.shape[2], total, rng)[here])
        x = augment.transform(x, augment.shear(total, self.cfg.shear_amplitude, rng)[here])
        return convert(x, self.problem.skeleton, self.problem.stream)

    def shifts(self, frames: int, total: int, rng: Generator) -> Tensor:
        """By how many frames each clip's crop is moved.   Returns: (total,) int64 on the CPU."""
        pad = frames // self.cfg.padding_ratio
        return torch.randint(-pad, pad + 1, (total,), generator=rng)

    def project(self, features: Tensor) -> Tensor:
        """Clip features (n, D) of this rank -> rows of unit length of the global batch (N, P)."""
        return F.normalize(self.projector(gather(features)), dim=1)

    def query(self, view: Tensor) -> Tensor:
        """(n, 3, T, V, M) -> (N, P) of the global batch."""
        return self.project(self.encoder(view).clip)

    @torch.no_grad()
    def key(self, view: Tensor) -> Tensor:
        """The same by the momentum network, which first takes a step towards the query network.

        One step per optimiser step, before its first keys; they enter the queue in after_step().
        """
        if not self.new_keys:
            momentum_update(self.key_encoder, self.encoder, self.cfg.momentum)
            momentum_update(self.key_projector, self.projector, self.cfg.momentum)
        features = gather(self.key_encoder(view).clip)
        key = F.normalize(self.key_projector(features), dim=1)
        self.new_keys.append(key)
        return key

    def after_step(self) -> None:
        """Put the keys into the queue.

        After the logits, so that none is its own negative, and after the backward pass, which reads
        the queue.
        """
        self.queue.enqueue(torch.cat(self.new_keys))
        self.new_keys.clear()


def initialise(module: nn.Module) -> None:
    """First weights of one layer, as DCGAN draws them (AimCLR spec 3)."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, SPREAD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, _BatchNorm):
        nn.init.normal_(module.weight, 1.0, SPREAD)
        nn.init.zeros_(module.bias)
