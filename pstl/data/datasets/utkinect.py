"""UTKinect-Action3D: ten performers do ten actions in one continuous recording, twice; untrimmed with timed labels, and cut."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pstl.config import Frozen
from pstl.data.formats import utkinect_txt
from pstl.data.spec import DatasetSpec, RawSequence, Recording, Remote, Slip, by_subject
from pstl.errors import UserError
from pstl.skeletons import load

Ends = tuple[int, int]
Actions = dict[str, list[tuple[int, float, float]]]
NAMES = (
    "walk",
    "sitDown",
    "standUp",
    "pickUp",
    "carry",
    "throw",
    "push",
    "pull",
    "waveHands",
    "clapHands",
)
LABELS, ORIGINAL = "actionLabel_modified.txt", "actionLabel.txt"
# Slips of the original list, as the author of a public mirror corrected them in the other one:
# row, recording, action, (first, last) as released and as read.
SLIPS = (
    (13, "s01_e02", "walk", (154, 192), (154, 270)),
    (52, "s03_e01", "push", (2556, 3622), (3556, 3622)),
    (141, "s07_e01", "pull", (3350, 3522), (3432, 3522)),
    (152, "s07_e02", "pull", (2496, 2618), (2530, 2618)),
    (184, "s09_e01", "push", (3266, 3390), (3266, 3300)),
    (204, "s10_e01", "carry", (1394, 1846), (1394, 1676)),
    (218, "s10_e02", "pull", (1982, 2062), (1994, 2062)),
)
PERFORMERS = range(1, 11)


class Config(Frozen):
    """Nothing to choose."""


def slip(row: int, recording: str, action: str, released: Ends, read: Ends) -> Slip:
    """A row of SLIPS as the spec has it."""
    first, last = (f"{action}: {ends[0]} {ends[1]}" for ends in (released, read))
    return Slip(ORIGINAL, row, first, last, f"of {recording}, as a public mirror corrects it")


SPEC = DatasetSpec(
    name="utkinect",
    classes=(
        "walk",
        "sit down",
        "stand up",
        "pick up",
        "carry",
        "throw",
        "push",
        "pull",
        "wave hands",
        "clap hands",
    ),
    skeleton="kinect_v1",
    people=1,
    units="metres, camera space, y up; times are numbers of colour frames",
    # There is no official detection protocol. xsub: s01-s05 train, s06-s10 test; without_sNN: NN is tested, the nine others train.
    splits={"xsub": by_subject(train=range(1, 6))}
    | {
        f"without_s{n:02d}": by_subject(train=[p for p in PERFORMERS if p != n]) for n in PERFORMERS
    },
    expected={"xsub": (100, 99)}
    | {f"without_s{n:02d}": (180, 19) if n == 10 else (179, 20) for n in PERFORMERS},
    remotes=(
        Remote(
            "utkinect_joints.zip",
            # Of the files of a public mirror (github: JeslieHCI/UTKinect_3, 590aede4, data/UTKinect/joints), packed again.
            sha256=("feec7592985896216663892b1b75e0c5f100d7e142eb9c2a816a7d5c9db6e58d",),
            size=3_726_601,
            members=rf"{utkinect_txt.NAME}|actionLabel(_modified)?\.txt",
        ),
    ),
    source="Xia, Chen and Aggarwal, View Invariant Human Action Recognition Using Histograms of 3D Joints, CVPR Workshops 2012",
    licence="research, cite the paper; terms of the original page unverified, do not redistribute",
    slips=tuple(slip(*row) for row in SLIPS),
    how_to_get=f"the folder joints of a copy of UTKinect-Action3D, with {ORIGINAL} or the corrected {LABELS}",
)


def read_untrimmed(folder: Path) -> Iterator[Recording]:
    """The 20 recordings, sorted by name; xyz (T, 20, 1, 3), one row each 2 to 10 colour frames, some gaps of seconds.

    Raises: UserError naming the file that is damaged or has no labels, or the folder if it holds no recording.
    """
    joints = load(SPEC.skeleton).joints
    paths = {path.name: path for path in sorted(folder.rglob("*.txt"))}
    recordings = [name for name in sorted(paths) if re.fullmatch(utkinect_txt.NAME, name)]
    lists = [paths[name] for name in (LABELS, ORIGINAL) if name in paths]
    if not recordings or not lists:
        lack = f"no joints_sSS_eEE.txt, or neither {LABELS} nor {ORIGINAL}"
        raise UserError(f"{folder}: {lack}; run 'python -m pstl fetch utkinect --out {folder}'")
    actions, _ = _mended(utkinect_txt.read_labels(lists[0], NAMES), lists[0].name)
    for name in recordings:
        title = name.removeprefix("joints_").removesuffix(".txt")
        if title not in actions:
            lack = f"no labels of {title}"
            raise UserError(f"{lists[0]}: {lack}; replace the file by the one in the archive")
        times, xyz = utkinect_txt.read(paths[name], joints)
        yield Recording(
            RawSequence(title, -1, xyz, subject=int(title[1:3])), times, tuple(actions[title])
        )


def read(folder: Path) -> Iterator[RawSequence]:
    """The 199 labelled intervals as clips `sSS_eEE_<class>`, both ends included; neighbours may share their rows."""
    for recording in read_untrimmed(folder):
        for label, start, end in recording.actions:
            there = (recording.times >= start) & (recording.times <= end)
            if not there.any():
                raise UserError(
                    f"{folder}: no row of {recording.clip.name} from {start:g} to {end:g}; replace the recording"
                )
            clip, name = recording.clip, f"{recording.clip.name}_{NAMES[label]}"
            yield replace(clip, name=name, label=label, xyz=np.ascontiguousarray(clip.xyz[there]))


def remarks(folder: Path) -> list[str]:
    """What a user should hear of the files of a folder: the slips that are mended in reading it."""
    names = {path.name: path for path in folder.rglob("actionLabel*.txt")}
    if LABELS in names or ORIGINAL not in names:
        return []
    return _mended(utkinect_txt.read_labels(names[ORIGINAL], NAMES), ORIGINAL)[1]


def _mended(actions: Actions, file: str) -> tuple[Actions, list[str]]:
    """Labels with the slips of the original list as they are meant, and a line for each."""
    mended, said = dict(actions), []
    for row in SLIPS if file == ORIGINAL else ():
        _, recording, action, released, read = row
        wrong, right = ((NAMES.index(action), float(a), float(b)) for a, b in (released, read))
        if wrong in mended.get(recording, ()):
            others = [each for each in mended[recording] if each != wrong]
            mended[recording] = sorted([*others, right], key=lambda each: each[1:])
            said.append(str(slip(*row)))
    return mended, said
