"""Hi-TRS: Hierarchically Self-Supervised Transformer for Human Skeleton Representation Learning.

Chen et al., ECCV 2022, https://arxiv.org/abs/2207.09644; follows the released code (Hi-TRS spec 1
to 4). One pass over the masked sequence of one person feeds four tasks: restore the masked joints,
tell whether two frames of a clip, or two clips of the video, were exchanged, and find the video's
last clip among those of the batch.
Run: snakemake --cores all --config suite=ntu60
"""

from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.backbones.hitrs import Encoder
from pstl.config import Factor, Frozen, NotNegative, Share
from pstl.errors import UserError
from pstl.losses.infonce import batch_logits
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops import augment, bodies, masks, time, windows
from pstl.ops.collective import all_sum, gather, place
from pstl.ops.streams import convert
from pstl.records import Batch, Losses, Problem, Wants
from pstl.skeletons import Skeleton


class Config(Frozen):
    """Defaults are the released code's values (Hi-TRS spec 1.4, 3).

    Shares of a skeleton are the paper's numbers of joints divided by its 25 joints.
    """

    # Of one transform in space and one in time, each of them equally likely.
    probability: float = Field(default=0.5, ge=0, le=1)
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

    restored, original: (K, 3) selected joints.
    pair: (2 B, D_C) tokens of one clip of each, as it is, then with two frames exchanged.
    valid: (B,) bool, bodies that move, without which there is no such clip.
    order: (2 B, D_V) tokens of the video, as it is, then with two clips exchanged.
    last: (B, D_C) token of the clip not in it.
    """

    restored: Tensor
    original: Tensor
    pair: Tensor
    valid: Tensor
    order: Tensor
    last: Tensor


class Draws(NamedTuple):
    """The random numbers of one step, on the CPU, for B bodies of T frames and V joints.

    joints: (B, T, V) float64, which are masked and how.   clip: (B, T), which clip is chosen.
    frames, clips: (B, 2), which two are exchanged.
    """

    joints: Tensor
    clip: Tensor
    frames: Tensor
    clips: Tensor


class Method(BaseMethod):
    """Encoder and four linear heads."""

    cfg: Config
    encoder: Encoder
    wants = Wants(single_bodies=True)

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        if not isinstance(encoder, Encoder):
            needed = "its losses need the three levels of the encoder 'hitrs'"
            raise UserError(f"hitrs: {needed}; set encoder: {{name: hitrs}}")
        clip = encoder.width // 2
        self.pose_head = nn.Linear(clip // 2, 3)
        self.clip_head = nn.Linear(clip, 2)
        self.order_head = nn.Linear(encoder.width, 2)
        self.last_head = nn.Linear(encoder.width, clip)
        # Longer than this by the released code's bound: then three clips are left after the largest
        # crop, two of them to exchange.
        shortest = int(2 * encoder.cfg.stride / (1 - cfg.crop) + 1) + 1
        self.wants = replace(self.wants, shortest=shortest)

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's losses; items of the batch are bodies, M = 1."""
        length = batch.length.cpu() if batch.host_length is None else batch.host_length
        x, length = self.augmented(self.cfg, batch.x, length, rng)
        x = self.as_stream(x, self.problem.skeleton, self.problem.stream)
        return self.losses(self.parts(x[..., 0].permute(0, 2, 3, 1), length, rng))

    def sharded(self) -> list[nn.Module]:
        """The three levels."""
        return [self.encoder.frame_level, self.encoder.clip_level, self.encoder.video_level]

    @staticmethod
    def as_stream(x: Tensor, skeleton: Skeleton, stream: str) -> Tensor:
        """Motion is that since the frame before, 0 in the first; same shape (Hi-TRS spec 1.2)."""
        return convert(x, skeleton, stream, from_previous=True)

    @classmethod
    def augmented(
        cls, cfg: Frozen, x: Tensor, length: Tensor, rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """Half of the clips transformed once in space and once in time (Hi-TRS spec 1.4).

        Fine-tuning does so, too. Absent people stay absent. Drawn for the whole batch of all
        processes, so that ranks together equal one.
        x: (N, 3, T, V, M), length: (N,).
        Returns: both, length on its own device; frames beyond it mean nothing.
        """
        assert isinstance(cfg, Config)
        first, total = place(x)
        here = slice(first, first + len(x))
        coin, space, moment, factor, share, ratio, cut = torch.rand(7, total, generator=rng)
        chosen, in_time = coin < cfg.probability, moment < 0.5

        matrix, offset = transforms(cfg, chosen, space, factor, x.shape[3], rng)
        offset = offset[here].to(x, non_blocking=True)
        present = bodies.present(x).to(x.dtype)  # without a body there is nothing to move
        moved = torch.einsum("ncv,nm->ncvm", offset, present)[:, :, None]
        x = augment.transform(x, matrix[here]) + moved

        share, ratio = share * (chosen & in_time), ratio * cfg.crop * (chosen & ~in_time)
        ratio, cut = (draw[here].to(length.device, non_blocking=True) for draw in (ratio, cut))
        removed = (length * ratio).round().long()
        start = (cut * (removed + 1)).long()
        frames, share, start = to_device(x, length, share[here], start)
        return time.earlier(time.between(x, frames, share), start), length - removed

    def parts(self, x: Tensor, length: Tensor, rng: Generator) -> Parts:
        """The pass over the masked sequences.

        x: (B, T, V, 3) as the stream, length: (B,) on the CPU.
        """
        draws = draw(x, rng)
        packed = windows.pack(length)
        on_device = windows.Packed(*to_device(x, *packed))
        original = x[on_device.sequence, on_device.frame]  # (F, V, 3)
        numbers = draws.joints[packed.sequence, packed.frame]
        masked, selected = masks.corrupt_joints(original, packed, length, self.cfg.masked, numbers)
        joints = self.encoder.encode_frames(masked)

        # All clips of all bodies, then one clip of each as it is and with two frames exchanged: one
        # call for everything.
        (rows,) = to_device(x, self.encoder.clip_rows(length, packed.start, len(original)))
        pair, valid = self.clip_pair(original, on_device, length, draws)
        tokens = self.encoder.encode_clips(joints, torch.cat([rows, pair]))
        order, last = self.video_pair(tokens, length, draws)
        return Parts(
            restored=self.pose_head(joints.flatten(0, 1).index_select(0, selected)),
            original=original.flatten(0, 1).index_select(0, selected),
            pair=tokens[len(rows) :],
            valid=valid,
            order=order,
            last=tokens[last].detach(),
        )

    def clip_pair(
        self, original: Tensor, packed: windows.Packed, length: Tensor, draws: Draws
    ) -> tuple[Tensor, Tensor]:
        """One moving clip of each body as it is, and with two of its frames exchanged.

        original: (F, V, 3) packed frames.   length: (B,) on the CPU.
        Returns: rows (2 B, window) of packed frames; valid (B,) bool, see windows.moving_clip().
        """
        cfg = self.encoder.cfg
        places = windows.distant_pair(torch.full((len(length),), cfg.window), draws.frames)
        lengths, preference, places = to_device(original, length, draws.clip, places)
        centre, valid = windows.moving_clip(
            original, packed, lengths, preference, cfg.window, cfg.dilation
        )
        around = windows.frames_around(centre, cfg.window, cfg.dilation)
        clip = windows.rows_of(around, packed.start, lengths, len(original))
        return torch.cat([clip, windows.swapped(clip, places)]), valid

    def video_pair(self, tokens: Tensor, length: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Each video without its last clip as it is, and with two of its clips exchanged.

        tokens: (P, D_C) of all clips, one body after the other.   length: (B,) on the CPU.
        Returns: tokens (2 B, D_V) of the videos; numbers (B,) of their last clips.
        """
        count = windows.window_count(length, self.encoder.cfg.stride)
        videos, real = windows.padded(count)
        videos, real = videos[:, :-1], real[:, 1:]  # without the last clip of each
        exchanged = windows.swapped(videos, windows.distant_pair(count - 1, draws.clips))
        both, real, last = to_device(
            tokens, torch.cat([videos, exchanged]), real, count.cumsum(0) - 1
        )
        order = self.encoder.video_level(tokens[both], real.repeat(2, 1), token_only=True)
        return order[:, 0], last

    def losses(self, parts: Parts) -> Losses:
        """Their sum and each term, and in percent how often the three choices are right.

        Means over the batch of all processes (Hi-TRS spec 3).
        """
        scale = self.cfg.magnification
        distance = F.smooth_l1_loss(scale * parts.restored, scale * parts.original, reduction="sum")
        pose = mean_of(distance, torch.full((), parts.restored.numel(), device=distance.device))
        clip, clip_right = unchanged_or_not(self.clip_head(parts.pair), parts.valid)
        all_valid = torch.ones_like(parts.valid)
        order, order_right = unchanged_or_not(self.order_head(parts.order), all_valid)
        predicted = gather(self.last_head(parts.order[: len(parts.last)]))
        similarity = batch_logits(predicted, gather(parts.last), self.cfg.temperature)
        target = torch.arange(len(similarity), device=similarity.device)
        last = F.cross_entropy(similarity, target)
        last_right = 100 * (similarity.argmax(1) == target).float().mean()
        return {
            "loss": pose + clip + order + last,
            "pose": pose,
            "clip": clip,
            "order": order,
            "last": last,
            "clip_right": clip_right,
            "order_right": order_right,
            "last_right": last_right,
        }


def transforms(
    cfg: Config, chosen: Tensor, space: Tensor, factor: Tensor, joints: int, rng: Generator
) -> tuple[Tensor, Tensor]:
    """What each clip undergoes in space: a scale, a shear, or offsets of some joints.

    chosen: (N,) bool.   space, factor: (N,) in [0, 1), which of the three, and how large a scale.
    Returns: matrices (N, 3, 3) and offsets (N, 3, V) on the CPU.
    """
    shear = augment.shear(len(chosen), cfg.shear, rng)
    noisy = max(1, round(cfg.noisy_joints * joints))
    offset = augment.joint_offsets(len(chosen), joints, noisy, cfg.noise, rng)
    kind = (space * 3).long()
    scale = (1 + cfg.scale * (2 * factor - 1))[:, None, None] * torch.eye(3)
    scaled = augment.only_where(chosen & (kind == 0), scale)
    sheared = augment.only_where(chosen & (kind == 1), shear)
    return scaled @ sheared, offset * (chosen & (kind == 2))[:, None, None]


def draw(x: Tensor, rng: Generator) -> Draws:
    """All random numbers of a step, for the bodies here; drawn for those of all processes.

    x: (B, T, V, 3).
    """
    (b, t, v), (first, total) = x.shape[:3], place(x)
    here = slice(first, first + b)
    joints = torch.rand(total, t, v, generator=rng, dtype=torch.float64)[here]
    others = [torch.rand(total, n, generator=rng)[here] for n in (t, 2, 2)]
    return Draws(joints, *others)


def to_device(x: Tensor, *values: Tensor) -> list[Tensor]:
    """The values, of any shapes such as (B,), on x's device, without waiting for them."""
    return [value.to(x.device, non_blocking=True) for value in values]


def unchanged_or_not(logits: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and percent right.

    The first half is unchanged (class 1), the second is not (class 0).
    logits: (2 B, 2), valid: (B,) bool, others do not count.   Returns: two scalars.
    """
    target = torch.ones(len(logits), dtype=torch.int64, device=logits.device)
    target[len(valid) :] = 0
    counts = valid.repeat(2)
    loss = (F.cross_entropy(logits, target, reduction="none") * counts).sum()
    right = ((logits.argmax(1) == target) & counts).sum().to(logits.dtype)
    return mean_of(loss, counts.sum()), 100 * mean_of(right, counts.sum())


def mean_of(total: Tensor, count: Tensor) -> Tensor:
    """A scalar: the mean over all processes; 0 where there is nothing to count."""
    return all_sum(total) / all_sum(count.to(total.dtype)).clamp(min=1)
