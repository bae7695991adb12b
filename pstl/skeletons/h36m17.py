"""Human3.6M's 17 joints, in which lifters of 2-D poses (VideoPose3D, MotionBERT, MMPose) answer."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="h36m17",
    # The joint at the height of the nose has many names (Neck/Nose, neck base, jaw); the one above
    # it is the top of the head.
    names=(
        *("hip centre", "right hip", "right knee", "right ankle"),
        *("left hip", "left knee", "left ankle"),
        *("spine", "shoulder centre", "head", "head top"),
        *("left shoulder", "left elbow", "left wrist"),
        *("right shoulder", "right elbow", "right wrist"),
    ),
    parents=(7, 0, 1, 2, 0, 4, 5, 8, 8, 8, 9, 8, 11, 12, 8, 14, 15),
    centre=8,
    left_right=((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16)),
    shoulders=(11, 14),
    hips=(4, 1),
    spine=(0, 7),
    parts={
        "right arm": (14, 15, 16),
        "left arm": (11, 12, 13),
        "right leg": (1, 2, 3),
        "left leg": (4, 5, 6),
        "trunk": (0, 7, 8, 9, 10),
    },
    # Ours: no source has such groups for this body.
    segments={
        "spine": (0, 7, 8),
        "head": (9, 10),
        "left arm": (11, 12),
        "left hand": (13,),
        "right arm": (14, 15),
        "right hand": (16,),
        "left leg": (4, 5),
        "left foot": (6,),
        "right leg": (1, 2),
        "right foot": (3,),
    },
    called={
        "root": "hip centre",
        "pelvis": "hip centre",
        "hip": "hip centre",
        "thorax": "shoulder centre",
        "neck base": "head",
        "neck": "head",
        "nose": "head",
        "head": "head top",
        "left foot": "left ankle",
        "right foot": "right ankle",
    },
    source="17 of the 32 joints of Human3.6M, in the order of VideoPose3D and MMPose; their bones, "
    "turned towards the thorax",
)
