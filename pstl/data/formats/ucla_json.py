"""NW-UCLA clips of the `all_sqe` release: one JSON object per file, `aAA_sSS_eEE_vVV.json`, with skeletons and a 1-based label."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pstl.errors import UserError

NAME = r"a(\d{2})_s(\d{2})_e(\d{2})_v(\d{2})\.json"
REPAIR = "replace the file by the one in the archive"


class Name(NamedTuple):
    """What a file's name says, as numbered there; `action` is the recording's code, not the label."""

    action: int
    subject: int
    episode: int
    camera: int


def parse_name(path: Path) -> Name:
    """The numbers in a file's name. Raises: UserError if it is not named aAA_sSS_eEE_vVV.json.

    >>> parse_name(Path("all_sqe/a08_s01_e02_v03.json"))
    Name(action=8, subject=1, episode=2, camera=3)
    """
    match = re.fullmatch(NAME, path.name)
    if not match:
        raise UserError(f"{path}: expected a name like a08_s01_e02_v03.json; rename or remove the file")
    return Name(*map(int, match.groups()))


def read(path: Path, joints: int, labels: Mapping[int, int]) -> tuple[np.ndarray, int]:
    """One clip: (T, joints, 1, 3) float32, metres, camera space with y up, and its 0-based label.

    joints: how many every frame must have.   labels: action code of the file's name -> 1-based label the file must state.

    Raises: UserError naming the file if it is not JSON of this kind, has no frame, a frame of other size, a coordinate that is
    no finite number, or a label that its name contradicts.
    """
    content = _content(path)
    code, label = parse_name(path).action, content["label"]
    if labels.get(code) != label or isinstance(label, bool):
        raise UserError(f"{path}: label {label!r}, but action a{code:02d} has label {labels.get(code)}; {REPAIR}")
    frames = content["skeletons"]
    if not frames:
        raise UserError(f"{path}: no frame, expected at least one; {REPAIR}")
    for t, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != joints:
            found = f"{len(frame)} joints" if isinstance(frame, list) else repr(frame)[:40]
            raise UserError(f"{path}: frame {t} has {found}, expected {joints}; {REPAIR}")
    return _coordinates(path, frames)[:, :, None], label - 1


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:  # of JSON and of UTF-8
        raise UserError(f"{path}: not valid JSON ({error}); {REPAIR}") from None
    if not isinstance(content, dict) or not isinstance(content.get("skeletons"), list) or "label" not in content:
        raise UserError(f"{path}: expected an object with 'skeletons', a list of frames, and 'label'; {REPAIR}")
    return content


def _coordinates(path: Path, frames: list[Any]) -> np.ndarray:
    try:
        xyz = np.array(frames)
    except ValueError:  # ragged
        xyz = np.empty(0)
    if xyz.ndim != 3 or xyz.shape[2] != 3 or xyz.dtype.kind not in "fi":  # a string or a null would turn numbers into objects
        raise UserError(f"{path}: a joint is not three numbers x, y, z; {REPAIR}")
    with np.errstate(over="ignore"):
        xyz = xyz.astype(np.float32)
    if not np.isfinite(xyz).all():
        frame, joint = np.argwhere(~np.isfinite(xyz))[0, :2]
        raise UserError(f"{path}: frame {frame}, joint {joint} is NaN or infinite; {REPAIR}")
    return xyz
