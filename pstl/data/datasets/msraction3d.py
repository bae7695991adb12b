"""MSR Action3D: twenty game gestures of ten performers before one depth camera, the 557 clips in common use."""

from collections.abc import Iterator
from pathlib import Path

from pstl.config import Frozen
from pstl.data.formats import msr_txt
from pstl.data.spec import DatasetSpec, RawSequence, Remote, by_subject
from pstl.errors import UserError
from pstl.skeletons import load

# Of 567 clips the release's own list names 557; these ten, in which the tracker lost the performer, are not on it.
UNUSABLE = frozenset(
    (
        *("a02_s03_e02", "a04_s03_e01", "a07_s04_e01", "a13_s09_e01", "a13_s09_e02"),
        *("a13_s09_e03", "a14_s03_e01", "a20_s07_e01", "a20_s07_e03", "a20_s10_e03"),
    )
)


class Config(Frozen):
    """Nothing to choose."""


SPEC = DatasetSpec(
    name="msraction3d",
    classes=(
        "high arm wave",
        "horizontal arm wave",
        "hammer",
        "hand catch",
        "forward punch",
        "high throw",
        "draw x",
        "draw tick",
        "draw circle",
        "hand clap",
        "two hand wave",
        "side boxing",
        "bend",
        "forward kick",
        "side kick",
        "jogging",
        "tennis swing",
        "tennis serve",
        "golf swing",
        "pickup & throw",
    ),
    skeleton="msr20",
    people=1,
    units="metres, camera space, y up",
    splits={"xsub": by_subject(train=(1, 3, 5, 7, 9), test=(2, 4, 6, 8, 10))},
    expected={"xsub": (284, 273)},
    remotes=(
        Remote(
            "msr_action3d_real_world.zip",
            # Of a public mirror's files (github: JeslieHCI/UTKinect_3, 590aede4, data/MSRAction3D/real_world_coordinates), packed again.
            sha256=("96aeeee5fbb90f8a5737f4a3b02bcd8a18ed22095019ab4f496e960b015b2926",),
            size=6_027_758,
            members=msr_txt.NAME,
            aliases=("MSRAction3DSkeletonReal3D.zip",),
        ),
    ),
    source=(
        "Li, Zhang and Liu, Action Recognition Based on a Bag of 3D Points, CVPR Workshops 2010; skeletons: Wang, Liu, Wu and Yuan, "
        "Mining Actionlet Ensemble for Action Recognition with Depth Cameras, CVPR 2012"
    ),
    licence="research, cite the papers; terms of the original page unverified, do not redistribute",
    how_to_get="the real-world (not the screen) coordinates of the skeletons, files named aAA_sSS_eEE_skeleton3D.txt",
)


def read(folder: Path) -> Iterator[RawSequence]:
    """The usable clips below `folder`, sorted by name; xyz (T, 20, 1, 3). 13 of the 557 have frames in which nobody was found, all zero.

    Raises: UserError naming the file that is damaged, or the folder if it holds no clip.
    """
    joints = load(SPEC.skeleton).joints
    paths = sorted(folder.rglob("a*_s*_e*_skeleton3D.txt"), key=lambda path: path.name)
    if not paths:
        raise UserError(
            f"{folder}: no aAA_sSS_eEE_skeleton3D.txt; run 'python -m pstl fetch msraction3d --out {folder}'"
        )
    for path in paths:
        name, clip = msr_txt.parse_name(path), path.name.removesuffix("_skeleton3D.txt")
        if clip in UNUSABLE:
            continue
        if not 1 <= name.action <= len(SPEC.classes):
            raise UserError(
                f"{path}: action a{name.action:02d}, expected a01 to a{len(SPEC.classes)}; remove the file"
            )
        yield RawSequence(clip, name.action - 1, msr_txt.read(path, joints), subject=name.subject)
