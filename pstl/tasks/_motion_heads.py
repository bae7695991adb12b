"""Heads of motion prediction: off an encoder's feature, and off the last poses beside it.

A batch's y is the whole window, (N, observe + predict, V, 3), where there is something to learn,
and only what was seen, (N, observe, V, 3), where the rest is to be predicted.
"""

import torch
from torch import Generator, Tensor, nn

from pstl.encoding.heads import Head
from pstl.records import Batch, Losses
from pstl.rng import torch_generator
from pstl.tasks._pose_network import PoseNetwork


class MotionHead(Head):
    """Offsets (N, predict, V, 3) of every joint to the last pose seen, in metres.

    The loss is the mean distance of the joints from where they should be.
    """

    def __init__(self, observe: int) -> None:
        super().__init__()
        self.observe = observe

    def targets(self, batch: Batch) -> Tensor:
        """The offsets as they were."""
        assert batch.y is not None  # the windows carry them
        return batch.y[:, self.observe :] - batch.y[:, self.observe - 1 : self.observe]

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """The mean error of the predicted poses."""
        return {"loss": distance(self.outputs(batch), self.targets(batch))}


class FeatureHead(MotionHead):
    """Off the video feature alone.

    The last layer begins at zero, so training begins at the baseline `zero velocity`.
    hidden: units of a hidden layer; 0: the head is linear.   window: (observe, predict, joints).
    """

    def __init__(self, window: tuple[int, int, int], width: int, hidden: int, seed: int) -> None:
        observe, *future = window
        super().__init__(observe)
        self.shape = (*future, 3)
        out = nn.Linear(hidden or width, 3 * future[0] * future[1])
        nn.init.zeros_(out.weight)
        nn.init.zeros_(out.bias)
        self.layers: nn.Module = out
        if hidden:
            first = nn.Linear(width, hidden)
            nn.init.xavier_normal_(first.weight, generator=torch_generator(seed, "prediction"))
            nn.init.zeros_(first.bias)
            self.layers = nn.Sequential(first, nn.GELU(), out)

    def outputs(self, batch: Batch) -> Tensor:
        """(N, 1, D) -> (N, predict, V, 3) metres."""
        offsets: Tensor = self.layers(batch.x)
        return offsets.view(len(batch.x), *self.shape)


class PoseHead(MotionHead):
    """Off the last poses and, if the network has a place for it, the last row of the features.

    The loss has the error of the velocities, too.
    """

    def __init__(self, observe: int, network: PoseNetwork, seed: int) -> None:
        super().__init__(observe)
        self.network = network
        network.begin(torch_generator(seed, "prediction"))

    def outputs(self, batch: Batch) -> Tensor:
        """(N, R, D) -> (N, predict, V, 3) metres."""
        assert batch.y is not None  # the windows carry them
        poses = batch.y[:, self.observe - self.network.frames : self.observe]
        offsets: Tensor = self.network(poses, batch.x[:, -1:])
        return offsets

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        """The mean errors of the predicted poses and of their velocities."""
        told, true = self.outputs(batch), self.targets(batch)
        losses = {"poses": distance(told, true), "velocities": distance(steps(told), steps(true))}
        return {"loss": losses["poses"] + losses["velocities"], **losses}


def distance(told: Tensor, true: Tensor) -> Tensor:
    """Mean distance of joints (..., 3), a scalar."""
    return torch.linalg.vector_norm(told - true, dim=-1).mean()


def steps(offsets: Tensor) -> Tensor:
    """From each frame to the next, that from the last pose seen included.   (N, F, V, 3)."""
    return torch.cat([offsets[:, :1], offsets.diff(dim=1)], dim=1)
