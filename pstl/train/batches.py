"""Which clips make a batch, as a pure function of seed, epoch and step, so that a resumed run draws
what an uninterrupted one does.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from pstl.config import TrainSettings
from pstl.data.loader import shuffled
from pstl.errors import UserError
from pstl.records import Batch, Source
from pstl.rng import torch_generator
from pstl.train.distributed import share

FEWEST = 4  # labelled clips of a batch, where a fraction says how many


class Members(NamedTuple):
    """Indices of one batch (CPU).

    labelled: drawn among the labelled clips, None without such a part.
    others: (n,).
    """

    labelled: Tensor | None
    others: Tensor


def of_epoch(clips: Source, train: TrainSettings, seed: int, epoch: int) -> list[Members]:
    """The batches of one epoch, the same on every rank."""
    steps = train.steps_per_epoch
    if train.replacement:
        others = drawn(len(clips), train.batch_size, epoch * steps, steps, seed)
    elif steps:
        others = cycled(len(clips), train.batch_size, epoch * steps, steps, seed, "shuffle")
    else:
        others = shuffled(len(clips), train.batch_size, train.drop_last, seed, epoch)
    others = others[: trained_on(len(others), train)]
    if not train.labelled_batch:
        return [Members(None, index) for index in others]
    if not len(clips.labelled):
        remedy = "use a method that needs labels, or remove it"
        raise UserError(f"train.labelled_batch is set, but no clip has a label; {remedy}")
    count, size, steps = len(clips.labelled), labelled_size(train, clips), len(others)
    rows = cycled(count, size, epoch * steps, steps, seed, "shuffle labelled")
    return [Members(clips.labelled[row], index) for row, index in zip(rows, others, strict=True)]


def trained_on(batches: int, train: TrainSettings) -> int:
    """How many of an epoch's batches are trained on. Raises: UserError if they make no step."""
    if not train.whole_steps:
        return batches
    if batches < train.accumulate:
        few = f"{batches} batches of {train.batch_size} in an epoch"
        remedy = "lower train.batch_size or train.accumulate"
        raise UserError(f"train.whole_steps: {few} make no step of {train.accumulate}; {remedy}")
    return batches // train.accumulate * train.accumulate


def labelled_size(train: TrainSettings, clips: Source) -> int:
    """How many labelled clips stand before each batch."""
    if train.labelled_batch == "fraction":
        # 0.35 * 90 is 31.499...
        return max(FEWEST, math.floor(train.batch_size * clips.share + 0.5 + 1e-9))
    return train.labelled_batch


def cycled(count: int, size: int, first: int, steps: int, seed: int, purpose: str) -> list[Tensor]:
    """Batches first .. first + steps - 1 of an endless series.

    Pass after pass in new order, the short batch at a pass's end left out.
    Returns: `steps` tensors (min(size, count),) of indices.
    """
    size = min(size, count)
    in_a_pass = count // size
    orders: dict[int, Tensor] = {}
    batches = []
    for number in range(first, first + steps):
        which, place = divmod(number, in_a_pass)
        if which not in orders:
            rng = torch_generator(seed, purpose, which)
            orders[which] = torch.randperm(count, generator=rng)
        batches.append(orders[which][place * size :][:size])
    return batches


def drawn(count: int, size: int, first: int, steps: int, seed: int) -> list[Tensor]:
    """Batches first .. first + steps - 1 of an endless series, each index drawn among all.

    Returns: `steps` tensors (size,) of indices.
    """
    numbers = range(first, first + steps)
    rngs = [torch_generator(seed, "draw", number) for number in numbers]
    return [torch.randint(count, (size,), generator=rng) for rng in rngs]


def make(source: Source, members: Members) -> Batch:
    """This rank's share of a batch: of the labelled part and of the others."""
    others = share(members.others)
    if members.labelled is None:
        return source.batch(others)
    labelled = share(members.labelled)
    batch = source.batch(torch.cat([labelled, others]))
    assert batch.y is not None  # of_epoch() found labelled clips
    unseen = torch.full_like(batch.y[len(labelled) :], -1)
    y = torch.cat([batch.y[: len(labelled)], unseen])
    return batch._replace(y=y, labelled=len(labelled))
