"""PKU-MMD, phase I: 1,076 long recordings of 66 performers, 51 actions, three views."""

import itertools
from collections.abc import Sequence

from pstl.data.datasets import _pku
from pstl.data.formats import pku_txt
from pstl.data.spec import DatasetSpec, Slip, as_listed, by_camera
from pstl.records import Clip

TESTED = range(291, 335)  # recordings of the nine performers of the cross-subject test
# 359 numbers in three views, of which one recording of view R is absent from the release.
NUMBERS = (*range(2, 247), *range(251, 365))
LISTS = (("cross-subject.txt", "cross_subject.txt"), ("cross-view.txt", "cross_view.txt"))
NEIGHBOURS = "its neighbours are 4688 to 4812 and 5050 to 5153"
SLIP = Slip("0043-L.txt", 21, "1,4925,4036,2", "1,4925,5036,2", NEIGHBOURS)


def by_recording(clip: Clip) -> str:
    """The cross-subject split by number: what the release's list says in the copies seen."""
    return "test" if clip.setup in TESTED else "train"


class Pkummd1(_pku.Pku):
    """Recordings are numbered; their performers are not."""

    spec = DatasetSpec(
        name="pkummd1",
        classes=_pku.CLASSES,
        skeleton="kinect_v2",
        people=2,
        units="metres, camera space, y up",
        splits={
            "xsub": as_listed("xsub", by_recording),
            "xview": as_listed("xview", by_camera(train=(2, 3), test=(1,))),
        },
        # 21,545 in all, as the paper counts. Of these sides the first are usually quoted, the
        # second counted in the released labels.
        expected={"xsub": (18_841, 2_704), "xview": (14_372, 7_173)},
        slips=(SLIP,),
        remotes=_pku.remotes("", r"\d{4}-[LMR]\.txt", LISTS),
        source=_pku.SOURCE,
        licence=_pku.LICENCE,
        how_to_get=_pku.how_to_get(""),
    )

    def absent(self, files: Sequence[str]) -> list[str]:
        """Recordings that a complete copy has and these files lack.

        Which one of view R the release itself lacks, nobody says.
        """
        present = {file.removesuffix(".txt") for file in files}
        numbers = itertools.product(NUMBERS, pku_txt.VIEWS)
        names = [f"{number:04d}-{view}" for number, view in numbers]
        lacking = [name for name in names if name not in present]
        return [] if len(lacking) == 1 and lacking[0].endswith("R") else lacking


DATASET = Pkummd1()
