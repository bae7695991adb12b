"""One clip made ready to draw from the front: found by file or name, in pixels, bones with their colours."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.data import clip_files, plausible
from pstl.data.clip_files import SourcedClip
from pstl.errors import UserError
from pstl.report.animation import LEFT, RIGHT, TRUNK, project
from pstl.skeletons import load

ZOOM = 2  # pixels of the picture per pixel of the page's drawings
FPS = 30


class ClipDrawing(NamedTuple):
    """poses: (T, V, M, 2) pixels, y down, inside side x side.   there: (T, M) bool.   bones: (joint, joint, colour)."""

    poses: np.ndarray
    there: np.ndarray
    bones: list[tuple[int, int, str]]
    side: int

    def summary(self) -> str:
        """How long it is and how many bodies are in it, for people."""
        frames, bodies = len(self.poses), int(self.there.any(0).sum())
        length = "1 frame" if frames == 1 else f"{frames} frames"
        return f"{length}, {'1 body' if bodies == 1 else f'{bodies} bodies'}"


def draw(clip: str, skeleton: str = "") -> ClipDrawing:
    """A clip by its file (see data.clip_files), or by DATASET/NAME of what is in data/sequences.

    skeleton: whose joints these are, for a file that does not say so: a .npy.
    Raises: UserError if there is no such clip, nobody in it, or nothing says whose joints they are.
    """
    source, remarks = find(clip), plausible.Remarks()
    body, xyz = load(clip_files.named(source, skeleton, clip)), source.raw.xyz
    if not xyz.any():
        raise UserError(f"{clip}: {plausible.NOBODY}, so there is nothing to draw")
    plausible.judge_size(plausible.size(xyz), clip, remarks, refuse=False)
    remarks.say()
    poses, there = project(xyz) * ZOOM, np.abs(xyz).sum((1, 3)) > 0
    sides = {
        j: tone for pair in body.left_right for j, tone in zip(pair, (LEFT, RIGHT), strict=True)
    }
    bones = [(child, parent, sides.get(child, TRUNK)) for child, parent in body.edges]
    return ClipDrawing(poses, there, bones, int(poses[there.any(1)].max(initial=0)) + 12)


def find(clip: str) -> SourcedClip:
    """A clip file, or one of the recordings under data/sequences."""
    path = Path(clip)
    if path.is_file() or clip_files.is_clip(path):
        return clip_files.read(path)
    dataset, _, name = clip.partition("/")
    store, spec = clip_files.stored(Path("data/sequences") / dataset)
    if name not in store.names:
        raise UserError(
            f"{clip}: no such clip among the {len(store)} of {dataset}; they are named like {store.names[0]}"
        )
    return SourcedClip(store[store.names.index(name)], spec.skeleton, spec.people, trusted=True)
