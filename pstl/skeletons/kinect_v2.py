"""Kinect v2, 25 joints: NTU RGB+D and PKU-MMD."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="kinect_v2",
    names=(
        "spine base",
        "spine mid",
        "neck",
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
        "spine shoulder",
        "left hand tip",
        "left thumb",
        "right hand tip",
        "right thumb",
    ),
    # Hand tip hangs on the thumb and the thumb on the hand, as in the ST-GCN lineage; other lists attach both to the hand.
    parents=(1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, 20, 22, 7, 24, 11),
    centre=20,
    left_right=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24)),
    shoulders=(4, 8),
    hips=(12, 16),
    spine=(0, 1),
    parts={
        "right arm": (8, 9, 10, 11, 23, 24),
        "left arm": (4, 5, 6, 7, 21, 22),
        "right leg": (16, 17, 18, 19),
        "left leg": (12, 13, 14, 15),
        "trunk": (0, 1, 2, 3, 20),
    },
    source="NTU RGB+D joint list; bones as in ST-GCN (Yan et al., AAAI 2018) and PSTL (Zhou et al., AAAI 2023)",
)
