"""A small UmURL, and clips for it."""

import torch

from pstl.backbones.umurl import Config as EncoderConfig
from pstl.backbones.umurl import Encoder
from pstl.methods import umurl
from pstl.records import Batch, Problem
from pstl.skeletons import load

FRAMES = 16


def small_method(name="kinect_v2", people=2, width=16, **cfg):
    torch.manual_seed(0)
    skeleton = load(name)
    encoder = Encoder(EncoderConfig(width=width), skeleton, people, FRAMES)
    settings = umurl.Config(**{"frames": FRAMES, "projection": 24} | cfg)
    return umurl.Method(settings, encoder, Problem(skeleton, people, FRAMES, 10, "other"))


def batch(n=6, name="kinect_v2", people=2, frames=40):
    """Walks of `frames` frames, shorter recordings among them; the even clips have one person."""
    shape = (n, 3, frames, load(name).joints, people)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).cumsum(2) * 0.1
    x[::2, ..., 1:] = 0
    return Batch(x, torch.linspace(frames // 3, frames, n).long())
