"""UTD-MHAD, 20 joints: those of a Kinect v1, the trunk from the head downwards."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="utd20",
    names=(
        *("head", "shoulder centre", "spine", "hip centre"),
        *("left shoulder", "left elbow", "left wrist", "left hand"),
        *("right shoulder", "right elbow", "right wrist", "right hand"),
        *("left hip", "left knee", "left ankle", "left foot"),
        *("right hip", "right knee", "right ankle", "right foot"),
    ),
    # Bones, parts and segments are those of kinect_v1, joint by joint.
    parents=(1, 1, 1, 2, 1, 4, 5, 6, 1, 8, 9, 10, 3, 12, 13, 14, 3, 16, 17, 18),
    centre=1,
    left_right=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)),
    shoulders=(4, 8),
    hips=(12, 16),
    spine=(3, 2),
    parts={
        "right arm": (8, 9, 10, 11),
        "left arm": (4, 5, 6, 7),
        "right leg": (16, 17, 18, 19),
        "left leg": (12, 13, 14, 15),
        "trunk": (3, 2, 1, 0),
    },
    segments={
        "spine": (3, 2),
        "head": (1, 0),
        "left arm": (4, 5, 6),
        "left hand": (7,),
        "right arm": (8, 9, 10),
        "right hand": (11,),
        "left leg": (12, 13),
        "left foot": (14, 15),
        "right leg": (16, 17),
        "right foot": (18, 19),
    },
    source="Skeleton_joint_order.txt, which comes with the skeletons; Chen, Jafari and "
    "Kehtarnavaz, ICIP 2015",
)
