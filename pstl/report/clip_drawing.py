"""One clip made ready to draw from the front, and its drawing as a moving picture in a file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.data import clip_files, plausible
from pstl.data.clip_files import SourcedClip
from pstl.data.own_files import Hints
from pstl.errors import UserError
from pstl.files import atomic, by_ending
from pstl.report.poses import TONES, project, sides
from pstl.skeletons import Skeleton, load

ZOOM = 2  # pixels of the picture per pixel of the page's drawings
FPS = 30
GIF_WIDTH = 5  # of a bone, in pixels
CAPTION = 16  # height of a line of words, in pixels


class ClipDrawing(NamedTuple):
    """A clip in pixels, y down, inside side x side.

    poses: (T, V, M, 2) pixels.   present: (T, M) bool.   bones: (joint, joint, colour).
    """

    poses: np.ndarray
    present: np.ndarray
    bones: list[tuple[int, int, str]]
    side: int

    def summary(self) -> str:
        """How long it is and how many bodies are in it, for people."""
        frames, bodies = len(self.poses), int(self.present.any(0).sum())
        length = "1 frame" if frames == 1 else f"{frames} frames"
        people = "1 body" if bodies == 1 else f"{bodies} bodies"
        return f"{length}, {people}"


def draw(clip: str, skeleton: str = "") -> ClipDrawing:
    """A clip by its file (see data.clip_files), or by DATASET/NAME of what is in data/sequences.

    skeleton: whose joints these are, for a file that does not say so.
    Raises: UserError if there is no such clip, nobody in it, or nothing says whose joints they are.
    """
    source, remarks = clip_files.bodied(find(clip, skeleton), skeleton, clip), plausible.Remarks()
    body, xyz = load(source.skeleton), source.raw.xyz
    if not xyz.any():
        raise UserError(f"{clip}: {plausible.NOBODY}, so there is nothing to draw")
    if source.said:
        remarks.add(source.said, clip)
    plausible.judge_size(plausible.size(xyz), clip, remarks, refuse=False)
    remarks.say()
    return drawn(xyz, body)


def drawn(xyz: np.ndarray, body: Skeleton) -> ClipDrawing:
    """Coordinates (T, V, M, 3) of bodies in pixels."""
    poses, present = project(xyz) * ZOOM, np.abs(xyz).sum((1, 3)) > 0
    of_side = sides(body)
    bones = []
    for child, parent in body.edges:
        bones.append((child, parent, TONES[of_side.get(child, "trunk")]))
    return ClipDrawing(poses, present, bones, int(poses[present.any(1)].max(initial=0)) + 12)


def find(clip: str, skeleton: str = "") -> SourcedClip:
    """A clip file, or one of the recordings under data/sequences.

    skeleton: whose joints these are, for a file that does not say so.
    """
    path = Path(clip)
    if os.path.lexists(path) or clip_files.is_clip(path):
        return clip_files.read(path, Hints(skeleton))
    dataset, _, name = clip.partition("/")
    store, spec = clip_files.stored(Path("data/sequences") / dataset)
    if name not in store.names:
        raise UserError(
            f"{clip}: no such clip among the {len(store)} of {dataset}; "
            f"they are named like {store.names[0]}"
        )
    return SourcedClip(store[store.names.index(name)], spec.skeleton, spec.people, trusted=True)


def check_gif(out: str | Path) -> None:
    """Raises: UserError for a file that is not called a GIF."""
    by_ending(out, {".gif": None})


def write_gif(clip: ClipDrawing, out: str | Path, fps: int, captions: Sequence[str] = ()) -> None:
    """An endless GIF. Raises: UserError for a file of another name.

    captions: words under each frame; empty: none.
    """
    check_gif(out)
    from PIL import Image, ImageColor, ImageDraw

    tones = ["#ffffff", *TONES.values()]
    palette: list[int] = []
    for tone in tones:
        palette += ImageColor.getrgb(tone)
    pictures = []
    height = clip.side + (CAPTION if captions else 0)
    words = captions or [""] * len(clip.poses)
    for pose, present, caption in zip(clip.poses, clip.present, words, strict=True):
        picture = Image.new("P", (clip.side, height), 0)
        picture.putpalette(palette)
        canvas = ImageDraw.Draw(picture)
        canvas.text((4, clip.side + 2), caption, fill=1)
        for person in np.flatnonzero(present):
            for child, parent, tone in clip.bones:
                ends = pose[[child, parent], person].ravel().tolist()
                canvas.line(ends, fill=tones.index(tone), width=GIF_WIDTH)
        pictures.append(picture)
    first, *others = pictures
    milliseconds = round(1000 / fps)
    animation = {"save_all": True, "append_images": others, "duration": milliseconds, "loop": 0}
    with atomic(out) as new:
        first.save(new, format="GIF", optimize=False, **animation)
