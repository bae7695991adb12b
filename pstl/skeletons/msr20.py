"""MSR Action3D, 20 joints: the places of a Kinect v1 body in an order of its own, as another
tracker fits them."""

from pstl.skeletons import Skeleton

SKELETON = Skeleton(
    name="msr20",
    names=(
        "left shoulder",
        "right shoulder",
        "shoulder centre",
        "spine",
        "left hip",
        "right hip",
        "hip centre",
        "left elbow",
        "right elbow",
        "left wrist",
        "right wrist",
        "left hand",
        "right hand",
        "left knee",
        "right knee",
        "left ankle",
        "right ankle",
        "left foot",
        "right foot",
        "head",
    ),
    parents=(2, 2, 2, 2, 6, 6, 3, 0, 1, 7, 8, 9, 10, 4, 5, 13, 14, 15, 16, 2),
    centre=2,
    left_right=((0, 1), (4, 5), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16), (17, 18)),
    shoulders=(0, 1),
    hips=(4, 5),
    spine=(6, 3),
    parts={
        "right arm": (1, 8, 10, 12),
        "left arm": (0, 7, 9, 11),
        "right leg": (5, 14, 16, 18),
        "left leg": (4, 13, 15, 17),
        "trunk": (6, 3, 2, 19),
    },
    segments={  # those of kinect_v1, joint by joint
        "spine": (6, 3),
        "head": (2, 19),
        "left arm": (0, 7, 9),
        "left hand": (11,),
        "right arm": (1, 8, 10),
        "right hand": (12,),
        "left leg": (4, 13),
        "left foot": (15, 17),
        "right leg": (5, 14),
        "right foot": (16, 18),
    },
    # Sides are not named there: the acting arm and leg (performers were asked to use the right
    # one), the way bodies face, and Kinect v1's axes agree that the even joints of each pair
    # counted from 1 are the right ones (tests/data/test_msraction3d.py).
    source="bones of drawskt.m, which comes with the skeletons; Li, Zhang and Liu, CVPR "
    "Workshops 2010",
)
