"""UTKinect-Action3D: ten performers do ten actions in one continuous recording, twice; untrimmed with timed labels, and cut."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pstl.config import Frozen
from pstl.data.formats import utkinect_txt
from pstl.data.spec import DatasetSpec, RawSequence, Recording, Remote, by_subject
from pstl.errors import UserError
from pstl.skeletons import load

NAMES = ("walk", "sitDown", "standUp", "pickUp", "carry", "throw", "push", "pull", "waveHands", "clapHands")
# Seven of the original intervals are obvious slips (one spans the action before it); the mirror's author corrected them.
LABELS = "actionLabel_modified.txt"
PERFORMERS = range(1, 11)


class Config(Frozen):
    """Nothing to choose."""


SPEC = DatasetSpec(
    name="utkinect",
    classes=("walk", "sit down", "stand up", "pick up", "carry", "throw", "push", "pull", "wave hands", "clap hands"),
    skeleton="kinect_v1",
    people=1,
    units="metres, camera space, y up; times are numbers of colour frames",
    # There is no official detection protocol. xsub: s01-s05 train, s06-s10 test; without_sNN: NN is tested, the nine others train.
    splits={"xsub": by_subject(train=range(1, 6))}
    | {f"without_s{n:02d}": by_subject(train=[p for p in PERFORMERS if p != n]) for n in PERFORMERS},
    expected={"xsub": (100, 99)} | {f"without_s{n:02d}": (180, 19) if n == 10 else (179, 20) for n in PERFORMERS},
    remotes=(
        Remote(
            "utkinect_joints.zip",
            # Of the files of a public mirror (github: JeslieHCI/UTKinect_3, 590aede4, data/UTKinect/joints), packed again.
            sha256=("feec7592985896216663892b1b75e0c5f100d7e142eb9c2a816a7d5c9db6e58d",),
            members=rf"{utkinect_txt.NAME}|actionLabel_modified\.txt",
        ),
    ),
    source="Xia, Chen and Aggarwal, View Invariant Human Action Recognition Using Histograms of 3D Joints, CVPR Workshops 2012",
    licence="research, cite the paper; terms of the original page unverified, do not redistribute",
    how_to_get="the folder joints of a copy of UTKinect-Action3D, with the corrected labels actionLabel_modified.txt",
)


def read_untrimmed(folder: Path) -> Iterator[Recording]:
    """The 20 recordings, sorted by name; xyz (T, 20, 1, 3), one row each 2 to 10 colour frames, some gaps of seconds.

    Raises: UserError naming the file that is damaged or has no labels, or the folder if it holds no recording.
    """
    joints = load(SPEC.skeleton).joints
    paths = {path.name: path for path in sorted(folder.rglob("*.txt"))}
    recordings = [name for name in sorted(paths) if re.fullmatch(utkinect_txt.NAME, name)]
    if not recordings or LABELS not in paths:
        raise UserError(f"{folder}: no joints_sSS_eEE.txt or no {LABELS}; run 'python -m pstl fetch utkinect --out {folder}'")
    actions = utkinect_txt.read_labels(paths[LABELS], NAMES)
    for name in recordings:
        title = name.removeprefix("joints_").removesuffix(".txt")
        if title not in actions:
            raise UserError(f"{paths[LABELS]}: no labels of {title}; replace the file by the one in the archive")
        times, xyz = utkinect_txt.read(paths[name], joints)
        yield Recording(RawSequence(title, -1, xyz, subject=int(title[1:3])), times, tuple(actions[title]))


def read(folder: Path) -> Iterator[RawSequence]:
    """The 199 labelled intervals as clips `sSS_eEE_<class>`, both ends included; neighbours may share their rows."""
    for recording in read_untrimmed(folder):
        for label, start, end in recording.actions:
            there = (recording.times >= start) & (recording.times <= end)
            if not there.any():
                raise UserError(f"{folder}: no row of {recording.clip.name} from {start:g} to {end:g}; replace the recording")
            clip, name = recording.clip, f"{recording.clip.name}_{NAMES[label]}"
            yield replace(clip, name=name, label=label, xyz=np.ascontiguousarray(clip.xyz[there]))
