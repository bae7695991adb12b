"""A small network on the last poses seen: rows over time that are mixed by matrices.

After siMLPe (Guo et al., WACV 2023): cosine transform over time, one linear layer over a pose's
numbers, residual blocks that mix time alone, a transform back, residual to the last pose, a loss on
velocities beside that on poses. Ours are: velocities beside the poses, the last one carried on with
a gain that is learnt for each predicted frame and joint, a hidden layer at the end, and rows of
features that are mixed like rows of time.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

VELOCITY = 20.0  # steps are so much smaller than poses
DAMPING = 0.85  # at which the gains of the last step begin
SPREAD = 0.02  # deviation of a block's first weights: it begins near the identity


def cosines(frames: int) -> Tensor:
    """The orthonormal cosine transform: row k is the k-th wave.   (frames, frames) float32."""
    wave = torch.arange(frames, dtype=torch.float64)[:, None]
    place = torch.arange(frames, dtype=torch.float64) + 0.5
    matrix = math.sqrt(2 / frames) * torch.cos(math.pi * wave * place / frames)
    matrix[0] /= math.sqrt(2)
    return matrix.float()


class TimeMixer(nn.Module):
    """Rows plus a normed mixture of them.   (N, rows, H) -> the same shape."""

    def __init__(self, rows: int, hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, rows))
        self.bias = nn.Parameter(torch.zeros(rows, 1))
        self.norm = nn.LayerNorm(hidden)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, rows, H)."""
        mixed: Tensor = x + self.norm(self.weight @ x + self.bias)
        return mixed


class PoseNetwork(nn.Module):
    """Poses (N, frames, V, 3) and feature rows (N, R, D) to offsets (N, predict, V, 3).

    width: D; 0: no features.   rows: R.
    What it says at first is the last step damped, whatever the features.
    """

    def __init__(
        self, frames: int, predict: int, joints: int, hidden: int, blocks: int, width: int
    ) -> None:
        super().__init__()
        numbers, self.joints, self.frames = 3 * joints, joints, frames
        rows = frames + (width > 0)
        self.register_buffer("waves", cosines(frames), persistent=False)
        self.register_buffer("back", cosines(predict).T.contiguous(), persistent=False)
        self.waves: Tensor
        self.back: Tensor
        self.enter = nn.Linear(2 * numbers, hidden)
        self.feature = nn.Linear(width, hidden) if width else None
        self.blocks = nn.Sequential(*(TimeMixer(rows, hidden) for _ in range(blocks)))
        self.ahead = nn.Parameter(torch.empty(predict, rows))
        self.inner = nn.Linear(hidden, hidden)
        self.leave = nn.Linear(hidden, numbers)
        steps = DAMPING ** torch.arange(1, predict + 1)
        self.gain = nn.Parameter(steps.cumsum(0)[:, None].repeat(1, numbers))

    @torch.no_grad()
    def begin(self, rng: Generator) -> None:
        """First weights: each linear map keeps the size of what it is given; the last is zero."""
        for name, weight in self.named_parameters():
            if name.startswith("gain") or "norm" in name:
                continue
            if weight.dim() < 2 or name.startswith("leave") or name.endswith("bias"):
                weight.zero_()
                continue
            spread = SPREAD if name.startswith("blocks") else weight.shape[1] ** -0.5
            weight.normal_(0, spread, generator=rng)

    def forward(self, poses: Tensor, features: Tensor | None = None) -> Tensor:
        """poses: (N, frames, V, 3) metres, features: (N, 1, D) or None."""
        x = poses.flatten(2)
        velocity = x.diff(dim=1)
        moving = torch.cat([x, VELOCITY * F.pad(velocity, (0, 0, 1, 0))], dim=2)
        rows = self.waves @ self.enter(moving)
        if self.feature is not None and features is not None:
            rows = torch.cat([rows, self.feature(features)], dim=1)
        rows = self.ahead @ self.blocks(rows)
        rows = rows + F.gelu(self.inner(rows))
        offsets = self.back @ self.leave(rows) + self.gain * velocity[:, -1:]
        return offsets.unflatten(2, (self.joints, 3))
