"""PKU-MMD, phase II: 1,009 long recordings of 13 performers, 41 of the 51 actions, three views."""

import itertools
from collections.abc import Sequence

from pstl.data.datasets import _pku
from pstl.data.formats import pku_txt
from pstl.data.spec import DatasetSpec, as_listed, by_camera
from pstl.records import Clip

TESTED = (2, 3, 7)  # performers of the cross-subject test
LISTS = (
    ("cross_subject_v2.txt", "cross-subject_v2.txt"),
    ("cross_view_v2.txt", "cross-view_v2.txt"),
)
# 26 sessions of 13 performers in three views; five of view M were never released.
UNRELEASED = frozenset(("A05N04-M", "A07N12-M", "A08N12-M", "A14N12-M", "A20N01-M"))


def by_performer(clip: Clip) -> str:
    """The cross-subject split by number: what the release's list says in the copies seen."""
    return "test" if clip.subject in TESTED else "train"


class Pkummd2(_pku.Pku):
    """Recordings are named by session and performer."""

    spec = DatasetSpec(
        name="pkummd2",
        classes=_pku.CLASSES,
        skeleton="kinect_v2",
        people=2,
        units="metres, camera space, y up",
        # The cross-view file was not seen; phase I's rule is assumed until the file is there, which
        # is then followed.
        splits={
            "xsub": as_listed("xsub", by_performer),
            "xview": as_listed("xview", by_camera(train=(2, 3), test=(1,))),
        },
        expected={"xsub": (5_332, 1_613)},  # usually quoted
        remotes=_pku.remotes("_v2", r"A\d{2}N\d{2}-[LMR]\.txt", LISTS),
        source=_pku.SOURCE,
        licence=_pku.LICENCE,
        how_to_get=_pku.how_to_get("_v2"),
    )

    def absent(self, files: Sequence[str]) -> list[str]:
        """Recordings that a complete copy has and these files lack."""
        present = UNRELEASED.union(file.removesuffix(".txt") for file in files)
        numbers = itertools.product(range(1, 27), range(1, 14), pku_txt.VIEWS)
        names = [f"A{session:02d}N{performer:02d}-{view}" for session, performer, view in numbers]
        return [name for name in names if name not in present]


DATASET = Pkummd2()
