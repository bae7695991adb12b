"""UTKinect-Action3D: ten performers do ten actions in one continuous recording, twice; untrimmed
with timed labels, and cut."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pstl.contracts import Dataset
from pstl.data.formats import utkinect_txt
from pstl.data.spec import DatasetSpec, Remote, Slip, by_subject
from pstl.errors import UserError
from pstl.records import Clip, Member, Notes, Places, Recording
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
TRAINING = range(1, 6)  # those that xsub trains on


def slip(row: int, recording: str, action: str, released: Ends, read: Ends) -> Slip:
    """A row of SLIPS as the spec has it."""
    first, last = (f"{action}: {ends[0]} {ends[1]}" for ends in (released, read))
    return Slip(ORIGINAL, row, first, last, f"of {recording}, as a public mirror corrects it")


def mended(actions: Actions, file: str) -> tuple[Actions, list[str]]:
    """Labels with the slips of the original list as they are meant, and a line for each."""
    mended, remarks = dict(actions), []
    for row in SLIPS if file == ORIGINAL else ():
        _, recording, action, released, read = row
        wrong, right = ((NAMES.index(action), float(a), float(b)) for a, b in (released, read))
        if wrong in mended.get(recording, ()):
            others = [interval for interval in mended[recording] if interval != wrong]
            mended[recording] = sorted([*others, right], key=lambda interval: interval[1:])
            remarks.append(str(slip(*row)))
    return mended, remarks


def without(performer: int) -> str:
    """The split that tests on one performer."""
    return f"without_s{performer:02d}"


def held_out(performer: int) -> str:
    """The split of xsub's training side alone that tests on one performer of it."""
    return f"xsub_val{performer:02d}"


def alone(performer: int) -> str:
    """The split that trains on one performer of xsub's training side and tests as xsub does."""
    return f"only_s{performer:02d}"


class Utkinect(Dataset):
    """20 recordings and 199 labelled intervals."""

    spec = DatasetSpec(
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
        # There is no official detection protocol. xsub: s01-s05 train, s06-s10 test; xsub_valNN:
        # of those who train NN is tested, so that settings can be chosen; only_sNN: of those who
        # train NN does alone; without_sNN: NN is tested, the nine others train.
        splits={"xsub": by_subject(train=TRAINING)}
        | {held_out(n): by_subject(train={*TRAINING} - {n}, test={n}) for n in TRAINING}
        | {alone(n): by_subject(train={n}, test={*PERFORMERS} - {*TRAINING}) for n in TRAINING}
        | {without(n): by_subject(train={*PERFORMERS} - {n}) for n in PERFORMERS},
        expected={"xsub": (100, 99)}
        | {held_out(n): (80, 20) for n in TRAINING}
        | {alone(n): (20, 99) for n in TRAINING}
        | {without(n): (180, 19) if n == 10 else (179, 20) for n in PERFORMERS},
        remotes=(
            Remote(
                "utkinect_joints.zip",
                # Of the files of a public mirror, packed again (github: JeslieHCI/UTKinect_3,
                # 590aede4, data/UTKinect/joints).
                sha256=("feec7592985896216663892b1b75e0c5f100d7e142eb9c2a816a7d5c9db6e58d",),
                size=3_726_601,
                members=rf"{utkinect_txt.NAME}|actionLabel(_modified)?\.txt",
            ),
        ),
        source="Xia, Chen and Aggarwal, View Invariant Human Action Recognition Using Histograms "
        "of 3D Joints, CVPR Workshops 2012",
        licence="research, cite the paper; terms of the original page unverified, do not "
        "redistribute",
        slips=tuple(slip(*row) for row in SLIPS),
        how_to_get="the folder joints of a copy of UTKinect-Action3D, with "
        f"{ORIGINAL} or the corrected {LABELS}",
    )
    untrimmed = True

    def members(self, places: Places) -> list[Member]:
        """The recordings.   Raises: UserError if there are none, or no list of labels."""
        members = [m for m in places.below("**/*.txt") if re.fullmatch(utkinect_txt.NAME, m.file)]
        if not members or not _label_list(places):
            lack = f"no joints_sSS_eEE.txt, or neither {LABELS} nor {ORIGINAL}"
            fetch = f"run 'python -m pstl fetch utkinect --out {places.raw}'"
            raise UserError(f"{places.raw}: {lack}; {fetch}")
        return members

    def notes(self, places: Places, members: Sequence[Member]) -> Notes:
        """The intervals of every recording, and the slips that are mended in reading them.

        Raises: UserError naming a recording without labels.
        """
        labels = _label_list(places)[0]
        text = places.texts([labels])[labels.file]
        actions, remarks = mended(utkinect_txt.read_labels(text, labels.where, NAMES), labels.file)
        by_file = {}
        for member in members:
            if _title(member) not in actions:
                lack = f"no labels of {_title(member)}"
                again = "replace the file by the one in the archive"
                raise UserError(f"{labels.where}: {lack}; {again}")
            by_file[member.file] = tuple(actions[_title(member)])
        return Notes(by_file, remarks)

    def read_recording(self, member: Member, data: bytes, note: Any) -> Recording:
        """xyz (T, 20, 1, 3), one row each 2 to 10 colour frames, some gaps of seconds."""
        joints, title = load(self.spec.skeleton).joints, _title(member)
        times, xyz = utkinect_txt.read(data, member.where, joints)
        return Recording(Clip(title, -1, xyz, subject=int(title[1:3])), times, note)

    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """The labelled intervals as clips `sSS_eEE_<class>`, both ends included.

        Neighbours may share their rows.
        """
        recording = self.read_recording(member, data, note)
        clip, clips = recording.clip, []
        for label, start, end in recording.actions:
            rows = (recording.times >= start) & (recording.times <= end)
            if not rows.any():
                lack = f"no row of {clip.name} from {start:g} to {end:g}"
                raise UserError(f"{member.where}: {lack}; replace the recording")
            name, xyz = f"{clip.name}_{NAMES[label]}", np.ascontiguousarray(clip.xyz[rows])
            clips.append(replace(clip, name=name, label=label, xyz=xyz))
        return clips


def _label_list(places: Places) -> list[Member]:
    """The lists of labels that are there, the corrected one first."""
    return [*places.below(f"**/{LABELS}"), *places.below(f"**/{ORIGINAL}")]


def _title(member: Member) -> str:
    """`sSS_eEE` of a recording."""
    return member.file.removeprefix("joints_").removesuffix(".txt")


DATASET = Utkinect()
