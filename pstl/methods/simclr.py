"""SimCLR on skeletons: two views of a clip, pulled together and apart from all other clips of the
batch (Chen et al., ICML 2020, https://arxiv.org/abs/2002.05709).

The simplest contrastive method that could work: no queue, no momentum encoder. The views are ours,
made for recipes in which clips stand in the body's own frame (`view50`): another part of the clip,
seen from another side (turned about all axes, mirrored), of another body (bones and axes scaled),
by a worse sensor (joints lost, noise).
"""

from torch import Generator, Tensor, nn

from pstl.config import Count, Factor, Frozen, NotNegative, Share
from pstl.errors import UserError
from pstl.losses.ntxent import nt_xent
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops import body_views
from pstl.ops.body_views import Draws
from pstl.ops.collective import gather
from pstl.ops.streams import convert
from pstl.ops.time import random_span, resize_span
from pstl.records import Batch, Losses, Problem


class Config(Frozen):
    """Our choice of views; loss and head as in the paper.

    shortest: share of a clip that a view shows at least.   turn_deg: about each axis, either way.
    stretch, bones: how much axes and bones differ.   mirror: how often a view is mirrored.
    lost_joints: share of the joints.   jitter: deviation of every coordinate.
    """

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
        views = [self.view(batch, rng) for _ in range(2)]
        streams = [convert(x, self.problem.skeleton, self.problem.stream) for x in views]
        h, other_h = (gather(self.encoder(x).clip) for x in streams)
        if len(h) < 2:
            remedy = "choose a batch_size that leaves no remainder of 1, or drop_last"
            raise UserError(f"simclr: a batch of one clip has no negatives; {remedy}")
        z, other = self.projector(h), self.projector(other_h)
        return {"loss": nt_xent(z, other, self.cfg.temperature)}

    def view(self, batch: Batch, rng: Generator) -> Tensor:
        """A random view of every clip.   Returns: as batch.x, (N, 3, T, V, M)."""
        cfg, skeleton = self.cfg, self.problem.skeleton
        draws = Draws(batch.x, rng)
        x = self.part(batch, draws)
        x = body_views.lengthen(x, skeleton, cfg.bones, draws)
        x = body_views.turn(x, cfg.turn_deg, draws)
        x = body_views.stretch(x, cfg.stretch, draws)
        x = body_views.mirrored(x, skeleton, cfg.mirror, draws)
        x = body_views.jitter(x, cfg.jitter, draws)
        return body_views.lose_joints(x, cfg.lost_joints, draws)

    def part(self, batch: Batch, draws: Draws) -> Tensor:
        """A random part of every clip, resampled to all frames."""
        scale, place = draws.uniform(2).T
        scale = self.cfg.shortest + (1 - self.cfg.shortest) * scale
        span = random_span(batch.length, scale, place, 1)
        return resize_span(batch.x, span, batch.x.shape[2])
