"""Labels of clips, from anywhere that `embed` reads: one computation with Embedder.predict()."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pstl.data.clip_files import SourcedClip
from pstl.encoding.features import BATCH
from pstl.errors import UserError
from pstl.files import csv_text
from pstl.hub import labels
from pstl.hub.clip_arrays import is_array, is_one_clip, open_clips
from pstl.hub.embed_arrays import Source, raw_clips_of
from pstl.hub.embedder import Embedder
from pstl.hub.labels import Label, Sliding, Span
from pstl.hub.weights import Weights

# Frames above which a clip is taken for an untrimmed recording: 20 s of a Kinect.
UNTRIMMED = 600
COLUMNS = ("clip", "first", "last", "rank", "label", "chance")


class Prediction(NamedTuple):
    """What one clip is taken for.

    labels: the likeliest classes, best first; of a recording by their mean over its frames.
    spans: what happens when, of an untrimmed recording; empty for a clip.
    clip: as it was read, in metres; None where the input is an array.
    """

    name: str
    frames: int
    labels: list[Label]
    spans: list[Span]
    clip: SourcedClip | None = None

    def captions(self) -> list[str]:
        """What is shown of it in each frame: the likeliest class and its chance."""
        spans = self.spans or [Span(0, self.frames - 1, *self.labels[0])]
        shown = []
        for span in spans:
            shown += [f"{span.label} {span.chance:.0%}"] * (span.last + 1 - span.first)
        return shown


def predict(
    embedder: Embedder, source: Source, top: int, sliding: Sliding | None = None
) -> list[Prediction]:
    """What every clip of a source is taken for, in its order.

    sliding: windows over every clip; None: over those of more than UNTRIMMED frames alone.
    Raises: UserError for weights that name no classes, and for clips as Embedder.embed() does.
    """
    if top < 1:
        raise UserError(f"--top {top}: expected 1 or more")
    path = Path(source.path)
    if not is_array(path) or is_one_clip(path):
        clips, names = raw_clips_of(embedder, source)
        listed = []
        for part in _batches(zip(names, clips, strict=True)):
            listed += _of_clips(embedder, part, top, sliding)
        return listed
    if sliding is not None or source.units != "m":
        remedy = "leave out --window, --stride and --units, or name raw clips"
        raise UserError(f"{path}: an array of clips that a recipe has cut; {remedy}")
    data = open_clips(path, embedder.card, source.skeleton)
    weights = Weights(embedder.card, embedder.encoder, embedder.classifier)
    likely = labels.chances(weights, data, embedder.device, str(path))
    return [
        Prediction(name, int(length), labels.best(row, embedder.classes, top), [])
        for name, length, row in zip(data.names, data.length, likely, strict=True)
    ]


def _of_clips(
    embedder: Embedder,
    clips: Sequence[tuple[str, SourcedClip]],
    top: int,
    sliding: Sliding | None,
) -> list[Prediction]:
    """Predictions of some clips, those that are short together."""
    long = {name for name, clip in clips if sliding is not None or len(clip.raw.xyz) > UNTRIMMED}
    short = [clip for name, clip in clips if name not in long]
    rows = iter(embedder.chances_of(short) if short else ())
    listed = []
    for name, clip in clips:
        spans: list[Span] = []
        if name in long:
            frames = embedder.chances_of_frames(clip, sliding or Sliding())
            likely, spans = labels.mean_of_frames(frames), labels.spans(frames, embedder.classes)
        else:
            likely = next(rows)
        best = labels.best(np.asarray(likely), embedder.classes, top)
        listed.append(Prediction(name, len(clip.raw.xyz), best, spans, clip))
    return listed


def _batches(
    clips: Iterator[tuple[str, SourcedClip]],
) -> Iterator[list[tuple[str, SourcedClip]]]:
    while some := list(itertools.islice(clips, BATCH)):
        yield some


def about(embedder: Embedder) -> str:
    """What the labels come from, for people."""
    card, origin = embedder.card, embedder.card.provenance
    trained = (
        f"trained on {origin.get('dataset', 'unknown')}, split {origin.get('split', 'unknown')}"
    )
    classes = f"Every clip gets one of {len(embedder.classes)} classes: none stands for others."
    return f"Method {card.method}, stream {card.stream}, {trained}. {classes}"


def record(weights: str, embedder: Embedder, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """All of it, as JSON holds it."""
    clips = []
    for each in predictions:
        clip: dict[str, Any] = {"name": each.name, "frames": each.frames}
        clip["labels"] = [label._asdict() for label in each.labels]
        if each.spans:
            clip["timeline"] = [span._asdict() for span in each.spans]
        clips.append(clip)
    return {"weights": weights, "classes": list(embedder.classes), "clips": clips}


def table(predictions: Sequence[Prediction]) -> str:
    """All of it as CSV: the ranked labels of every clip, then the spans of a recording."""
    rows: list[tuple[object, ...]] = []
    for each in predictions:
        for rank, label in enumerate(each.labels, 1):
            ends = (0, each.frames - 1)
            rows.append((each.name, *ends, rank, label.name, f"{label.chance:.6f}"))
        for span in each.spans:
            chance = f"{span.chance:.6f}"
            rows.append((each.name, span.first, span.last, "", span.label, chance))
    return csv_text(COLUMNS, rows)


def text(predictions: Sequence[Prediction]) -> str:
    """All of it as lines to read."""
    names = [_shown(each.name) for each in predictions]
    width = max(map(len, names), default=0)
    lines = []
    for each, name in zip(predictions, names, strict=True):
        shown = [f"{label.name} {label.chance:.0%}" for label in each.labels]
        lines.append(f"{name:<{width}}  {', '.join(shown)}")
        for span in each.spans:
            frames = f"frames {span.first} to {span.last}"
            lines.append(f"{'':<{width}}  {frames}: {span.label} {span.chance:.0%}")
    return "\n".join(lines) + "\n"


def _shown(name: str) -> str:
    """A name for a terminal: what would move its cursor or is no text, as escapes."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()
