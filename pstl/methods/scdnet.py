"""SCD-Net: Spatiotemporal Clues Disentanglement Network for Self-supervised Action Recognition.

Wu et al., AAAI 2024, https://arxiv.org/abs/2309.05834; follows the released code: no positional
encoding, cross-level terms only, view 1 is always the query (SCD-Net spec 3 to 6). Where the code's
spatial mask depends on how a library sorts ties, they are broken at random here (SCD-Net spec 3.1).
Run: snakemake --cores all --config suite=nwucla
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.backbones.scdnet import Encoder
from pstl.config import Count, Frozen, NotNegative, Share
from pstl.errors import UserError
from pstl.losses.infonce import info_nce
from pstl.methods._momentum import Queue, momentum_encoder, momentum_update
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops import augment, masks, time
from pstl.ops.collective import gather, place
from pstl.ops.streams import convert
from pstl.records import Batch, Losses, Problem


class Config(Frozen):
    """Defaults are the released code's values (SCD-Net spec 3 to 5).

    Shares of a skeleton are the paper's numbers of joints divided by its 25 joints.
    """

    frames: int = Field(default=64, ge=1)  # of a view; no crop is shorter, unless the clip is
    shortest_crop: float = Field(default=0.1, gt=0, le=1)  # share of the clip
    clean_share: float = Field(default=0.95, gt=0, le=1)  # centred part that is encoded downstream
    # Of each of: rotation, exchange of sides, shear, spatial mask, temporal mask.
    probability: float = Field(default=0.5, ge=0, le=1)
    rotation_deg: NotNegative = 30.0  # of the main axis
    small_rotation_deg: NotNegative = 1.0  # of the two other axes
    shear_amplitude: NotNegative = 1.0
    seed_joints: Share = 0.2  # 5 of 25: the spatial mask grows around them
    masked_joints: Share = 0.32  # 8 of 25
    cubes: Count = 16  # of consecutive frames
    masked_cubes: int = Field(default=6, ge=0)
    projection: Count = 128
    queue: int = Field(default=8192, ge=1)
    momentum: float = Field(default=0.999, ge=0, le=1)
    temperature: float = Field(default=0.2, gt=0)


class Projectors(nn.Module):
    """One for each of v_t, v_s and v_g = [v_t; v_s].

    (N, 2 W) -> three (N, projection), rows of unit length.
    """

    def __init__(self, width: int, projection: int) -> None:
        super().__init__()
        self.width = width // 2
        self.temporal = projector(self.width, self.width, projection)
        self.spatial = projector(self.width, self.width, projection)
        self.both = projector(width, self.width, projection)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.xavier_uniform_(parameter)

    def forward(self, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z_t, z_s, z_g of clip features (N, 2 W), the temporal half first."""
        z = self.temporal(v[:, : self.width]), self.spatial(v[:, self.width :]), self.both(v)
        z_t, z_s, z_g = (F.normalize(part.float(), dim=1) for part in z)
        return z_t, z_s, z_g


def projector(features: int, hidden: int, projection: int) -> nn.Sequential:
    """(N, features) -> (N, projection)."""
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, projection))


class Method(BaseMethod):
    """Query network, its momentum encoder, and a queue of past keys for each level.

    The levels are temporal, spatial and global.
    """

    cfg: Config

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        if cfg.frames % cfg.cubes or cfg.masked_cubes > cfg.cubes:
            masked = f"{cfg.masked_cubes} of {cfg.cubes} cubes in {cfg.frames} frames"
            raise UserError(f"scdnet: {masked}; frames must be a multiple of cubes")
        if not isinstance(encoder, Encoder):
            needed = "its losses need the temporal and spatial halves of the encoder 'scdnet'"
            raise UserError(f"scdnet: {needed}; set encoder: {{name: scdnet}}")
        self.projectors = Projectors(encoder.width, cfg.projection)
        self.key_encoder = momentum_encoder(encoder)
        self.key_projectors = momentum_encoder(self.projectors)
        # Temporal, spatial, global.
        self.queues = nn.ModuleList(Queue(cfg.queue, cfg.projection) for _ in range(3))
        self.new_keys: list[tuple[Tensor, ...]] = []  # since the last optimiser step

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's losses; its keys enter the queues in after_step()."""
        query_view, key_view = self.view(batch, rng), self.view(batch, rng)
        query = self.query(query_view, batch.present)
        if not self.new_keys:  # once per optimiser step, before its keys
            self.momentum_update()
        key = self.key(key_view, batch.present)
        self.new_keys.append(key)
        return self.contrast(query, key)

    def sharded(self) -> list[nn.Module]:
        """Both encoders."""
        return [self.encoder, self.key_encoder]

    def view(self, batch: Batch, rng: Generator) -> Tensor:
        """One random view per clip: crop, rotate, shear, exchange sides, mask (SCD-Net spec 3).

        Drawn for the global batch, so that ranks together equal one process.
        Returns: (N, 3, frames, V, M).
        """
        cfg, skeleton = self.cfg, self.problem.skeleton
        first, total = place(batch.x)
        here = slice(first, first + len(batch.x))
        scale, start, *coins = torch.rand(7, total, generator=rng)
        rotated, swapped, sheared, joints_masked, frames_masked = (
            coin < cfg.probability for coin in coins
        )
        scale = 1 - scale * (1 - cfg.shortest_crop)
        scale, start = (draw[here].to(batch.x.device, non_blocking=True) for draw in (scale, start))
        span = time.random_span(batch.length, scale, start, cfg.frames)
        x = time.resize_span(batch.x, span, cfg.frames)
        x = convert(x, skeleton, self.problem.stream)

        rotation = augment.rotation(total, cfg.rotation_deg, cfg.small_rotation_deg, rng)
        shear = augment.shear(total, cfg.shear_amplitude, rng)
        matrix = augment.only_where(rotated, rotation) @ augment.only_where(sheared, shear)
        x = augment.transform(x, matrix[here])
        x = augment.swap_sides_where(x, skeleton.mirror, swapped[here])

        seeds = max(1, round(cfg.seed_joints * skeleton.joints))
        masked = max(1, round(cfg.masked_joints * skeleton.joints))
        joints = masks.structure_guided_joints(skeleton, seeds, masked, total, rng)
        joints &= joints_masked[:, None]
        frames = masks.frame_cubes(cfg.frames, cfg.cubes, cfg.masked_cubes, total, rng)
        frames &= frames_masked[:, None]
        return masks.zero_fill(x, joints[here], frames[here])

    def query(self, x: Tensor, present: Tensor | None = None) -> tuple[Tensor, ...]:
        """z_t, z_s, z_g of the global batch, (N, projection) each, with gradients."""
        features = self.encoder(x, present=present).clip
        return tuple(gather(z) for z in self.projectors(features))

    @torch.no_grad()
    def key(self, x: Tensor, present: Tensor | None = None) -> tuple[Tensor, ...]:
        """The same, (N, projection) each, by the momentum encoder, without gradients."""
        features = self.key_encoder(x, present=present).clip
        return tuple(gather(z) for z in self.key_projectors(features))

    def momentum_update(self) -> None:
        """Move the key network towards the query network."""
        momentum_update(self.key_encoder, self.encoder, self.cfg.momentum)
        momentum_update(self.key_projectors, self.projectors, self.cfg.momentum)

    def contrast(self, query: tuple[Tensor, ...], key: tuple[Tensor, ...]) -> Losses:
        """The four cross-level terms (SCD-Net spec 5): t to g, s to g, g to t, g to s.

        query, key: (N, projection) of each level t, s, g.
        """
        (q_t, q_s, q_g), (k_t, k_s, k_g) = query, key
        queue_t, queue_s, queue_g = self.negatives()
        # They share keys and negatives.
        t_g, s_g = info_nce(torch.stack([q_t, q_s]), k_g, queue_g, self.cfg.temperature)
        g_t = info_nce(q_g, k_t, queue_t, self.cfg.temperature)
        g_s = info_nce(q_g, k_s, queue_s, self.cfg.temperature)
        return {"loss": t_g + s_g + g_t + g_s, "t_g": t_g, "s_g": s_g, "g_t": g_t, "g_s": g_s}

    def negatives(self) -> Iterator[Tensor]:
        """Past keys (queue, projection) of each level."""
        return (queue.keys for queue in self.queues)  # type: ignore[misc]

    def after_step(self) -> None:
        """Put the keys into the queues.

        After the logits, so that none is its own negative, and after the backward pass, which reads
        the queues.
        """
        for queue, keys in zip(self.queues, zip(*self.new_keys, strict=True), strict=True):
            queue.enqueue(torch.cat(keys))  # type: ignore[operator]
        self.new_keys.clear()

    @staticmethod
    def frames(cfg: Frozen, recorded: int) -> int:
        """The view's frames, whatever was recorded."""
        assert isinstance(cfg, Config)
        return cfg.frames

    @staticmethod
    def clean(cfg: Frozen, x: Tensor, length: Tensor) -> Tensor:
        """The centred 95 % of each clip in 64 frames (SCD-Net spec 3.3).

        (N, 3, T, V, M) -> (N, 3, frames, V, M).
        """
        assert isinstance(cfg, Config)
        return time.resize_span(x, time.centred_span(length, cfg.clean_share), cfg.frames)

    @classmethod
    def augmented(
        cls, cfg: Frozen, x: Tensor, length: Tensor, rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """A random half or more of each clip in 64 frames, as CMD fine-tunes.

        Drawn for the batch of all processes, so that ranks together equal one.
        Source: SCD-Net spec 3.3, 7.3.   Returns: (N, 3, frames, V, M) and length.
        """
        assert isinstance(cfg, Config)
        first, total = place(x)
        draws = torch.rand(2, total, generator=rng)[:, first : first + len(x)]
        scale, start = draws.to(x.device, non_blocking=True)
        span = time.random_span(length, 0.5 + 0.5 * scale, start, cfg.frames)
        return time.resize_span(x, span, cfg.frames), length
