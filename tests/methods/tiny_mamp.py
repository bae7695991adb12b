"""A small MAMP and clips for it."""

import torch

from pstl.backbones.vit import Config as EncoderConfig
from pstl.backbones.vit import Encoder
from pstl.methods import mamp
from pstl.records import Batch, Problem
from pstl.skeletons import load

SMALL = {"frames": 20, "shortest": 10, "decoder_width": 12, "decoder_depth": 1, "decoder_heads": 2}


def small_method(name="kinect_v1", people=1, stream="joint", t_patch=5, **cfg):
    torch.manual_seed(0)
    skeleton = load(name)
    settings = mamp.Config(**SMALL | cfg)
    shape = EncoderConfig(t_patch=t_patch, width=16, depth=2, heads=2)
    encoder = Encoder(shape, skeleton, people, settings.frames)
    return mamp.Method(settings, encoder, Problem(skeleton, people, 20, 10, stream))


def batch(n=6, name="kinect_v1", people=1, frames=60):
    """Walks of different length, zero beyond it; every third has one person."""
    joints, generator = load(name).joints, torch.Generator().manual_seed(1)
    x = torch.randn(n, 3, frames, joints, people, generator=generator).cumsum(2) * 0.1
    length = torch.linspace(frames // 3, frames, n).long()
    for clip, end in zip(x, length, strict=True):
        clip[:, end:] = 0
    x[::3, ..., 1:] = 0
    return Batch(x, length)
