"""MediaPipe: JSON with the pose landmarks of every frame.

MediaPipe writes no files itself; people save what its pose landmarker gives, as lists of landmarks
or with the names of its results, in the spelling of Python or JavaScript. All of these are read.
"""

from typing import Any

import numpy as np

from pstl.contracts import Reader
from pstl.data.readers._people import listed, numbers, person
from pstl.data.reading import REPAIR, json_value
from pstl.errors import UserError
from pstl.records import Person, Poses

WORLD = ("poseworldlandmarks", "worldlandmarks")
PICTURE = ("poselandmarks", "landmarks")
JOINTS = 33
EXPANSION = 20  # every landmark is an object of four short names
BODY = "mediapipe33"


class MediaPipe(Reader):
    """World landmarks (metres, y down, origin between the hips) where the file has them, else those
    of the picture, whose x, y and z are shares of its size."""

    suffixes = (".json",)
    marks = (b"andmark",)
    expects = (
        'MediaPipe: [{"pose_world_landmarks": [{"x": ..., "y": ..., "z": ..., "visibility": ...}, '
        "... 33 of them]}, ... a frame each]"
    )

    def read(self, data: bytes, where: str, body: str) -> Poses:
        """The people of all frames, in the order of the file."""
        content = json_value(data, where, EXPANSION)
        if isinstance(content, dict) and not _landmarks(content, (*WORLD, *PICTURE)):
            content = content.get("frames", content)
        frames = [content] if isinstance(content, dict) else listed(content, where, "the file")
        keys: list[tuple[str, ...]] = [
            kind
            for kind in (WORLD, PICTURE)
            if any(isinstance(frame, dict) and _landmarks(frame, kind) for frame in frames)
        ]
        if not keys and not any(isinstance(frame, list) and frame for frame in frames):
            raise UserError(f"{where}: no landmarks in it, expected {self.expects}")
        people = [_people(frame, keys[:1], where) for frame in frames]
        if keys[:1] == [WORLD]:
            return Poses(tuple(people), BODY, units="m", up="-y", zero_is_unseen=False)
        return Poses(tuple(people), BODY, units="picture")


def _landmarks(frame: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """What stands under one of these keys, however it is spelled."""
    for key, value in frame.items():
        if key.lower().replace("_", "") in keys and value:
            return value
    return None


def _people(frame: Any, keys: list[tuple[str, ...]], where: str) -> tuple[Person, ...]:
    """Everybody in one frame: one list of 33 landmarks, or a list of such lists."""
    if isinstance(frame, dict):
        frame = _landmarks(frame, keys[0]) if keys else None
    if isinstance(frame, dict):  # a message of protobuf
        frame = frame.get("landmark")
    if not frame:
        return ()
    rows = listed(frame, where, "landmarks")
    several = isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], dict | list)
    return tuple(_person(one, where) for one in (rows if several else [rows]))


def _person(rows: Any, where: str) -> Person:
    if len(listed(rows, where, "landmarks")) != JOINTS:
        raise UserError(f"{where}: {len(rows)} landmarks, expected {JOINTS}; {REPAIR}")
    points, score = [], []
    for row in rows:
        values = row
        if isinstance(row, dict):
            if not {"x", "y", "z"} <= row.keys():
                raise UserError(f"{where}: a landmark without x, y and z; {REPAIR}")
            values = [row["x"], row["y"], row["z"], row.get("visibility", 1.0)]
        if not isinstance(values, list) or len(values) not in (3, 4):
            found = repr(row)[:40]
            raise UserError(f"{where}: a landmark is {found}, expected x, y, z; {REPAIR}")
        points.append(values[:3])
        score.append(values[3] if len(values) == 4 else 1.0)
    visible = numbers(score, f"{where}: visibility")
    return person(numbers(points, where), np.nan_to_num(visible, nan=1.0))


READER = MediaPipe()
