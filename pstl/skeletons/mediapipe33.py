"""MediaPipe's 33 pose landmarks (BlazePose), and the trunk and palms that they leave out."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="mediapipe33",
    names=(
        "nose",
        *("left eye inner", "left eye", "left eye outer"),
        *("right eye inner", "right eye", "right eye outer"),
        *("left ear", "right ear", "left mouth", "right mouth"),
        *("left shoulder", "right shoulder", "left elbow", "right elbow"),
        *("left wrist", "right wrist", "left pinky", "right pinky"),
        *("left index", "right index", "left thumb", "right thumb"),
        *("left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle"),
        *("left heel", "right heel", "left foot index", "right foot index"),
        *("hip centre", "spine", "shoulder centre", "head", "left hand", "right hand"),
    ),
    parents=(
        *(36, 0, 1, 2, 0, 4, 5, 36, 36, 0, 0),
        *(35, 35, 11, 12, 13, 14, 37, 38, 37, 38, 37, 38),
        *(33, 33, 23, 24, 25, 26, 27, 28, 27, 28),
        *(34, 35, 35, 35, 15, 16),
    ),
    centre=35,
    left_right=(
        *((1, 4), (2, 5), (3, 6)),
        *((j, j + 1) for j in range(7, 33, 2)),
        (37, 38),
    ),
    shoulders=(11, 12),
    hips=(23, 24),
    spine=(33, 34),
    parts={
        "right arm": (12, 14, 16, 18, 20, 22, 38),
        "left arm": (11, 13, 15, 17, 19, 21, 37),
        "right leg": (24, 26, 28, 30, 32),
        "left leg": (23, 25, 27, 29, 31),
        "trunk": (33, 34, 35, 36, *range(11)),
    },
    # Ours: no source has such groups for this body.
    segments={
        "spine": (33, 34, 35),
        "head": (36, *range(11)),
        "left arm": (11, 13, 15),
        "left hand": (37, 17, 19, 21),
        "right arm": (12, 14, 16),
        "right hand": (38, 18, 20, 22),
        "left leg": (23, 25),
        "left foot": (27, 29, 31),
        "right leg": (24, 26),
        "right foot": (28, 30, 32),
    },
    derived={
        "hip centre": (("left hip", "right hip"),),
        "spine": (("left hip", "right hip", "left shoulder", "right shoulder"),),
        "shoulder centre": (("left shoulder", "right shoulder"),),
        "head": (("left ear", "right ear"), ("nose",)),
        # Pinky and index are knuckles: between them and the wrist lies the palm.
        "left hand": (("left wrist", "left pinky", "left index"), ("left wrist",)),
        "right hand": (("right wrist", "right pinky", "right index"), ("right wrist",)),
    },
    called={"mouth left": "left mouth", "mouth right": "right mouth"},
    source="landmark order of MediaPipe's pose landmarker; bones, trunk and palms are ours",
)
