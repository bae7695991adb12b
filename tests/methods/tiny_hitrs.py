"""A small Hi-TRS and clips for it."""

import torch

from pstl.backbones.hitrs import Config as EncoderConfig
from pstl.backbones.hitrs import Encoder
from pstl.methods import hitrs
from pstl.records import Batch, Problem
from pstl.skeletons import load

TINY = EncoderConfig(width=8, heads=2, head_width=4, layers=2, dropout=0.0)


def small_method(name="kinect_v2", stream="joint", encoder=TINY, **cfg):
    torch.manual_seed(0)
    skeleton = load(name)
    return hitrs.Method(
        hitrs.Config(**cfg), Encoder(encoder, skeleton, 2, 60), Problem(skeleton, 2, 60, 10, stream)
    )


def batch(n=5, name="kinect_v2", frames=50):
    """People who stand somewhere and swing at a pace of their own; 19 to `frames` recorded frames,
    zero beyond them.
    """
    rng, joints = torch.Generator().manual_seed(1), load(name).joints
    place, size, phase = (torch.randn(n, 3, 1, joints, 1, generator=rng) for _ in range(3))
    pace = torch.linspace(0.1, 0.6, n).view(n, 1, 1, 1, 1)
    x = place + 0.5 * size * torch.sin(pace * torch.arange(frames).view(1, 1, -1, 1, 1) + phase)
    length = torch.linspace(19, frames, n).long()
    for clip, t in zip(x, length, strict=True):
        clip[:, t:] = 0
    return Batch(x, length)
