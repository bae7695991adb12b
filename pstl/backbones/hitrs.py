"""Hi-TRS's encoder: a transformer for frames, one for clips and one for each person's video.

Source: Chen et al., ECCV 2022, https://arxiv.org/abs/2207.09644; Hi-TRS spec 2.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from pstl.backbones._hitrs_levels import ClipLevel, FrameLevel, VideoLevel
from pstl.backbones._parts import in_parts
from pstl.config import Frozen
from pstl.errors import ShapeError
from pstl.modules import BaseEncoder
from pstl.ops import bodies, windows
from pstl.ops.dtypes import at_least_float32
from pstl.records import Features
from pstl.skeletons import Skeleton


class Config(Frozen):
    """Defaults are the released code's values (Hi-TRS spec 1.3, 2)."""

    # Of a joint in a frame; clips have twice, videos four times as many.
    width: int = Field(default=128, multiple_of=4, gt=0)
    heads: int = Field(default=8, gt=0)
    head_width: int = Field(default=64, gt=0)  # at every level
    layers: int = Field(default=3, ge=1)  # at every level
    dropout: float = Field(default=0.2, ge=0, lt=1)
    window: int = Field(default=7, ge=1)  # frames of a clip
    stride: int = Field(default=7, ge=1)  # frames between the centres of neighbouring clips
    dilation: int = Field(default=2, ge=1)  # frames between neighbouring frames of a clip
    # Of the longest video; training on 300 frames leaves places from 43 on as they were drawn.
    clips: int = Field(default=200, ge=1)


class Layout(NamedTuple):
    """Which rows each level computes for a batch of bodies, absent ones merged.

    frames: (F,) into the N M T frames of the bodies.
    clips: (P, window) into the F frames and, last, a frame of zeros.
    videos: (B, W) into the P clips, and which of them are real.
    source: (N M,) into the B videos.
    """

    frames: Tensor
    clips: Tensor
    videos: Tensor
    real: Tensor
    source: Tensor


class Encoder(BaseEncoder):
    """(N, 3, T, V, M) -> clip (N, 4 width), frames (N, ceil(T / stride), 4 width).

    Row k is about frame k * stride; T and M are any.
    Bodies are encoded one by one and averaged, absent ones (all zero) included; a clip with fewer
    slots than `people` counts as having absent bodies in the others. All absent bodies of one
    length are equal, so they are encoded once (up to dropout).
    """

    def __init__(self, cfg: Config, skeleton: Skeleton, people: int, frames: int) -> None:
        super().__init__()
        self.cfg, self.people, self.joints = cfg, people, skeleton.joints
        self.width, self.stride = 4 * cfg.width, cfg.stride
        sizes = {
            "layers": cfg.layers,
            "heads": cfg.heads,
            "head_width": cfg.head_width,
            "dropout": cfg.dropout,
        }
        self.frame_level = FrameLevel(self.joints, width=cfg.width, hidden=cfg.width, **sizes)
        self.clip_level = ClipLevel(
            self.joints, cfg.window, width=2 * cfg.width, hidden=cfg.width, **sizes
        )
        self.video_level = VideoLevel(cfg.clips, width=4 * cfg.width, hidden=2 * cfg.width, **sizes)

    def forward(
        self,
        x: Tensor,
        drop: Tensor | None = None,
        length: Tensor | None = None,
        present: Tensor | None = None,
    ) -> Features:
        """length: (N,) frames that count; None: all T.

        present: (N, M) bool, False only for bodies that are all zero.
        On a GPU give both on the CPU: otherwise they are fetched, which synchronises.
        """
        n, _, t, v, m = x.shape
        if v != self.joints:
            expected = f"expected (N, 3, T, {self.joints}, M) for this encoder"
            raise ShapeError(f"clips of shape {tuple(x.shape)}: {expected}")
        if drop is not None:
            x = x.index_fill(3, drop, 0)
        length = torch.full((n,), t) if length is None else length.cpu()
        present = (bodies.present(x) if present is None else present).cpu()
        present = F.pad(present, (0, max(0, self.people - m)))
        layout = self.layout(length, present, m, t, x.device)
        frames = x.permute(0, 4, 2, 3, 1).flatten(0, 2).index_select(0, layout.frames)  # (F, V, 3)
        joints = self.encode_frames(frames)
        tokens = self.encode_clips(joints, layout.clips)
        # (B, W + 1, D), the video's token last.
        video = self.video_level(tokens[layout.videos], layout.real)
        video = at_least_float32(video) * F.pad(layout.real, (0, 1), value=True)[..., None]
        video = video.index_select(0, layout.source).unflatten(0, (n, -1)).mean(1)
        return Features(video[:, -1], video[:, :-1])

    def layout(
        self, length: Tensor, present: Tensor, slots: int, t: int, device: torch.device
    ) -> Layout:
        """length: (N,), present: (N, M or more) bool, both on the CPU; slots: M.

        Raises: ShapeError for a video with too many clips.
        """
        n, m = present.shape
        count = windows.window_count(length, self.cfg.stride)
        if int(count.max()) > self.cfg.clips or int(length.min()) < 1:
            lengths = f"clips of {int(length.min())} to {int(length.max())} frames"
            most = self.cfg.clips * self.cfg.stride
            remedy = "cut the recording into windows"
            raise ShapeError(f"{lengths}: this encoder takes 1 to {most}; {remedy}")
        clip, slot = present.nonzero(as_tuple=True)
        here = windows.pack(length[clip])
        frames = (clip * slots + slot)[here.sequence] * t + here.frame
        rows = self.clip_rows(length[clip], here.start, outside=len(frames))
        # One row for all absent bodies with one number of clips: each of their clips is the one of
        # zeros, which comes last.
        some_absent = ~present.all(1)
        counts_absent, which = count[some_absent].unique(return_inverse=True)
        videos, real = windows.padded(torch.cat([count[clip], counts_absent]))
        videos[len(clip) :] = len(rows)
        source = torch.zeros(n, m, dtype=torch.int64)
        source[some_absent] = (len(clip) + which)[:, None]
        source[clip, slot] = torch.arange(len(clip))
        zeros = rows.new_full((int(some_absent.any()), self.cfg.window), len(frames))
        indices = (frames, torch.cat([rows, zeros]), videos, real, source.flatten())
        return Layout(*(index.to(device, non_blocking=True) for index in indices))

    def clip_rows(self, length: Tensor, start: Tensor, outside: int) -> Tensor:
        """Rows of all clips of packed bodies, one body after the other.

        length, start: (B,) on the CPU.
        Returns: (P, window).
        """
        centres = windows.pack(windows.window_count(length, self.cfg.stride))
        centre = centres.frame * self.cfg.stride
        frames = windows.frames_around(centre, self.cfg.window, self.cfg.dilation)
        return windows.rows_of(frames, start[centres.sequence], length[centres.sequence], outside)

    def encode_frames(self, x: Tensor) -> Tensor:
        """Joints of packed frames (F, V, 3) -> (F + 1, V, width).

        The last row is of a frame of zeros, which stands for all that lie outside.
        """
        padded = torch.cat([x, x.new_zeros(1, *x.shape[1:])])
        return in_parts(self.frame_level, padded, self.joints)

    def encode_clips(self, joints: Tensor, rows: Tensor) -> Tensor:
        """(F + 1, V, width) joints, rows (P, window) -> (P, 2 width) tokens."""
        tokens = self.cfg.window * self.joints
        return in_parts(lambda part: self.clip_level(joints[part]), rows, tokens)
