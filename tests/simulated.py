"""Files of data sets that nobody may pass on, with simulated people in them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.simulated import ntu_clip as ntu_clip
from benchmarks.simulated import scene
from benchmarks.simulated import write_zip as write_zip
from pstl.data.formats import pku_txt
from pstl.data.formats.skeleton_txt import ClipName

GAP = 30  # frames between two actions of a PKU-MMD recording


def ntu_names(
    setups: Iterable[int], performers: Sequence[int], actions: Iterable[int]
) -> list[ClipName]:
    """A small grid: every set-up films every performer, three cameras, two replications."""
    actions = list(actions)
    return [
        ClipName(s, camera, p, replication, a)
        for s in setups
        for camera in (1, 2, 3)
        for p in performers
        for replication in (1, 2)
        for a in actions
    ]


def write_7z(path: Path, members: Mapping[str, bytes]) -> None:
    """A solid 7z archive."""
    from py7zr import SevenZipFile

    with SevenZipFile(path, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(content, name)


def pku_recording(
    name: str, actions: Sequence[int], seed: int = 0, frames: tuple[int, int] = (30, 60)
) -> tuple[bytes, bytes]:
    """One recording and its label file: `actions` (1-based classes) one after the other.

    GAP frames of standing about are between them.
    """
    n = pku_txt.parse_name(name)
    parts, labels, at = [], [], 0
    for number, action in enumerate(actions):
        performer = n.recording or n.subject
        clip = ClipName(1, pku_txt.VIEWS[n.view], performer, number + 1, action)
        bodies = pku_txt.two_bodies(scene(clip, seed, frames).xyz)
        parts += [np.repeat(bodies[:1], GAP, axis=0), bodies]
        labels.append(f"{action},{at + GAP + 1},{at + GAP + len(bodies)},{1 + number % 2}")
        at += GAP + len(bodies)
    return pku_txt.text(np.concatenate(parts)), ("\n".join(labels) + "\n\n").encode()


def pku_split(train: Iterable[str], test: Iterable[str]) -> bytes:
    """A split file, blanks and trailing commas included."""
    sides = f"Training videos:\n{', '.join(train)}, \nValidataion videos:\n{', '.join(test)},\n"
    return sides.encode()
