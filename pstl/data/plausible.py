"""Whether clips are what they should be: people in metres who move. What is odd is said."""

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pstl.config import Plugin
from pstl.data.clip_files import SourcedClip
from pstl.errors import UserError
from pstl.records import Clip
from pstl.registry import load_recipe

log = logging.getLogger(__name__)
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}  # in metres
# Size of a body: the longest side of the box around its joints, the median over frames. People of
# NW-UCLA, MSR Action3D, UTKinect and CMU: 0.58 to 2.1 m.
USUAL = (0.4, 3.0)
POSSIBLE = (0.04, 25.0)  # outside, it is another unit; a crouched person has 50 cm and more

FRAMES = 16  # of a clip that are measured, if somebody is in them
STILL = "a single frame: nothing moves in it"
NOBODY = "no body in any frame"


class Limits(NamedTuple):
    """What the encoder's recipe keeps of a clip.

    people: bodies, which ones `choice` says.   frames: the most of them, which ones `cut` says.
    apart: (T, V, M, 3) with what it takes for one body in a slot.
    """

    people: int
    choice: str
    frames: int
    cut: str
    apart: Callable[[Clip], np.ndarray]


def limits_of(recipe: Plugin, people: int) -> Limits:
    """What a recipe says of itself."""
    plugin = load_recipe(recipe.name)
    bodies, frames = plugin.kept_bodies, plugin.kept_frames
    return Limits(people, bodies, plugin.longest, frames, plugin.one_body_a_slot)


class Remarks:
    """What is to be said of many clips, once a kind."""

    def __init__(self) -> None:
        self.clips: dict[str, list[str]] = defaultdict(list)

    def add(self, remark: str, clip: str) -> None:
        """remark: the same for every clip of a kind.   clip: its name, and what is its own."""
        self.clips[remark].append(clip)

    def say(self) -> None:
        """One warning a kind: how many clips, one of them by name."""
        for remark, names in self.clips.items():
            which = names[0] if len(names) == 1 else f"{len(names)} clips, e.g. {names[0]}"
            log.warning("%s: %s", which, remark)
        self.clips.clear()


def size(xyz: np.ndarray) -> float:
    """Of the bodies of one clip, in the clip's unit; 0 if there is none.   xyz: (T, V, M, 3)."""
    return _size(xyz[:: max(1, len(xyz) // FRAMES)]) or _size(xyz)


def _size(xyz: np.ndarray) -> float:
    seen = np.asarray(xyz.any(axis=3))  # (T, V, M): a joint at the origin was not seen
    high = np.where(seen[..., None], xyz, -np.inf).max(axis=1)
    low = np.where(seen[..., None], xyz, np.inf).min(axis=1)
    present = np.asarray(seen.any(axis=1))
    with np.errstate(over="ignore"):
        boxes = (high - low).max(axis=2)[present]
    return float(np.median(boxes)) if len(boxes) else 0.0


def look(clip: SourcedClip, limits: Limits, remarks: Remarks) -> None:
    """Judge one raw clip before a recipe sees it.

    Raises: UserError for a clip of one's own that shows nobody, or bodies of an impossible size.
    """
    name, frames = clip.raw.name, len(clip.raw.xyz)
    if clip.said:
        remarks.add(clip.said, name)
    metres = size(clip.raw.xyz)
    if not metres and not clip.trusted:
        raise UserError(f"{name}: {NOBODY}: every coordinate is zero; remove the clip")
    judge_size(metres, name, remarks, refuse=not clip.trusted)
    if frames == 1:
        remarks.add(STILL, name)
    if frames > limits.frames:
        kept = f"the recipe keeps {limits.cut} {limits.frames} frames"
        remarks.add(kept, f"{name} (of {frames})")
    bodies = int(limits.apart(clip.raw).any(axis=(0, 1, 3)).sum())
    if bodies > limits.people:
        kept = f"the encoder takes {limits.people} of the bodies, {limits.choice}"
        remarks.add(kept, f"{name} (of {bodies})")


def judge_size(metres: float, name: str, remarks: Remarks, refuse: bool) -> None:
    """Whether bodies so large can be people.   refuse: raise instead of saying that they can not.

    Raises: UserError saying what was found, and in which unit coordinates are expected.
    """
    people = f"people are {USUAL[0]:g} to {USUAL[1]:g} m"
    possible = POSSIBLE[0] <= metres <= POSSIBLE[1]
    if not metres:
        remarks.add(NOBODY, name)
    elif refuse and not possible:
        remedy = "convert the coordinates, or for raw clips say --units mm or cm"
        raise UserError(f"{name}: bodies of {metres:.4g}, expected metres ({people}); {remedy}")
    elif not USUAL[0] <= metres <= USUAL[1]:
        remarks.add(f"bodies of an unusual size, {people}", f"{name} ({metres:.3g} m)")
