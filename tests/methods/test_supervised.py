import torch

from pstl.backbones.tcn import Config as EncoderConfig
from pstl.backbones.tcn import Encoder
from pstl.methods import supervised
from pstl.records import Batch, Problem
from pstl.rng import torch_generator
from pstl.skeletons import load


def loss(smoothing: float, y: list[int]) -> torch.Tensor:
    """Of some clips that stand still, by one and the same network."""
    torch.manual_seed(0)
    skeleton = load("kinect_v1")
    encoder = Encoder(EncoderConfig(width=8, blocks=1), skeleton, 1, 10)
    problem = Problem(skeleton, 1, 10, 4, "joint")
    model = supervised.Method(supervised.Config(smoothing=smoothing), encoder, problem).eval()
    x = torch.randn(len(y), 3, 10, 20, 1, generator=torch_generator(0, "clips"))
    batch = Batch(x, torch.full((len(y),), 10), torch.tensor(y))
    value: torch.Tensor = model(batch, torch_generator(0, "v"))["loss"]
    return value.detach()


def test_a_smoothed_label_is_shared_among_all_classes():
    """The mean loss of all four classes takes its share."""
    every = torch.stack([loss(0.0, [c, c]) for c in range(4)]).mean()
    torch.testing.assert_close(loss(0.1, [2, 2]), 0.9 * loss(0.0, [2, 2]) + 0.1 * every)
