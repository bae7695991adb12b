"""UTD-MHAD: 27 actions of eight performers before one Kinect v1, the skeletons alone."""

from typing import Any

from pstl.contracts import Dataset
from pstl.data.formats import utd_mat
from pstl.data.spec import DatasetSpec, Remote, by_subject
from pstl.errors import UserError
from pstl.records import Clip, Member
from pstl.skeletons import load


class UtdMhad(Dataset):
    """861 clips, one file each: four trials of everything, less three that the release lacks."""

    spec = DatasetSpec(
        name="utdmhad",
        classes=(
            "swipe to the left",
            "swipe to the right",
            "wave",
            "clap",
            "throw",
            "cross arms",
            "basketball shoot",
            "draw x",
            "draw circle clockwise",
            "draw circle counter-clockwise",
            "draw triangle",
            "bowling",
            "boxing",
            "baseball swing",
            "tennis swing",
            "arm curl",
            "tennis serve",
            "push",
            "knock",
            "catch",
            "pick up & throw",
            "jog",
            "walk",
            "sit to stand",
            "stand to sit",
            "lunge",
            "squat",
        ),
        skeleton="utd20",
        people=1,
        units="metres, camera space, y up",
        # xsub_val is of xsub's training side alone: settings are chosen on it.
        splits={
            "xsub": by_subject(train=(1, 3, 5, 7), test=(2, 4, 6, 8)),
            "xsub_val": by_subject(train=(1, 3), test=(5, 7)),
        },
        expected={"xsub": (431, 430), "xsub_val": (215, 216)},
        remotes=(
            Remote(
                # The name that the release has, too.
                "Skeleton.zip",
                url="http://www.utdallas.edu/~kehtar/UTD-MAD/Skeleton.zip",
                # Of a public mirror's files, packed again (github: woo-chia-wei/
                # kinect-sequence-classification, 65e9b139, data/Skeleton).
                sha256=("ef034efc37d3994e3d821b3921f2102d5f846a097d66b7836c992962c2fed0e1",),
                size=14_723_954,
                members=utd_mat.NAME,
                aliases=("UTD-MHAD_Skeleton.zip", "utd_mhad_skeleton.zip"),
            ),
        ),
        source="Chen, Jafari and Kehtarnavaz, UTD-MHAD: A Multimodal Dataset for Human Action "
        "Recognition Utilizing a Depth Camera and a Wearable Inertial Sensor, ICIP 2015",
        licence="research, cite the paper; public by its authors' words, no licence text travels "
        "with the data, do not redistribute",
        how_to_get="the folder Skeleton, or Skeleton.zip, by the page www.utdallas.edu/~kehtar/"
        "UTD-MHAD.html; files named aA_sS_tT_skeleton.mat",
    )

    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """The one clip of a file; xyz (T, 20, 1, 3)."""
        name, classes = utd_mat.parse_name(member.where), len(self.spec.classes)
        if not 1 <= name.action <= classes:
            expected = f"action a{name.action}, expected a1 to a{classes}"
            raise UserError(f"{member.where}: {expected}; remove the file")
        xyz = utd_mat.read(data, member.where, load(self.spec.skeleton).joints)
        title = member.file.removesuffix("_skeleton.mat")
        return [Clip(title, name.action - 1, xyz, subject=name.subject)]


DATASET = UtdMhad()
