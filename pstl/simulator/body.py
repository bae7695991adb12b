"""An articulated 25-joint Kinect v2 body: bones of fixed length, posed by joint angles.

Forward kinematics of many frames at once.

Axes are the sensor's, metres: y up, and a person with heading 0 at the origin looks along -z,
towards a camera at -z, with the right hand at +x. Frames of limbs hang down along -y in the rest
position.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from pstl.skeletons.kinect_v2 import SKELETON

Angles = dict[str, np.ndarray]  # channel -> (T,), degrees unless the channel is a length

SIDES = ("left", "right")
TRUNK = ("pelvis", "bend", "lean", "twist trunk", "nod", "shake")
ARM = ("elevation", "plane", "rotation", "elbow", "wrist")
LEG = ("hip", "spread", "knee", "ankle")
PLACE = ("heading", "jump", "ahead", "aside")  # degrees, then metres
LIMBS = tuple(f"{side} {angle}" for side, angle in itertools.product(SIDES, ARM + LEG))
CHANNELS = (*TRUNK, *PLACE, *LIMBS)

ANKLE = 0.08  # metres above the floor
SHARED = 0.03  # metres: of two ankles whose heights differ by less, both carry weight

NAMES = SKELETON.names
JOINT = {name: index for index, name in enumerate(NAMES)}

# joint: (the joint it hangs on, x outwards, y up, z back), metres for a stature of 1.7. Unlike the
# graph's bones these are limbs that turn: hand tip and thumb both hang on the hand, and everything
# on the spine base, which is where the angles start.
TREE = {
    "spine base": ("", 0.0, 0.0, 0.0),
    "spine mid": ("spine base", 0.0, 0.30, 0.0),
    "spine shoulder": ("spine mid", 0.0, 0.23, 0.0),
    "neck": ("spine shoulder", 0.0, 0.075, 0.0),
    "head": ("neck", 0.0, 0.13, -0.02),
    "shoulder": ("spine shoulder", 0.17, -0.05, 0.0),
    "elbow": ("shoulder", 0.0, -0.27, 0.0),
    "wrist": ("elbow", 0.0, -0.24, 0.0),
    "hand": ("wrist", 0.0, -0.075, 0.0),
    "hand tip": ("hand", 0.0, -0.08, 0.0),
    "thumb": ("hand", -0.03, -0.035, -0.03),
    "hip": ("spine base", 0.085, -0.03, 0.0),
    "knee": ("hip", 0.0, -0.39, 0.0),
    "ankle": ("knee", 0.0, -0.38, 0.0),
    "foot": ("ankle", 0.0, -0.06, -0.11),
}


@dataclass(frozen=True)
class Body:
    """Bones of one person.

    offsets: (V, 3), metres, each joint relative to the joint it hangs on, before any rotation.
    """

    offsets: np.ndarray


def _tree() -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """(V,) parents, (V, 3) offsets and an order in which parents come first."""
    parents = np.zeros(len(NAMES), int)
    offsets = np.zeros((len(NAMES), 3))
    order = []
    for name, (parent, *offset) in TREE.items():
        sides = ("",) if name in JOINT else SIDES
        for side in sides:
            joint = JOINT[f"{side} {name}".strip()]
            parents[joint] = JOINT.get(f"{side} {parent}".strip(), JOINT.get(parent, -1))
            outwards = -1 if side == "left" else 1
            offsets[joint] = np.array(offset) * (outwards, 1, 1)
            order.append(joint)
    return parents, offsets, tuple(order)


PARENTS, OFFSETS, ORDER = _tree()


def draw_body(rng: np.random.Generator, variation: float) -> Body:
    """A person of random stature and proportions, symmetric.

    variation: standard deviation of bone lengths, a share of their mean, e.g. 0.06.
    """
    scale = np.ones(len(NAMES))
    for name in TREE:
        factor = rng.normal(1, variation)
        named = [name] if name in JOINT else [f"{side} {name}" for side in SIDES]
        for joint in named:
            scale[JOINT[joint]] = factor
    return Body(OFFSETS * scale[:, None] * rng.normal(1, variation))


def pose(body: Body, angles: Angles) -> np.ndarray:
    """Joint positions of a body on the floor (y = 0) under its angles.

    angles: channel of CHANNELS -> (T,); those that are missing are 0.   Returns: (T, V, 3), metres.
    Raises: KeyError for an unknown channel.
    """
    unknown = set(angles) - set(CHANNELS)
    if unknown:
        raise KeyError(f"unknown channels {sorted(unknown)}; known: {', '.join(CHANNELS)}")
    frames = len(next(iter(angles.values())))
    turn = _turns({**dict.fromkeys(CHANNELS, np.zeros(frames)), **angles})
    xyz = np.zeros((frames, len(NAMES), 3))
    frame: dict[int, np.ndarray] = {}
    for joint in ORDER:
        parent = PARENTS[joint]
        if parent < 0:
            frame[joint] = turn[joint]
            continue
        xyz[:, joint] = xyz[:, parent] + frame[parent] @ body.offsets[joint]
        # The legs stand on the floor whatever the pelvis does: their angles start from the heading,
        # not from the pelvis.
        start = turn[-1] if NAMES[joint].endswith("hip") else frame[parent]
        frame[joint] = start @ turn[joint] if joint in turn else start
    return xyz + _place(xyz, turn[-1], angles, frames)[:, None]


def about(axis: int, angle: np.ndarray) -> np.ndarray:
    """Right-handed rotations about x (0), y (1) or z (2), for column vectors.

    angle: (T,), degrees.   Returns: (T, 3, 3).
    """
    i, j = (axis + 1) % 3, (axis + 2) % 3
    radians = np.deg2rad(angle)
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, axis, axis] = 1
    matrix[:, i, i] = matrix[:, j, j] = np.cos(radians)
    matrix[:, j, i] = np.sin(radians)
    matrix[:, i, j] = -matrix[:, j, i]
    return matrix


def _turns(a: Angles) -> dict[int, np.ndarray]:
    """Rotation of each joint that turns, relative to what it hangs on; -1: the body's heading."""
    turn = {-1: about(1, a["heading"])}
    turn[JOINT["spine base"]] = turn[-1] @ about(0, -a["pelvis"])
    for name in ("spine mid", "spine shoulder"):  # the spine bends in two places
        twist, lean = about(1, a["twist trunk"] / 2), about(2, a["lean"] / 2)
        turn[JOINT[name]] = twist @ lean @ about(0, -a["bend"] / 2)
    turn[JOINT["neck"]] = about(1, a["shake"]) @ about(0, -a["nod"])
    for side, out in (("left", -1), ("right", 1)):
        # Swing, then twist: the upper arm is raised by `elevation` in the vertical plane that is
        # `plane` degrees outwards of straight ahead, then turned about itself; positive `rotation`
        # brings the bent forearm inwards.
        plane = about(1, -out * a[f"{side} plane"])
        raised = plane @ about(0, a[f"{side} elevation"]) @ plane.swapaxes(1, 2)
        turn[JOINT[f"{side} shoulder"]] = raised @ about(1, out * a[f"{side} rotation"])
        turn[JOINT[f"{side} elbow"]] = about(0, a[f"{side} elbow"])
        turn[JOINT[f"{side} wrist"]] = about(0, a[f"{side} wrist"])
        spread = about(2, out * a[f"{side} spread"])
        turn[JOINT[f"{side} hip"]] = spread @ about(0, a[f"{side} hip"])
        turn[JOINT[f"{side} knee"]] = about(0, -a[f"{side} knee"])
        turn[JOINT[f"{side} ankle"]] = about(0, a[f"{side} ankle"])
    return turn


def _place(xyz: np.ndarray, heading: np.ndarray, angles: Angles, frames: int) -> np.ndarray:
    """(T, 3) shift that puts the lower ankle on its spot on the floor.

    Blended smoothly while the weight changes sides.
    """
    ankles = xyz[:, [JOINT["left ankle"], JOINT["right ankle"]]]
    height = ankles[..., 1]
    weight = np.exp(-(height - height.min(1, keepdims=True)) / SHARED)
    share = weight / weight.sum(1, keepdims=True)
    spot = (ankles * share[..., None]).sum(1)
    length = {name: angles.get(name, np.zeros(frames)) for name in PLACE}
    steps = np.stack([length["aside"], length["jump"], -length["ahead"]], -1)
    travel = heading @ steps[..., None]
    return travel[..., 0] - spot + np.array([0, ANKLE, 0])
