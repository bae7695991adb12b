"""UmURL: Unified Multi-modal Unsupervised Representation Learning for Skeleton-based Action
Understanding.

Sun et al., ACM MM 2023, https://arxiv.org/abs/2311.03106; follows the released code. Four views of
a clip: joint of the first, bone of the second, motion of the third, and all three of the last,
which one encoder takes in together. What it says of them together, seen by each modality's
projector, is to agree with what it says of each alone, and these with one another (UmURL spec 3).
Where the skeleton has no 25 joints, the number of corrupted ones is our choice (UmURL spec 4.1).
Run: snakemake --cores all --config suite=ntu60
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.backbones.umurl import Encoder, joined
from pstl.config import Count, Frozen, NotNegative, Share
from pstl.errors import UserError
from pstl.losses.vicreg import variance_covariance
from pstl.methods._projector import project_views
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops import augment, masks, time
from pstl.ops.collective import gather, place
from pstl.ops.streams import STREAMS
from pstl.records import Batch, Losses, Problem, Wants


class Config(Frozen):
    """Defaults are the released code's values (UmURL spec 3, 4)."""

    frames: int = Field(default=64, ge=1)  # of a view; no crop is shorter, unless the clip is
    shortest_crop: float = Field(default=0.1, gt=0, le=1)  # share of the clip
    # Of a view's joints being corrupted; otherwise it is sheared.
    corruption: Share = 0.5
    corrupted_joints: Share = 0.6  # 15 of 25
    # Of corrupted joints being zero; otherwise they are multiplied by a random matrix.
    zeroed: Share = 0.5
    projection: Count = 4096
    consistency_weight: NotNegative = 5.0  # of intra and inter
    variance_weight: NotNegative = 5.0  # of the hinge on standard deviations


class Views(NamedTuple):
    """Clip features, or projections, of a batch: (N, D) each.

    joint, bone, motion: of one modality each, each of another view.
    """

    joint: Tensor
    bone: Tensor
    motion: Tensor


class Method(BaseMethod):
    """The encoder, and a projector for each modality."""

    cfg: Config
    encoder: Encoder
    wants = Wants(
        only_stream="other",
        only_stream_reason="UmURL takes joint, bone and motion in together (stream other)",
        only_stream_input="joint, motion and bone in one model",
    )

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        if not isinstance(encoder, Encoder):
            needed = "its losses need the three embeddings of the encoder 'umurl'"
            raise UserError(f"umurl: {needed}; set encoder: {{name: umurl}}")
        if problem.stream != self.wants.only_stream:
            missing = f"{self.wants.only_stream_reason}, and has no stream {problem.stream!r}"
            raise UserError(f"{missing}; set streams: [{self.wants.only_stream}]")
        self.projectors = nn.ModuleDict(
            {stream: projector(encoder.width, cfg.projection) for stream in STREAMS}
        )

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's losses, over the batch of all processes."""
        joint, bone, motion, fused = self.features(*(self.view(batch, rng) for _ in range(4)))
        alone, together = self.project(Views(joint, bone, motion), fused)
        return self.losses(alone, together)

    def sharded(self) -> list[nn.Module]:
        """The encoder's parts, as its own forward is not what is trained."""
        return [*self.encoder.embeddings.values(), self.encoder.fusion, self.encoder.layers]

    def view(self, batch: Batch, rng: Generator) -> Tensor:
        """One random view per clip: a crop, then corrupted joints or a shear (UmURL spec 4).

        Drawn for the batch of all processes, so that ranks together equal one.
        Returns: positions (N, 3, frames, V, M); both people are treated alike.
        """
        cfg, x = self.cfg, batch.x
        first, total = place(x)
        here = slice(first, first + len(x))
        scale, start, *coins = torch.rand(4, total, generator=rng)
        corrupted, zeroed = coins[0] < cfg.corruption, coins[1] < cfg.zeroed
        scale = cfg.shortest_crop + scale * (1 - cfg.shortest_crop)
        scale, start = (draw[here].to(x.device, non_blocking=True) for draw in (scale, start))
        x = time.resize_span(
            x, time.random_span(batch.length, scale, start, cfg.frames), cfg.frames
        )

        joints = self.problem.skeleton.joints
        count = max(1, round(cfg.corrupted_joints * joints))
        chosen = masks.joints_per_clip(joints, count, total, rng) | ~corrupted[:, None]
        noise = torch.rand(total, 3, 3, generator=rng) * 2 - 1
        noise = noise * ~zeroed[:, None, None]
        shear = augment.shear(total, 1.0, rng)
        matrix = torch.where(corrupted[:, None, None], noise, shear)
        return augment.transform_joints(x, matrix[here], chosen[here])

    def features(self, *views: Tensor) -> list[Tensor]:
        """Clip features of the batch of all processes: joint, bone, motion, and all together.

        views: four, positions (N_rank, 3, frames, V, M) each.   Returns: (N, D) each.

        A modality's embedding sees its two views at once, and the layers all four: their weights
        are read once.
        """
        alone, together = [], []
        for stream, view in zip(STREAMS, views[:3], strict=True):
            both = self.encoder.embed(torch.cat([view, views[3]]), stream)
            one, part = both.halves()
            alone.append(one)
            together.append(part)
        tokens = joined([*alone, self.encoder.fuse(*together)])
        features = self.encoder.encode(tokens).clip
        everywhere = gather(torch.cat(features.chunk(4), dim=1))
        if len(everywhere) < 2:
            remedy = "choose a batch_size that leaves no remainder of 1, or drop_last"
            raise UserError(f"umurl: a batch of one clip has no variance; {remedy}")
        return list(everywhere.chunk(4, dim=1))

    def project(self, alone: Views, fused: Tensor) -> tuple[Views, Views]:
        """z_j, z_b, z_m of each modality's features, and z_uj, z_ub, z_um of the fused ones.

        alone: (N, D) each, fused: (N, D).   Returns: (N, projection) each.
        """
        pairs = []
        for stream, features in zip(STREAMS, alone, strict=True):
            pairs.append(project_views(self.projectors[stream].children(), fused, features))
        together, each = zip(*pairs, strict=True)
        return Views(*each), Views(*together)

    def losses(self, alone: Views, together: Views) -> Losses:
        """Consistency within and between modalities, and what keeps it from collapse.

        alone, together: projections (N, projection).   Source: UmURL code (UmURL spec 3).
        """
        cfg = self.cfg
        intra = distances(alone, together)
        centre = (alone.joint + alone.bone + alone.motion) / 3
        inter = distances(alone, Views(centre, centre, centre))
        terms = [variance_covariance(z, cfg.variance_weight) for z in (*alone, *together)]
        regularisation = torch.stack(terms).sum()
        loss = cfg.consistency_weight * (intra + inter) + regularisation
        return {"loss": loss, "intra": intra, "inter": inter, "regularisation": regularisation}

    @staticmethod
    def frames(cfg: Frozen, recorded: int) -> int:
        """The view's frames, whatever was recorded."""
        assert isinstance(cfg, Config)
        return cfg.frames

    @staticmethod
    def clean(cfg: Frozen, x: Tensor, length: Tensor) -> Tensor:
        """Each whole clip in 64 frames (UmURL spec 5).

        (N, 3, T, V, M) -> (N, 3, frames, V, M).
        """
        assert isinstance(cfg, Config)
        return time.resize_span(x, time.Span(torch.zeros_like(length), length), cfg.frames)


def distances(z: Views, other: Views) -> Tensor:
    """Sum over modalities of the mean squared difference of (N, D) each.   Returns: a scalar."""
    each = [F.mse_loss(one, two) for one, two in zip(z, other, strict=True)]
    return torch.stack(each).sum()


def projector(features: int, projection: int) -> nn.Sequential:
    """(N, features) -> (N, projection)."""
    return nn.Sequential(
        nn.Linear(features, features),
        nn.BatchNorm1d(features),
        nn.ReLU(),
        nn.Linear(features, features),
        nn.BatchNorm1d(features),
        nn.ReLU(),
        nn.Linear(features, projection),
    )
