"""PSP's own preparation of an NTU clip, step by step in plain loops (PSP spec 2.1): what
`scaled300` must equal. Float64 throughout.

Nothing here is shared with the recipe. Of the released code's slips only two are left out, as PSP
spec 2.1 says: a third copy of an id in one frame does not overwrite the second, and emptiness is
"all zero" instead of "sums to zero".
"""

import math

import numpy as np

ENERGY, LEAN, MOST = 0.85, 0.8, 2
LOW, TOP, ELBOW = 0, 20, 5  # base of the spine, spine at the shoulders, left elbow


def prepared(xyz, ids, exact=False):
    """xyz: (T, 25, slots, 3).

    ids: (T, slots) int64, 0 for none.   Returns: (people, T', 25, 3), empty frames left out.
    """
    bodies = select(tracks(xyz, ids, exact))
    filled = [t for t in range(len(xyz)) if any(body[t].any() for body in bodies)]
    return turn_and_scale([body[filled].copy() for body in bodies])


def tracks(xyz, ids, exact):
    """Every body as (T, 25, 3), zero where it is absent, in the order in which they appear."""
    bodies = {}
    for t in range(len(xyz)):
        taken = []
        for slot in range(xyz.shape[2]):
            if not ids[t, slot]:
                continue
            identity = int(ids[t, slot]) if exact else int(float(ids[t, slot]))
            copies = taken.count(identity)
            taken.append(identity)
            body = bodies.setdefault((identity, copies), np.zeros((len(xyz), 25, 3)))
            body[t] = xyz[t, :, slot]
    return list(bodies.values())


def select(bodies):
    """At most two, the most energetic first."""
    if len(bodies) == 1:
        return bodies
    bodies = sorted(bodies, key=energy, reverse=True)
    strongest = energy(bodies[0])
    kept = [body for body in bodies if energy(body) >= ENERGY * strongest or is_person(body)]
    return kept[:MOST]


def energy(body):
    total = 0.0
    for axis in range(3):
        values = []
        for frame in body:
            if frame.any():
                values += [float(joint[axis] - frame[LOW][axis]) for joint in frame]
        mean = sum(values) / len(values)
        total += math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
    return total


def is_person(body):
    """The bounding box of all joints in the first frame in which the body is."""
    first = next(frame for frame in body if frame.any())
    width = max(joint[0] for joint in first) - min(joint[0] for joint in first)
    height = max(joint[1] for joint in first) - min(joint[1] for joint in first)
    return LEAN * height > width


def turn_and_scale(bodies):
    """One origin, one unit and two rotations a clip, all from the first body; its frame 0 may be
    empty, then only the unit is."""
    first = bodies[0]
    origin = first[0, LOW].copy()
    for body in bodies:
        for frame in body:
            for joint in frame:
                if joint.any():
                    joint -= origin
    lengths = [math.dist(frame[TOP], frame[LOW]) for frame in first]
    unit = next((length for length in lengths if length), 1.0)
    for body in bodies:
        body /= unit
    rotate(bodies, first[0, TOP] - first[0, LOW], (0.0, 0.0, 1.0))
    across = first[0, ELBOW] - first[0, TOP]
    rotate(bodies, np.array([across[0], across[1], 0.0]), (1.0, 0.0, 0.0))
    return np.stack(bodies)


def rotate(bodies, line, target):
    """Every joint about the normal of both lines, by the angle between them."""
    axis = np.cross(line, target)
    if not np.linalg.norm(line) or np.abs(axis).sum() < 1e-6:
        return
    angle = math.acos(
        max(-1.0, min(1.0, float(np.dot(line, target)) / float(np.linalg.norm(line))))
    )
    if angle < 1e-6:
        return
    axis = axis / np.linalg.norm(axis)
    for body in bodies:
        for frame in body:
            for joint in frame:
                along = axis * np.dot(axis, joint)
                joint[:] = (
                    along
                    + math.cos(angle) * (joint - along)
                    + math.sin(angle) * np.cross(axis, joint)
                )
