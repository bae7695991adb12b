"""Small SkeletonCLR and AimCLR, and clips for them."""

import torch

from pstl.backbones.stgcn import Config as EncoderConfig
from pstl.backbones.stgcn import Encoder
from pstl.methods import aimclr, skeletonclr
from pstl.methods._contrast import ContrastMethod
from pstl.records import Batch, Problem
from pstl.skeletons import load

KINDS = {"skeletonclr": skeletonclr, "aimclr": aimclr}


def small_method(
    kind: str = "aimclr", name: str = "kinect_v2", people: int = 2, stream: str = "joint", **cfg
) -> ContrastMethod:
    torch.manual_seed(0)
    skeleton, module = load(name), KINDS[kind]
    encoder = Encoder(EncoderConfig(width=2, dropout=0.0), skeleton, people, 20)
    settings = module.Config(**{"queue": 32, "projection": 8} | cfg)
    method = module.Method(settings, encoder, Problem(skeleton, people, 20, 10, stream))
    assert isinstance(method, ContrastMethod)
    return method


def batch(n: int = 8, name: str = "kinect_v2", people: int = 2, epoch: int = 0) -> Batch:
    """Walks of 20 frames; the even clips have one person."""
    shape = (n, 3, 20, load(name).joints, people)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).cumsum(2) * 0.1
    x[::2, ..., 1:] = 0
    return Batch(x, torch.full((n,), 20), epoch=epoch)
