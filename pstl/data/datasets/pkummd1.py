"""PKU-MMD, phase I: 1,076 long recordings of 66 performers, 51 actions, three views."""

from collections.abc import Mapping

from pstl.data.datasets import _pku
from pstl.data.datasets._pku import Config, Note, place, read_member, read_recording
from pstl.data.spec import DatasetSpec, RawSequence, Remote, as_listed, by_camera

__all__ = ["SPEC", "Config", "notes", "place", "read_member", "read_recording"]

LABELS = r"(?i)(^|/)(train_)?label"  # folders of label files, whose names are those of the recordings
MEMBERS = r"\d{4}-[LMR]\.txt"
TESTED = range(291, 335)  # recordings of the nine performers of the cross-subject test


def by_recording(clip: RawSequence) -> str:
    """The cross-subject split by number: what the release's list says in the copies found."""
    return "test" if clip.setup in TESTED else "train"


SPEC = DatasetSpec(
    name="pkummd1",
    classes=_pku.CLASSES,
    skeleton="kinect_v2",
    people=2,
    units="metres, camera space, y up",
    splits={"xsub": as_listed("xsub", by_recording), "xview": as_listed("xview", by_camera(train=(2, 3), test=(1,)))},
    # Usually quoted; 21,545 in all, as the paper counts. Nobody states the clips of the cross-view split (717 + 359 recordings).
    expected={"xsub": (18_841, 2_704)},
    remotes=(
        Remote("Skeleton.7z", members=MEMBERS, not_folder=LABELS, in_place=True, aliases=("Skeleton.zip",)),
        Remote("Label_PKUMMD.7z", members=MEMBERS, folder=LABELS, in_place=True, aliases=("Label_PKUMMD.zip",), notes=True),
        Remote("cross-subject.txt", aliases=("cross_subject.txt",), in_place=True, notes=True, optional=True),
        Remote("cross-view.txt", aliases=("cross_view.txt",), in_place=True, notes=True, optional=True),
    ),
    source="Liu, Hu, Li, Song and Liu, PKU-MMD: A Large Scale Benchmark for Continuous Multi-Modal Human Action Understanding, 2017",
    licence=_pku.LICENCE,
    how_to_get=_pku.how_to_get(""),
)


def notes(texts: Mapping[str, Mapping[str, str]], recordings: list[str]) -> tuple[dict[str, Note], list[str]]:
    """See _pku.notes."""
    return _pku.notes(SPEC, texts, recordings)
