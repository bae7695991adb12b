"""SBU Kinect Interaction: eight interactions of two people, in five folds of pairs."""

from typing import Any

from pstl.contracts import Dataset
from pstl.data.formats import sbu_txt
from pstl.data.spec import DatasetSpec, Remote, Rule, by_setup
from pstl.errors import UserError
from pstl.records import Clip, Member
from pstl.skeletons import load

# The release's five folds: each is tested by encoders of the four others. A pair is written as its
# two performers, 12 is s01s02; s02s01 is another recording of the two.
FOLDS = {
    "fold1": (12, 34, 52, 64),
    "fold2": (23, 27, 35, 53),
    "fold3": (13, 17, 71, 73),
    "fold4": (21, 26, 32, 36),
    "fold5": (42, 43, 46, 62, 63),
}
PAIRS = frozenset(pair for pairs in FOLDS.values() for pair in pairs)


def without(fold: str) -> Rule:
    """The split that tests on one fold."""
    return by_setup(train=PAIRS - {*FOLDS[fold]}, test=FOLDS[fold])


class Sbu(Dataset):
    """282 clips, one file each, of 21 pairs of seven performers; either of the two acts."""

    spec = DatasetSpec(
        name="sbu",
        classes=(
            "approach",
            "depart",
            "kick",
            "push",
            "shake hands",
            "hug",
            "exchange an object",
            "punch",
        ),
        skeleton="sbu15",
        people=sbu_txt.PEOPLE,
        units="metres, camera space, y up, from shares of the image by the release's formula",
        splits={fold: without(fold) for fold in FOLDS},
        folds=tuple(FOLDS),
        expected={
            "fold1": (227, 55),
            "fold2": (230, 52),
            "fold3": (226, 56),
            "fold4": (228, 54),
            "fold5": (217, 65),
        },
        remotes=(
            Remote(
                "SBU.zip",
                # Of a public mirror's files, packed again (github: fandulu/Keras-for-Co-occurrence-
                # Feature-Learning-from-Skeleton-Data-for-Action-Recognition, aedd8f56, data/SBU).
                sha256=("1712df13b5fefa9a2470acb12ad1b87ab9e5be5a6b89eb7c204cde3a81c274a9",),
                size=1_894_540,
                members=sbu_txt.NAME,
                depth=sbu_txt.DEPTH,
            ),
        ),
        source="Yun, Honorio, Chattopadhyay, Berg and Samaras, Two-person Interaction Detection "
        "Using Body-Pose Features and Multiple Instance Learning, CVPR Workshops 2012",
        licence="research, cite the paper; terms of the original page unverified, do not "
        "redistribute",
        how_to_get="folders sAAsBB/CC/NNN with a skeleton_pos.txt each, of the release's 21 clean "
        "archives (www3.cs.stonybrook.edu/~kyun/research/kinect_interaction), unpacked in one "
        "folder or packed as SBU.zip",
    )

    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """The one clip of a file; xyz (T, 15, 2, 3).

        subject: the first body's.   setup: the pair, 12 for s01s02.
        """
        name = sbu_txt.parse_name(member.where)
        pair = 10 * name.first + name.second
        if pair not in PAIRS or not 1 <= name.action <= len(self.spec.classes):
            expected = f"expected one of {len(PAIRS)} pairs and 01 to {len(self.spec.classes):02d}"
            raise UserError(f"{member.where}: no such pair or action, {expected}; remove the file")
        xyz = sbu_txt.read(data, member.where, load(self.spec.skeleton).joints)
        title = member.file.rpartition("/")[0].replace("/", "_")
        return [Clip(title, name.action - 1, xyz, subject=name.first, setup=pair)]


DATASET = Sbu()
