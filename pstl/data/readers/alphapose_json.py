"""AlphaPose: one JSON list of the people of all frames, each with the name of its picture."""

import re
from typing import Any

from pstl.contracts import Reader
from pstl.data.readers._people import listed, person, split_flat
from pstl.data.reading import REPAIR, json_value
from pstl.errors import UserError
from pstl.records import Person, Poses

DIGITS = re.compile(r"[0-9]+")
LONGEST = 18  # digits of a number in the name of a picture


class AlphaPose(Reader):
    """COCO's keypoints in pixels, with confidences; also the results format of COCO itself."""

    suffixes = (".json",)
    marks = (b'"image_id"', b'"keypoints"')
    expects = 'AlphaPose: [{"image_id": ..., "keypoints": [x, y, c, ...], "score": ...}, ...]'

    def read(self, data: bytes, where: str, body: str) -> Poses:
        """The people of all frames, in the order of the numbers of their pictures."""
        results = listed(json_value(data, where), where, "the file")
        frames: dict[Any, list[Person]] = {}
        for number, one in enumerate(results):
            if not isinstance(one, dict) or "image_id" not in one:
                raise UserError(f"{where}: result {number} has no image_id; {REPAIR}")
            picture = one["image_id"]
            if isinstance(picture, list | dict):
                shown = f"image_id of result {number} is {repr(picture)[:30]}"
                raise UserError(f"{where}: {shown}, expected a name or a number; {REPAIR}")
            points = split_flat(one.get("keypoints"), 3, where, f"keypoints of result {number}")
            someone = person(points[:, :2], points[:, 2], _track(one.get("idx")))
            frames.setdefault(picture, []).append(someone)
        ordered = [tuple(frames[name]) for name in sorted(frames, key=in_time)]
        return Poses(tuple(ordered), body or "coco17", units="picture")


def in_time(name: Any) -> tuple[int, str]:
    """Where a picture stands among the others: by the last number of its name.

    >>> sorted(["10.jpg", "9.jpg"], key=in_time)
    ['9.jpg', '10.jpg']
    """
    digits = DIGITS.findall(str(name))
    return int(digits[-1][-LONGEST:]) if digits else 0, str(name)


def _track(idx: Any) -> str:
    """Which person, where the tracker was on: a number, or a list of one."""
    while isinstance(idx, list):
        idx = idx[0] if idx else None
    return "" if idx is None else str(idx)


READER = AlphaPose()
