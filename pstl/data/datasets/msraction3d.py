"""MSR Action3D: twenty game gestures of ten performers before one depth camera, the 557 clips in
common use."""

from typing import Any

from pstl.contracts import Dataset
from pstl.data.formats import msr_txt
from pstl.data.spec import DatasetSpec, Remote, by_subject
from pstl.errors import UserError
from pstl.records import Clip, Member, Places
from pstl.skeletons import load

ENDING = "_skeleton3D.txt"
# Of 567 clips the release's own list names 557; these ten, in which the tracker lost the performer,
# are not on it.
UNUSABLE = frozenset(
    (
        "a02_s03_e02",
        "a04_s03_e01",
        "a07_s04_e01",
        "a13_s09_e01",
        "a13_s09_e02",
        "a13_s09_e03",
        "a14_s03_e01",
        "a20_s07_e01",
        "a20_s07_e03",
        "a20_s10_e03",
    )
)


class MsrAction3d(Dataset):
    """The clips, one file each; in 13 there are frames, all zero, in which nobody was seen."""

    spec = DatasetSpec(
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
        # xsub_val is of xsub's training side alone: settings are chosen on it.
        splits={
            "xsub": by_subject(train=(1, 3, 5, 7, 9), test=(2, 4, 6, 8, 10)),
            "xsub_val": by_subject(train=(1, 3, 5), test=(7, 9)),
        },
        expected={"xsub": (284, 273), "xsub_val": (170, 114)},
        remotes=(
            Remote(
                "msr_action3d_real_world.zip",
                # Of a public mirror's files, packed again (github: JeslieHCI/UTKinect_3, 590aede4,
                # data/MSRAction3D/real_world_coordinates).
                sha256=("96aeeee5fbb90f8a5737f4a3b02bcd8a18ed22095019ab4f496e960b015b2926",),
                size=6_027_758,
                members=msr_txt.NAME,
                aliases=("MSRAction3DSkeletonReal3D.zip",),
            ),
        ),
        source="Li, Zhang and Liu, Action Recognition Based on a Bag of 3D Points, CVPR Workshops "
        "2010; skeletons: Wang, Liu, Wu and Yuan, Mining Actionlet Ensemble for Action Recognition "
        "with Depth Cameras, CVPR 2012",
        licence="research, cite the papers; terms of the original page unverified, do not "
        "redistribute",
        how_to_get="the real-world (not the screen) coordinates of the skeletons, files named "
        "aAA_sSS_eEE_skeleton3D.txt",
    )

    def members(self, places: Places) -> list[Member]:
        """The files of the usable clips. Raises: UserError if there is none."""
        files = places.below(f"**/a*_s*_e*{ENDING}")
        members = [member for member in files if member.file.removesuffix(ENDING) not in UNUSABLE]
        if not members:
            fetch = f"run 'python -m pstl fetch msraction3d --out {places.raw}'"
            raise UserError(f"{places.raw}: no aAA_sSS_eEE{ENDING}; {fetch}")
        return members

    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """The one clip of a file; xyz (T, 20, 1, 3)."""
        name, classes = msr_txt.parse_name(member.where), len(self.spec.classes)
        if not 1 <= name.action <= classes:
            expected = f"action a{name.action:02d}, expected a01 to a{classes}"
            raise UserError(f"{member.where}: {expected}; remove the file")
        xyz = msr_txt.read(data, member.where, load(self.spec.skeleton).joints)
        title = member.file.removesuffix(ENDING)
        return [Clip(title, name.action - 1, xyz, subject=name.subject)]


DATASET = MsrAction3d()
