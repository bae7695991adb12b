"""One clip made ready to draw from the front: found by file or name, in pixels, bones with their colours."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.data.spec import RawSequence
from pstl.data.store import open_sequences
from pstl.errors import UserError
from pstl.report.animation import LEFT, RIGHT, TRUNK, project
from pstl.skeletons import NAMES, Skeleton, load
from pstl.tasks._own import ENDINGS, read_clip

ZOOM = 2  # pixels of the picture per pixel of the page's drawings
FPS = 30


class Drawn(NamedTuple):
    """poses: (T, V, M, 2) pixels, y down, inside side x side.   there: (T, M) bool.   bones: (joint, joint, colour)."""

    poses: np.ndarray
    there: np.ndarray
    bones: list[tuple[int, int, str]]
    side: int


def draw(clip: str) -> Drawn:
    """A clip by its file (.skeleton, or .npy of (T, V, 3) or (T, M, V, 3)), or by DATASET/NAME of what was read into data/sequences.

    Raises: UserError if there is no such clip, or no skeleton with that many joints.
    """
    xyz = find(clip)
    if xyz.ndim not in (3, 4) or xyz.shape[-1] != 3 or not len(xyz) or not np.isfinite(xyz).all():
        raise UserError(f"{clip}: found shape {xyz.shape}, expected finite (T, V, 3) or (T, M, V, 3)")
    bodies = (xyz[:, None] if xyz.ndim == 3 else xyz).transpose(0, 2, 1, 3)  # (T, V, M, 3)
    skeleton = with_joints(bodies.shape[1], clip)
    poses, there = project(bodies) * ZOOM, np.abs(bodies).sum((1, 3)) > 0
    sides = {j: tone for pair in skeleton.left_right for j, tone in zip(pair, (LEFT, RIGHT), strict=True)}
    bones = [(child, parent, sides.get(child, TRUNK)) for child, parent in skeleton.edges]
    return Drawn(poses, there, bones, int(poses[there.any(1)].max(initial=0)) + 12)


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
