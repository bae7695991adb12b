"""OpenPose's BODY_25, and the joints of a trunk that it leaves out."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="openpose25",
    # What OpenPose calls the neck is learnt as the middle between the shoulders, MidHip as that of
    # the hips.
    names=(
        *("nose", "shoulder centre"),
        *("right shoulder", "right elbow", "right wrist"),
        *("left shoulder", "left elbow", "left wrist"),
        "hip centre",
        *("right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle"),
        *("right eye", "left eye", "right ear", "left ear"),
        *("left big toe", "left small toe", "left heel"),
        *("right big toe", "right small toe", "right heel"),
        *("spine", "head"),
    ),
    parents=(
        *(26, 1, 1, 2, 3, 1, 5, 6, 25, 8, 9, 10, 8, 12, 13),
        *(0, 0, 26, 26, 14, 19, 14, 11, 22, 11, 1, 1),
    ),
    centre=1,
    left_right=(
        *((5, 2), (6, 3), (7, 4), (12, 9), (13, 10), (14, 11)),
        *((16, 15), (18, 17), (19, 22), (20, 23), (21, 24)),
    ),
    shoulders=(5, 2),
    hips=(12, 9),
    spine=(8, 25),
    parts={
        "right arm": (2, 3, 4),
        "left arm": (5, 6, 7),
        "right leg": (9, 10, 11, 22, 23, 24),
        "left leg": (12, 13, 14, 19, 20, 21),
        "trunk": (8, 25, 1, 26, 0, 15, 16, 17, 18),
    },
    # Ours: no source has such groups for this body.
    segments={
        "spine": (8, 25, 1),
        "head": (26, 0, 15, 16, 17, 18),
        "left arm": (5, 6),
        "left hand": (7,),
        "right arm": (2, 3),
        "right hand": (4,),
        "left leg": (12, 13),
        "left foot": (14, 19, 20, 21),
        "right leg": (9, 10),
        "right foot": (11, 22, 23, 24),
    },
    derived={
        "spine": (("hip centre", "shoulder centre"),),
        "head": (("left ear", "right ear"), ("nose",)),
    },
    called={"neck": "shoulder centre", "mid hip": "hip centre"},
    source="keypoint order and bones of BODY_25, OpenPose's documentation of its output",
)
