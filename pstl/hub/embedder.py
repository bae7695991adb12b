"""The door for people with clips of their own: an encoder by name, raw clips in, features and
labels out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pstl.config import Plugin
from pstl.data import plausible
from pstl.data.clip_files import SourcedClip
from pstl.data.store import ArraySet
from pstl.encoding import windows
from pstl.encoding.features import clean_stream, encode_array, fitted
from pstl.encoding.pooling import outputs
from pstl.errors import UserError
from pstl.hub import labels, raw_clips
from pstl.hub.addresses import SHA256_WORD, is_address
from pstl.hub.finding import find
from pstl.hub.labels import Label, Sliding, Span
from pstl.hub.raw_clips import Source
from pstl.hub.weights import Classifier, Weights
from pstl.modules import BaseEncoder
from pstl.records import Features
from pstl.registry import load_recipe
from pstl.train import encoder_file
from pstl.train.encoder_file import EncoderCard
from pstl.train.hardware import choose_device


def load(path_or_name: str | Path, device: str = "cpu", sha256: str = "") -> "Embedder":
    """A trained encoder, ready for raw sequences.

    path_or_name: as for find().   device: auto, cpu, cuda or cuda:N.
    sha256: of the file at a URL, where it does not stand behind it.
    Raises: UserError if there is none, it is damaged, or there is no such device.
    """
    if sha256 and not is_address(str(path_or_name)):
        raise UserError(f"load: found sha256 beside {path_or_name}, expected it beside a URL alone")
    name = f"{path_or_name}{SHA256_WORD}{sha256}" if sha256 else path_or_name
    card, encoder, classifier = find(name)
    return Embedder(card, encoder, str(choose_device(str(device))), classifier)


class ClipFeatures(NamedTuple):
    """What an encoder gives of one clip.

    clip: (D,), what probes read.   frames: (R, D'), rows along time.
    at: (R,) float32, the frame of the clip that each row is about, of those that the recipe keeps;
    behind its last one where the recipe has added frames.
    """

    clip: Any
    frames: Any
    at: Any


class Embedder:
    """An encoder with the recipe it was trained with.

    `card` says what it is, `skeleton` names the joints it expects, in order, and `classes` what it
    calls clips: () for weights that name none.
    """

    def __init__(
        self,
        card: EncoderCard,
        encoder: BaseEncoder,
        device: str = "cpu",
        classifier: Classifier | None = None,
    ) -> None:
        self.card, self.encoder, self.device = card, encoder.to(device).eval(), torch.device(device)
        self.classifier = classifier
        self.skeleton = encoder_file.skeleton_of(card)
        self.recipe = Plugin.model_validate(card.recipe)

    def __repr__(self) -> str:
        """What it is, in one line."""
        card = self.card
        body = f"{card.skeleton} ({self.skeleton.joints} joints)"
        named = f", {len(self.classes)} classes" if self.classes else ""
        origin = card.provenance.get("run", "unknown")
        what = f"{card.method}, {card.stream}, {body}, {self.width} features{named}"
        return f"<pstl.Embedder: {what}, run {origin}, on {self.device}>"

    @property
    def width(self) -> int:
        """D: how many features a clip has."""
        return self.encoder.width

    @property
    def classes(self) -> tuple[str, ...]:
        """What predict() chooses among; () for weights without a classifier."""
        return self.classifier.classes if self.classifier else ()

    def embed(
        self,
        clip: Source,
        bodies: np.ndarray | None = None,
        skeleton: str = "",
        units: str = "m",
    ) -> np.ndarray:
        """Features (D,) float32 of one raw clip; recipe, view, stream and encoder as for the
        tables.

        clip: (T, V, 3), or (T, M, V, 3) with several bodies, an absent body all zero, as numpy or
        torch has it; or a file, such as NTU's .skeleton, whose body and slots are those of its
        format.
        bodies: (T, M) whose coordinates stand in each slot, 1, 2, ..., 0 for none, where a sensor
        tells people apart that change slots; None: a slot is a body.
        skeleton: whose joints these are, by name, if not the encoder's.   units: m, cm or mm.
        Raises: UserError if shape, joints, numbers, size or units do not fit.
        """
        features: np.ndarray = self.embed_clips([self._one(clip, bodies, skeleton, units)])[0]
        return features

    def embed_all(
        self,
        clips: Iterable[Source],
        skeleton: str = "",
        units: str = "m",
    ) -> np.ndarray:
        """Features (N, D) float32 of many raw clips of any lengths; the same as one by one."""
        return self.embed_clips(self._numbered(clips, skeleton, units))

    def features(
        self,
        clip: Source,
        bodies: np.ndarray | None = None,
        skeleton: str = "",
        units: str = "m",
        grad: bool = False,
    ) -> ClipFeatures:
        """Features of one raw clip: of the whole, (D,) as embed() gives them, and along time.

        The other arguments are those of embed().   grad: let gradients reach the encoder's weights.
        Returns: arrays; of a tensor, or with `grad`, tensors on the encoder's device.
        """
        sourced = self._one(clip, bodies, skeleton, units)
        (data,) = self._arrays([sourced])
        x, length = self._tensors(data)
        with torch.set_grad_enabled(grad):
            both = self.encode(x, length)
        kept = min(len(sourced.raw.xyz), load_recipe(self.recipe.name).longest)
        shown = round(kept * x.shape[2] / data.x.shape[2])
        rows = both.frames.shape[1]
        at = windows.row_times(self.card, self.encoder, shown, x.shape[2], rows)
        features = ClipFeatures(both.clip[0], both.frames[0], at.to(self.device))
        if grad or isinstance(clip, Tensor):
            return features
        return ClipFeatures(*(part.float().cpu().numpy() for part in features))

    def prepare(
        self, clips: Iterable[Source], skeleton: str = "", units: str = "m"
    ) -> tuple[Tensor, Tensor]:
        """Raw clips as the encoder's recipe makes them: what encode() takes.

        Returns: x (N, 3, T, V, M) float32, length (N,) int64, on the encoder's device.
        Raises: UserError as embed() does, and for clips of several bodies by name.
        """
        arrays = list(self._arrays(self._numbered(clips, skeleton, units)))
        frames = max(data.x.shape[2] for data in arrays)
        parts = []
        for data in arrays:
            short = frames - data.x.shape[2]
            x = np.pad(data.x, ((0, 0), (0, 0), (0, short), (0, 0), (0, 0)))
            parts.append(self._tensors(replace(data, x=x)))
        return torch.cat([x for x, _ in parts]), torch.cat([length for _, length in parts])

    def encode(self, x: Tensor, length: Tensor) -> Features:
        """What prepare() made -> features, clip (N, D) and frames (N, R, D'), with gradients where
        they are on: of the weights, and of x, too.

        x: (N, 3, T, V, M), length: (N,) frames that count.
        """
        view = clean_stream(self.card, x, length, self.card.stream)
        return outputs(self.encoder, view, length)

    def predict(
        self,
        clip: Source,
        top: int = 5,
        bodies: np.ndarray | None = None,
        skeleton: str = "",
        units: str = "m",
    ) -> list[Label]:
        """The likeliest classes of one raw clip, with their chances, the best first.

        The other arguments are those of embed().   Raises: UserError for weights that name none.
        """
        if not isinstance(top, int | np.integer) or top < 1:
            raise UserError(f"top {top}: expected a whole number, 1 or more")
        likely = self.chances_of([self._one(clip, bodies, skeleton, units)])
        return labels.best(likely[0], self.classes, top)

    def probabilities(
        self, clips: Iterable[Source], skeleton: str = "", units: str = "m"
    ) -> np.ndarray:
        """Chances (N, classes) float32 of many raw clips, in the order of `classes`."""
        return self.chances_of(self._numbered(clips, skeleton, units))

    def timeline(
        self,
        clip: Source,
        window: int = 0,
        stride: int = 0,
        skeleton: str = "",
        units: str = "m",
    ) -> list[Span]:
        """What happens when in an untrimmed recording, by windows that slide over it.

        Every stretch has a class, or is called nobody where no body is seen: no class stands for
        nothing, so a low chance means little.
        window, stride: frames; 0: as long as a training clip, a quarter of it.
        """
        likely = self.chances_of_frames(
            self._one(clip, None, skeleton, units), Sliding(window, stride)
        )
        return labels.spans(likely, self.classes)

    def embed_clips(self, clips: Iterable[SourcedClip], dropped: Sequence[int] = ()) -> np.ndarray:
        """Features (N, D) float32 of clips that name their bodies, BATCH of them in memory at once.

        dropped: joints of the encoder's skeleton to lose, after the recipe.
        What is odd about a clip is logged; Raises: UserError for one that cannot be encoded.
        """
        rows = []
        for data in self._arrays(clips):
            where = data.names[0]
            rows.append(encode_array(self.card, self.encoder, data, self.device, where, dropped))
        return np.concatenate(rows)

    def chances_of(self, clips: Iterable[SourcedClip], is_looked_at: bool = True) -> np.ndarray:
        """Chances (N, classes) float32 of clips that name their bodies.

        is_looked_at: say what is odd about them.
        """
        weights = Weights(self.card, self.encoder, self.classifier)
        rows = []
        for data in self._arrays(clips, is_looked_at):
            rows.append(labels.chances(weights, data, self.device, data.names[0]))
        return np.concatenate(rows)

    def chances_of_frames(self, clip: SourcedClip, sliding: Sliding) -> np.ndarray:
        """Chances (T, classes) float32 of every frame of a recording that names its bodies; 0 where
        nobody is.
        """
        frames, remarks = len(clip.raw.xyz), plausible.Remarks()
        limits = plausible.limits_of(self.recipe, clip.people)
        plausible.look(clip, limits._replace(frames=frames), remarks)
        remarks.say()
        sliding = sliding.on(Weights(self.card, self.encoder, self.classifier))
        seen = np.asarray(clip.raw.xyz.any(axis=(1, 2, 3)))
        starts, parts = labels.starts(seen, sliding), []
        for first in starts.tolist():
            shown = np.minimum(np.arange(first, first + sliding.window), frames - 1)
            part = windows.part(clip.raw, shown, f"{clip.raw.name}@{first}")
            parts.append(clip._replace(raw=part))
        likely = self.chances_of(parts, is_looked_at=False)
        return labels.of_frames(likely, starts, seen, sliding)

    def of_file(self, path: Path, skeleton: str = "", units: str = "m") -> SourcedClip:
        """The clip of a file, named by its path in what is said of it."""
        return raw_clips.of_file(path, self.card, skeleton, units)

    def _one(
        self, clip: Source, bodies: np.ndarray | None, skeleton: str, units: str
    ) -> SourcedClip:
        return raw_clips.with_bodies(self._given("clip", clip, skeleton, units), bodies)

    def _numbered(
        self, clips: Iterable[Source], skeleton: str, units: str
    ) -> Iterator[SourcedClip]:
        if isinstance(clips, str) or not isinstance(clips, Iterable):
            expected = "several of them, e.g. a list of arrays or of files"
            raise UserError(f"clips: found one {type(clips).__name__}, expected {expected}")
        for number, clip in enumerate(clips):
            yield self._given(f"clip {number}", clip, skeleton, units)

    def _given(self, name: str, clip: Source, skeleton: str, units: str) -> SourcedClip:
        return raw_clips.given(name, clip, self.card, skeleton, units)

    def _arrays(
        self, clips: Iterable[SourcedClip], is_looked_at: bool = True
    ) -> Iterator[ArraySet]:
        return raw_clips.arrays(self.card, self.encoder, clips, is_looked_at)

    def _tensors(self, data: ArraySet) -> tuple[Tensor, Tensor]:
        """An array in the encoder's body and slots, on its device."""
        data = fitted(self.card, self.encoder, data, data.names[0])
        x, length = torch.from_numpy(data.x), torch.from_numpy(data.length)
        return x.to(self.device), length.to(self.device)
