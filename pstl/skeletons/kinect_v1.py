"""Kinect v1, 20 joints: NW-UCLA and UTKinect.

MSR Action3D has the same places in another order (msr20).
"""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="kinect_v1",
    names=(
        "hip centre",
        "spine",
        "shoulder centre",
        "head",
        "left shoulder",
        "left elbow",
        "left wrist",
        "left hand",
        "right shoulder",
        "right elbow",
        "right wrist",
        "right hand",
        "left hip",
        "left knee",
        "left ankle",
        "left foot",
        "right hip",
        "right knee",
        "right ankle",
        "right foot",
    ),
    # Bones point to the shoulder centre, the joint nearest to Kinect v2's spine shoulder, so both
    # bodies have one kind of root.
    parents=(1, 2, 2, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18),
    centre=2,
    left_right=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)),
    shoulders=(4, 8),
    hips=(12, 16),
    spine=(0, 1),
    parts={
        "right arm": (8, 9, 10, 11),
        "left arm": (4, 5, 6, 7),
        "right leg": (16, 17, 18, 19),
        "left leg": (12, 13, 14, 15),
        "trunk": (0, 1, 2, 3),
    },
    # PSP's groups of Kinect v2 without the joints that v1 lacks. No source has groups for 20
    # joints; joint 2, Kinect v2's neck, is the shoulder centre here, so that (0, 1, 2) and (3,)
    # would be as good a split of the trunk.
    segments={
        "spine": (0, 1),
        "head": (2, 3),
        "left arm": (4, 5, 6),
        "left hand": (7,),
        "right arm": (8, 9, 10),
        "right hand": (11,),
        "left leg": (12, 13),
        "left foot": (14, 15),
        "right leg": (16, 17),
        "right foot": (18, 19),
    },
    source="Kinect for Windows SDK 1.x joint order; NW-UCLA (Wang et al., CVPR 2014)",
)
