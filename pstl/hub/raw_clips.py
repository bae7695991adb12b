"""Clips as people hold them in Python, arrays, tensors and files, on their way to an encoder."""

import itertools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pstl.config import Plugin
from pstl.data import clip_files, plausible
from pstl.data.clip_files import SourcedClip
from pstl.data.own_files import Hints
from pstl.data.prepare import check_finite, made
from pstl.data.store import ArraySet
from pstl.encoding.features import BATCH, reads_every_frame
from pstl.errors import UserError
from pstl.modules import BaseEncoder
from pstl.records import Clip
from pstl.skeletons.mapping import stand_ins
from pstl.train.encoder_file import EncoderCard

log = logging.getLogger(__name__)
Source = np.ndarray | Tensor | str | Path  # of a raw clip: coordinates, or a file of them


def given(name: str, clip: Source, card: EncoderCard, skeleton: str, units: str) -> SourcedClip:
    """A clip for an encoder: with a body, the slots its recipe is to fill, and in metres.

    clip: (T, V, 3) or (T, M, V, 3), or a file.   name: what messages call coordinates.
    skeleton: whose joints these are, if nothing else says so and they are not the encoder's.
    Raises: UserError for anything else.
    """
    if isinstance(clip, str | Path):
        return of_file(Path(clip), card, skeleton, units)
    if isinstance(clip, Tensor):
        clip = _numbers(name, clip)
    try:
        xyz = np.asarray(clip)
    except ValueError:  # rows of different lengths
        raise UserError(f"{name}: not an array of numbers, expected {clip_files.BARE}") from None
    raw = Clip(name, -1, clip_files.slots(xyz, name))
    return _named(SourcedClip(raw), card, skeleton, units)


def of_file(path: Path, card: EncoderCard, skeleton: str, units: str) -> SourcedClip:
    """The clip of a file, named by its path in what is said of it; the same for an encoder."""
    stated = "" if units == "m" else units
    clip = clip_files.read(path, Hints(skeleton, stated, fallback=card.skeleton))
    raw = replace(clip.raw, name=str(path))
    return _named(clip._replace(raw=raw), card, skeleton, units)


def with_bodies(clip: SourcedClip, bodies: np.ndarray | None) -> SourcedClip:
    """A clip whose bodies are told apart, if the numbers (T, M) are such; None: it stays."""
    if bodies is None:
        return clip
    xyz, numbers = clip.raw.xyz, np.asarray(bodies)
    slots = (xyz.shape[0], xyz.shape[2])
    if numbers.shape != slots or numbers.dtype.kind not in "iu" or numbers.min() < 0:
        kind = f"{numbers.dtype} of shape {numbers.shape}"
        message = f"{clip.raw.name}: bodies are {kind}, expected {slots} whole numbers from 0"
        raise UserError(message)
    return clip._replace(raw=clip_files.told_apart(clip.raw, numbers.astype(np.int64)))


def _numbers(name: str, clip: Tensor) -> np.ndarray:
    """A tensor's numbers.

    Raises: UserError where gradients are asked of a recipe, or the tensor is no dense one.
    """
    if clip.requires_grad:
        remedy = "detach it, or take gradients of what prepare() made through encode()"
        raise UserError(f"{name}: needs gradients, which end at the recipe; {remedy}")
    if clip.layout != torch.strided or clip.is_meta:
        tensor = f"a tensor of layout {clip.layout} on {clip.device}"
        raise UserError(f"{name}: {tensor}, expected a dense one with numbers in it")
    # numpy has no bfloat16.
    wide = clip.float() if clip.dtype == torch.bfloat16 else clip
    numbers: np.ndarray = wide.cpu().numpy()
    return numbers


def _named(clip: SourcedClip, card: EncoderCard, skeleton: str, units: str) -> SourcedClip:
    if units not in plausible.UNITS:
        raise UserError(f"unknown unit {units!r}; known: {', '.join(plausible.UNITS)}")
    default = "" if clip.skeleton else card.skeleton
    clip = clip_files.bodied(clip, skeleton or default, clip.raw.name)
    if units != "m" and not clip.metric:
        xyz = clip.raw.xyz * np.float32(plausible.UNITS[units])
        clip = clip._replace(raw=replace(clip.raw, xyz=xyz))
    return clip._replace(people=clip.people or card.people)


def arrays(
    card: EncoderCard, encoder: BaseEncoder, clips: Iterable[SourcedClip], is_looked_at: bool
) -> Iterator[ArraySet]:
    """What an encoder's recipe makes of clips that name their bodies.

    BATCH of one body at most at once.   is_looked_at: log at the end what is odd about them.
    Raises: UserError if there is none, or for one that cannot be encoded.
    """
    recipe = Plugin.model_validate(card.recipe)
    remarks, count = plausible.Remarks(), 0
    for kind, alike in itertools.groupby(clips, key=lambda clip: (clip.skeleton, clip.people)):
        limits = plausible.limits_of(recipe, kind[1])
        if is_looked_at:
            _say_joints(kind[0], card.skeleton)
        for some in _batches(alike):
            for clip in some if is_looked_at else ():
                plausible.look(clip, limits, remarks)
            count += len(some)
            yield _made(card, encoder, [clip.raw for clip in some], *kind)
    remarks.say()
    if not count:
        raise UserError("no clip to embed; expected at least one")


def _say_joints(skeleton: str, encoder: str) -> None:
    """What the joints of an encoder's body are in clips of another that lacks some of them."""
    said = "" if skeleton == encoder else stand_ins(encoder, skeleton)
    if said:
        log.info("%s for an encoder of %s: %s", skeleton, encoder, said)


def _batches(clips: Iterable[SourcedClip]) -> Iterator[list[SourcedClip]]:
    """As many as are encoded at once."""
    clips = iter(clips)
    while some := list(itertools.islice(clips, BATCH)):
        yield some


def _made(
    card: EncoderCard, encoder: BaseEncoder, clips: list[Clip], skeleton: str, people: int
) -> ArraySet:
    x, length = made(Plugin.model_validate(card.recipe), clips, skeleton, people)
    names = [clip.name for clip in clips]
    check_finite(x, names)
    if x.shape[2] > card.frames and reads_every_frame(card, encoder):
        longest = int(np.argmax(length))
        frames = f"{length[longest]} frames, this encoder takes {card.frames}"
        raise UserError(f"{names[longest]}: {frames}; cut the clip")
    nothing = np.full(len(clips), -1)
    meta = {"skeleton": skeleton, "people": people}
    return ArraySet(x, nothing, length, nothing, names, {}, meta)
