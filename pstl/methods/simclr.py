"""SimCLR on skeletons: two views of a clip, pulled together and apart from all other clips of the
batch (Chen et al., ICML 2020, https://arxiv.org/abs/2002.05709).

The simplest contrastive method that could work: no queue, no momentum encoder. The views are ours,
made for recipes in which clips stand in the body's own frame (`view50`): another part of the clip,
seen from another side (turned about all axes, mirrored), of another body (bones and axes scaled),
by a worse sensor (joints lost, noise). One setting is not SimCLR's: neighbours as positives.
"""

from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.config import BodyViews, Count, Factor, NotNegative, Share
from pstl.errors import UserError
from pstl.losses.ntxent import mutual_neighbours, nt_xent, nt_xent_of_groups
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops.body_views import random_view
from pstl.ops.collective import gather
from pstl.ops.streams import convert
from pstl.records import Batch, Losses, Problem


class Config(BodyViews):
    """Our choice of views; loss and head as in the paper.

    frames: of a view; 0: as many as the clips' array has. Fewer where what is encoded downstream is
        faster than a clip stretched to its array, as windows of a long recording are.
    nearest, mine_after: from that epoch on other clips of the batch are positives, too: so many
        nearest by their features, if each is among the other's.
    """

    frames: int = Field(0, ge=0)
    nearest: int = Field(default=0, ge=0)
    mine_after: int = Field(default=0, ge=0)
    temperature: Factor = 0.1
    hidden: Count = 512
    projection: Count = 128
    shortest: Share = 0.5
    turn_deg: NotNegative = 30.0
    stretch: NotNegative = 0.15
    bones: NotNegative = 0.1
    mirror: Share = 0.5
    lost_joints: Share = 0.2
    jitter: NotNegative = 0.01


class Method(BaseMethod):
    """An encoder and a projector of two layers."""

    cfg: Config

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        self.projector = nn.Sequential(
            nn.Linear(encoder.width, cfg.hidden),
            nn.BatchNorm1d(cfg.hidden),
            nn.ReLU(),
            nn.Linear(cfg.hidden, cfg.projection),
        )

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's loss."""
        cfg, problem = self.cfg, self.problem
        views = [self.view(batch, rng) for _ in range(2)]
        streams = [convert(x, problem.skeleton, problem.stream) for x in views]
        h, other_h = (gather(self.encoder(x).clip) for x in streams)
        if len(h) < 2:
            remedy = "choose a batch_size that leaves no remainder of 1, or drop_last"
            raise UserError(f"simclr: a batch of one clip has no negatives; {remedy}")
        z, other = self.projector(h), self.projector(other_h)
        if not cfg.nearest or batch.epoch < cfg.mine_after:
            return {"loss": nt_xent(z, other, cfg.temperature)}
        alike = mutual_neighbours((h + other_h) / 2, cfg.nearest)
        return {"loss": nt_xent_of_groups(z, other, alike, cfg.temperature)}

    def view(self, batch: Batch, rng: Generator) -> Tensor:
        """A random view of every clip.   Returns: (N, 3, frames, V, M)."""
        return random_view(batch.x, self.problem.skeleton, self.cfg, rng, self.cfg.frames)
