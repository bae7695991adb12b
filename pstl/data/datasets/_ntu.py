"""What NTU RGB+D 60 and 120 share: names, splits, missing clips, class names, and how a file
becomes a clip."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pstl.contracts import Dataset
from pstl.data.formats import skeleton_txt
from pstl.data.spec import Remote, Rule
from pstl.errors import UserError
from pstl.records import Clip, DatasetConfig, Member, Places

FORM = "https://rose1.ntu.edu.sg/dataset/actionRecognition"
DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
OLD_SETUPS = 17  # of NTU-60; NTU-120 adds the others

# Performers who are trained on in the cross-subject splits.
SUBJECTS_60 = frozenset((1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38))
ADDED = (45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84)
LAST_ADDED = (85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103)
SUBJECTS_120 = SUBJECTS_60.union(ADDED, LAST_ADDED)

# Set-up -> whom it filmed: 158 pairs in NTU-60, 318 in NTU-120. Of every pair there are 3 cameras x
# 2 replications x 60 actions, no clip more and none less: so it is in the name lists that CTR-GCN
# uses, together with the missing ones.
FILMED = {
    1: (1, 2, 3, 4, 5, 6, 7, 8),
    2: (3, 7, 8, 9, 10, 11, 12, 13, 14),
    3: (1, 2, 7, 8, 15, 16, 17, 18, 19),
    4: (3, 7, 8, 20),
    5: (4, 10, 13, 15, 16, 17, 18, 21),
    6: (1, 7, 8, 15, 16, 17, 19, 22, 23, 24),
    7: (1, 7, 8, 15, 16, 17, 18, 19, 25, 26, 27, 28),
    8: (1, 7, 8, 15, 19, 25, 29, 30, 31, 32, 33, 34, 35, 36),
    9: (7, 8, 15, 16, 17, 19, 25),
    10: (7, 8, 13, 15, 16, 17, 18, 19, 21, 25),
    11: (1, 2, 7, 8, 15, 16, 17, 18, 19, 25, 27, 28, 38),
    12: (7, 8, 15, 16, 17, 18, 19, 25, 27, 28, 37),
    13: (7, 8, 15, 16, 17, 18, 19, 25, 27, 28, 37),
    14: (7, 8, 15, 17, 19, 25, 27, 37, 39),
    15: (7, 8, 15, 16, 17, 19, 25, 37),
    16: (7, 8, 19, 21, 25, 39, 40),
    17: (3, 7, 8, 9, 15, 16, 17, 20),
    18: (8, 41, 42, 43, 44, 45),
    19: (8, 41, 42, 46, 47, 48, 49, 50, 51),
    20: (8, 41, 43, 44, 52, 53, 54),
    21: (55, 56, 57, 58, 59, 60),
    22: (61, 62, 63, 64, 65, 66, 67),
    23: (55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68),
    24: (57, 60, 61, 62, 63, 64, 67),
    25: (55, 56, 58, 59, 65, 66, 68),
    26: (8, 41, 44, 49, 50, 51, 69, 70, 71, 72, 74, 75, 76, 77),
    27: (6, 8, 11, 41, 43, 44, 78, 79, 80, 81, 82, 83, 84, 85, 86),
    28: (8, 41, 42, 43, 46, 48, 70, 73, 87),
    29: (6, 8, 41, 43, 44, 48, 49, 51, 67, 74, 75, 80, 88, 89, 90),
    30: (8, 11, 41, 43, 44, 48, 67, 75, 76, 81, 85, 88, 91, 92, 93, 94, 95, 96),
    31: (6, 8, 41, 42, 43, 44, 51, 67, 82, 85, 96, 97, 98, 99, 100, 101),
    32: (8, 41, 43, 44, 67, 102, 103, 104, 105, 106),
}  # fmt: skip

# The authors' README gives these addresses for the skeletons alone. The MD5 sums are those of one
# third party (torch_skeleton).
OLD = Remote(
    "nturgbd_skeletons_s001_to_s017.zip",
    url=f"{DRIVE}1CUZnBtYwifVXS21yVg62T-vrPVayso5H",
    members=r"S0(0\d|1[0-7])C\d{3}P\d{3}R\d{3}A\d{3}\.skeleton",
    md5="67d9e24f858e5736a9826a2065e229fe",
    in_place=True,
)
NEW = Remote(
    "nturgbd_skeletons_s018_to_s032.zip",
    url=f"{DRIVE}1tEbuaEqMxAV7dNc4fqu1O4M7mC6CJ50w",
    members=r"S0(1[89]|2\d|3[0-2])C\d{3}P\d{3}R\d{3}A\d{3}\.skeleton",
    md5="e8ae4bdd92c2be95dbd364ad54e82f89",
    in_place=True,
)
HOW_TO_GET = (
    f"the request form at {FORM} ('skeleton' of NTU RGB+D 60 and of the 120 extension); who has "
    "accepted its terms (academic use, no redistribution) may also let fetch download what the "
    "authors publish: set accept_terms: true under datasets: {name}: in params.yaml"
)
LICENCE = (
    "academic use on request, no redistribution; not one sample may be copied into a repository, "
    "a test or a bug report"
)


class Ntu(Dataset):
    """One file is one clip, and its name says all but the coordinates.   setups: its set-ups."""

    class Config(DatasetConfig):
        """How to obtain and to check the recordings."""

        # The licence of the request form is accepted: fetch may download.
        accept_terms: bool = False

    setups: range

    def members(self, places: Places) -> list[Member]:
        """All files but the missing ones, which are not even opened."""
        return [member for member in super().members(places) if is_usable(member.file)]

    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """The one clip of a file: xyz (T, 25, M, 3), M bodies of its fullest frame.

        Raises: UserError that names a damaged file, or one whose name is no clip's.
        """
        name = skeleton_txt.parse_name(member.file)
        _check_name(name, member.file)
        return [skeleton_txt.clip_of(name, skeleton_txt.read(data, member.file))]

    def absent(self, files: Sequence[str]) -> list[str]:
        """Clips that a complete copy has and these files lack, in order."""
        expendable = missing().union(file.removesuffix(".skeleton") for file in files)
        return [name for name in map(str, filmed(self.setups)) if name not in expendable]


@cache
def missing() -> frozenset[str]:
    """The authors' 535 clips with missing or incomplete skeletons; the 302 of NTU-60 are among
    them.

    The names in shahroudy/NTURGB-D, Matlab/NTU_RGBD120_samples_with_missing_skeletons.txt, sorted.
    """
    return frozenset(Path(__file__).with_name("ntu_missing.txt").read_text().split())


def filmed(setups: Iterable[int]) -> Iterator[skeleton_txt.ClipName]:
    """Every clip of some set-ups, the missing ones too. Actions 1 to 60 are NTU-60's alone."""
    for setup in setups:
        for performer in FILMED[setup]:
            numbers = itertools.product((1, 2, 3), (1, 2), actions_of(setup))
            for camera, replication, action in numbers:
                yield skeleton_txt.ClipName(setup, camera, performer, replication, action)


def actions_of(setup: int) -> range:
    """The actions, from 1, that a set-up filmed."""
    return range(1, 61) if setup <= OLD_SETUPS else range(61, 121)


def is_usable(file: str) -> bool:
    """Whether a file is not among the missing ones."""
    return file.removesuffix(".skeleton") not in missing()


def clip_named(name: str) -> Clip:
    """A clip's label, performer, camera and set-up, which its name tells; without coordinates."""
    n = skeleton_txt.parse_name(name)
    return Clip(str(n), n.action - 1, skeleton_txt.NOTHING, n.performer, n.camera, n.setup)


def _check_name(name: skeleton_txt.ClipName, file: str) -> None:
    """A class beyond the last, or before the first, would be trained on as if there were one.

    Raises: UserError that names the file, for numbers that no set-up of the releases has.
    """
    actions = actions_of(name.setup)
    ranges = (range(1, 33), range(1, 4), range(1, 107), range(1, 3), actions)
    for letter, number, numbers in zip("SCPRA", name, ranges, strict=True):
        if number not in numbers:
            expected = f"expected {letter}{numbers[0]:03d} to {letter}{numbers[-1]:03d}"
            setup = f" in set-up S{name.setup:03d}" * (letter == "A")
            problem = f"found {letter}{number:03d}, {expected}{setup}"
            raise UserError(
                f"{file}: {problem}; no clip of NTU RGB+D is called so, remove the file"
            )


def universe() -> Iterator[Clip]:
    """One clip of every set-up, performer and camera: splits tell no more apart."""
    for setup, performers in FILMED.items():
        for performer, camera in itertools.product(performers, (1, 2, 3)):
            yield clip_named(f"S{setup:03d}C{camera:03d}P{performer:03d}R001A001")


def sparing(rule: Rule, tested: Rule) -> Rule:
    """`rule` without the training clips that `tested`, a split of NTU-60, tests on.

    For encoders that are judged there: all of NTU-60 is in NTU-120, under the same names.
    """

    def spared(clip: Clip) -> str:
        """The side of a clip, "" for one that is left out."""
        side = rule(clip)
        in_test = clip.setup <= OLD_SETUPS and tested(clip) == "test"
        return "" if side == "train" and in_test else side

    return spared


CLASSES = (
    "drink water", "eat meal/snack", "brushing teeth", "brushing hair", "drop", "pickup", "throw",
    "sitting down", "standing up", "clapping", "reading", "writing", "tear up paper", "wear jacket",
    "take off jacket", "wear a shoe", "take off a shoe", "wear on glasses", "take off glasses",
    "put on a hat/cap", "take off a hat/cap", "cheer up", "hand waving", "kicking something",
    "reach into pocket", "hopping", "jump up", "make a phone call/answer phone",
    "playing with phone/tablet", "typing on a keyboard", "pointing to something with finger",
    "taking a selfie", "check time", "rub two hands together", "nod head/bow", "shake head",
    "wipe face", "salute", "put the palms together", "cross hands in front", "sneeze/cough",
    "staggering", "falling", "touch head", "touch chest", "touch back", "touch neck",
    "nausea or vomiting condition", "use a fan", "punching/slapping other person",
    "kicking other person", "pushing other person", "pat on back of other person",
    "point finger at the other person", "hugging other person", "giving something to other person",
    "touch other person's pocket", "handshaking", "walking towards each other",
    "walking apart from each other", "put on headphone", "take off headphone",
    "shoot at the basket", "bounce ball", "tennis bat swing", "juggling table tennis balls", "hush",
    "flick hair", "thumb up", "thumb down", "make ok sign", "make victory sign", "staple book",
    "counting money", "cutting nails", "cutting paper", "snapping fingers", "open bottle", "sniff",
    "squat down", "toss a coin", "fold paper", "ball up paper", "play magic cube",
    "apply cream on face", "apply cream on hand back", "put on bag", "take off bag",
    "put something into a bag", "take something out of a bag", "open a box", "move heavy objects",
    "shake fist", "throw up cap/hat", "hands up", "cross arms", "arm circles", "arm swings",
    "running on the spot", "butt kicks", "cross toe touch", "side kick", "yawn", "stretch oneself",
    "blow nose", "hit other person with something", "wield knife towards other person",
    "knock over other person", "grab other person's stuff", "shoot at other person with a gun",
    "step on foot", "high-five", "cheers and drink", "carry something with other person",
    "take a photo of other person", "follow other person", "whisper in other person's ear",
    "exchange things with other person", "support somebody with hand", "finger-guessing game",
)  # fmt: skip
