"""Tables of numbers as text: a row for every frame, or for every person in a frame."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pstl.contracts import Reader
from pstl.data import reading
from pstl.data.readers._people import LARGEST, person
from pstl.data.reading import REPAIR, Unit
from pstl.errors import UserError
from pstl.records import Person, Poses
from pstl.skeletons import load
from pstl.skeletons.mapping import fitting

NUMBERS = Unit("", LARGEST)
SEPARATORS = (",", ";", "\t")
FRAME = ("frame", "frame id", "frame number", "image id", "time", "timestamp", "index")
PERSON = ("person", "person id", "body", "body id", "track", "track id", "skeleton id", "id")
AXES = ("x", "y", "z")
SCORE = ("c", "score", "confidence", "conf", "visibility", "likelihood", "prob")
UNSEEN = ("", "nan", "na", "null", "none")
COLUMN = re.compile(r"(.*?)[ _.:-]*(x|y|z|c|score|confidence|conf|visibility|likelihood|prob)")
NUMBERED = re.compile(r"([xyz])[ _]?([0-9]+)")  # x0, y0, z0, x1, ...
ORDER = re.compile(r"(?:joint|keypoint|landmark|point|kp|j|p)?[ _]?([0-9]+)")


class Layout(NamedTuple):
    """What the columns of a table are.

    places: (V, 3) columns of x, y and z, -1 where there is no z.   scores: (V,) columns of
    confidences, -1 where there is none.   joints: names, () where they are only numbered.
    frame, track: columns, -1 where there is none.
    """

    places: np.ndarray
    scores: np.ndarray
    joints: tuple[str, ...]
    frame: int = -1
    track: int = -1

    def read(self) -> list[int]:
        """The columns that hold numbers of joints."""
        columns = np.concatenate([self.places.ravel(), self.scores])
        return [int(column) for column in columns[columns >= 0]]


class CsvTable(Reader):
    """Columns such as left_wrist_x, left_wrist_y, left_wrist_z and left_wrist_score; or the joints
    in a body's order, with numbered columns (x0, y0, z0, x1, ...) or without a header."""

    suffixes = (".csv", ".tsv")
    expects = (
        "a header of columns such as frame, person, left_wrist_x, left_wrist_y, left_wrist_z, or "
        "the numbers of a body's joints in its order"
    )

    def read(self, data: bytes, where: str, body: str) -> Poses:
        """The people of all frames: rows of one frame value are of one frame, and frames are in
        the order of their numbers, or else of the file."""
        lines = list(reading.lines(data, where, reading.LARGEST_FILE))
        if not lines:
            raise UserError(f"{where}: the file is empty, expected {self.expects}")
        separator = next((mark for mark in SEPARATORS if mark in lines[0][1]), ",")
        rows = [(number, _words(line, separator)) for number, line in lines]
        has_names = any(not _is_number(word) for word in rows[0][1])
        header = rows[0][1] if has_names else []
        layout = _named(header, where) if has_names else _ordered(len(rows[0][1]), body, where)
        frames: dict[str, list[Person]] = {}
        for number, words in rows[has_names:]:
            if len(words) != len(rows[0][1]):
                count = f"{len(words)} values, expected {len(rows[0][1])}"
                raise UserError(f"{where}: line {number}: {count}; {REPAIR}")
            place = f"{where}: line {number}"
            time = str(number) if layout.frame < 0 else words[layout.frame]
            frames.setdefault(time, []).append(_person(words, layout, place))
        if not frames:
            raise UserError(f"{where}: a header and no row below it; {REPAIR}")
        ordered = tuple(tuple(frames[time]) for time in _in_time(list(frames), where))
        flat = bool((layout.places[:, 2] < 0).all())
        return Poses(ordered, body, layout.joints, units="picture" if flat else "")


def _in_time(frames: list[str], where: str) -> list[str]:
    """Frames by their numbers; as they stand where none has one, like the times of a clock."""
    words = [frame for frame in frames if not reading.NUMBER.fullmatch(frame)]
    if words and len(words) < len(frames):
        raise UserError(f"{where}: frame {words[0][:30]!r} among numbers; {REPAIR}")
    return frames if words else sorted(frames, key=reading.parsed)


def _words(line: str, separator: str) -> list[str]:
    return [word.strip(" \t\"'") for word in line.split(separator)]


def _is_number(word: str) -> bool:
    return word.lower() in UNSEEN or reading.NUMBER.fullmatch(word) is not None


def _value(word: str, where: str) -> float:
    """A number; NaN for what stands for none."""
    if word.lower() in UNSEEN:
        return np.nan
    return reading.number(word, where, NUMBERS)


def _person(words: Sequence[str], layout: Layout, where: str) -> Person:
    values = np.full(len(words) + 1, np.nan)  # the last one stands for a column that is not there
    for column in layout.read():
        values[column] = _value(words[column], where)
    dimensions = 2 if (layout.places[:, 2] < 0).all() else 3
    points = values[layout.places[:, :dimensions]]
    score = values[layout.scores] if (layout.scores >= 0).any() else None
    return person(points, score, words[layout.track] if layout.track >= 0 else "")


def _named(header: Sequence[str], where: str) -> Layout:
    """The columns by their names."""
    joints: dict[str, dict[str, int]] = {}
    special = {"frame": -1, "track": -1}
    for column, title in enumerate(header):
        name = " ".join(title.lower().replace("_", " ").split(" "))
        for what, titles in (("frame", FRAME), ("track", PERSON)):
            if name in titles and special[what] < 0:
                special[what] = column
                break
        else:
            joint, axis = _joint_and_axis(title)
            if not axis:
                continue
            if axis in joints.setdefault(joint, {}):
                raise UserError(f"{where}: two columns are called {title!r}; remove one")
            joints[joint][axis] = column
    complete = {name: axes for name, axes in joints.items() if {"x", "y"} <= axes.keys()}
    if not complete:
        shown = ", ".join(header[:6])
        expected = "columns such as left_wrist_x and left_wrist_y"
        raise UserError(f"{where}: no joint in the columns {shown}, expected {expected}")
    solid = [name for name, axes in complete.items() if "z" in axes]
    if solid and len(solid) < len(complete):
        flat = next(name for name in complete if name not in solid)
        raise UserError(f"{where}: {solid[0]} has a column z and {flat} has none; {REPAIR}")
    numbers = [ORDER.fullmatch(name.lower()) for name in complete]
    names = tuple(complete)
    if all(numbers):
        order = [int(number.group(1)) for number in numbers if number]
        names = tuple(name for _, name in sorted(zip(order, complete, strict=True)))
    places = [[complete[name].get(axis, -1) for axis in AXES] for name in names]
    scores = [complete[name].get("score", -1) for name in names]
    kept = () if all(numbers) else names
    return Layout(np.array(places), np.array(scores), kept, special["frame"], special["track"])


def _joint_and_axis(title: str) -> tuple[str, str]:
    """The joint of a column, and x, y, z or score; "" for a column of something else."""
    if numbered := NUMBERED.fullmatch(title.lower()):
        return numbered.group(2), numbered.group(1)
    match = COLUMN.fullmatch(title) or COLUMN.fullmatch(title.lower())
    if not match or not match.group(1):
        return "", ""
    axis = match.group(2)
    return match.group(1), axis if axis in AXES else "score"


def _ordered(columns: int, body: str, where: str) -> Layout:
    """Columns without names: the joints of a body in its order."""
    if not body:
        fits = [f"{count} of 3 numbers: {fitting(count)}" for count in [columns // 3]]
        asked = "no header, and nothing says whose joints these are; name the body"
        raise UserError(f"{where}: {asked} ({'; '.join(fits)})")
    joints = load(body).recorded
    if columns not in (2 * joints, 3 * joints):
        expected = f"{3 * joints} or {2 * joints}, the joints of {body} in its order"
        raise UserError(f"{where}: no header and {columns} columns, expected {expected}")
    width = columns // joints
    places = np.full((joints, 3), -1)
    places[:, :width] = np.arange(columns).reshape(joints, width)
    return Layout(places, np.full(joints, -1), ())


READER = CsvTable()
