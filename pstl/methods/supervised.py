"""The same encoder trained with all labels from a random start.

What its capacity allows (PSTL's fine-tuning recipe, PSTL spec 9), or with random views and steps
enough what the data allow: `settings: {shortest: 0.5, turn_deg: 60}`.
"""

import torch.nn.functional as F
from torch import Generator, nn

from pstl.config import BodyViews
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops.body_views import random_view
from pstl.ops.collective import gather
from pstl.ops.streams import convert
from pstl.records import Batch, Losses, Problem, Wants


class Config(BodyViews):
    """The views trained on. By default the clips as they are, as in the released fine-tuning."""


class Method(BaseMethod):
    """Encoder and one linear layer, cross-entropy; clips with y = -1 are ignored."""

    plain_view = True
    wants = Wants(labels=True)
    cfg: Config
    classifier: nn.Linear

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        self.classifier = nn.Linear(encoder.width, problem.classes)
        nn.init.xavier_normal_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's loss."""
        skeleton = self.problem.skeleton
        view = random_view(batch.x, skeleton, self.cfg, rng)
        h = self.encoder(convert(view, skeleton, self.problem.stream)).clip
        assert batch.y is not None  # promised by `wants`
        return {
            "loss": F.cross_entropy(self.classifier(gather(h)), gather(batch.y), ignore_index=-1)
        }
