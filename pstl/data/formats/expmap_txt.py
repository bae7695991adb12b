"""CMU motion capture as exponential maps, one frame a row: root translation, then 38 joints x 3
angles in radians (Li et al., 2018).

Forward kinematics as the benchmark's 3-D protocol has it: the root's own translation and rotation
are left out, so a pose is relative to the hip centre and always faces the same way.
"""

import numpy as np

from pstl.data import number_table, reading
from pstl.skeletons.cmu38 import SKELETON

JOINTS = SKELETON.joints
ROOT = 3  # numbers before the joints' angles
LAYOUT = ((reading.UNREAD, ROOT), (reading.RADIANS, 3 * JOINTS))

# The joint each hangs on, and its place there, in the units of the recordings' skeleton files:
# x to the body's left, y up, z ahead.
TREE = (
    (0, (0, 0, 0)),
    (0, (0, 0, 0)),
    (1, (1.65674, -1.80282, 0.62477)),
    (2, (2.5972, -7.13576, 0)),
    (3, (2.49236, -6.8477, 0)),
    (4, (0.19704, -0.54136, 2.14581)),
    (5, (0, 0, 1.11249)),
    (0, (0, 0, 0)),
    (7, (-1.6107, -1.80282, 0.62476)),
    (8, (-2.59502, -7.12977, 0)),
    (9, (-2.4678, -6.78024, 0)),
    (10, (-0.23024, -0.63258, 2.13368)),
    (11, (0, 0, 1.11569)),
    (0, (0, 0, 0)),
    (13, (0.01961, 2.0545, -0.14112)),
    (14, (0.01021, 2.06436, -0.05921)),
    (15, (0, 0, 0)),
    (16, (0.00713, 1.56711, 0.14968)),
    (17, (0.03429, 1.56041, -0.10006)),
    (18, (0.01305, 1.6256, -0.05265)),
    (15, (0, 0, 0)),
    (20, (3.54205, 0.90436, -0.17364)),
    (21, (4.86513, 0, 0)),
    (22, (3.35554, 0, 0)),
    (23, (0, 0, 0)),
    (24, (0.66117, 0, 0)),
    (25, (0.53306, 0, 0)),
    (23, (0, 0, 0)),
    (27, (0.5412, 0, 0.5412)),
    (15, (0, 0, 0)),
    (29, (-3.49802, 0.75994, -0.32616)),
    (30, (-5.02649, 0, 0)),
    (31, (-3.36431, 0, 0)),
    (32, (0, 0, 0)),
    (33, (-0.73041, 0, 0)),
    (34, (-0.58887, 0, 0)),
    (32, (0, 0, 0)),
    (36, (-0.59786, 0, 0.59786)),
)  # fmt: skip
PARENTS = tuple(parent for parent, _ in TREE)
OFFSETS = np.array([offset for _, offset in TREE])
# One unit: 1 / 0.45 inch. Benchmarks multiply by 70 and speak of millimetres: 1.24 times too long.
METRES = 0.056444


def read(data: bytes, name: str) -> np.ndarray:
    """Angles of one file.   Returns: (T, 38, 3) radians, root translation left out.

    Raises: UserError naming the file that is not such a table.
    """
    rows = f"rows of {ROOT + 3 * JOINTS} finite numbers"
    table = number_table.read(data, name, LAYOUT, rows, comma=True, dtype=np.float64)
    return table[:, ROOT:].reshape(-1, JOINTS, 3)


def rotations(angles: np.ndarray) -> np.ndarray:
    """Rotation matrices of exponential maps (axis times angle), for column vectors.

    (..., 3) -> (..., 3, 3).
    """
    theta = np.linalg.norm(angles, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(angles, -1, 0) / np.maximum(theta[..., 0, 0], 1e-12)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(theta) * cross + (1 - np.cos(theta)) * (cross @ cross)


def positions(angles: np.ndarray) -> np.ndarray:
    """Joint positions relative to the hip centre, metres, y up.

    angles: (T, 38, 3).   Returns: (T, 38, 1, 3) float32.
    Rows times matrices, as in the public code: a joint's frame is its own rotation times that of
    the joint it hangs on.
    """
    local = rotations(angles)
    frame, xyz = np.broadcast_to(np.eye(3), local.shape).copy(), np.zeros((*angles.shape[:2], 3))
    for joint, parent in enumerate(PARENTS):
        if joint == parent:
            continue  # the root keeps still
        frame[:, joint] = local[:, joint] @ frame[:, parent]
        xyz[:, joint] = OFFSETS[joint] * METRES @ frame[:, parent] + xyz[:, parent]
    return xyz[:, :, None].astype(np.float32)
