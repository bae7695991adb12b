"""SMPL's 24 joints, in which body-model estimators and motion capture (AMASS) answer."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="smpl24",
    names=(
        *("hip centre", "left hip", "right hip", "lower back", "left knee", "right knee"),
        *("upper back", "left ankle", "right ankle", "chest", "left foot", "right foot"),
        *("neck", "left clavicle", "right clavicle", "head"),
        *("left shoulder", "right shoulder", "left elbow", "right elbow"),
        *("left wrist", "right wrist", "left hand", "right hand"),
        "shoulder centre",
    ),
    # SMPL's tree hangs on the pelvis; here bones point to the place between the shoulders.
    parents=(
        *(3, 0, 0, 6, 1, 2, 9, 4, 5, 24, 7, 8, 24, 24, 24, 12),
        *(13, 14, 16, 17, 18, 19, 20, 21, 24),
    ),
    centre=24,
    left_right=(
        *((1, 2), (4, 5), (7, 8), (10, 11), (13, 14)),
        *((16, 17), (18, 19), (20, 21), (22, 23)),
    ),
    shoulders=(16, 17),
    hips=(1, 2),
    spine=(0, 3),
    parts={
        "right arm": (14, 17, 19, 21, 23),
        "left arm": (13, 16, 18, 20, 22),
        "right leg": (2, 5, 8, 11),
        "left leg": (1, 4, 7, 10),
        "trunk": (0, 3, 6, 9, 24, 12, 15),
    },
    # Ours: no source has such groups for this body.
    segments={
        "spine": (0, 3, 6, 9, 24),
        "head": (12, 15),
        "left arm": (13, 16, 18),
        "left hand": (20, 22),
        "right arm": (14, 17, 19),
        "right hand": (21, 23),
        "left leg": (1, 4),
        "left foot": (7, 10),
        "right leg": (2, 5),
        "right foot": (8, 11),
    },
    derived={"shoulder centre": (("left shoulder", "right shoulder"),)},
    called={
        "pelvis": "hip centre",
        "spine1": "lower back",
        "spine2": "upper back",
        "spine3": "chest",
        "spine 1": "lower back",
        "spine 2": "upper back",
        "spine 3": "chest",
        "left collar": "left clavicle",
        "right collar": "right clavicle",
    },
    source="joint order and tree of SMPL (Loper et al., SIGGRAPH Asia 2015), as its public loaders "
    "list it",
)
