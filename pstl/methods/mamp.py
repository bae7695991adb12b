"""MAMP: Masked Motion Predictors are Strong 3D Action Representation Learners.

Mao et al., ICCV 2023, https://arxiv.org/abs/2308.07092; written from its description (MAMP spec),
because the released code has no licence. A transformer sees a tenth of a person's tokens, those
that move least rather than most, and a second one predicts the motion inside all others.
Absent people are people who do not move: they are masked and predicted like everybody.
Not built here: the parts of the paper's fine-tuning that are no plain classifier (MAMP spec 4).
Run: snakemake --cores all --config suite=ntu60
"""

import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from pstl.backbones.vit import Encoder, Positions, Trunk, xavier
from pstl.config import Count, Factor, Frozen, NotNegative
from pstl.errors import UserError
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops import augment, time
from pstl.ops.collective import gather, place
from pstl.ops.streams import motion
from pstl.records import Batch, Losses, Problem

TINY = 1e-10  # keeps logarithms and the share of a clip without motion finite (MAMP spec 1.2)
NOISE = 1e-6  # added to a patch's variance (MAMP spec 1.5)


class Config(Frozen):
    """Defaults are the released code's values for NTU-60 (MAMP spec 1, 2)."""

    frames: Count = 120  # of a view
    shortest_crop: float = Field(default=0.5, gt=0, le=1)  # share of the clip
    shortest: Count = 64  # frames of a crop, unless the clip has fewer
    clean_share: float = Field(default=0.95, gt=0, le=1)  # centred part that is encoded downstream
    # Largest angles either way about x, y and z, in radians; one rotation a clip.
    rotation: tuple[NotNegative, NotNegative, NotNegative] = (0.3, 0.3, 0.3)
    masked: float = Field(default=0.9, gt=0, lt=1)  # share of the tokens
    tau: Factor = 0.8  # large: all tokens are masked alike
    decoder_width: Count = 256
    decoder_depth: Count = 3  # 5 for NTU-120 and PKU-MMD
    decoder_heads: Count = 8


class Decoder(nn.Module):
    """From some tokens of an encoder to the patches of all.

    (P, K, width) -> (P, tokens, 3 * t_patch).
    """

    def __init__(self, cfg: Config, encoder: Encoder) -> None:
        super().__init__()
        width = cfg.decoder_width
        self.enter = nn.Linear(encoder.cfg.width, width)
        self.mask_token = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        self.positions = Positions(encoder.times, encoder.joints, width)
        self.trunk = Trunk(width, cfg.decoder_depth, cfg.decoder_heads, encoder.cfg.mlp_ratio)
        self.leave = nn.Linear(width, 3 * encoder.cfg.t_patch)
        xavier(self.enter)
        xavier(self.leave)

    def forward(self, seen: Tensor, visible: Tensor) -> Tensor:
        """seen: (P, K, width) of the encoder.   visible: (P, K), which tokens these are.

        Returns: (P, tokens, 3 * t_patch).
        """
        positions = self.positions()
        masked = self.mask_token.expand(len(seen), *positions.shape)
        tokens = masked.scatter(1, wide(visible, masked), self.enter(seen))
        patches: Tensor = self.leave(self.trunk(tokens + positions))
        return patches


class Method(BaseMethod):
    """A transformer on visible tokens, and a decoder that goes when pre-training is over."""

    cfg: Config
    encoder: Encoder

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        if not isinstance(encoder, Encoder):
            needed = "it masks the tokens of the encoder 'vit'"
            raise UserError(f"mamp: {needed}; set encoder: {{name: vit}}")
        if cfg.decoder_width % cfg.decoder_heads:
            shared = f"{cfg.decoder_width} numbers cannot be shared by {cfg.decoder_heads} heads"
            raise UserError(f"mamp: {shared}; set settings.decoder_heads")
        tokens = encoder.times * encoder.joints
        # 74 of 750 and not 75, because 1 - 0.9 is a little less than 0.1 (MAMP spec 1.2).
        self.count = int(tokens * (1 - cfg.masked))
        if encoder.times < 2 or not 0 < self.count < tokens:
            few = f"{encoder.times} x {encoder.joints} tokens of which {self.count} are visible"
            raise UserError(f"mamp: {few}; set settings.frames, settings.masked, encoder.t_patch")
        self.decoder = Decoder(cfg, encoder)

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's loss: the error of the patches that are masked."""
        x, _ = self.augmented(self.cfg, batch.x, batch.length, rng)
        x = self.as_stream(x, self.problem.skeleton, self.problem.stream)
        patches, target = self.encoder.patches(x), self.encoder.patches(motion(x))
        visible = self.visible(patches, place(x), rng)
        tokens = self.encoder.tokens(patches)
        seen = self.encoder.trunk(tokens.gather(1, wide(visible, tokens)))
        predicted = self.decoder(seen, visible)
        error = masked_error(predicted, standardised(target), visible)  # (N M,)
        return {"loss": gather(error.view(len(x), -1).mean(1)).mean()}

    def sharded(self) -> list[nn.Module]:
        """Both transformers; what enters and leaves them stays float32."""
        return [self.encoder.trunk, self.decoder.trunk]

    def visible(self, patches: Tensor, rows: tuple[int, int], rng: Generator) -> Tensor:
        """Which tokens of every body are not masked.   patches: (N M, tokens, D).

        rows: the first clip here and the clips of all processes, for which is drawn.
        Returns: (N M, K).
        """
        first, total = rows
        people = self.problem.people
        noise = torch.rand(total * people, patches.shape[1], generator=rng)[first * people :]
        noise = noise[: len(patches)].to(patches.device, non_blocking=True)
        amount = intensity(self.encoder.by_joint(patches)).flatten(1)
        return calmest(amount, noise, self.cfg.tau, self.count)

    @staticmethod
    def frames(cfg: Frozen, recorded: int) -> int:
        """The view's frames, whatever was recorded."""
        assert isinstance(cfg, Config)
        return cfg.frames

    @staticmethod
    def clean(cfg: Frozen, x: Tensor, length: Tensor) -> Tensor:
        """The centred 95 % of each clip, resized, not turned (MAMP spec 2.3).

        (N, 3, T, V, M) -> (N, 3, frames, V, M).
        """
        assert isinstance(cfg, Config)
        return time.resize_span(x, time.centred_span(length, cfg.clean_share), cfg.frames)

    @classmethod
    def augmented(
        cls, cfg: Frozen, x: Tensor, length: Tensor, rng: Generator
    ) -> tuple[Tensor, Tensor]:
        """A random half or more of each clip, resized and turned (MAMP spec 2.2).

        Drawn for the whole batch of all processes, so that ranks together equal one.
        x: (N, 3, T, V, M), length: (N,).   Returns: (N, 3, frames, V, M) and length.
        """
        assert isinstance(cfg, Config)
        first, total = place(x)
        draws = torch.rand(5, total, generator=rng)[:, first : first + len(x)]
        scale, start = draws[:2].to(x.device, non_blocking=True)
        scale = 1 - scale * (1 - cfg.shortest_crop)
        span = time.random_span(length, scale, start, cfg.shortest)
        angle = (2 * draws[2:] - 1).T * torch.tensor(cfg.rotation)  # (N, 3)
        view = time.resize_span(x, span, cfg.frames)
        return augment.transform(view, augment.about_axes(angle)), length


def intensity(patches: Tensor) -> Tensor:
    """How much a joint moves from the patch before, in the first patch as in the second.

    patches: (P, times, V, D), at least 2 times.   Returns: (P, times, V).
    """
    change = (patches[:, 1:] - patches[:, :-1]).abs().mean(-1)
    return torch.cat([change[:, :1], change], 1)


def calmest(amount: Tensor, noise: Tensor, tau: float, count: int) -> Tensor:
    """Tokens that stay visible: the less a token moves, the likelier it is one of them.

    The lowest of log pi + Gumbel noise, where pi is the softmax of the amount over tau times its
    maximum. The softmax only takes a number off that all tokens of a body share, so it is left out.
    amount: (P, tokens).   noise: the same shape, uniform in [0, 1).   Returns: (P, count).
    """
    share = amount / (tau * amount.amax(1, keepdim=True) + TINY)
    gumbel = -(-(noise + TINY).log() + TINY).log()
    return (share + gumbel).topk(count, dim=1, largest=False).indices


def standardised(patches: Tensor) -> Tensor:
    """Each patch by its own mean and unbiased variance; one without motion is 0.

    (P, tokens, D) -> same shape.
    """
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (variance + NOISE).sqrt()


def masked_error(predicted: Tensor, target: Tensor, visible: Tensor) -> Tensor:
    """Mean squared error of every body's masked patches.

    predicted, target: (P, tokens, D).   visible: (P, K), which tokens do not count.
    Returns: (P,).
    """
    error = (predicted - target).square().mean(-1)
    masked = torch.ones_like(error).scatter(1, visible, 0.0)
    return (error * masked).sum(1) / (error.shape[1] - visible.shape[1])


def wide(index: Tensor, like: Tensor) -> Tensor:
    """An index of tokens (P, K) for all channels of a tensor (P, tokens, C): (P, K, C)."""
    return index[..., None].expand(-1, -1, like.shape[-1])
