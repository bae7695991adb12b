"""Predicted labels for people: a page with every clip, the first ones moving, and GIFs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pstl.files import write_text
from pstl.hub.predict import Prediction
from pstl.report import clip_drawing, document
from pstl.report.document import Cells, Section, Table, number
from pstl.report.poses import Clip, Moving, moving
from pstl.skeletons import load

DRAWN = 12  # clips that move on the page: each is a drawing of all its frames
MOST = 300  # frames of a drawing


@dataclass(frozen=True)
class Predicted(Section):
    """Labels of clips."""

    intro: str
    clips: Table
    spans: Table
    pictures: list[Moving]


def write_page(out: str | Path, weights: str, what: str, predictions: Sequence[Prediction]) -> None:
    """One page that needs nothing else.   weights: their name.   what: they are, in a line."""
    rows: list[Cells] = []
    for each in predictions:
        shown = ", ".join(f"{label.name} {label.chance:.0%}" for label in each.labels)
        rows.append([each.name, number(f"{each.frames:,}"), shown])
    clips = Table("Labels of every clip", ("clip", "frames", "likeliest classes"), rows)
    spans: list[Cells] = []
    for each in predictions:
        for span in each.spans:
            ends = (number(f"{span.first:,}"), number(f"{span.last:,}"))
            spans.append([each.name, *ends, span.label, number(f"{span.chance:.0%}")])
    header = ("recording", "first frame", "last frame", "class", "chance")
    section = Predicted(
        "labels",
        "Labels",
        "predicted.html",
        what,
        clips,
        Table("What happens when", header, spans),
        [_picture(each) for each in predictions[:DRAWN] if each.clip is not None],
    )
    write_text(out, document.page(f"pstl: labels by {weights}", [section]))


def write_gifs(folder: str | Path, predictions: Sequence[Prediction], fps: int) -> list[Path]:
    """FOLDER/CLIP.gif of every clip that has coordinates, with its label under it."""
    written = []
    for each in predictions:
        if each.clip is None:
            continue
        out = Path(folder) / f"{each.name}.gif"
        drawing = clip_drawing.drawn(each.clip.raw.xyz, load(each.clip.skeleton))
        clip_drawing.write_gif(drawing, out, fps, each.captions())
        written.append(out)
    return written


def _picture(each: Prediction) -> Moving:
    """A clip that moves, by its label; of a recording its first frames."""
    assert each.clip is not None
    xyz, skeleton = each.clip.raw.xyz[:MOST], load(each.clip.skeleton)
    hidden = np.zeros(skeleton.joints, bool), np.zeros(len(xyz), bool)
    title = f"{each.name}: {each.labels[0].name} {each.labels[0].chance:.0%}"
    return moving(title, Clip(xyz, *hidden), skeleton, f"Skeleton of {title}")
