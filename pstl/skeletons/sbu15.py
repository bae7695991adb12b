"""SBU Kinect Interaction, 15 joints: the body that OpenNI's tracker fits to a Kinect v1's depth."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="sbu15",
    # Two joints are named for their place, so that other bodies' joints find them: the release's
    # neck lies within 2 cm of the middle between the shoulders, and its torso in the middle between
    # that point and the hips (tests/data/test_sbu.py).
    names=(
        *("head", "shoulder centre", "spine"),
        *("left shoulder", "left elbow", "left hand"),
        *("right shoulder", "right elbow", "right hand"),
        *("left hip", "left knee", "left foot"),
        *("right hip", "right knee", "right foot"),
    ),
    parents=(1, 1, 1, 1, 3, 4, 1, 6, 7, 2, 9, 10, 2, 12, 13),
    centre=1,
    left_right=((3, 6), (4, 7), (5, 8), (9, 12), (10, 13), (11, 14)),
    shoulders=(3, 6),
    hips=(9, 12),
    spine=(2, 1),
    parts={
        "right arm": (6, 7, 8),
        "left arm": (3, 4, 5),
        "right leg": (12, 13, 14),
        "left leg": (9, 10, 11),
        "trunk": (0, 1, 2),
    },
    # No source has groups for 15 joints: those of kinect_v1 without the joints that are not here,
    # and the shoulder centre with the spine, which would be alone.
    segments={
        "spine": (2, 1),
        "head": (0,),
        "left arm": (3, 4),
        "left hand": (5,),
        "right arm": (6, 7),
        "right hand": (8,),
        "left leg": (9, 10),
        "left foot": (11,),
        "right leg": (12, 13),
        "right foot": (14,),
    },
    source="joint order that the release states; Yun, Honorio, Chattopadhyay, Berg and Samaras, "
    "CVPR Workshops 2012",
)
