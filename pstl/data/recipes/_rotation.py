"""The rotation that takes one direction to another."""

import math

import numpy as np

SMALL = 1e-6  # a rotation with a smaller axis or angle is none


def turn(line: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation about their common normal that takes the direction of `line` (3,) to the unit
    vector `target` (3,).

    Returns: (3, 3) for column vectors; the identity if the axis or the angle is below 1e-6, so also
    for opposite vectors.
    """
    # Plain numbers: on three of them an array operation costs ten times its arithmetic, and there
    # are two lines in every clip.
    (x, y, z), (a, b, c) = line.tolist(), target.tolist()
    u, v, w = y * c - z * b, z * a - x * c, x * b - y * a
    norm, across = math.hypot(x, y, z), math.hypot(u, v, w)
    if abs(u) + abs(v) + abs(w) < SMALL or norm == 0:
        return np.eye(3)
    angle = math.acos(min(max((x * a + y * b + z * c) / norm, -1.0), 1.0))
    if angle < SMALL:
        return np.eye(3)
    u, v, w = u / across, v / across, w / across
    cos, sin = math.cos(angle), math.sin(angle)
    d = 1 - cos
    return np.array(  # Rodrigues
        [
            [cos + d * u * u, d * u * v - sin * w, d * u * w + sin * v],
            [d * u * v + sin * w, cos + d * v * v, d * v * w - sin * u],
            [d * u * w - sin * v, d * v * w + sin * u, cos + d * w * w],
        ]
    )


def turned(x: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Every vector of x (..., 3) turned, as one matrix product."""
    return np.asarray((x.reshape(-1, 3) @ rotation.T).reshape(x.shape))
