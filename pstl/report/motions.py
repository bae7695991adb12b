"""Predicted motion over the true one, moving. Only what tasks keep of simulated people: recordings are not ours to show."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pstl import paths
from pstl.config import Cell
from pstl.errors import UserError
from pstl.report import document
from pstl.report.animation import LEFT, RIGHT, animated, drawing, path, project, stills, strip
from pstl.report.rows import read_results
from pstl.skeletons import load

TRUTH = "#8a8a8a"


def predictions(cells: Iterable[Cell]) -> str:
    """The first "motions" list each method left beside its rows (pstl.evaluation.result_file)."""
    found: dict[str, tuple[str, list[dict[str, Any]]]] = {}
    for cell in cells:
        entries = (read_results(Path(paths.metrics(*cell[:3]))) or {}).get("motions", [])
        if entries:
            found.setdefault(cell.run.method, (cell.task, entries))
    figures = [
        document.figure(
            f"{method} ({task}), {entry['name']}: mean error {entry['mpjpe']:.0f} mm",
            compared(entry, method),
        )
        for method, (task, entries) in found.items()
        for entry in entries
    ]
    words = (
        "Simulated people, front view. Grey: what happens; blue: what is seen; vermilion: what is predicted from it, over what happens. "
        "Ruler: dark marks are frames that are seen, gaps are frames that are predicted."
    )
    return (
        (
            "<h3>Predicted motion against the truth</h3>"
            + document.note(words)
            + document.grid(figures, "people")
        )
        if figures
        else ""
    )


def compared(entry: dict[str, Any], method: str) -> str:
    """One window: the truth from its first to its last frame, and from the last seen frame on the prediction over it."""
    skeleton, seen = load(entry["skeleton"]), len(entry["seen"])
    truth, found = (np.array(entry["seen"] + entry[part], float) for part in ("future", "found"))
    if truth.shape != found.shape or truth.shape[1:] != (skeleton.joints, 3):
        raise UserError(
            f"{entry['name']}: poses {truth.shape} and {found.shape}, expected equal (T, {skeleton.joints}, 3); run the task again"
        )
    flat, bones = project(np.stack([truth, found], axis=2)), list(skeleton.edges)  # (T, V, 2, 2)
    frames, never = len(flat), np.zeros(len(flat), bool)
    real = [path(flat[t, :, 0], bones) for t in range(frames)]
    told = [path(flat[t, :, 1], bones) for t in range(frames)]
    future = np.arange(frames) >= seen
    nothing = "M0 0"
    layers = [
        (real, TRUTH),
        ([nothing if later else pose for pose, later in zip(told, future, strict=True)], LEFT),
        ([pose if later else nothing for pose, later in zip(told, future, strict=True)], RIGHT),
    ]
    alt = f"Simulated skeleton: motion predicted by {method} over the true one, {entry['mpjpe']:.0f} mm apart on average"
    poses = ["".join(_still(poses[t], tone) for poses, tone in layers) for t in stills(frames)]
    return drawing(
        [*strip(future), *(animated(poses, tone, never) for poses, tone in layers)], poses, alt
    )


def _still(pose: str, tone: str) -> str:
    return (
        f'<path d="{pose}" fill="none" stroke="{tone}" stroke-width="2.2" stroke-linecap="round"/>'
    )
