"""Batches by index from an array that lives on the device when it fits; no worker processes, no
per-clip Python."""

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pstl.data.store import ArraySet
from pstl.ops import bodies
from pstl.records import Batch, Wants
from pstl.rng import torch_generator

SHARE_OF_FREE_MEMORY = 0.5  # of the device that the array may take
AT_ONCE = 64  # clips that are looked at or copied to a device at once
NOTHING = Wants()


class Clips:
    """Some clips of an array: copied to a GPU if they fit, else gathered out of the array.

    An array on disk is mapped, so that what is read of it is shared with every other process that
    reads it, and no process holds more of it than a batch.

    len() is the number of items: clips, or bodies as `Wants.single_bodies` has them.
    x: (R, 3, T, V, M) that items are taken out of: the array, or these items alone on the device.
    length: (N,) frames.   host_length: the same on the CPU.
    y: (N, ...) or None, where classes were not asked for.
    indices: (N,) into the array.
    labelled: on the CPU, which of these clips have a class.
    share: of the clips that have a class, as it was asked for, which rules of drawing round.
    """

    def __init__(
        self,
        data: ArraySet,
        indices: np.ndarray,
        device: torch.device,
        wants: Wants = NOTHING,
        known: np.ndarray | None = None,
        share: float | None = None,
    ) -> None:
        """wants: classes, single bodies, and the shortest recordings that are not left out.

        known: indices into `data` of the clips whose classes are loaded, the others get -1; None:
        all.   share: see above; None: as counted.
        """
        self.device, self.names = device, data.names
        self.x = mapped(data.x)
        rows = torch.from_numpy(indices[data.length[indices] >= wants.shortest])
        self._slots: Tensor | None = None
        if wants.single_bodies:
            clip, self._slots = present(self.x, rows).nonzero(as_tuple=True)
            rows = rows[clip]
        self.indices = rows.numpy()
        self._rows = rows
        self._present: Tensor | None = None
        if device.type != "cpu" and fits(len(rows) * self._bytes_of_an_item(), device):
            self._move()
        self.host_length = torch.from_numpy(data.length[self.indices])
        self.length = self.host_length.to(device)
        has_class = np.full(len(rows), wants.labels)
        if known is not None:
            has_class &= np.isin(self.indices, known)
        self.labelled = torch.from_numpy(np.flatnonzero(has_class))
        self.share = len(self.labelled) / max(1, len(rows)) if share is None else share
        self.y = None
        if wants.labels:
            y = data.y[self.indices]  # a copy; a task may have several numbers for each clip
            y[~has_class] = -1
            self.y = torch.from_numpy(y).to(device)

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, i: int) -> str:
        """What a message calls one of these clips."""
        return f"clip {self.names[self.indices[i]] if self.names else i}"

    def take(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """x (n, 3, T, V, M), length (n,), y (n,) or None of the clips `index` (n,).

        `index` lies on the CPU.
        """
        batch = self.batch(index)
        return batch.x, batch.length, batch.y

    def batch(self, index: Tensor) -> Batch:
        """The clips `index` (n,), which lies on the CPU, with all that is known of them."""
        on_device = index.to(self.device, non_blocking=True)
        if self._present is None:
            x = self._gathered(index)
            there = bodies.present(x)
            if self.device.type != "cpu":
                x = x.pin_memory().to(self.device, non_blocking=True)
        else:
            x, there = self.x[on_device], self._present[index]
        y = None if self.y is None else self.y[on_device]
        return Batch(x, self.length[on_device], y, there, self.host_length[index])

    def _bytes_of_an_item(self) -> int:
        people = self.x.shape[4] if self._slots is None else 1
        return self.x[:1, ..., :people].numel() * self.x.element_size()

    def _gathered(self, index: Tensor) -> Tensor:
        """The items `index` (n,) out of the array, on the CPU.   Returns: (n, 3, T, V, M)."""
        x = self.x.index_select(0, self._rows[index])
        if self._slots is None:
            return x
        return x.movedim(4, 1)[torch.arange(len(x)), self._slots[index]].unsqueeze(4)

    def _move(self) -> None:
        """Copy the items to the device, some at once, and keep which bodies are there."""
        first = self._gathered(torch.arange(min(1, len(self))))
        resident = torch.empty((len(self), *first.shape[1:]), dtype=first.dtype, device=self.device)
        there = torch.empty(len(self), first.shape[4], dtype=torch.bool)
        for part in in_order(len(self), AT_ONCE):
            x = self._gathered(torch.arange(part.start, part.stop))
            resident[part].copy_(x)
            there[part] = bodies.present(x)
        self.x, self._present = resident, there


def mapped(x: np.ndarray) -> Tensor:
    """An array (N, ...) as a tensor that shares its memory, or its file. Nobody may write into it:
    a map of a file cannot be written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(x)


def fits(size: int, device: torch.device) -> bool:
    """Whether an array of so many bytes may live on the device, which is no CPU."""
    free, _ = torch.cuda.mem_get_info(device)
    return size < SHARE_OF_FREE_MEMORY * free


def present(x: Tensor, rows: Tensor) -> Tensor:
    """Which bodies of some clips are not all zero.   x: (N, C, T, V, M) on the CPU, rows: (n,).

    Returns: (n, M) bool.
    """
    # One result, made first: small ones between the gathered clips would keep the memory of each
    # from being used for the next.
    there = torch.empty(len(rows), x.shape[4], dtype=torch.bool)
    for part in in_order(len(rows), AT_ONCE):
        there[part] = bodies.present(x.index_select(0, rows[part]))
    return there


def shuffled(count: int, batch_size: int, drop_last: bool, seed: int, epoch: int) -> list[Tensor]:
    """One epoch's batches of indices (n,) on the CPU, the same on every rank.

    The last one may be short.
    """
    order = torch.randperm(count, generator=torch_generator(seed, "shuffle", epoch))
    batches = list(order.split(batch_size))
    if drop_last and len(batches) > 1 and len(batches[-1]) < batch_size:
        batches.pop()
    return batches


def in_order(count: int, batch_size: int) -> Iterator[slice]:
    """Slices that cover 0..count in file order."""
    return (slice(i, min(i + batch_size, count)) for i in range(0, count, batch_size))
