"""AimCLR: Contrastive Learning from Extremely Augmented Skeleton Sequences.

Guo et al., AAAI 2022, https://arxiv.org/abs/2112.03590; follows the released code: streams are
computed from augmented views, noise is added to absent bodies too, the blur is not normalised,
nothing is random in the dropping (AimCLR spec 4, 5).
Run: see docs/add-a-method.md, section 4, with this method's name.
"""

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Generator, Tensor

from pstl.config import Count, NotNegative, Share
from pstl.errors import UserError
from pstl.losses.infonce import logits
from pstl.losses.neighbours import follow, neighbours, positives_nce
from pstl.methods._contrast import ContrastConfig, ContrastMethod
from pstl.modules import BaseEncoder
from pstl.ops import augment
from pstl.ops.collective import all_sum, place
from pstl.ops.dtypes import at_least_float32
from pstl.ops.streams import convert
from pstl.records import Batch, Losses, Problem

FLOOR = 1e-4  # of the variance by which energies are divided
TAPS, WIDTHS = 15, (0.1, 2.0)  # frames of the blur's kernel, and between which its width is drawn


class Config(ContrastConfig):
    """Defaults are the released code's values (AimCLR spec 4 to 6)."""

    probability: Share = 0.5  # of each of: exchange of sides, noise, blur, hidden axis
    rotation_deg: NotNegative = 30.0  # of the main axis
    small_rotation_deg: NotNegative = 1.0  # of the two other axes
    noise: NotNegative = 0.01  # standard deviation, metres
    # Attention from which on joints and entries go. Their mean is at most sigmoid(3/4) = 0.679, so
    # above it some always stay.
    drop_from: float = Field(default=0.7, ge=0.68, le=1)
    mine_after: int = Field(default=150, ge=0)  # epochs; then nearest neighbours are positives, too
    nearest: Count = 1  # neighbours that each of the three queries names

    @model_validator(mode="after")
    def _the_queue_holds_the_nearest(self) -> "Config":
        if self.nearest > self.queue:
            raise ValueError(f"nearest is {self.nearest}, expected at most queue {self.queue}")
        return self


class Method(ContrastMethod):
    """SkeletonCLR, and two distributions of an extreme view that follow that of the normal one."""

    cfg: Config

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        if type(encoder).maps is BaseEncoder.maps:
            needed = "its dropping needs an encoder that keeps joints apart"
            raise UserError(f"aimclr: {needed}; set encoder: {{name: stgcn}}")

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's losses; after `mine_after` epochs with neighbours among the positives."""
        cfg = self.cfg
        extreme_view = self.extreme_view(batch.x, rng)
        view, other_view = self.view(batch.x, rng), self.view(batch.x, rng)
        query = self.query(view)
        extreme, dropped = self.extreme_queries(extreme_view)
        queries = torch.stack([query, extreme, dropped])
        scores = logits(queries, self.key(other_view), self.queue.keys, cfg.temperature)
        log_p = F.log_softmax(scores, dim=-1)  # (3, N, 1 + K)
        contrast = -log_p[0, :, 0].mean()
        if batch.epoch >= cfg.mine_after:
            contrast = positives_nce(log_p[0], neighbours(scores.detach(), cfg.nearest))
        of_extreme, of_dropped = follow(log_p[1:], log_p[0])  # D3M
        loss = contrast + (of_extreme + of_dropped) / 2
        return {"loss": loss, "contrast": contrast, "extreme": of_extreme, "dropped": of_dropped}

    def extreme_view(self, x: Tensor, rng: Generator) -> Tensor:
        """Crop, shear, exchange sides, rotate, add noise, blur, hide an axis; then the stream.

        x: (N, 3, T, V, M) -> same shape (AimCLR spec 5).   Drawn for the global batch.
        """
        cfg, skeleton, (first, total) = self.cfg, self.problem.skeleton, place(x)
        here = slice(first, first + len(x))
        swapped, noisy, blurred, hidden = torch.rand(4, total, generator=rng) < cfg.probability
        shift = self.shifts(x.shape[2], total, rng)
        shear = augment.shear(total, cfg.shear_amplitude, rng)
        rotation = augment.rotation(total, cfg.rotation_deg, cfg.small_rotation_deg, rng)
        noise = cfg.noise * torch.randn(total, *x.shape[1:], generator=rng)
        width = torch.empty(total).uniform_(*WIDTHS, generator=rng)
        axis = torch.randint(0, 3, (total,), generator=rng)

        x = augment.shift_frames(x, shift[here])
        x = augment.transform(x, (shear @ rotation)[here])
        x = augment.swap_sides_where(x, skeleton.mirror, swapped[here])
        noise = noise[here] * noisy[here].view(-1, 1, 1, 1, 1)
        x = x + noise.to(x.device, x.dtype, non_blocking=True)
        x = augment.blur(x, width[here], blurred[here], TAPS)
        x = augment.hide_axes(x, axis[here], hidden[here])
        return convert(x, skeleton, self.problem.stream)

    def extreme_queries(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """Of an extreme view, and of it without what its last maps show most of.

        view: (n, 3, T, V, M).   Returns: (N, P) each, of the global batch.
        """
        maps = at_least_float32(self.encoder.maps(view))
        kept, scale = energetic_dropped(maps.detach(), self.cfg.drop_from)
        dropped = self.pooled(maps * kept) * scale
        return self.project(self.pooled(maps)), self.project(dropped)

    def pooled(self, maps: Tensor) -> Tensor:
        """Mean over frames, joints and persons.   (n M, D, T', V) -> (n, D)."""
        return maps.mean((2, 3)).unflatten(0, (-1, self.problem.people)).mean(1)


@torch.no_grad()
def energetic_dropped(maps: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Energy attention guided dropping (AimCLR spec 4).

    An entry's attention grows with its squared distance from its channel's mean. Joints go whose
    mean attention reaches the threshold, in all channels and frames, and every single entry that
    reaches it; nothing is random.
    maps: (P, D, T', V), at least float32.
    Returns: what stays, bool of this shape, and a scalar by which it is to be multiplied.
    """
    energy = (maps - maps.mean((2, 3), keepdim=True)).square()
    variance = energy.sum((2, 3), keepdim=True) / (energy[0, 0].numel() - 1)
    attention = torch.sigmoid(energy / (4 * (variance + FLOOR)) + 0.5)
    joints = attention.mean((1, 2), keepdim=True) < threshold  # (P, 1, 1, V)
    entries = attention < threshold
    return joints & entries, rescale(joints) * rescale(entries)


def rescale(kept: Tensor) -> Tensor:
    """How many places there are for each that is kept, in the batch of all processes.

    kept: bool, any shape, such as (P, D).   Returns: scalar.
    """
    places = torch.full((), kept.numel(), device=kept.device)
    places, stay = all_sum(torch.stack([places, kept.sum()]))
    return places / stay
