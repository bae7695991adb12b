"""Recurrent encoder: a bidirectional GRU over the frames of a clip, read at its true end.

Predict & Cluster's (Predict-Cluster spec 2.1), and in this form that of many methods after it.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pstl.config import Frozen, NotNegative
from pstl.modules import BaseEncoder
from pstl.ops.dtypes import at_least_float32
from pstl.ops.streams import motion_from_previous
from pstl.ops.time import recorded
from pstl.records import Features
from pstl.skeletons import Skeleton


class Config(Frozen):
    """Defaults are the released code's: 44,445,696 parameters for 20 joints of one person.

    width: of each direction; a feature has twice as many numbers.
    initial: tensorflow: as the paper's runs began; xavier: as the code's version in PyTorch does
        (Predict-Cluster spec 2.2).
    motion: weight of the displacements since the frame before, which stand beside the positions;
        0, as in the paper: positions alone.
    """

    width: int = Field(1024, ge=1)
    layers: int = Field(3, ge=1)
    initial: Literal["tensorflow", "xavier"] = "tensorflow"
    motion: NotNegative = 0.0


class Encoder(BaseEncoder):
    """(N, C, T, V, M) -> clip (N, 2 width), frames (N, T, 2 width), zero after a clip's end.

    A clip ends with its last frame that is not all zero. The people of a frame stand side by side.
    Always in full precision: what is rounded in a frame is in all that follow.
    """

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        self.cfg, self.people = cfg, people
        self.width = 2 * cfg.width
        numbers = (6 if cfg.motion else 3) * skeleton.joints * people
        self.gru = nn.GRU(numbers, cfg.width, cfg.layers, batch_first=True, bidirectional=True)
        if cfg.initial == "tensorflow":
            as_tensorflow(self.gru)
        else:
            as_xavier(self.gru)

    def forward(self, x: Tensor, drop: Tensor | None = None) -> Features:
        """x: (N, C, T, V, M).   drop: (K,) joints that become zero, or None.

        Lengths are fetched from a GPU, which synchronises once: packed sequences need them.
        """
        if drop is not None:
            x = x.index_fill(3, drop, 0)
        x = F.pad(x, (0, self.people - x.shape[4]))
        rows = at_least_float32(numbers_of_frames(x))
        length = recorded(x).cpu()
        if self.cfg.motion:
            moved = numbers_of_frames(self.cfg.motion * motion_from_previous(x))
            rows = torch.cat([rows, at_least_float32(moved)], dim=2)
        with torch.autocast(x.device.type, enabled=False):
            packed = pack_padded_sequence(rows, length, batch_first=True, enforce_sorted=False)
            outputs, states = self.gru(packed)
        frames, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[2])
        return Features(torch.cat([states[-2], states[-1]], dim=1), frames)


def numbers_of_frames(x: Tensor) -> Tensor:
    """Person after person, joint after joint.   (N, C, T, V, M) -> (N, T, M V C)."""
    return x.permute(0, 2, 4, 3, 1).flatten(2)


@torch.no_grad()
def as_tensorflow(gru: nn.GRU) -> None:
    """Each gate's matrices as TensorFlow 1.14's GRUCell begins: Glorot's uniform distribution over
    input and state together, biases 1 of both gates and 0 of the candidate.

    There the reset and update gates are one matrix, to which Glorot's rule counts as one.
    """
    size = gru.hidden_size
    for layer in gru.all_weights:
        of_input, of_state, input_bias, state_bias = layer
        fan_in = of_input.shape[1] + size
        gates, candidate = (math.sqrt(6 / (fan_in + wide)) for wide in (2 * size, size))
        for weight in (of_input, of_state):
            weight[: 2 * size].uniform_(-gates, gates)
            weight[2 * size :].uniform_(-candidate, candidate)
        input_bias[: 2 * size] = 1
        input_bias[2 * size :] = 0
        state_bias.zero_()


def as_xavier(gru: nn.GRU) -> None:
    """Matrices by Xavier's uniform rule, the three gates' as one; biases as torch draws them."""
    for weight in gru.parameters():
        if weight.dim() == 2:
            nn.init.xavier_uniform_(weight)
