"""Skeletons as line drawings, seen from the front: which lines are drawn in which frame.

The page shows them moving (templates/macros.html), `show` in a window or as a GIF.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pstl.errors import UserError
from pstl.skeletons import Skeleton, load

SIDE = 150  # of a drawing, in pixels
STILLS = 6  # poses on paper
STILL_STEP = 90  # pixels from one pose on paper to the next
# What a line is of -> its colour; the page has the same by these names (templates/page.css).
TONES = {"trunk": "#444444", "left": "#0072b2", "right": "#d55e00"}
NOTHING = "M0 0"  # a path without a line

Bone = tuple[int, int]  # child and parent joint


class Clip(NamedTuple):
    """A clip and what a mask hides of it.

    xyz: (T, V, M, 3) metres.   joints: (V,), frames: (T,) bool, True where they are hidden.
    """

    xyz: np.ndarray
    joints: np.ndarray
    frames: np.ndarray


class Layer(NamedTuple):
    """Lines of one tone: an SVG path for each frame."""

    tone: str
    paths: list[str]


@dataclass(frozen=True)
class Moving:
    """A drawing that moves.

    faded: (T,) bool, frames that are drawn pale.   ruler: an SVG path below the drawing with a mark
    for each frame that is not hidden; empty: there is none.
    """

    title: str
    alt: str
    layers: list[Layer]
    faded: np.ndarray
    ruler: str = ""
    side: int = SIDE
    still_step: int = STILL_STEP

    @property
    def stills(self) -> list[int]:
        """Frames that are shown on paper."""
        count = len(self.faded)
        return [int(t) for t in np.linspace(0, count - 1, min(STILLS, count)).round()]

    @property
    def still_width(self) -> int:
        """Width of the row of poses on paper, in pixels."""
        return STILL_STEP * (len(self.stills) - 1) + SIDE


def moving(title: str, clip: Clip, skeleton: Skeleton, alt: str) -> Moving:
    """A clip by the colours of its sides; what a mask hides is grey or pale."""
    flat = project(clip.xyz)
    layers = []
    for person in range(flat.shape[2]):
        if not np.abs(clip.xyz[:, :, person]).any():
            continue
        for tone, bones in _bones(skeleton, clip.joints).items():
            if bones:
                layers.append(Layer(tone, [path(pose, bones) for pose in flat[:, :, person]]))
    return Moving(title, alt, layers, clip.frames, ruler(clip.frames))


def prediction(entry: Mapping[str, Any], method: str, task: str) -> Moving:
    """One window: the truth, and from the last seen frame on the prediction over it.

    entry: one of a task's Result.motions.   Raises: UserError for poses that do not fit.
    """
    skeleton, seen = load(entry["skeleton"]), len(entry["seen"])
    truth = np.array(entry["seen"] + entry["future"], float)
    predicted = np.array(entry["seen"] + entry["found"], float)
    if truth.shape != predicted.shape or truth.shape[1:] != (skeleton.joints, 3):
        raise UserError(
            f"{entry['name']}: poses {truth.shape} and {predicted.shape}, expected equal "
            f"(T, {skeleton.joints}, 3); run the task again"
        )
    flat = project(np.stack([truth, predicted], axis=2))  # (T, V, 2, 2)
    bones = list(skeleton.edges)
    frames = len(flat)
    true_paths = [path(pose, bones) for pose in flat[:, :, 0]]
    paths = [path(pose, bones) for pose in flat[:, :, 1]]
    nothing = [NOTHING] * frames
    layers = [
        Layer("truth", true_paths),
        Layer("left", paths[:seen] + nothing[seen:]),
        Layer("right", nothing[:seen] + paths[seen:]),
    ]
    error = f"{entry['mpjpe']:.0f} mm"
    words = f"motion predicted by {method} over the true one, {error} apart on average"
    alt = f"Simulated skeleton: {words}"
    title = f"{method} ({task}), {entry['name']}: mean error {error}"
    return Moving(title, alt, layers, np.zeros(frames, bool), ruler(np.arange(frames) >= seen))


def project(xyz: np.ndarray) -> np.ndarray:
    """Front view in whole pixels, y down, everything inside SIDE x SIDE.

    (T, V, M, 3) -> (T, V, M, 2); joints that are all zero were not recorded.
    """
    recorded = np.abs(xyz).sum(-1) > 0
    plane = xyz[recorded][:, :2] if recorded.any() else np.zeros((1, 2))
    low, high = plane.min(0), plane.max(0)
    scale = (SIDE - 12) / max(float((high - low).max()), 1e-6)
    flat = (xyz[..., :2] - (low + high) / 2) * scale * np.array([1, -1]) + SIDE / 2
    return flat.round().astype(int)


def path(joints: np.ndarray, bones: Sequence[Bone]) -> str:
    """SVG path of some bones of one pose (V, 2)."""
    lines = []
    for child, parent in bones:
        (x, y), (to_x, to_y) = joints[child], joints[parent]
        lines.append(f"M{x} {y}L{to_x} {to_y}")
    return "".join(lines)


def ruler(hidden: np.ndarray) -> str:
    """Marks below a drawing, one for each frame that is not hidden (T,); empty if none is."""
    if not hidden.any():
        return ""
    step = SIDE / len(hidden)
    width = f"{step - 0.6:.1f}"
    marks = [
        f"M{frame * step + 0.3:.1f} {SIDE + 2}h{width}v5h-{width}z"
        for frame in np.flatnonzero(~hidden)
    ]
    return "".join(marks)


def sides(skeleton: Skeleton) -> dict[int, str]:
    """Joint -> "left" or "right"; joints of the trunk are not in it."""
    tones = {}
    for left, right in skeleton.left_right:
        tones[left], tones[right] = "left", "right"
    return tones


def _bones(skeleton: Skeleton, hidden: np.ndarray) -> dict[str, list[Bone]]:
    """Bones by tone: sides and trunk; those with a hidden end apart.   hidden: (V,) bool."""
    by_tone: dict[str, list[Bone]] = {"hidden": [], "trunk": [], "left": [], "right": []}
    of_side = sides(skeleton)
    for child, parent in skeleton.edges:
        tone = "hidden" if hidden[child] or hidden[parent] else of_side.get(child, "trunk")
        by_tone[tone].append((child, parent))
    return by_tone
