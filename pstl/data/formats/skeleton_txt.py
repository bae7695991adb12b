"""The `.skeleton` text of NTU RGB+D: read, write, and the meaning of its file names (Data spec 2,
PSTL spec 2.1).

<frames>
  <bodies>
  0 is allowed; nothing follows for that frame
    bodyID clipped handLConf handLState handRConf handRState restricted leanX leanY trackingState
    25
    x y z depthX depthY colorX colorY qw qx qy qz trackingState     x 25
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.data import reading
from pstl.data.formats._digits import WORD, NotANumber, Words, words
from pstl.data.formats._skeleton_frames import CHUNK, HEADER, ROW, check_lines, not_a_number, walk
from pstl.errors import UserError
from pstl.records import Clip
from pstl.skeletons.kinect_v2 import SKELETON

JOINTS = SKELETON.joints
MOST_BODIES = 6  # of a frame
MOST_IDS = 255  # of a clip
OUTERMOST = [3, 15, 19, 21, 22, 23, 24]  # head, feet, hand tips, thumbs: their orientation is zero
NOTHING = np.zeros((0, JOINTS, 0, 3), np.float32)
NAME = re.compile("".join(f"{letter}([0-9]{{3}})" for letter in "SCPRA"))


class Skeletons(NamedTuple):
    """One file: M body slots in file order, as many as its fullest frame has; what is absent is 0.

    xyz: (T, V, M, 3) float32, metres, camera space.
    ids: (T, M) int64, 17 digits: two people may differ in the last one only, so never make them
    floats.   tracking: (T, V, M) uint8, 2 tracked, 1 inferred, 0 unknown.
    """

    xyz: np.ndarray
    ids: np.ndarray
    tracking: np.ndarray


class ClipName(NamedTuple):
    """What a file name tells, all numbered from 1."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    def __str__(self) -> str:
        return "S{:03d}C{:03d}P{:03d}R{:03d}A{:03d}".format(*self)


def parse_name(text: str) -> ClipName:
    """The numbers in `SsssCcccPpppRrrrAaaa`, with or without the ending `.skeleton`.

    Raises: UserError for any other name.
    >>> parse_name("S001C002P003R001A060.skeleton")
    ClipName(setup=1, camera=2, performer=3, replication=1, action=60)
    """
    match = NAME.fullmatch(text.removesuffix(".skeleton"))
    if not match:
        raise UserError(
            f"{text}: not an NTU clip name; expected SsssCcccPpppRrrrAaaa.skeleton, e.g. "
            "S001C002P003R001A060.skeleton"
        )
    return ClipName(*map(int, match.groups()))


def read(source: str | Path | bytes, name: str = "") -> Skeletons:
    """Read one file, or its bytes; `name` is what errors call it (default: the path).

    LF and CRLF, integers, decimals and exponents. NaN is let through in the columns that are not
    read (depth, colour, orientation).
    Raises: UserError that names the file if it is empty, truncated or longer than it says, if a
    joint count is not 25, a value is not a number, a coordinate is not finite, or no frame has a
    body.
    """
    if isinstance(source, bytes):
        data, name = source, name or "skeleton text"
        reading.check_size(len(data), name)
    else:
        data, name = reading.content(source), name or str(source)
    values = words(data)
    if not len(values):
        raise UserError(f"{name}: the file is empty, expected a number of frames; {reading.REPAIR}")
    try:
        values.check_numeric()
        frames, bodies = walk(values, name)
        if not len(bodies):
            raise UserError(
                f"{name}: none of {frames} frames has a body; add the name to the list of missing "
                "skeletons or remove the file"
            )
        check_lines(values, bodies, name)
        return _gather(values, frames, bodies, len(data), name)
    except NotANumber as wrong:
        raise not_a_number(wrong.word, "a number", name) from None


def clip_of(name: ClipName, skeletons: Skeletons) -> Clip:
    """A file as a clip; its name says all but the coordinates."""
    numbers = (name.performer, name.camera, name.setup)
    bodies, one_as_floats = numbered(skeletons.ids), merged(skeletons.ids)
    label = name.action - 1
    return Clip(str(name), label, skeletons.xyz, *numbers, bodies, merged=one_as_floats)


def numbered(ids: np.ndarray) -> np.ndarray:
    """Body ids as small numbers: 1, 2, ... in the order of first appearance, 0 where there is none.

    (T, M) int64 -> (T, M) uint8.
    >>> first, second = 72057594037944738, 72057594037944734
    >>> numbered(np.array([[0, 0], [first, 0], [second, first]])).tolist()
    [[0, 0], [1, 0], [2, 1]]

    Raises: UserError if there are more than a byte counts.
    """
    exact, rank = _appearing(ids)
    if len(exact) > MOST_IDS:
        raise UserError(
            f"{len(exact)} body ids in one clip, expected at most {MOST_IDS}; the recording is "
            "damaged"
        )
    return rank.reshape(ids.shape).astype(np.uint8)


def merged(ids: np.ndarray) -> tuple[int, ...]:
    """Which bodies of numbered() are one for a reader that holds ids as floats, which are 16 apart
    at 17 digits.

    ids: (T, M) int64.   Returns: for body 1, 2, ... its number there, in the order of first
    appearance; () if all stay apart.

    >>> first, near, far = 72057594037944738, 72057594037944734, 72057594037945000
    >>> merged(np.array([[first, near], [first, far]]))
    (1, 1, 2)
    """
    exact, _ = _appearing(ids)
    floats, rank = _appearing(exact.astype(np.float64))
    return () if len(floats) == len(exact) else tuple(rank.tolist())


def _appearing(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values that are not 0, in the order in which they first appear, and where among them each
    stands: 1, 2, ..., 0 for a 0."""
    unique, first, which = np.unique(values, return_index=True, return_inverse=True)
    order = np.flatnonzero(unique != 0)
    order = order[np.argsort(first[order])]
    rank = np.zeros(len(unique), np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return unique[order], rank[which]


def write(
    path: str | Path,
    xyz: np.ndarray,
    ids: np.ndarray,
    tracking: np.ndarray,
    crlf: bool = False,
    rng: np.random.Generator | None = None,
) -> None:
    """Write the text() of a recording: xyz (T, V, M, 3), ids (T, M), tracking (T, V, M)."""
    Path(path).write_bytes(text(xyz, ids, tracking, crlf, rng))


def text(
    xyz: np.ndarray,
    ids: np.ndarray,
    tracking: np.ndarray,
    crlf: bool = False,
    rng: np.random.Generator | None = None,
) -> bytes:
    """The arrays of a Skeletons as a file: xyz (T, V, M, 3), ids (T, M), tracking (T, V, M).

    A slot with id 0 is absent from its frame, and the slots behind it move up.

    Depth and colour pixels are the pinhole projections of a Kinect v2, seven digits, like the
    originals. Orientations are zero, as the sensor has them for the outermost joints, unless `rng`
    draws them; it also makes some colour pixels NaN. No reader uses them.
    """
    end = "\r\n" if crlf else "\n"
    number = "%.1f" if rng is None else "%.7g"
    joint = " ".join(["%.7g"] * 3 + [number] * 4 + ["%.7g"] * 4 + ["%d"])
    body = end.join(["%d 0 0 0 0 0 0 0 0 2", str(JOINTS)] + [joint] * JOINTS)
    present = ids != 0
    parts = [str(len(xyz))]
    for count in present.sum(1).tolist():
        parts += [str(count)] + [body] * count
    bodies = xyz.transpose(0, 2, 1, 3)[present].astype(np.float64)  # (B, V, 3) in file order
    pixels, turns = _pixels(bodies), np.zeros((*bodies.shape[:2], 4))
    if rng is not None:
        orientations = rng.normal(size=turns.shape)
        turns = orientations / np.linalg.norm(orientations, axis=-1, keepdims=True)
        turns[:, OUTERMOST] = 0
        pixels[rng.random(bodies.shape[:2]) < 0.001, 2:] = np.nan
    rows = np.concatenate(
        [bodies, pixels, turns, tracking.transpose(0, 2, 1)[present][..., None]], axis=-1
    )
    values: list[float | int] = []
    for identity, row in zip(
        ids[present].tolist(), rows.reshape(len(rows), -1).tolist(), strict=True
    ):
        values.append(identity)  # a Python int: %d prints all 17 digits
        values += row
    return (end.join(parts) % tuple(values) + end).encode("ascii")


def _gather(values: Words, frames: int, bodies: np.ndarray, size: int, name: str) -> Skeletons:
    """Convert the columns that are used, some bodies at a time."""
    frame, slot, at = bodies.T
    people = int(slot.max()) + 1
    if people > MOST_BODIES:
        raise UserError(
            f"{name}: {people} bodies in frame {frame[slot.argmax()] + 1}, a Kinect v2 sees at "
            f"most {MOST_BODIES}; the file is damaged"
        )
    reading.check_arrays(frames * people * (JOINTS * 13 + 8), size, name)
    xyz = np.zeros((frames, JOINTS, people, 3), np.float32)
    ids = np.zeros((frames, people), np.int64)
    tracking = np.zeros((frames, JOINTS, people), np.uint8)
    labels = values.texts(at)
    identities = {
        label: _identity(label, name) for label in dict.fromkeys(labels)
    }  # few people, many frames
    if len(identities) > MOST_IDS:
        raise UserError(
            f"{name}: {len(identities)} body ids, expected at most {MOST_IDS}; the file is damaged"
        )
    ids[frame, slot] = [identities[label] for label in labels]
    for first in range(0, len(at), CHUNK):
        t, m, begin = (
            frame[first : first + CHUNK],
            slot[first : first + CHUNK],
            at[first : first + CHUNK],
        )
        rows = (
            begin[:, None] + HEADER + 1 + ROW * np.arange(JOINTS)
        )  # (B, V): values that begin a joint
        xyz[t, :, m] = _coordinates(values, rows, t, name)
        tracking[t, :, m] = _states(values, rows + ROW - 1, name)
    return Skeletons(xyz, ids, tracking)


def _coordinates(values: Words, rows: np.ndarray, frame: np.ndarray, name: str) -> np.ndarray:
    """(B, V, 3) of the joints that begin with the values `rows` (B, V)."""
    xyz = np.empty(3 * rows.size)
    values.fill(xyz, (rows[..., None] + np.arange(3)).reshape(-1))
    xyz = xyz.reshape(*rows.shape, 3)
    is_sound = np.abs(xyz) <= reading.METRES.limit  # NaN is not
    if not is_sound.all():
        body, joint = np.argwhere(~is_sound)[0, :2]
        raise UserError(
            f"{name}: joint {joint + 1} in frame {frame[body] + 1} has NaN, infinite or absurd "
            "coordinates, "
            f"expected at most {reading.METRES.limit:g} m; repair or remove the file"
        )
    return xyz


def _states(values: Words, index: np.ndarray, name: str) -> np.ndarray:
    """Tracking states, one digit each."""
    start, end = values.start[index], values.end[index]
    state = values.padded[WORD:][start] - np.uint8(ord("0"))
    if not ((end - start == 1) & (state < 10)).all():
        wrong = index.flat[int(np.argmax((end - start != 1) | (state > 9)))]
        raise not_a_number(values[wrong], "an integer, the tracking state", name)
    return state


def _identity(word: bytes, name: str) -> int:
    """A body's id: up to 19 digits, which a float would not hold."""
    if not word.isdigit() or len(word) > 19 or int(word) >= 2**63:
        raise not_a_number(word, "a body id of 17 digits", name)
    if not int(word):
        raise UserError(
            f"{name}: a body id is zero, expected 17 digits; zero is what marks an absent body here"
        )
    return int(word)


def _pixels(bodies: np.ndarray) -> np.ndarray:
    """(B, V, 3) metres -> (B, V, 4): depth x, y and colour x, y, with a Kinect v2's usual
    intrinsics."""
    u, v = bodies[..., 0] / bodies[..., 2], -bodies[..., 1] / bodies[..., 2]
    return np.stack([256 + 366 * u, 212 + 366 * v, 960 + 1060 * u, 540 + 1060 * v], axis=-1)
