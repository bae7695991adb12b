"""COCO's 17 keypoints, those of most pose estimators (YOLO pose, AlphaPose, MMPose, ViTPose), and
the trunk that they leave out."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="coco17",
    names=(
        *("nose", "left eye", "right eye", "left ear", "right ear"),
        *("left shoulder", "right shoulder", "left elbow", "right elbow"),
        *("left wrist", "right wrist", "left hip", "right hip"),
        *("left knee", "right knee", "left ankle", "right ankle"),
        *("hip centre", "spine", "shoulder centre", "head"),
    ),
    parents=(20, 0, 0, 20, 20, 19, 19, 5, 6, 7, 8, 17, 17, 11, 12, 13, 14, 18, 19, 19, 19),
    centre=19,
    left_right=tuple((j, j + 1) for j in range(1, 17, 2)),
    shoulders=(5, 6),
    hips=(11, 12),
    spine=(17, 18),
    parts={
        "right arm": (6, 8, 10),
        "left arm": (5, 7, 9),
        "right leg": (12, 14, 16),
        "left leg": (11, 13, 15),
        "trunk": (17, 18, 19, 20, 0, 1, 2, 3, 4),
    },
    # Ours: no source has such groups for this body.
    segments={
        "spine": (17, 18, 19),
        "head": (20, 0, 1, 2, 3, 4),
        "left arm": (5, 7),
        "left hand": (9,),
        "right arm": (6, 8),
        "right hand": (10,),
        "left leg": (11, 13),
        "left foot": (15,),
        "right leg": (12, 14),
        "right foot": (16,),
    },
    derived={
        "hip centre": (("left hip", "right hip"),),
        "spine": (("left hip", "right hip", "left shoulder", "right shoulder"),),
        "shoulder centre": (("left shoulder", "right shoulder"),),
        "head": (("left ear", "right ear"), ("nose",)),
    },
    source="keypoint order of the COCO data format; bones and trunk are ours",
)
