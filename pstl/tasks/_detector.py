"""The networks of temporal detection: what says of every feature row which action it is about."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from pstl.config import BodyViews
from pstl.encoding.heads import Head, TunedEncoder
from pstl.modules import BaseEncoder
from pstl.ops.body_views import Draws, drawn_part, random_view
from pstl.ops.time import labels_of_span, resize_span
from pstl.records import Batch, Losses
from pstl.rng import torch_generator
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard


class FrameClassifier(Head):
    """A linear layer on feature rows: cross-entropy with the label of the frame each is about.

    width: D.   at: (R,) the frame of a window that each row is about.
    weights: of background and of each class in the loss.   dropout: share of what is read.
    """

    def __init__(
        self, width: int, at: Tensor, weights: Sequence[float], dropout: float, seed: int
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(weights))
        nn.init.xavier_normal_(self.linear.weight, generator=torch_generator(seed, "detection"))
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("at", at, persistent=False)
        self.register_buffer("weight", torch.tensor(weights), persistent=False)
        self.at: Tensor
        self.weight: Tensor

    def outputs(self, batch: Batch) -> Tensor:
        """Scores (N, R, 1 + classes) of feature rows, background first."""
        scores: Tensor = self.linear(self.dropout(batch.x))
        return scores

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """Cross-entropy of the rows of windows."""
        assert batch.y is not None  # the windows carry them
        scores, y = self.outputs(batch), batch.y[:, self.at.round().long()]
        return {"loss": F.cross_entropy(scores.flatten(0, 1), y.flatten(), weight=self.weight)}


class Detector(TunedEncoder):
    """An encoder with a FrameClassifier, trained on random views of windows.

    augment: how far they differ from the windows.
    """

    def __init__(
        self,
        encoder: BaseEncoder,
        card: EncoderCard,
        head: FrameClassifier,
        augment: BodyViews,
    ) -> None:
        super().__init__(encoder, card, head, head.linear.in_features, "frames")
        self.augment = augment

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """The classifier's loss on a view of every window."""
        return super().forward(self.view(batch, rng), rng)

    def view(self, batch: Batch, rng: Generator) -> Batch:
        """A random view of every window; of a part of one the labels go along."""
        x, y, augment = batch.x, batch.y, self.augment
        if augment.shortest < 1:
            assert y is not None  # the windows carry them
            frames = x.shape[2]
            span = drawn_part(x, augment.shortest, Draws(x, rng))
            x, y = resize_span(x, span, frames), labels_of_span(y, span, frames)
            augment = augment.model_copy(update={"shortest": 1.0})
        x = random_view(x, encoder_file.skeleton_of(self.card), augment, rng)
        return batch._replace(x=x, y=y)
