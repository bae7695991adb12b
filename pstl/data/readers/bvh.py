"""Motion capture as BVH: a hierarchy of joints, and the angles of each in every frame."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pstl.contracts import Reader
from pstl.data import number_table, reading
from pstl.data.readers._people import LARGEST, person
from pstl.data.reading import REPAIR, Unit
from pstl.errors import UserError
from pstl.records import Poses
from pstl.skeletons.joint_names import normal

OFFSETS = Unit("", LARGEST)
ANGLES = Unit("", LARGEST)
CHANNELS = ("Xposition", "Yposition", "Zposition", "Xrotation", "Yrotation", "Zrotation")
DEEPEST = 64  # joints from the root to a tip
BODY = "smpl24"
# What a joint stands for, by the first pattern that fits the words of its name. Programs call a
# bone's beginning by the bone: the joint LeftLeg is the knee.
TRUNK = (
    (r"hips?|pelvis|root|hip centre", "hip centre"),
    (r"neck 1|neck 2", ""),
    (r"neck|neck base", "neck"),
    (r"head", "head"),
)
SPINE = re.compile(r"(lower back|spine|chest|torso|abdomen|waist|upper back|upper chest)( [0-9]+)?")
LIMBS = (
    (r"up leg|upper leg|thigh|hip|hip joint|up leg 1", "hip"),
    (r"leg|lower leg|low leg|shin|calf|knee", "knee"),
    (r"foot|ankle", "ankle"),
    (r"toe base|toe|toes|ball|toe 0", "foot"),
    (r"arm|upper arm|up arm", "shoulder"),
    (r"fore arm|forearm|lower arm|low arm|elbow", "elbow"),
    (r"hand|wrist", "wrist"),
    (r"hand index 1|hand middle 1|finger base|fingers base|middle 1|palm", "hand"),
    (r"collar|clavicle|shoulder 1", "clavicle"),
)


@dataclass
class Node:
    """One joint of the hierarchy.

    parent: its place in the list, -1 for the root.   first: its first channel in a frame's row.
    """

    name: str
    parent: int
    offset: np.ndarray
    channels: list[str] = field(default_factory=list)
    first: int = 0


class Bvh(Reader):
    """Positions follow from the angles, channel by channel in the file's order."""

    suffixes = (".bvh",)
    expects = "HIERARCHY with ROOT, JOINT, OFFSET and CHANNELS, then MOTION with Frames"

    def read(self, data: bytes, where: str, body: str) -> Poses:
        """One person, in the joints of SMPL's body if no other is named."""
        lines = list(reading.lines(data, where, reading.LARGEST_FILE))
        texts = [line for _, line in lines]
        if not texts or texts[0].upper() != "HIERARCHY":
            raise UserError(f"{where}: begins with {texts[:1]!r}, expected {self.expects}")
        motion = next((i for i, line in enumerate(texts) if line.upper() == "MOTION"), 0)
        if not motion:
            raise UserError(f"{where}: no line MOTION, expected {self.expects}; {REPAIR}")
        nodes = hierarchy(lines[1:motion], where)
        rows = _rows(texts[motion + 1 :], nodes, where)
        positions = forward(nodes, rows)  # (T, J, 3)
        names = house_names(nodes)
        if len(set(names) - {""}) < 3:
            shown = ", ".join(node.name for node in nodes[:6])
            raise UserError(f"{where}: joints {shown}, ...: not those of a person as known here")
        kept = [j for j, name in enumerate(names) if name]
        frames = tuple((person(frame[kept], None),) for frame in positions)
        joints = tuple(names[j] for j in kept)
        return Poses(frames, body or BODY, joints, zero_is_unseen=False)


def hierarchy(lines: Sequence[tuple[int, str]], where: str) -> list[Node]:
    """The joints in the order of the file; end sites are none."""
    nodes: list[Node] = []
    above: list[int] = []  # joints whose braces are open; -1 for an end site
    opened: int | None = None
    channels = 0
    for number, line in lines:
        words = reading.fields(line)
        head, place = words[0].upper(), f"{where}: line {number}"
        if head in ("ROOT", "JOINT") and len(words) > 1:
            parent = above[-1] if above else -1
            if (head == "ROOT") == bool(above) or parent < 0 < len(nodes):
                raise UserError(f"{place}: {line[:40]!r} at this depth; {REPAIR}")
            nodes.append(Node(" ".join(words[1:]), parent, np.zeros(3)))
            opened = len(nodes) - 1
        elif head == "END":
            opened = -1
        elif head == "{":
            if opened is None or len(above) >= DEEPEST:
                raise UserError(f"{place}: a brace without a joint; {REPAIR}")
            above.append(opened)
            opened = None
        elif head == "}":
            if not above:
                raise UserError(f"{place}: a brace is closed that was not opened; {REPAIR}")
            above.pop()
        elif head == "OFFSET" and above and len(words) == 4:
            offset = [reading.number(word, place, OFFSETS) for word in words[1:]]
            if above[-1] >= 0:
                nodes[above[-1]].offset = np.array(offset)
        elif head == "CHANNELS" and above and above[-1] >= 0 and len(words) > 1:
            known = {name.lower(): name for name in CHANNELS}
            named = [known.get(word.lower(), "") for word in words[2:]]
            if words[1] != str(len(named)) or "" in named:
                expected = f"their number, then of {', '.join(CHANNELS)}"
                raise UserError(f"{place}: {line[:60]!r}, expected CHANNELS, {expected}")
            nodes[above[-1]].channels, nodes[above[-1]].first = named, channels
            channels += len(named)
        else:
            raise UserError(f"{place}: found {line[:40]!r}, expected a line of a hierarchy")
    if not nodes or above:
        raise UserError(f"{where}: the hierarchy ends with open braces; {REPAIR}")
    return nodes


def _rows(lines: Sequence[str], nodes: Sequence[Node], where: str) -> np.ndarray:
    """The numbers of every frame (T, channels)."""
    channels = sum(len(node.channels) for node in nodes)
    head = " ".join(lines[:2])
    match = re.match(r"Frames: *([0-9]+) +Frame Time: *[0-9.eE+-]+$", head, re.IGNORECASE)
    if not match:
        raise UserError(f"{where}: after MOTION {head[:60]!r}, expected Frames: and Frame Time:")
    expected = f"{channels} numbers a frame, one for every channel"
    text = "\n".join(lines[2:]).encode()
    table = number_table.read(text, where, [(ANGLES, channels)], expected, dtype=np.float64)
    if len(table) != int(match.group(1)):
        raise UserError(f"{where}: {len(table)} frames, says Frames: {match.group(1)}; {REPAIR}")
    return table


def forward(nodes: Sequence[Node], rows: np.ndarray) -> np.ndarray:
    """Where every joint is (T, J, 3), from the numbers of every frame (T, channels).

    A joint's rotations are multiplied in the order of its channels; a position channel takes the
    place of that coordinate of the offset.
    """
    turned: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for node in nodes:
        offset = np.repeat(node.offset[None], len(rows), axis=0)
        local = np.repeat(np.eye(3)[None], len(rows), axis=0)
        for k, channel in enumerate(node.channels):
            axis, values = "XYZ".index(channel[0]), rows[:, node.first + k]
            if channel.endswith("position"):
                offset[:, axis] = values
            else:
                local = local @ about(axis, np.deg2rad(values))
        if node.parent < 0:
            places.append(offset)
            turned.append(local)
        else:
            above = turned[node.parent]
            places.append(places[node.parent] + (above @ offset[..., None])[..., 0])
            turned.append(above @ local)
    return np.stack(places, axis=1)


def about(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) about a coordinate axis, for column vectors.   angle: (T,), radians."""
    rotation = np.repeat(np.eye(3)[None], len(angle), axis=0)
    one, two = (axis + 1) % 3, (axis + 2) % 3
    rotation[:, one, one] = rotation[:, two, two] = np.cos(angle)
    rotation[:, two, one] = np.sin(angle)
    rotation[:, one, two] = -np.sin(angle)
    return rotation


def house_names(nodes: Sequence[Node]) -> list[str]:
    """What each joint is called here; "" for one that no body has. No name is given twice."""
    names: list[str] = []
    sides_with_arms = {normal(node.name).split(" ")[0] for node in nodes if _is_arm(node.name)}
    spine = [j for j, node in enumerate(nodes) if SPINE.fullmatch(normal(_bare(node.name)))]
    for j, node in enumerate(nodes):
        name = _house_name(normal(_bare(node.name)), sides_with_arms)
        if j in spine:
            name = _of_spine(spine.index(j), len(spine))
        names.append("" if name in names else name)
    if nodes and "hip centre" not in names:
        names[0] = "hip centre"
    return names


def _bare(name: str) -> str:
    """A name without the prefix that programs put before it: mixamorig:Hips is Hips."""
    return name.rpartition(":")[2]


def _is_arm(name: str) -> bool:
    return re.fullmatch(r"(left|right) (arm|upper arm|up arm)", normal(_bare(name))) is not None


def _of_spine(place: int, count: int) -> str:
    """The joints between hips and neck, from below: lower back, upper back, chest."""
    if count == 1:
        return "upper back"
    if place in (0, count - 1):
        return "lower back" if place == 0 else "chest"
    return "upper back"


def _house_name(name: str, sides_with_arms: set[str]) -> str:
    side, _, rest = name.partition(" ")
    if side not in ("left", "right"):
        return next((joint for pattern, joint in TRUNK if re.fullmatch(pattern, name)), "")
    if rest == "shoulder":  # the collar where there is an arm, else the shoulder
        return f"{side} {'clavicle' if side in sides_with_arms else 'shoulder'}"
    joint = next((joint for pattern, joint in LIMBS if re.fullmatch(pattern, rest)), "")
    return f"{side} {joint}" if joint else ""


READER = Bvh()
