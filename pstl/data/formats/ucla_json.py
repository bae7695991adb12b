"""NW-UCLA clips of the `all_sqe` release: `aAA_sSS_eEE_vVV.json`, one JSON object with skeletons
and a 1-based label."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pstl.data import reading
from pstl.errors import UserError

NAME = r"a([0-9]{2})_s([0-9]{2})_e([0-9]{2})_v([0-9]{2})\.json"
REPAIR = reading.REPAIR


class ClipName(NamedTuple):
    """What a file's name says, as numbered there; `action` is the recording's code, not the
    label."""

    action: int
    subject: int
    episode: int
    camera: int


def parse_name(name: str) -> ClipName:
    """The numbers in a file's name, with or without folders before it.

    Raises: UserError if it is not named aAA_sSS_eEE_vVV.json.

    >>> parse_name("all_sqe/a08_s01_e02_v03.json")
    ClipName(action=8, subject=1, episode=2, camera=3)
    """
    match = re.fullmatch(NAME, name.rpartition("/")[2])
    if not match:
        example = "expected a name like a08_s01_e02_v03.json"
        raise UserError(f"{name}: {example}; rename or remove the file")
    return ClipName(*map(int, match.groups()))


def read(data: bytes, name: str, joints: int, labels: Mapping[int, int]) -> tuple[np.ndarray, int]:
    """One clip: (T, joints, 1, 3) float32, metres, camera space with y up; and its 0-based label.

    name: of the file, with or without folders.   joints: how many every frame must have.
    labels: action code of the file's name -> 1-based label the file must state.
    Raises: UserError naming the file if it is not JSON of this kind, has no frame, a frame of other
    size, a coordinate that is no finite number, or a label that its name contradicts.
    """
    content = _content(data, name)
    code, label = parse_name(name).action, content["label"]
    if labels.get(code) != label or type(label) is not int:
        stated = f"label {repr(label)[:30]}, but action a{code:02d} has label {labels.get(code)}"
        raise UserError(f"{name}: {stated}; {REPAIR}")
    frames = content["skeletons"]
    if not frames:
        raise UserError(f"{name}: no frame, expected at least one; {REPAIR}")
    for t, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != joints:
            size = f"{len(frame)} joints" if isinstance(frame, list) else repr(frame)[:40]
            raise UserError(f"{name}: frame {t} has {size}, expected {joints}; {REPAIR}")
    return _coordinates(data, name, frames)[:, :, None], label - 1


def _content(data: bytes, name: str) -> dict[str, Any]:
    content = reading.json_object(data, name)
    if not isinstance(content.get("skeletons"), list) or "label" not in content:
        expected = "expected an object with 'skeletons', a list of frames, and 'label'"
        raise UserError(f"{name}: {expected}; {REPAIR}")
    return content


def _coordinates(data: bytes, name: str, frames: list[Any]) -> np.ndarray:
    """(T, joints, 3) float32 of frames that have one length."""
    try:
        xyz = np.array(frames)
    except ValueError:  # ragged
        xyz = np.empty(0)
    # A string or a null makes an array of objects.
    is_numeric = xyz.ndim == 3 and xyz.shape[2] == 3 and xyz.dtype.kind in "fi"
    if not is_numeric or not reading.without_words(data, frames, xyz.ndim):
        raise UserError(f"{name}: a joint is not three numbers x, y, z; {REPAIR}")
    is_sound = np.abs(xyz) <= reading.METRES.limit  # NaN is not
    if not is_sound.all():
        frame, joint = np.argwhere(~is_sound)[0, :2]
        limit = f"NaN or infinite, or beyond {reading.METRES.limit:g} {reading.METRES.name}"
        raise UserError(f"{name}: frame {frame}, joint {joint} is {limit}; {REPAIR}")
    return xyz.astype(np.float32)
