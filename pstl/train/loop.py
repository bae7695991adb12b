"""The training loop of everything that is trained: explicit, resumable; time passes here only."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from pstl.config import TrainSettings, digest
from pstl.data.loader import shuffled
from pstl.errors import UserError
from pstl.modules import BaseTrainable
from pstl.records import Source
from pstl.rng import derive, torch_generator
from pstl.train import batches, checkpoint, distributed, optimiser, precision
from pstl.train.hardware import peak_memory
from pstl.train.progress import Progress
from pstl.train.schedule import learning_rate
from pstl.train.weights import check_weights, of_optimiser

History = list[dict[str, float]]
SLOWER = "lower train.lr or use precision fp32, then run again"


@dataclass(frozen=True)
class Session:
    """One training from its start to its end, whatever interrupts it.

    name: for progress lines.   last: the checkpoint it goes on from.
    settings_digest: of all that shapes the result; a checkpoint of another one is set aside.
    """

    name: str
    seed: int
    last: Path
    settings_digest: str


@dataclass(frozen=True)
class Loop:
    """What stays the same from epoch to epoch."""

    trainable: BaseTrainable
    source: Source
    settings: TrainSettings
    seed: int
    optimiser: torch.optim.Optimizer
    progress: Progress


def train(
    trainable: BaseTrainable,
    source: Source,
    settings: TrainSettings,
    session: Session,
    keep: Callable[[History], None] = lambda history: None,
    watch: Callable[[int], dict[str, float]] = lambda epochs: {},
) -> History:
    """Run the epochs that are missing.

    keep: called on the first rank after every epoch.
    watch: finished epochs -> more values for the record.
    Returns: one dict per epoch, {epoch, step, lr, loss, parts..., seconds, clips_per_second,
    cpu_percent, ended, peak_mb}.
    Raises: UserError for a checkpoint of other settings, or a loss or weight that is not finite.
    """
    if settings.epochs == 0:
        return []
    settings_digest = session.settings_digest
    if (named := settings.precision) in ("auto", "tf32"):
        settings = precision.chosen(settings, source.device)
        if settings.precision != named:
            settings_digest = digest([settings_digest, settings.precision])
    if settings.precision == "bf16":
        precision.use_bf16(trainable)
    distributed.synchronise_norms(trainable.sharded())
    optim, epochs = optimiser.build(trainable, settings), epochs_of(settings, len(source))
    first, history = checkpoint.resume(session.last, settings_digest, trainable, optim)
    items = settings.steps_per_epoch * settings.batch_size or len(source)
    progress = Progress(session.name, first, epochs, items)
    loop = Loop(trainable, source, settings, session.seed, optim, progress)
    for epoch in range(first, epochs):
        progress.epoch()
        # Dropout and the like draw from torch's global generator: seeded per epoch, so that a
        # resumed epoch draws the same.
        torch.manual_seed(derive(session.seed, "dropout", distributed.rank(), epoch))
        step = int(history[-1]["step"]) if history else 0
        record: dict[str, float] = {"epoch": epoch, "lr": learning_rate(settings, epoch, step)}
        with precision.float32_products(settings.precision):
            record |= train_epoch(loop, epoch, step)
        record["step"] = record.pop("steps") + step
        record |= progress.end_of_epoch(epoch, record["loss"])
        record["peak_mb"] = peak_memory(source.device)
        check_epoch(record, loop, f"{session.name}: epoch {epoch}")
        history.append(record | watch(epoch + 1))
        if distributed.rank() == 0:
            keep(history)  # before the checkpoint, after which the epoch is not repeated
            checkpoint.save(session.last, settings_digest, epoch + 1, history, trainable, optim)
    return history


def train_epoch(loop: Loop, epoch: int, first_step: int = 0) -> dict[str, float]:
    """One pass over the source, or steps_per_epoch batches; one host sync, at the end.

    first_step: optimiser steps of the epochs before; with max_steps the pass may end early.
    Returns: mean losses over batches, and the number of optimiser steps.
    """
    trainable, source, settings = loop.trainable, loop.source, loop.settings
    trainable.train()
    epoch_batches = batches.of_epoch(source, settings, loop.seed, epoch)
    sums: dict[str, torch.Tensor] = {}
    steps = 0
    for i, members in enumerate(epoch_batches):
        rng = torch_generator(loop.seed, "views", epoch, i)
        batch = batches.make(source, members)._replace(epoch=epoch)
        losses = trainable(batch, rng)
        (losses["loss"] / settings.accumulate).backward()
        if (i + 1) % settings.accumulate == 0 or i + 1 == len(epoch_batches):
            passed = steps * settings.accumulate / len(epoch_batches) if settings.per_step else 0
            rate = learning_rate(settings, epoch + passed, first_step + steps)
            update(trainable, loop.optimiser, settings, rate)
            steps += 1
        for name, value in losses.items():
            sums[name] = sums.get(name, torch.zeros((), device=source.device)) + value.detach()
        loop.progress.step(epoch, min((i + 1) * settings.batch_size, loop.progress.clips))
        if first_step + steps == settings.max_steps > 0:
            break
    means = torch.stack(list(sums.values())).div(i + 1).tolist()
    return dict(zip(sums, means, strict=True)) | {"steps": steps}


def update(
    trainable: BaseTrainable,
    optim: torch.optim.Optimizer,
    settings: TrainSettings,
    rate: float,
) -> None:
    """One optimiser step from the gradients gathered so far."""
    distributed.average_gradients(trainable.parameters())
    if settings.clip_norm:
        torch.nn.utils.clip_grad_norm_(trainable.parameters(), settings.clip_norm)
    optimiser.set_rate(optim, rate)
    optim.step()
    optim.zero_grad(set_to_none=True)
    trainable.after_step()


def check_epoch(record: dict[str, float], loop: Loop, where: str) -> None:
    """Nothing is kept of an epoch with a loss, weight or moment that is not finite.

    Raises: UserError.
    """
    for key, value in record.items():
        if not math.isfinite(value):
            raise UserError(f"{where}: {key} is {value}; {SLOWER}")
    tensors = {**loop.trainable.state_dict(), **dict(of_optimiser(loop.optimiser))}
    check_weights(tensors, where, SLOWER)


def epochs_of(settings: TrainSettings, clips: int) -> int:
    """Epochs of a whole training: max_steps may end it before the last one, or within one.

    Raises: UserError if an epoch would make no step.
    """
    one_pass = shuffled(clips, settings.batch_size, settings.drop_last, 0, 0)
    in_all = settings.steps_per_epoch or len(one_pass)
    steps = math.ceil(batches.trained_on(in_all, settings) / settings.accumulate)
    if not settings.max_steps:
        return settings.epochs
    return min(settings.epochs, math.ceil(settings.max_steps / steps))
