"""MMPose: JSON with the `instances` of every frame."""

from typing import Any

import numpy as np

from pstl.contracts import Reader
from pstl.data.readers._people import listed, numbers, person
from pstl.data.reading import REPAIR, json_value
from pstl.errors import UserError
from pstl.records import Person, Poses


class MmPose(Reader):
    """What its video demos (`instance_info`) and its inferencer (a list of frames) save."""

    suffixes = (".json",)
    marks = (b'"keypoints"', b'"keypoint_scores"')
    expects = (
        'MMPose: {"instance_info": [{"frame_id": 1, "instances": [{"keypoints": [[x, y], ...], '
        '"keypoint_scores": [...]}]}]}, or the list of frames alone'
    )

    def read(self, data: bytes, where: str, body: str) -> Poses:
        """The people of all frames, in the order of the file."""
        content = json_value(data, where)
        frames = content.get("instance_info") if isinstance(content, dict) else content
        people = [_people(frame, where) for frame in listed(frames, where, "instance_info")]
        everyone = [one for frame in people for one in frame]
        if any(one.xyz.shape[1] == 3 for one in everyone):
            # Its lifter answers with z up, in units of its own.
            return Poses(tuple(people), body or "h36m17", up="z")
        return Poses(tuple(people), body or "coco17", units="picture")


def _people(frame: Any, where: str) -> tuple[Person, ...]:
    if isinstance(frame, dict):
        if "keypoints" in frame:  # a file of one picture is a list of its people
            return (_person(frame, where),)
        frame = frame.get("instances", frame.get("predictions"))
    return tuple(_person(one, where) for one in listed(frame, where, "instances"))


def _person(one: Any, where: str) -> Person:
    if not isinstance(one, dict) or not isinstance(one.get("keypoints"), list):
        raise UserError(f"{where}: an instance without a list of keypoints; {REPAIR}")
    points = numbers(one["keypoints"], f"{where}: keypoints")
    if points.ndim == 3 and len(points) == 1:  # as the 3-D demo saves them
        points = points[0]
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        found = f"keypoints of shape {points.shape}"
        raise UserError(f"{where}: {found}, expected (V, 2) or (V, 3); {REPAIR}")
    scores = one.get("keypoint_scores")
    score = None
    if isinstance(scores, list):
        score = np.ravel(numbers(scores, f"{where}: keypoint_scores"))
        if len(score) != len(points):
            found = f"{len(score)} keypoint_scores of {len(points)} keypoints"
            raise UserError(f"{where}: {found}; {REPAIR}")
    return person(points, score, one.get("track_id", ""))


READER = MmPose()
