"""CMU motion capture for motion prediction: the 5 of the benchmark's 8 actions whose public copy is complete."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pstl.config import Frozen
from pstl.data.formats import expmap_txt
from pstl.data.spec import DatasetSpec, RawSequence, Recording, Remote
from pstl.errors import UserError

# Action -> rows of its training files together, rows of its test file. Of the other three (basketball signal, directing traffic,
# wash window) training or test files are missing from the copy, so no table over 8 actions can be reproduced with it.
ROWS = {
    "basketball": (2436, 577),
    "jumping": (3037, 2086),
    "running": (838, 163),
    "soccer": (2766, 598),
    "walking": (2085, 359),
}
EVERY = 2  # rows; of 120 a second 60 are kept. Papers label these steps 40 ms, as on Human3.6M: count frames, not milliseconds

# The public test protocol: eight windows of 75 rows per file, the first 50 of them source, drawn anew from one seed for every file.
SEED, WINDOWS, SOURCE, TOTAL = 1234567890, 8, 50, 75
STRIDE = 5  # frames between the clips that are cut for pre-training


class Config(Frozen):
    """Nothing to choose."""


SPEC = DatasetSpec(
    name="cmu",
    classes=tuple(ROWS),
    skeleton="cmu38",
    people=1,
    units="metres, relative to the hip centre and its orientation, y up, 60 frames a second",
    splits={"standard": lambda clip: clip.listed.get("standard", "")},
    remotes=(
        Remote(
            "cmu_mocap_standard.zip",
            # 38 files of github: chaneyddtt/Convolutional-Sequence-to-Sequence-Model-for-Human-Dynamics (f27ccb4e), packed again.
            sha256=("929c14e3a689f04bfbf8259c9da145bccf4d3957e6b095b728f410b3e052f353",),
            size=16_470_154,
        ),
    ),
    source="CMU Graphics Lab Motion Capture Database (NSF EIA-0196217); split of Li et al., Convolutional Sequence to Sequence, CVPR 2018",
    licence="free for all uses, no resale of the data; acknowledge mocap.cs.cmu.edu and NSF EIA-0196217",
    how_to_get="cmu_mocap of a copy used for motion prediction, zipped as cmu_mocap_standard.zip with its folders train and test",
)


def read_untrimmed(folder: Path) -> Iterator[Recording]:
    """The 30 files, `train_walking_1` and so on; xyz (T, 38, 1, 3) at 60 frames a second, times are rows of the file.

    Raises: UserError naming a damaged file, or the action whose rows are not all there.
    """
    for side, column in (("test", 1), ("train", 0)):
        for label, (action, rows) in enumerate(ROWS.items()):
            paths = sorted(folder.glob(f"**/{side}/{action}/{action}_*.txt"))
            angles = [expmap_txt.read(path) for path in paths]
            if (found := sum(map(len, angles))) != rows[column]:
                raise UserError(
                    f"{folder}: {found} rows in {len(paths)} {side} files of {action}, expected {rows[column]}; "
                    f"run 'python -m pstl fetch cmu --out {folder}'"
                )
            for path, each in zip(paths, angles, strict=True):
                xyz, times = expmap_txt.positions(each)[::EVERY], np.arange(0.0, len(each), EVERY)
                clip = RawSequence(f"{side}_{path.stem}", -1, xyz, listed={"standard": side})
                yield Recording(clip, times, ((label, 0.0, float(times[-1])),))


def read(folder: Path) -> Iterator[RawSequence]:
    """For pre-training: clips of 50 frames every 5, as long as the source of a test window, `train_walking_1@35`; classes are actions."""
    for recording in read_untrimmed(folder):
        label, clip = recording.actions[0][0], recording.clip
        for start in range(0, len(clip.xyz) - SOURCE + 1, STRIDE):
            yield replace(
                clip, name=f"{clip.name}@{start}", label=label, xyz=clip.xyz[start : start + SOURCE]
            )


def forecasts(frames: int) -> list[int]:
    """First predicted frames of the public test windows of a file with so many frames.

    Any number of observed frames up to 50 leaves the predicted frames the same. Source: LearnTrajDep's CMU loader.

    >>> forecasts(200)[:3]
    [52, 152, 97]
    """
    draw = np.random.RandomState(SEED)
    return [int(draw.randint(0, frames - TOTAL)) + SOURCE for _ in range(WINDOWS)]
