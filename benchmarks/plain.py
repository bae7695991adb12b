"""Reading and normalising in plain Python, such as released code is made of: one clip at once."""

import math
from collections.abc import Callable

import numpy as np

from pstl.data.formats.skeleton_txt import JOINTS
from pstl.records import Clip
from pstl.skeletons import load

# The numbers of a joint's row.
PIXELS = ("depth_x", "depth_y", "colour_x", "colour_y")
FIELDS = ("x", "y", "z", *PIXELS, "turn_w", "turn_x", "turn_y", "turn_z", "state")


def plain_read(data: bytes) -> np.ndarray:
    """The reader that the papers' code descends from: line by line, a dictionary for every joint.

    data: a `.skeleton` file.   Returns: (T, V, 2, 3) float32.
    """
    lines = iter(data.decode("ascii").splitlines())
    frames = []
    for _ in range(int(next(lines))):
        bodies = []
        for _ in range(int(next(lines))):
            next(lines)
            joints = []
            for _ in range(int(next(lines))):
                joints.append(dict(zip(FIELDS, map(float, next(lines).split()), strict=True)))
            bodies.append(joints)
        frames.append(bodies)
    x = np.zeros((len(frames), JOINTS, 2, 3), np.float32)
    for t, bodies in enumerate(frames):
        for m, body in enumerate(bodies[:2]):
            for v, joint in enumerate(body):
                x[t, v, m] = joint["x"], joint["y"], joint["z"]
    return x


def plain_resize50(clip: Clip, frames: int = 50) -> np.ndarray:
    """PSTL's recipe for one clip, in loops over its two bodies, present or not, and their frames.

    Returns: (3, frames, V, 2) float32.
    """
    skeleton = load("kinect_v2")
    left, right = skeleton.shoulders
    x = np.zeros((3, frames, JOINTS, 2), np.float32)
    xyz = np.concatenate([clip.xyz, np.zeros_like(clip.xyz)], axis=2)[:, :, :2]
    length = sum(1 for frame in xyz if np.abs(frame[0, 0]).sum() > 0) or len(xyz)
    for m in range(2):
        moved = [frame[:, m] - frame[skeleton.centre, m] for frame in xyz[:length]]
        resized = []
        for t in range(frames):
            at = (t + 0.5) * length / frames - 0.5
            low, high = (min(max(math.floor(at) + i, 0), length - 1) for i in (0, 1))
            resized.append(
                moved[low] * (1 - (at - math.floor(at))) + moved[high] * (at - math.floor(at))
            )
        lines = [frame[right] - frame[left] for frame in resized]
        sign = -1 if sum(line[2] for line in lines) >= 0 else 1
        for t, (frame, line) in enumerate(zip(resized, lines, strict=True)):
            angle = sign * math.acos(line[0] / (math.hypot(line[0], line[2]) + 1e-4))
            cos, sin = math.cos(angle), math.sin(angle)
            x[:, t, :, m] = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) @ frame.T
    return x


def plain_spine300(clip: Clip) -> np.ndarray:
    """SCD-Net's recipe for one clip, in loops over bodies, frames and joints.

    Returns: (3, T, V, 2) float32.
    """
    skeleton = load("kinect_v2")
    bodies = [clip.xyz[:, :, slot].astype(np.float64) for slot in range(min(clip.xyz.shape[2], 4))]
    spreads = []
    for body in bodies:
        present = [frame for frame in body if frame.any()]
        spreads.append(sum(np.concatenate(present).std(0)) if present else 0.0)
    chosen = [plain_fill(bodies[i]) for i in np.argsort(-np.array(spreads), kind="stable")[:2]]
    middle = chosen[0][:, skeleton.spine[1] : skeleton.spine[1] + 1]
    chosen = [(body - middle) * (body.sum(-1, keepdims=True) != 0) for body in chosen]
    for (start, end), target in (
        (skeleton.spine, (0.0, 0.0, 1.0)),
        (skeleton.shoulders, (1.0, 0.0, 0.0)),
    ):
        line = chosen[0][0, end] - chosen[0][0, start]
        axis, angle = np.cross(line, target), math.acos(line @ target / np.linalg.norm(line))
        u, v, w = axis / np.linalg.norm(axis)
        cross = np.array([[0, -w, v], [w, 0, -u], [-v, u, 0]])
        rotation = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
        for body in chosen:
            for frame in body:
                if not frame.any():
                    continue
                for i, joint in enumerate(frame):
                    frame[i] = np.dot(rotation, joint)
    x = np.zeros((3, len(clip.xyz), JOINTS, 2), np.float32)
    for m, body in enumerate(chosen):
        x[..., m] = body.transpose(2, 0, 1)
    return x


def plain_fill(body: np.ndarray) -> np.ndarray:
    """A late start moved to the front, an early end filled by repetition.   (T, V, 3), as given."""
    body = body.copy()
    if body.any() and not body[0].any():
        kept = [frame.copy() for frame in body if frame.any()]
        body[:] = 0
        body[: len(kept)] = kept
    for t, frame in enumerate(body):
        if t and not frame.any() and not body[t:].any():
            for later in range(t, len(body)):
                body[later] = body[later - t]
            break
    return body


RECIPES: dict[str, Callable[[Clip], np.ndarray]] = {
    "resize50": plain_resize50,
    "spine300": plain_spine300,
}
