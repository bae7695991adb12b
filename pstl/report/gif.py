"""One clip as a moving picture in a file."""

from pathlib import Path

import numpy as np

from pstl.files import atomic, by_ending
from pstl.report.animation import LEFT, RIGHT, TRUNK
from pstl.report.clip_drawing import ClipDrawing

TONES = (TRUNK, LEFT, RIGHT)
WIDTH = 5  # of a bone, in pixels


def write(clip: ClipDrawing, out: str | Path, fps: int) -> None:
    """An endless GIF. Raises: UserError for a file of another name."""
    check(out)
    from PIL import Image, ImageDraw

    pictures = []
    for pose, there in zip(clip.poses, clip.there, strict=True):
        picture = Image.new("P", (clip.side, clip.side), 0)
        picture.putpalette(_palette())
        canvas = ImageDraw.Draw(picture)
        for m in np.flatnonzero(there):
            for child, parent, tone in clip.bones:
                ends = [tuple(pose[joint, m].tolist()) for joint in (child, parent)]
                canvas.line(ends, fill=1 + TONES.index(tone), width=WIDTH)
        pictures.append(picture)
    with atomic(out) as new:
        pictures[0].save(
            new,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=round(1000 / fps),
            loop=0,
            optimize=False,
        )


def check(out: str | Path) -> None:
    """Raises: UserError for a file that is not called a GIF."""
    by_ending(out, {".gif": None})


def _palette() -> list[int]:
    """White, then TONES."""
    wide = [
        tone if len(tone) == 7 else "#" + "".join(2 * c for c in tone[1:])
        for tone in ("#fff", *TONES)
    ]
    return [int(tone[i : i + 2], 16) for tone in wide for i in (1, 3, 5)]
