"""CMU motion capture for motion prediction: the 5 of the benchmark's 8 actions whose public copy is
complete."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pstl.contracts import Dataset
from pstl.data import reading
from pstl.data.formats import expmap_txt
from pstl.data.spec import DatasetSpec, Remote
from pstl.errors import UserError
from pstl.records import Clip, Member, Places, Recording

# Action -> rows of its training files together, rows of its test file. Of the other three
# (basketball signal, directing traffic, wash window) training or test files are missing from the
# copy, so no table over 8 actions can be reproduced with it.
ROWS = {
    "basketball": (2436, 577),
    "jumping": (3037, 2086),
    "running": (838, 163),
    "soccer": (2766, 598),
    "walking": (2085, 359),
}
ACTIONS = tuple(ROWS)
# Rows; of 120 a second 60 are kept. Papers label these steps 40 ms, as on Human3.6M: count frames,
# not milliseconds.
EVERY = 2

# The public test protocol: eight windows of 75 rows per file, the first 50 of them source, drawn
# anew from one seed for every file.
SEED, WINDOWS, SOURCE, TOTAL = 1234567890, 8, 50, 75
STRIDE = 5  # frames between the clips that are cut for pre-training
PUBLIC = 0.07  # what that code multiplies by, for a "millimetre" each
# Files of every action's five training files that a split of its own keeps to choose settings by.
HELD_OUT = (4, 5)


def _without(number: int, clip: Clip) -> str:
    """The side of a clip or recording where one training file of every action is the test."""
    file, _, _ = clip.name.partition("@")
    if clip.listed.get("standard") != "train":
        return ""
    return "test" if file.endswith(f"_{number}") else "train"


class Cmu(Dataset):
    """30 untrimmed files at 60 frames a second; clips of 50 frames are cut from them."""

    spec = DatasetSpec(
        name="cmu",
        classes=ACTIONS,
        skeleton="cmu38",
        people=1,
        units="metres, relative to the hip centre and its orientation, y up, 60 frames a second",
        splits={
            "standard": lambda clip: clip.listed.get("standard", ""),
            **{f"held_out_{number}": partial(_without, number) for number in HELD_OUT},
        },
        remotes=(
            Remote(
                "cmu_mocap_standard.zip",
                # 38 files of github: chaneyddtt/Convolutional-Sequence-to-Sequence-Model-for-Human-
                # Dynamics (f27ccb4e), packed again.
                sha256=("929c14e3a689f04bfbf8259c9da145bccf4d3957e6b095b728f410b3e052f353",),
                size=16_470_154,
            ),
        ),
        source="CMU Graphics Lab Motion Capture Database (NSF EIA-0196217); split of Li et al., "
        "Convolutional Sequence to Sequence, CVPR 2018",
        licence="free for all uses, no resale of the data; acknowledge mocap.cs.cmu.edu and NSF "
        "EIA-0196217",
        how_to_get="cmu_mocap of a copy used for motion prediction, zipped as "
        "cmu_mocap_standard.zip with its folders train and test",
    )
    untrimmed = True
    forecast_scale = PUBLIC / expmap_txt.METRES

    def members(self, places: Places) -> list[Member]:
        """The files of both sides, action by action.

        Raises: UserError naming the action whose rows are not all there.
        """
        members = []
        for side, column in (("test", 1), ("train", 0)):
            for action, rows in ROWS.items():
                files = places.below(f"**/{side}/{action}/{action}_*.txt")
                total = sum(_rows(member) for member in files)
                if total != rows[column]:
                    count = f"{total} rows in {len(files)} {side} files of {action}"
                    again = f"run 'python -m pstl fetch cmu --out {places.raw}'"
                    raise UserError(f"{places.raw}: {count}, expected {rows[column]}; {again}")
                members += files
        return members

    def read_recording(self, member: Member, data: bytes, note: Any) -> Recording:
        """One file, `train_walking_1` and so on; xyz (T, 38, 1, 3), times are rows of the file."""
        path = Path(member.name)
        side, action = path.parts[-3:-1]
        angles = expmap_txt.read(data, member.where)
        xyz = expmap_txt.positions(angles)[::EVERY]
        times = np.arange(0.0, len(angles), EVERY)
        clip = Clip(f"{side}_{path.stem}", -1, xyz, listed={"standard": side})
        return Recording(clip, times, ((ACTIONS.index(action), 0.0, float(times[-1])),))

    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """For pre-training: 50 frames every 5, `train_walking_1@35`; classes are actions.

        They are as long as the source of a test window.
        """
        recording = self.read_recording(member, data, note)
        label, clip = recording.actions[0][0], recording.clip
        clips = []
        for start in range(0, len(clip.xyz) - SOURCE + 1, STRIDE):
            xyz = clip.xyz[start : start + SOURCE]
            clips.append(replace(clip, name=f"{clip.name}@{start}", label=label, xyz=xyz))
        return clips

    def forecast_starts(self, frames: int) -> list[int]:
        """First predicted frames of the public test windows of a file with so many frames.

        Any number of observed frames up to 50 leaves the predicted frames the same.
        Source: LearnTrajDep's CMU loader.

        >>> DATASET.forecast_starts(200)[:3]
        [52, 152, 97]
        """
        draw = np.random.RandomState(SEED)
        return [int(draw.randint(0, frames - TOTAL)) + SOURCE for _ in range(WINDOWS)]


def _rows(member: Member) -> int:
    """Lines of a file that are not blank."""
    lines = reading.content(member.name).splitlines()
    return sum(bool(line.strip()) for line in lines)


DATASET = Cmu()
