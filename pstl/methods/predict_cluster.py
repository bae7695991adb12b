"""Predict & Cluster: an encoder learns to keep in one vector from which a weakened decoder can tell
the whole clip again.

Su, Liu and Shlizerman, CVPR 2020; follows the released notebook (Predict-Cluster spec 2 to 4),
not the authors' later version in PyTorch, which is another method. What differs, and what is left
out: Predict-Cluster spec 5.
Run: snakemake --cores all --config suite=nwucla_predict_cluster
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from pstl.backbones.bigru import as_tensorflow, numbers_of_frames
from pstl.config import Frozen
from pstl.modules import BaseEncoder, BaseMethod
from pstl.ops.collective import gather
from pstl.ops.streams import convert
from pstl.records import Batch, Losses, Problem, Wants
from pstl.skeletons import Skeleton

NARROW = 0.04  # bound of the output layer's first weights with a fixed state


class Config(Frozen):
    """How the decoder is kept weak (Predict-Cluster spec 2.3).

    fixed: weights: it is fed zeros, and its random weights are never trained (FW); state: its state
        is the feature at every frame, and it is trained (FS).
    """

    fixed: Literal["weights", "state"] = "weights"


class Method(BaseMethod):
    """Any encoder, and a GRU as wide as its feature that tells the clip."""

    cfg: Config
    wants = Wants(shortest=2)

    def __init__(self, cfg: Config, encoder: BaseEncoder, problem: Problem) -> None:
        super().__init__(cfg, encoder, problem)
        numbers = 3 * problem.skeleton.joints * problem.people
        self.decoder = nn.GRU(numbers, encoder.width, batch_first=True)
        self.output = nn.Linear(encoder.width, numbers)
        as_tensorflow(self.decoder)
        if cfg.fixed == "weights":
            nn.init.xavier_uniform_(self.output.weight)
            nn.init.zeros_(self.output.bias)
            self.decoder.requires_grad_(False)
            self.output.requires_grad_(False)
        else:
            nn.init.uniform_(self.output.weight, -NARROW, NARROW)
            nn.init.uniform_(self.output.bias, -NARROW, NARROW)

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """One step's loss: the distance between told and seen frames."""
        x = self.as_stream(batch.x, self.problem.skeleton, self.problem.stream)
        seen = numbers_of_frames(x)  # (N, T, D)
        feature = self.encoder(x).clip
        if self.cfg.fixed == "weights":
            told = self.told_from_zeros(feature, seen.shape[1])
        else:
            # The first frame is given.
            told, seen = self.told_from_first(feature, seen[:, 0], seen.shape[1]), seen[:, 1:]
        return {"loss": gather(distance(told, seen)).mean()}

    def told_from_zeros(self, feature: Tensor, frames: int) -> Tensor:
        """(N, W) -> (N, frames, D): only the first state knows anything."""
        silence = feature.new_zeros(len(feature), frames, self.decoder.input_size)
        states, _ = self.decoder(silence, feature[None])
        told: Tensor = self.output(states)
        return told

    def told_from_first(self, feature: Tensor, first: Tensor, frames: int) -> Tensor:
        """Each frame is the one before and a change, which depends on it and on the feature.

        feature: (N, W), first: (N, D).   Returns: (N, frames - 1, D), what follows the first.
        A loop over frames, since each is made of what was told before; what the feature gives to
        the gates is the same in all of them.
        """
        of_input, of_state, input_bias, state_bias = self.decoder.all_weights[0]
        of_feature = F.linear(feature, of_state, state_bias).chunk(3, 1)
        frame, told = first, []
        for _ in range(frames - 1):
            reset, update, candidate = F.linear(frame, of_input, input_bias).chunk(3, 1)
            reset = torch.sigmoid(reset + of_feature[0])
            update = torch.sigmoid(update + of_feature[1])
            candidate = torch.tanh(candidate + reset * of_feature[2])
            frame = frame + self.output(torch.lerp(candidate, feature, update))
            told.append(frame)
        return torch.stack(told, dim=1)

    @staticmethod
    def as_stream(x: Tensor, skeleton: Skeleton, stream: str) -> Tensor:
        """Motion is that to the next frame, and 0 where somebody has none: clips end in zeros."""
        converted = convert(x, skeleton, stream)
        if stream != "motion":
            return converted
        present = x.ne(0).any(3, keepdim=True).any(1, keepdim=True)  # (N, 1, T, 1, M)
        going_on = F.pad(present[:, :, 1:], (0, 0, 0, 0, 0, 1)) & present
        return converted * going_on


def distance(told: Tensor, seen: Tensor) -> Tensor:
    """L1 summed over the numbers of a frame, mean over the frames that are not all zero.

    told, seen: (N, T, D).   Returns: (N,), 0 for a clip without such a frame.
    """
    counts = seen.ne(0).any(2)
    return ((told - seen).abs().sum(2) * counts).sum(1) / counts.sum(1).clamp(min=1)
