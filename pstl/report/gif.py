"""One clip as a moving picture in a file."""

from pathlib import Path

import numpy as np

from pstl.data.spec import RawSequence
from pstl.data.store import atomic, open_sequences
from pstl.errors import UserError
from pstl.report.animation import LEFT, RIGHT, TRUNK, project
from pstl.skeletons import NAMES, Skeleton, load
from pstl.tasks._own import ENDINGS, read_clip

ZOOM = 2  # pixels of the picture per pixel of the page's drawings
FPS = 30


def show(clip: str, out: str | Path, fps: int = FPS) -> tuple[int, int]:
    """Draw one clip from the front as an endless GIF. Returns: frames and bodies.

    clip: a file (.skeleton, or .npy of (T, V, 3) or (T, M, V, 3)), or DATASET/NAME of recordings that were read into data/sequences.
    Raises: UserError if there is no such clip, or no skeleton with that many joints.
    """
    from PIL import Image, ImageDraw

    xyz = find(clip)
    if xyz.ndim not in (3, 4) or xyz.shape[-1] != 3 or not len(xyz) or not np.isfinite(xyz).all():
        raise UserError(f"{clip}: found shape {xyz.shape}, expected finite (T, V, 3) or (T, M, V, 3)")
    bodies = (xyz[:, None] if xyz.ndim == 3 else xyz).transpose(0, 2, 1, 3)  # (T, V, M, 3)
    skeleton = with_joints(bodies.shape[1], clip)
    flat, there = project(bodies) * ZOOM, np.abs(bodies).sum((1, 3)) > 0
    size = int(flat[there.any(1)].max(initial=0)) + 12
    sides = {j: tone for pair in skeleton.left_right for j, tone in zip(pair, (LEFT, RIGHT), strict=True)}
    pictures = []
    for t, pose in enumerate(flat):
        picture = Image.new("P", (size, size), 0)
        picture.putpalette(_palette())
        draw = ImageDraw.Draw(picture)
        for m in np.flatnonzero(there[t]):
            for child, parent in skeleton.edges:
                ends = [tuple(pose[joint, m].tolist()) for joint in (child, parent)]
                draw.line(ends, fill=1 + TONES.index(sides.get(child, TRUNK)), width=5)
        pictures.append(picture)
    with atomic(out) as new:
        pictures[0].save(new, format="GIF", save_all=True, append_images=pictures[1:], duration=round(1000 / fps), loop=0, optimize=False)
    return len(bodies), int(there.any(0).sum())


TONES = (TRUNK, LEFT, RIGHT)


def find(clip: str) -> np.ndarray:
    """A clip file, or one of the recordings under data/sequences.   Returns: (T, V, 3) or (T, M, V, 3)."""
    path = Path(clip)
    if path.suffix in ENDINGS:
        return read_clip(path)
    dataset, _, name = clip.partition("/")
    store = open_sequences(Path("data/sequences") / dataset)
    if name not in store.names:
        raise UserError(f"{clip}: no such clip among the {len(store)} of {dataset}; they are named like {store.names[0]}")
    found: RawSequence = store[store.names.index(name)]
    return found.xyz.transpose(0, 2, 1, 3)


def with_joints(joints: int, clip: str) -> Skeleton:
    """The first skeleton with so many joints."""
    known = [load(name) for name in NAMES]
    for skeleton in known:
        if skeleton.joints == joints:
            return skeleton
    raise UserError(f"{clip}: {joints} joints; known skeletons: {', '.join(f'{s.name} ({s.joints})' for s in known)}")


def _palette() -> list[int]:
    """White, then TONES."""
    wide = [tone if len(tone) == 7 else "#" + "".join(2 * c for c in tone[1:]) for tone in ("#fff", *TONES)]
    return [int(tone[i : i + 2], 16) for tone in wide for i in (1, 3, 5)]
