"""Windows of recordings as clips that an encoder takes, and the time of every feature row inside
them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pstl.config import Plugin, validated
from pstl.data.prepare import check_finite, join, made
from pstl.data.store import ArraySet
from pstl.modules import BaseEncoder
from pstl.ops.timeline import window_starts
from pstl.records import Clip, Features, Recording
from pstl.registry import load as load_plugin
from pstl.registry import load_recipe
from pstl.skeletons import load as load_skeleton
from pstl.train.encoder_file import EncoderCard

CHUNK = 2048  # windows a recipe sees at once: bounds memory


class Windows(NamedTuple):
    """Windows of several recordings, all of `frames` frames.

    data: what the recipe made of them; its y is (N, frames) int64, 0 background, else class + 1.
    recording: (N,) number of the recording each is of.   start: (N,) its first frame there.
    total: frames of each recording.
    """

    data: ArraySet
    recording: np.ndarray
    start: np.ndarray
    total: list[int]
    frames: int


def cut(
    recordings: Sequence[Recording],
    frames: int,
    stride: int,
    card: EncoderCard,
    skeleton: str,
    people: int,
) -> Windows:
    """Windows of `frames` frames every `stride` frames, as the encoder's recipe makes them; a
    shorter recording stands still at its end.

    skeleton, people: of the recordings.
    """
    clips, labels, recording, start = [], [], [], []
    for number, whole in enumerate(recordings):
        classes = whole.labels() + 1
        for first in window_starts(len(classes), frames, stride).tolist():
            shown = np.minimum(np.arange(first, first + frames), len(classes) - 1)
            clips.append(part(whole.clip, shown, f"{whole.clip.name}@{first}"))
            labels.append(classes[shown])
            recording.append(number)
            start.append(first)
    data = as_array(clips, card, skeleton, people)
    totals = [len(whole.times) for whole in recordings]
    return Windows(
        replace(data, y=np.stack(labels)), np.array(recording), np.array(start), totals, frames
    )


def part(clip: Clip, frames: np.ndarray, name: str) -> Clip:
    """Some frames of a clip, by their indices (n,)."""
    return replace(
        clip,
        name=name,
        xyz=clip.xyz[frames],
        bodies=None if clip.bodies is None else clip.bodies[frames],
    )


def as_array(clips: Iterable[Clip], card: EncoderCard, skeleton: str, people: int) -> ArraySet:
    """Clips as the recipe of an encoder makes them, without splits."""
    clips, recipe = list(clips), Plugin.model_validate(card.recipe)
    parts = [
        made(recipe, clips[i : i + CHUNK], skeleton, people) for i in range(0, len(clips), CHUNK)
    ]
    x, length = join([x for x, _ in parts]), np.concatenate([length for _, length in parts])
    names = [clip.name for clip in clips]
    check_finite(x, names)
    labels, content = (
        np.array([clip.label for clip in clips]),
        np.arange(len(clips), dtype=np.uint64),
    )
    return ArraySet(x, labels, length, content, names, {}, {"skeleton": skeleton, "people": people})


def row_times(
    card: EncoderCard, encoder: BaseEncoder, frames: int, recorded: int, rows: int
) -> Tensor:
    """The frame of a window that each feature row is about: (rows,) float32, rising.

    frames: of the window.
    recorded: of the array the recipe makes of it.
    Where the method's clean view crops or resamples, that is measured by sending time itself
    through it.
    """
    module = load_plugin("methods", card.method)
    clock = (
        torch.arange(recorded, dtype=torch.float32)
        .view(1, 1, -1, 1, 1)
        .expand(1, 3, -1, load_skeleton(card.skeleton).joints, 1)
    )
    cfg = validated(module.Config, card.settings, card.method)
    seen = module.Method.clean(cfg, clock, torch.tensor([recorded]))[
        0, 0, :, 0, 0
    ]  # array frame of every frame of the view
    step = encoder.stride or len(seen) / rows
    place = (torch.arange(rows, dtype=torch.float32) * step).clamp(max=len(seen) - 1)
    before = place.long()
    at = torch.lerp(seen[before], seen[(before + 1).clamp(max=len(seen) - 1)], place - before)
    recipe = Plugin.model_validate(card.recipe)
    plugin = load_recipe(recipe.name)
    spanned = plugin.spanned(frames, validated(plugin.Config, recipe.settings, recipe.name))
    # Half-pixel centres, as recipes resample.
    return ((at + 0.5) * (spanned / recorded) - 0.5).clamp(0, frames - 1)


def encode(card: EncoderCard, encoder: BaseEncoder, x: Tensor, length: Tensor) -> Features:
    """Both kinds of features of clips as the recipe made them; gradients flow if they are on.

    x: (N, 3, T, V, M), length: (N,).
    """
    module = load_plugin("methods", card.method)
    x = module.Method.clean(validated(module.Config, card.settings, card.method), x, length)
    x = module.Method.as_stream(x, load_skeleton(card.skeleton), card.stream)
    features: Features = encoder(x) if encoder.stride is None else encoder(x, None, length)
    return features
