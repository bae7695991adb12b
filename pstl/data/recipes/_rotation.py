"""The rotation that takes one direction to another."""

import numpy as np

SMALL = 1e-6  # a rotation with a smaller axis or angle is none


def turn(line: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation about their common normal that takes the direction of `line` (3,) to the unit vector `target` (3,).

    Returns: (3, 3) for column vectors; the identity if the axis or the angle is below 1e-6, so also for opposite vectors.
    """
    axis = np.cross(line, target)
    norm = float(np.linalg.norm(line))
    if np.abs(axis).sum() < SMALL or norm == 0:
        return np.eye(3)
    angle = float(np.arccos(np.clip(line @ target / norm, -1, 1)))
    if angle < SMALL:
        return np.eye(3)
    u = axis / np.linalg.norm(axis)
    cross = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)  # Rodrigues
