"""Hi-TRS: Hierarchically Self-Supervised Transformer for Human Skeleton Representation Learning (Chen et al., ECCV 2022).

Follows the released code (spec). One pass over the masked sequence of one person feeds four tasks: restore the masked joints, tell
whether two frames of a clip, or two clips of the video, were exchanged, and find the video's last clip among those of the batch.
Run: python -m pstl bench --method hitrs
"""

from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.backbones.hitrs import Encoder
from pstl.config import Factor, Frozen, NotNegative, Share
from pstl.contracts import Batch, Losses, Problem, Wants
from pstl.errors import UserError
from pstl.losses.infonce import batch_logits
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops import augment, masks, time, windows
from pstl.ops.collective import all_sum, gather, place
from pstl.ops.streams import convert
from pstl.skeletons import Skeleton


class Config(Frozen):
    """Defaults are the released code's values (spec sections 1.4 and 3), for 25 joints where they are shares of a skeleton."""

    probability: float = Field(
        default=0.5, ge=0, le=1
    )  # of one transform in space and one in time, each of them equally likely
    scale: Share = 0.2  # factor ~ U(1 - scale, 1 + scale)
    noisy_joints: Share = 0.2  # 5 of 25 joints are moved
    noise: NotNegative = 0.2  # metres
    shear: NotNegative = 0.5
    crop: float = Field(default=0.2, ge=0, lt=1)  # largest share of the frames that is cut off
    masked: float = Field(default=0.15, gt=0, lt=1)  # of the joints of all frames
    magnification: Factor = 10.0  # of coordinates in the pose loss
    temperature: float = Field(default=0.07, gt=0)


class Parts(NamedTuple):
    """What the three levels give for one batch of B bodies.

    restored, original: (K, 3) selected joints.   pair: (2 B, D_C) tokens of one clip of each, as it is, then with two frames exchanged.
    valid: (B,) bool, bodies that move, without which there is no such clip.
    order: (2 B, D_V) tokens of the video, as it is, then with two clips exchanged.   last: (B, D_C) token of the clip not in it.
    """

    restored: Tensor
    original: Tensor
    pair: Tensor
    valid: Tensor
    order: Tensor
    last: Tensor


class Method(BaseMethod):
    """Encoder and four linear heads."""

    cfg: Config
    encoder: Encoder
    wants = Wants(single_bodies=True)

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        if not isinstance(encoder, Encoder):
            raise UserError(
                "hitrs: its losses need the three levels of the encoder 'hitrs'; set encoder: {name: hitrs}"
            )
        clip = encoder.width // 2
        self.pose_head, self.clip_head = nn.Linear(clip // 2, 3), nn.Linear(clip, 2)
        self.order_head, self.last_head = (
            nn.Linear(encoder.width, 2),
            nn.Linear(encoder.width, clip),
        )
        # Longer than this by the released code's bound: then three clips are left after the largest crop, two of them to exchange.
        shortest = int(2 * encoder.cfg.stride / (1 - cfg.crop) + 1) + 1
        self.wants = replace(self.wants, shortest=shortest)

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        length = batch.length.cpu() if batch.host_length is None else batch.host_length
        x, length = self.augmented(self.cfg, batch.x, length, rng)
        x = self.as_stream(x, self.problem.skeleton, self.problem.stream)
        return self.losses(self.parts(x[..., 0].permute(0, 2, 3, 1), length, rng))

    def sharded(self) -> list[nn.Module]:
        return [self.encoder.frame_level, self.encoder.clip_level, self.encoder.video_level]

    @staticmethod
    def as_stream(x: Tensor, skeleton: Skeleton, stream: str) -> Tensor:
        """Motion is that since the frame before, 0 in the first (Hi-TRS spec 1.2)."""
        return convert(x, skeleton, stream, from_previous=True)

    @classmethod
    def augmented(
        cls, cfg: Frozen, x: Tensor, length: Tensor, rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """Half of the clips transformed once in space and once in time (Hi-TRS spec 1.4), with fine-tuning as with pre-training.

        x: (N, 3, T, V, M), length: (N,).   Returns: both, length on its own device; frames beyond it mean nothing. Absent people stay
        absent. Drawn for the whole batch of all processes, so that ranks together equal one.
        """
        assert isinstance(cfg, Config)
        first, total = place(x)
        here, joints = slice(first, first + len(x)), x.shape[3]
        coin, space, moment, factor, share, ratio, cut = torch.rand(7, total, generator=rng)
        shear = augment.shear(total, cfg.shear, rng)
        offset = augment.joint_offsets(
            total, joints, max(1, round(cfg.noisy_joints * joints)), cfg.noise, rng
        )
        chosen = coin < cfg.probability
        kind, in_time = (space * 3).long(), moment < 0.5
        scale = (1 + cfg.scale * (2 * factor - 1))[:, None, None] * torch.eye(3)
        matrix = augment.only_where(chosen & (kind == 0), scale) @ augment.only_where(
            chosen & (kind == 1), shear
        )
        offset = (offset * (chosen & (kind == 2))[:, None, None])[here].to(x, non_blocking=True)
        there = (
            x.ne(0).any(3).any(2).any(1).to(x.dtype)
        )  # (N, M): without a body there is nothing to move
        x = (
            augment.transform(x, matrix[here])
            + torch.einsum("ncv,nm->ncvm", offset, there)[:, :, None]
        )

        share, ratio = share * (chosen & in_time), ratio * cfg.crop * (chosen & ~in_time)
        removed = (length * ratio[here].to(length.device, non_blocking=True)).round().long()
        start = (cut[here].to(length.device, non_blocking=True) * (removed + 1)).long()
        frames, share, start = (
            value.to(x.device, non_blocking=True) for value in (length, share[here], start)
        )
        return time.earlier(time.between(x, frames, share), start), length - removed

    def parts(self, x: Tensor, length: Tensor, rng: Generator) -> Parts:
        """The pass over the masked sequences.   x: (B, T, V, 3) as the stream, length: (B,) on the CPU."""
        encoder, (b, t), (first, total) = self.encoder, x.shape[:2], place(x)
        here = slice(first, first + b)
        draw = torch.rand(total, t, x.shape[2], generator=rng, dtype=torch.float64)[here]
        preference, frame_draw, clip_draw = (
            torch.rand(total, n, generator=rng)[here] for n in (t, 2, 2)
        )
        packed = windows.pack(length)
        on_device = windows.Packed(*(index.to(x.device, non_blocking=True) for index in packed))
        lengths = length.to(x.device, non_blocking=True)
        original = x[on_device.sequence, on_device.frame]  # (F, V, 3)
        masked, selected = masks.disguise(
            original, packed, length, self.cfg.masked, draw[packed.sequence, packed.frame]
        )
        joints = encoder.encode_frames(masked)
        restored = self.pose_head(joints.flatten(0, 1).index_select(0, selected))

        # All clips of all bodies, then one clip of each as it is and with two frames exchanged: one call for everything.
        rows = encoder.clip_rows(length, packed.start, len(original)).to(
            x.device, non_blocking=True
        )
        centre, valid = moving_clip(
            original,
            on_device,
            lengths,
            preference.to(x.device, non_blocking=True),
            encoder.cfg.window,
            encoder.cfg.dilation,
        )
        around = windows.frames_around(centre, encoder.cfg.window, encoder.cfg.dilation)
        clip = windows.rows_of(around, on_device.start, lengths, len(original))
        places = windows.distant_pair(torch.full((b,), encoder.cfg.window), frame_draw).to(
            x.device, non_blocking=True
        )
        tokens = encoder.encode_clips(
            joints, torch.cat([rows, clip, windows.swapped(clip, places)])
        )

        count = windows.window_count(length, encoder.cfg.stride)
        videos, real = windows.padded(count)
        videos, real = videos[:, :-1], real[:, 1:]  # without the last clip of each
        both = torch.cat(
            [videos, windows.swapped(videos, windows.distant_pair(count - 1, clip_draw))]
        )
        both, real, last = (
            index.to(x.device, non_blocking=True) for index in (both, real, count.cumsum(0) - 1)
        )
        order = encoder.video_level(tokens[both], real.repeat(2, 1), token_only=True)[:, 0]
        return Parts(
            restored,
            original.flatten(0, 1).index_select(0, selected),
            tokens[len(rows) :],
            valid,
            order,
            tokens[last].detach(),
        )

    def losses(self, parts: Parts) -> Losses:
        """Their sum, each term, and in percent how often the three choices are right (Hi-TRS spec 3). Means over the batch of all processes."""
        scale = self.cfg.magnification
        distance = F.smooth_l1_loss(scale * parts.restored, scale * parts.original, reduction="sum")
        pose = mean_of(distance, torch.tensor(parts.restored.numel(), device=distance.device))
        clip, clip_right = unchanged_or_not(self.clip_head(parts.pair), parts.valid)
        order, order_right = unchanged_or_not(
            self.order_head(parts.order), torch.ones_like(parts.valid)
        )
        similarity = batch_logits(
            gather(self.last_head(parts.order[: len(parts.last)])),
            gather(parts.last),
            self.cfg.temperature,
        )
        target = torch.arange(len(similarity), device=similarity.device)
        last, last_right = (
            F.cross_entropy(similarity, target),
            100 * (similarity.argmax(1) == target).float().mean(),
        )
        return {
            "loss": pose + clip + order + last, "pose": pose, "clip": clip, "order": order, "last": last,
            "clip_right": clip_right, "order_right": order_right, "last_right": last_right,
        }  # fmt: skip


def moving_clip(
    x: Tensor,
    packed: windows.Packed,
    length: Tensor,
    preference: Tensor,
    window: int,
    dilation: int,
) -> tuple[Tensor, Tensor]:
    """One of each body's clips in which something moves, all equally likely; clips are centred on every frame (Hi-TRS spec 3.2).

    x: (F, V, 3) packed frames before masking.   preference: (B, T) in [0, 1): the clip with the largest is taken.
    Returns: centre (B,) int64; valid (B,) bool, False if nothing moves (then the centre means nothing). All on the device.
    """
    activity = x.new_zeros(
        len(x) + 1
    )  # since the frame before, 0 in the first frame of a body and outside
    activity[1:-1] = (x[1:] - x[:-1]).abs().sum((1, 2))
    activity = activity.index_fill(0, packed.start, 0.0)
    around = windows.frames_around(packed.frame, window, dilation)
    rows = windows.rows_of(around, packed.start[packed.sequence], length[packed.sequence], len(x))
    moving = activity[rows].sum(1) > 0
    liked = torch.where(moving, preference[packed.sequence, packed.frame], -1.0)
    best = (
        torch.full_like(preference, -1.0).index_put((packed.sequence, packed.frame), liked).max(1)
    )
    return best.indices, best.values >= 0


def unchanged_or_not(logits: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and percent right; the first half is unchanged (class 1), the second is not (class 0).

    logits: (2 B, 2), valid: (B,) bool, others do not count.   Returns: two scalars.
    """
    target = torch.ones(len(logits), dtype=torch.int64, device=logits.device)
    target[len(valid) :] = 0
    counts = valid.repeat(2)
    loss = mean_of((F.cross_entropy(logits, target, reduction="none") * counts).sum(), counts.sum())
    return loss, 100 * mean_of(
        ((logits.argmax(1) == target) & counts).sum().to(logits.dtype), counts.sum()
    )


def mean_of(total: Tensor, count: Tensor) -> Tensor:
    """Over all processes; 0 where there is nothing to count."""
    return all_sum(total) / all_sum(count.to(total.dtype)).clamp(min=1)
