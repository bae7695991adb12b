"""A small SCD-Net, clips for it, and a step of its training."""

import torch

from pstl.backbones.scdnet import Config as EncoderConfig
from pstl.backbones.scdnet import Encoder
from pstl.methods import scdnet
from pstl.ops.bodies import present
from pstl.records import Batch, Problem
from pstl.skeletons import load

TINY = EncoderConfig(width=16, heads=2, feedforward=16, stem_width=8, dropout=0.0)


def small_method(name="kinect_v2", people=2, stream="joint", encoder=TINY, **cfg):
    torch.manual_seed(0)
    skeleton = load(name)
    module = scdnet.Config(**{"queue": 32, "projection": 8} | cfg)
    return scdnet.Method(
        module, Encoder(encoder, skeleton, people, 64), Problem(skeleton, people, 64, 10, stream)
    )


def batch(n=6, name="kinect_v2", people=2, frames=120):
    """Walks of `frames` frames, shorter recordings among them; the even clips have one person."""
    x = (
        torch.randn(
            n, 3, frames, load(name).joints, people, generator=torch.Generator().manual_seed(1)
        ).cumsum(2)
        * 0.1
    )
    x[::2, ..., 1:] = 0
    length = torch.linspace(frames // 3, frames, n).long()
    return Batch(x, length, None, present(x))
