"""A method in one picture, as SVG: what it makes of a clip, through what it goes, what is compared.

A row for every branch: poses of a view on the left, boxes in the middle; the loss on the right.
"""

from html import escape
from typing import NamedTuple

import numpy as np

from pstl.report.poses import TONES, sides
from pstl.skeletons import Skeleton

POSES = 6  # of a row
POSE_W, ROW_H = 52, 104
BOX_W, BOX_GAP = 116, 18
LOSS_W = 176
LEFT = 12
MASKED = "#c9c9c9"
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:12px;fill:#222}"
    ".box{fill:#eef3f8;stroke:#5b7a99}.still{fill:#fff;stroke:#5b7a99;stroke-dasharray:4 3}"
    ".loss{fill:#fdf3e7;stroke:#b4762b}.arrow{stroke:#777;fill:none;marker-end:url(#tip)}"
)
TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="#777"/></marker>'
)


class Branch(NamedTuple):
    """One way of a clip through a method.

    caption: of its view.   xyz: (T, V, 3), the view of one person.
    hidden: (T, V) bool, what the view's mask hides.
    boxes: what it passes; a name in brackets is a network that no gradient trains.
    moves: draw how joints move instead of poses; xyz then are positions.
    """

    caption: str
    xyz: np.ndarray
    hidden: np.ndarray
    boxes: tuple[str, ...]
    moves: bool = False


def svg(branches: list[Branch], loss: list[str], skeleton: Skeleton, about: str) -> str:
    """The picture.   loss: lines of its box.   about: what a screen reader says."""
    boxes = max(len(branch.boxes) for branch in branches)
    start = LEFT + POSES * POSE_W + 14
    at_loss = start + boxes * (BOX_W + BOX_GAP)
    width, height = at_loss + LOSS_W + 12, len(branches) * ROW_H + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'role="img" aria-label="{escape(about)}">',
        f"<style>{STYLE}</style><defs>{TIP}</defs>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, branch in enumerate(branches):
        top = 4 + number * ROW_H
        parts += row_of(branch, top, skeleton)
        parts += chain(branch.boxes, start, top + 42, at_loss)
    middle = height / 2
    tall = max(len(branches) * ROW_H - 40, 18 * len(loss) + 16)
    parts += box("loss", loss, (at_loss, middle), (LOSS_W, tall), 18)
    return "\n".join([*parts, "</svg>", ""])


def row_of(branch: Branch, top: int, skeleton: Skeleton) -> list[str]:
    """Some poses of a view, side by side, with the caption below."""
    frames = np.linspace(0, len(branch.xyz) - 1, POSES).round().astype(int)
    flat = fitted(branch.xyz)
    parts = []
    for number, frame in enumerate(frames):
        place = np.array([LEFT + (number + 0.5) * POSE_W, top + 40])
        pose, hidden = flat[frame] + place, branch.hidden[frame]
        if branch.moves:
            later = flat[min(frame + 1, len(flat) - 1)] + place
            parts += movement(pose, later)
        else:
            parts += bones(pose, hidden, skeleton)
    middle = LEFT + POSES * POSE_W / 2
    return [*parts, words(branch.caption, middle, top + 94)]


def fitted(xyz: np.ndarray) -> np.ndarray:
    """Front view of a clip in pixels around 0, y down.   (T, V, 3) -> (T, V, 2)."""
    seen = np.abs(xyz).sum(-1) > 0
    plane = xyz[..., :2].copy()
    low, high = plane[seen].min(0), plane[seen].max(0)
    scale = min(POSE_W / max(high[0] - low[0], 1e-6), 78 / max(high[1] - low[1], 1e-6))
    return (plane - (low + high) / 2) * scale * np.array([1, -1])


def bones(pose: np.ndarray, hidden: np.ndarray, skeleton: Skeleton) -> list[str]:
    """One pose (V, 2); what is hidden (V,) is pale."""
    of_side = sides(skeleton)
    by_tone: dict[str, list[str]] = {}
    for child, parent in skeleton.edges:
        gone = hidden[child] or hidden[parent]
        tone = MASKED if gone else TONES[of_side.get(child, "trunk")]
        (x, y), (to_x, to_y) = pose[child], pose[parent]
        by_tone.setdefault(tone, []).append(f"M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}")
    parts = []
    for tone in sorted(by_tone, key=lambda tone: tone != MASKED):
        weight = 1 if tone == MASKED else 1.8
        path = "".join(by_tone[tone])
        parts.append(f'<path d="{path}" stroke="{tone}" stroke-width="{weight}" fill="none"/>')
    if hidden.mean() > 0.5:  # few joints are left: no bone shows where they are
        dots = "".join(f"M{x:.1f} {y:.1f}h.1" for x, y in pose[~hidden])
        tone = TONES["right"]
        parts.append(f'<path d="{dots}" stroke="{tone}" stroke-width="5" stroke-linecap="round"/>')
    return parts


def movement(pose: np.ndarray, later: np.ndarray) -> list[str]:
    """How every joint moves to the next frame, six times as far as it does."""
    lines = []
    for (x, y), (to_x, to_y) in zip(pose, pose + 6 * (later - pose), strict=True):
        lines.append(f"M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}")
    dots = "".join(f"M{x:.1f} {y:.1f}h.1" for x, y in pose)
    tone = TONES["right"]
    return [
        f'<path d="{"".join(lines)}" stroke="{tone}" stroke-width="1.3" fill="none"/>',
        f'<path d="{dots}" stroke="#444" stroke-width="2.4" stroke-linecap="round"/>',
    ]


def chain(boxes: tuple[str, ...], x: float, y: float, end: float) -> list[str]:
    """Boxes from left to right with arrows between them, the last one to the loss."""
    parts = []
    for name in boxes:
        parts.append(f'<path class="arrow" d="M{x - 14:g} {y}H{x:g}"/>')
        kind = "still" if name.startswith("(") else "box"
        lines = name.strip("()").split("|")
        parts += box(kind, lines, (x, y), (BOX_W, 18 + 15 * len(lines)), 15)
        x += BOX_W + BOX_GAP
    parts.append(f'<path class="arrow" d="M{x - BOX_GAP:g} {y}H{end:g}"/>')
    return parts


def box(
    kind: str,
    lines: list[str],
    left: tuple[float, float],
    size: tuple[float, float],
    leading: float,
) -> list[str]:
    """A box around centred lines.

    kind: its class in STYLE.   left: the middle of its left side.   leading: from line to line.
    """
    (x, y), (width, height) = left, size
    parts = [
        f'<rect class="{kind}" x="{x:g}" y="{y - height / 2:g}" width="{width}" '
        f'height="{height}" rx="5"/>'
    ]
    for number, line in enumerate(lines):
        at = y + 4 + leading * (number - (len(lines) - 1) / 2)
        parts.append(words(line, x + width / 2, at))
    return parts


def words(text: str, x: float, y: float) -> str:
    """Centred words."""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle">{escape(text)}</text>'
