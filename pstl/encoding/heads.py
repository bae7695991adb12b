"""Heads on an encoder's features, trained on cached features or together with the encoder."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor, nn

from pstl.data.loader import Clips, in_order
from pstl.encoding import windows
from pstl.encoding.standardise import FeatureStandardiser
from pstl.modules import BaseEncoder, BaseTrainable
from pstl.ops.finite import check_rows
from pstl.records import Batch, Losses
from pstl.train.encoder_file import EncoderCard

BATCH = 256  # clips encoded at once


class FeatureRows:
    """Cached features (N, R, D) with their targets (N, ...): what a head alone is trained on.

    A Source of the training loop; all items have targets.
    """

    share = 1.0

    def __init__(self, rows: np.ndarray, y: np.ndarray, device: torch.device) -> None:
        self.device = device
        self.rows, self.y = torch.from_numpy(rows).to(device), torch.from_numpy(y).to(device)
        self.length = torch.full((len(rows),), rows.shape[1], device=device)
        self.labelled = torch.arange(len(rows))

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, i: int) -> str:
        """What a message calls an item."""
        return f"item {i}"

    def batch(self, index: Tensor) -> Batch:
        """The items `index` (n,), which lies on the CPU."""
        index = index.to(self.device, non_blocking=True)
        return Batch(self.rows[index], self.length[index], self.y[index])


class Head(BaseTrainable):
    """A network on standardised features: batch.x is (N, R, D)."""

    def outputs(self, batch: Batch) -> Tensor:
        """What is read off the features of a batch: (N, ...)."""
        raise NotImplementedError


class TunedEncoder(BaseTrainable):
    """An encoder that is trained with a head on its standardised features.

    reads: which features; the clip's is one row, as is the last in time.
    dropout: whether the encoder's is on in training.
    """

    def __init__(
        self,
        encoder: BaseEncoder,
        card: EncoderCard,
        head: Head,
        width: int,
        reads: Literal["clip", "frames", "last_row"],
        dropout: bool = True,
    ) -> None:
        super().__init__()
        self.encoder, self.card, self.head = encoder, card, head
        self.standard = FeatureStandardiser(width)
        self.reads, self.dropout = reads, dropout

    def train(self, mode: bool = True) -> "TunedEncoder":
        """Dropout stays off unless it is asked for."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.Dropout) and not self.dropout:
                module.eval()
        return self

    def sharded(self) -> Sequence[nn.Module]:
        """The encoder: the head sees the whole batch."""
        return [self.encoder]

    def rows(self, batch: Batch) -> Tensor:
        """Features (N, R, D) of clips as the recipe made them, as they are."""
        features = windows.encode(self.card, self.encoder, batch.x, batch.length)
        if self.reads == "clip":
            return features.clip[:, None]
        return features.frames if self.reads == "frames" else features.frames[:, -1:]

    def renew(self, clips: Clips) -> None:
        """Standardise by all these clips: the encoder has changed with every batch."""
        self.eval()
        self.standard.fit(cached(self.rows, clips))

    def outputs(self, batch: Batch) -> Tensor:
        """What the head reads off the clips of a batch: (N, ...)."""
        return self.head.outputs(batch._replace(x=self.standard(self.rows(batch))))

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """The head's losses on the features of a batch."""
        losses: Losses = self.head(batch._replace(x=self.standard(self.rows(batch))), rng)
        return losses


@torch.inference_mode()
def outputs_of(trained: Head | TunedEncoder, source: Clips | FeatureRows) -> Tensor:
    """Outputs (N, ...) of everything, in file order, in evaluation mode; float32, on the device."""
    trained.eval()
    return _joined(trained.outputs, source)


@torch.inference_mode()
def cached(features: Callable[[Batch], Tensor], clips: Clips) -> np.ndarray:
    """Features (N, R, D) of all clips in file order; the encoder's mode is left alone.

    features: gives those of a batch, (n, R, D).
    """
    rows = _joined(features, clips).cpu().numpy()
    check_rows(rows, "features", clips.name)
    return rows


def _joined(of_batch: Callable[[Batch], Tensor], source: Clips | FeatureRows) -> Tensor:
    parts = in_order(len(source), BATCH)
    batches = (source.batch(torch.arange(part.start, part.stop)) for part in parts)
    return torch.cat([of_batch(batch).float() for batch in batches])
