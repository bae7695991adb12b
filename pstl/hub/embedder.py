"""The door for people with clips of their own: an encoder by name, raw clips in, features out."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pstl import paths
from pstl.config import Plugin, Run
from pstl.data import clip_files, plausible
from pstl.data.clip_files import SourcedClip
from pstl.data.own_files import Hints
from pstl.data.prepare import check_finite, made
from pstl.data.store import ArraySet
from pstl.encoding.features import BATCH, encode_array, reads_every_frame
from pstl.errors import UserError
from pstl.hub import export
from pstl.modules import BaseEncoder
from pstl.records import Clip
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard
from pstl.train.hardware import choose_device

Source = np.ndarray | str | Path  # of a raw clip: coordinates, or a file of them


def load(path_or_name: str | Path, device: str = "cpu") -> "Embedder":
    """A trained encoder, ready for raw sequences.

    path_or_name: as for find().   device: auto, cpu, cuda or cuda:N.
    Raises: UserError if there is none, it is damaged, or there is no such device.
    """
    return Embedder(*find(path_or_name), str(choose_device(str(device))))


def find(path_or_name: str | Path) -> tuple[EncoderCard, BaseEncoder]:
    """A trained encoder with its card, on the CPU.

    path_or_name: encoder.pt, a folder made by 'python -m pstl export', or a run such as
    nwucla/nwucla/xview/pstl/joint/s0, whose encoder lies under results/.
    Raises: UserError if there is none, or it is damaged.
    """
    if not isinstance(path_or_name, str | os.PathLike):
        kind = type(path_or_name).__name__
        raise UserError(f"load: found {kind}, expected the path or name of an encoder as text")
    path = Path(path_or_name)
    if path.is_dir() and os.path.lexists(path / export.WEIGHTS):
        return export.read(path)
    if path.is_file():
        return encoder_file.load(path)
    if len(path.parts) == 6 and not path.is_absolute():
        place = Path(paths.encoder(Run.parse(str(path_or_name))))
        if place.is_file():
            return encoder_file.load(place)
        made_by = f"make it with 'snakemake --cores all {place}', or fetch it with 'dvc pull'"
        raise UserError(f"{path_or_name}: no {place} here; {made_by}")
    expected = "encoder.pt, an exported folder, or suite/dataset/split/method/stream/s<seed>"
    raise UserError(f"{path_or_name}: no encoder here; expected {expected}")


class Embedder:
    """An encoder with the recipe it was trained with.

    `card` says what it is, `skeleton` names the joints it expects, in order.
    """

    def __init__(self, card: EncoderCard, encoder: BaseEncoder, device: str = "cpu") -> None:
        self.card, self.encoder, self.device = card, encoder.to(device).eval(), torch.device(device)
        self.skeleton = encoder_file.skeleton_of(card)
        self.recipe = Plugin.model_validate(card.recipe)

    def embed(
        self,
        clip: Source,
        bodies: np.ndarray | None = None,
        skeleton: str = "",
        units: str = "m",
    ) -> np.ndarray:
        """Features (D,) float32 of one raw clip; recipe, view, stream and encoder as for the
        tables.

        clip: (T, V, 3), or (T, M, V, 3) with several bodies, an absent body all zero; or a file,
        such as NTU's .skeleton, whose body and slots are those of its format.
        bodies: (T, M) whose coordinates stand in each slot, 1, 2, ..., 0 for none, where a sensor
        tells people apart that change slots; None: a slot is a body.
        skeleton: whose joints these are, by name, if not the encoder's.   units: m, cm or mm.
        Raises: UserError if shape, joints, numbers, size or units do not fit.
        """
        given = self._given("clip", clip, skeleton, units)
        if bodies is not None:
            given = given._replace(raw=_with_bodies(given.raw, np.asarray(bodies)))
        features: np.ndarray = self.embed_clips([given])[0]
        return features

    def embed_all(
        self,
        clips: Iterable[Source],
        skeleton: str = "",
        units: str = "m",
    ) -> np.ndarray:
        """Features (N, D) float32 of many raw clips of any lengths; the same as one by one."""
        numbered = enumerate(clips)
        given = (self._given(f"clip {i}", clip, skeleton, units) for i, clip in numbered)
        return self.embed_clips(given)

    def embed_clips(self, clips: Iterable[SourcedClip], dropped: Sequence[int] = ()) -> np.ndarray:
        """Features (N, D) float32 of clips that name their bodies, BATCH of them in memory at once.

        dropped: joints of the encoder's skeleton to lose, after the recipe.
        What is odd about a clip is logged; Raises: UserError for one that cannot be encoded.
        """
        remarks, rows = plausible.Remarks(), []
        for kind, alike in itertools.groupby(clips, key=lambda clip: (clip.skeleton, clip.people)):
            limits = plausible.limits_of(self.recipe, kind[1])
            for some in _batches(alike):
                for clip in some:
                    plausible.look(clip, limits, remarks)
                rows.append(self._encode([clip.raw for clip in some], *kind, dropped))
        remarks.say()
        if not rows:
            raise UserError("no clip to embed; expected at least one")
        return np.concatenate(rows)

    def of_file(self, path: Path, skeleton: str = "", units: str = "m") -> SourcedClip:
        """The clip of a file, named by its path in what is said of it."""
        stated = "" if units == "m" else units
        clip = clip_files.read(path, Hints(skeleton, stated, fallback=self.card.skeleton))
        return self._named(clip._replace(raw=replace(clip.raw, name=str(path))), skeleton, units)

    def _given(self, name: str, clip: Source, skeleton: str, units: str) -> SourcedClip:
        if isinstance(clip, str | Path):
            return self.of_file(Path(clip), skeleton, units)
        try:
            xyz = np.asarray(clip)
        except ValueError:  # rows of different lengths
            raise UserError(
                f"{name}: not an array of numbers, expected {clip_files.BARE}"
            ) from None
        raw = Clip(name, -1, clip_files.slots(xyz, name))
        return self._named(SourcedClip(raw), skeleton, units)

    def _named(self, clip: SourcedClip, skeleton: str, units: str) -> SourcedClip:
        """A clip with a body, the number of slots its recipe is to fill, and metres."""
        if units not in plausible.UNITS:
            raise UserError(f"unknown unit {units!r}; known: {', '.join(plausible.UNITS)}")
        own = "" if clip.skeleton else self.card.skeleton
        clip = clip_files.bodied(clip, skeleton or own, clip.raw.name)
        if units != "m" and not clip.metric:
            xyz = clip.raw.xyz * np.float32(plausible.UNITS[units])
            clip = clip._replace(raw=replace(clip.raw, xyz=xyz))
        return clip._replace(people=clip.people or self.card.people)

    def _encode(
        self,
        clips: list[Clip],
        skeleton: str,
        people: int,
        dropped: Sequence[int],
    ) -> np.ndarray:
        x, length = made(self.recipe, clips, skeleton, people)
        names, most = [clip.name for clip in clips], self.card.frames
        check_finite(x, names)
        if x.shape[2] > most and reads_every_frame(self.card, self.encoder):
            longest = int(np.argmax(length))
            frames = f"{length[longest]} frames, this encoder takes {most}"
            raise UserError(f"{names[longest]}: {frames}; cut the clip")
        nothing = np.full(len(clips), -1)
        meta = {"skeleton": skeleton, "people": people}
        data = ArraySet(x, nothing, length, nothing, names, {}, meta)
        return encode_array(self.card, self.encoder, data, self.device, names[0], dropped)


def _batches(clips: Iterable[SourcedClip]) -> Iterator[list[SourcedClip]]:
    """As many as are encoded at once."""
    clips = iter(clips)
    while some := list(itertools.islice(clips, BATCH)):
        yield some


def _with_bodies(raw: Clip, numbers: np.ndarray) -> Clip:
    """A clip whose bodies are told apart, if the numbers are such."""
    slots = (raw.xyz.shape[0], raw.xyz.shape[2])
    if numbers.shape != slots or numbers.dtype.kind not in "iu" or numbers.min() < 0:
        kind = f"{numbers.dtype} of shape {numbers.shape}"
        raise UserError(f"{raw.name}: bodies are {kind}, expected {slots} whole numbers from 0")
    return clip_files.told_apart(raw, numbers.astype(np.int64))
