"""Batches by index from an array that lives on the device when it fits; no worker processes, no
per-clip Python."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pstl.data.store import ArraySet
from pstl.ops import bodies
from pstl.records import Batch, Wants
from pstl.rng import torch_generator

SHARE_OF_FREE_MEMORY = 0.5  # of the device that the array may take
NOTHING = Wants()


class Clips:
    """Some clips of an array, on the device if they fit, else in pinned host memory.

    len() is the number of items: clips, or bodies as `Wants.single_bodies` has them.
    x: (N, 3, T, V, M).   length: (N,) frames.   host_length: the same on the CPU.
    y: (N, ...) or None, where classes were not asked for.
    indices: (N,) into the array.   present: (N, M) bool on the CPU: bodies that are not all zero.
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
        indices = indices[data.length[indices] >= wants.shortest]
        x = torch.from_numpy(np.ascontiguousarray(data.x[indices]))
        if wants.single_bodies:
            clip, slot = present(x).nonzero(as_tuple=True)
            x, indices = x.movedim(4, 1)[clip, slot].unsqueeze(4), indices[clip.numpy()]
        self.indices = indices
        self.resident = fits(x, device)
        self.x = x.to(device) if self.resident else x.pin_memory()
        self.present = present(self.x)
        self.host_length = torch.from_numpy(data.length[indices])
        self.length = self.host_length.to(device)
        has_class = np.full(len(indices), wants.labels)
        if known is not None:
            has_class &= np.isin(indices, known)
        self.labelled = torch.from_numpy(np.flatnonzero(has_class))
        self.share = len(self.labelled) / max(1, len(indices)) if share is None else share
        self.y = None
        if wants.labels:
            y = data.y[indices]  # a copy; a task may have several numbers for each clip
            y[~has_class] = -1
            self.y = torch.from_numpy(y).to(device)

    def __len__(self) -> int:
        return len(self.x)

    def name(self, i: int) -> str:
        """What a message calls one of these clips."""
        return f"clip {self.names[self.indices[i]] if self.names else i}"

    def take(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """x (n, 3, T, V, M), length (n,), y (n,) or None of the clips `index` (n,).

        `index` lies on the CPU.
        """
        on_device = index.to(self.device, non_blocking=True)
        if self.resident:
            x = self.x[on_device]
        else:
            x = self.x[index].pin_memory().to(self.device, non_blocking=True)
        return x, self.length[on_device], None if self.y is None else self.y[on_device]

    def batch(self, index: Tensor) -> Batch:
        """The clips `index` (n,), which lies on the CPU, with all that is known of them."""
        x, length, y = self.take(index)
        return Batch(x, length, y, self.present[index], self.host_length[index])


def fits(x: Tensor, device: torch.device) -> bool:
    """Whether an array (N, ...) may live on the device."""
    if device.type == "cpu":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return x.nbytes < SHARE_OF_FREE_MEMORY * free


def present(x: Tensor) -> Tensor:
    """Which bodies are not all zero.   x: (N, C, T, V, M).   Returns: (N, M) bool on the CPU."""
    return torch.cat([bodies.present(part) for part in x.split(1024)]).cpu()


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
