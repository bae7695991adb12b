"""OpenPose: JSON with the `people` of one frame; a clip is a folder of such files.

Others write this form, too, with other joints: then the body is to be named.
"""

from typing import Any

from pstl.contracts import Reader
from pstl.data.readers._people import listed, person, split_flat
from pstl.data.reading import json_object
from pstl.errors import UserError
from pstl.records import Person, Poses

FLAT, SOLID = "pose_keypoints_2d", "pose_keypoints_3d"
NAMELESS = ("", "-1")  # what stands for a person whom nobody tracks
BODY = "openpose25"


class OpenPose(Reader):
    """BODY_25, in pixels with confidences, or in three dimensions where several cameras saw it."""

    suffixes = (".json",)
    marks = (b'"people"',)
    expects = 'OpenPose, one frame a file: {"people": [{"pose_keypoints_2d": [x, y, c, ...]}]}'
    a_file_a_frame = True

    def read(self, data: bytes, where: str, body: str) -> Poses:
        """The people of one frame."""
        people = listed(json_object(data, where).get("people"), where, "people")
        solid = any(isinstance(one, dict) and one.get(SOLID) for one in people)
        frame = tuple(_person(one, solid, where) for one in people)
        return Poses((frame,), body or BODY, units="" if solid else "picture")


def _person(one: Any, solid: bool, where: str) -> Person:
    if not isinstance(one, dict):
        raise UserError(f"{where}: a person is {repr(one)[:30]}, expected an object of JSON")
    key, width = (SOLID, 4) if solid else (FLAT, 3)
    if not solid and "pose_keypoints" in one:  # as the first versions wrote it
        key = "pose_keypoints"
    points = split_flat(one.get(key), width, where, key)
    number = one.get("person_id", "")
    track = str(number[0] if isinstance(number, list) and number else number)
    track = "" if track in (*NAMELESS, "[]") else track
    return person(points[:, :-1], points[:, -1], track)


READER = OpenPose()
