"""From class scores to what people read: labels with their chances, and spans of a recording."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pstl.data.store import ArraySet
from pstl.encoding.features import encode_array
from pstl.errors import UserError
from pstl.hub.weights import Weights
from pstl.ops.finite import check_rows
from pstl.ops.timeline import overlap_mean, runs, window_starts
from pstl.registry import load as load_plugin
from pstl.train import encoder_file

USUAL_FRAMES = 64  # of a window, where nobody says how long training clips were
NOBODY = "nobody"  # what stretches are called in which no body is seen
LONGEST = 100_000  # frames of a window: an hour of a Kinect
STEPS = 4  # windows that show a frame, where nobody says how far they are apart


class Label(NamedTuple):
    """A class and its chance, from 0 to 1."""

    name: str
    chance: float


class Span(NamedTuple):
    """Frames of a recording, both ends included, in which one class is the likeliest."""

    first: int
    last: int
    label: str
    chance: float


class Sliding(NamedTuple):
    """Windows over a recording, in frames; 0: as long as a training clip, a quarter apart."""

    window: int = 0
    stride: int = 0

    def on(self, weights: Weights) -> "Sliding":
        """With numbers for what is 0. Raises: UserError for what is no number of frames."""
        for number in self:
            if not isinstance(number, int | np.integer) or not 0 <= number <= LONGEST:
                asked = f"windows of {self.window} every {self.stride} frames"
                raise UserError(f"{asked}; expected whole numbers from 1 to {LONGEST}")
        usual = weights.classifier.frames if weights.classifier else 0
        window = self.window or usual or USUAL_FRAMES
        return Sliding(window, self.stride or max(1, window // STEPS))


def chances(weights: Weights, data: ArraySet, device: torch.device, where: str) -> np.ndarray:
    """Probabilities (N, classes) of clips as the recipe made them.

    Raises: UserError for weights without a classifier.
    """
    card, encoder, classifier = weights
    if classifier is None:
        remedy = "export the encoder with --classifier probe, or take others: pstl list --weights"
        raise UserError(f"these weights of {card.method} name no classes; {remedy}")

    def features(stream: str) -> Tensor:
        """Clip features (N, D) in one stream."""
        fed = replace(card, stream=stream or card.stream)
        return torch.from_numpy(encode_array(fed, encoder, data, device, where))

    if classifier.by:
        scores = classifier.scores.of(features(""))
    else:
        weight, bias, _ = classifier.scores
        layer = encoder_file.linear({"weight": weight, "bias": bias})
        with torch.inference_mode():
            scores = load_plugin("methods", card.method).Method.classify(features, layer)
    likely: np.ndarray = scores.softmax(1).numpy()
    check_rows(likely, "chances of classes", lambda row: f"clip {data.names[row]}")
    return likely


def best(likely: np.ndarray, classes: Sequence[str], top: int) -> list[Label]:
    """The likeliest classes first.   likely: (classes,).

    >>> best(np.array([0.25, 0.75]), ["sit", "stand"], 1)
    [Label(name='stand', chance=0.75)]
    """
    order = np.argsort(-likely, kind="stable")[:top]
    return [Label(classes[number], float(likely[number])) for number in order]


def starts(seen: np.ndarray, sliding: Sliding) -> np.ndarray:
    """First frames (n,) of the windows over a recording that show somebody.

    seen: (frames,) bool, where somebody is.

    >>> starts(np.array([True, True, False, False, False, False]), Sliding(2, 1))
    array([0, 1])
    """
    first = window_starts(len(seen), sliding.window, sliding.stride).numpy()
    shown = np.minimum(first[:, None] + np.arange(sliding.window), len(seen) - 1)
    visible: np.ndarray = first[seen[shown].any(1)]
    return visible


def of_frames(
    likely: np.ndarray, first: np.ndarray, seen: np.ndarray, sliding: Sliding
) -> np.ndarray:
    """Chances of every frame, the mean over the windows that show it; 0 where nobody is.

    likely: (windows, classes).   first: (windows,).   seen: (frames,) bool.
    Returns: (frames, classes).
    """
    each = torch.from_numpy(likely)[:, None].expand(-1, sliding.window, -1)
    shown = overlap_mean(each, torch.from_numpy(first), len(seen)).numpy()
    chances_of_seen: np.ndarray = np.where(seen[:, None], shown, 0)
    return chances_of_seen


def mean_of_frames(likely: np.ndarray) -> np.ndarray:
    """Chances (classes,) of a recording: the mean over the frames in which somebody is."""
    mean: np.ndarray = likely[likely.any(1)].mean(0)
    return mean


def spans(likely: np.ndarray, classes: Sequence[str]) -> list[Span]:
    """Stretches of frames with one likeliest class, or with nobody.   likely: (frames, classes).

    >>> likely = np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0, 0]], np.float32)
    >>> for span in spans(likely, ["sit", "stand"]):
    ...     print(*span)
    0 1 sit 0.625
    2 2 stand 0.75
    3 3 nobody 1.0
    """
    number = np.where(likely.any(1), likely.argmax(1), len(classes))
    listed = []
    for which, first, last in runs(torch.from_numpy(number)).tolist():
        if which == len(classes):
            listed.append(Span(first, last, NOBODY, 1.0))
        else:
            chance = float(likely[first : last + 1, which].mean())
            listed.append(Span(first, last, classes[which], chance))
    return listed
