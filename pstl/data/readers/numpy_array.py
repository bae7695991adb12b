"""Arrays of numpy, .npy and .npz."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from pstl.contracts import Reader
from pstl.data.numpy_file import parsed_npy, parsed_npz
from pstl.data.readers._people import LARGEST, person
from pstl.errors import UserError
from pstl.files import Kind, taking_apart
from pstl.records import Poses

ARRAY = Kind("readable array (.npy or .npz)", "get another copy")
SHAPES = "(T, V, 3), (T, V, 2), (T, M, V, 3) or (T, M, V, 2)"
# Arrays of coordinates and of confidences by what they are called in an .npz.
COORDINATES = ("xyz", "keypoints", "keypoint", "joints", "poses", "pose", "positions", "x")
SCORES = ("scores", "score", "keypoint_score", "keypoint_scores", "confidence", "confidences")
NAMES = ("joint_names", "names")
PEOPLE = 10  # at most, so that an axis of people is told from one of frames
SURE = 50.0  # pixels: beside so large numbers a third one up to 1 is a confidence


class NumpyArray(Reader):
    """Coordinates in a body's order, or with the names of the joints beside them."""

    suffixes = (".npy", ".npz")
    expects = f"an array {SHAPES} in a body's order; in an .npz called {' or '.join(COORDINATES)}"

    def read(self, data: bytes, where: str, body: str) -> Poses:
        """The people of all frames."""
        with taking_apart(where, ARRAY):
            zipped = data.startswith(b"PK")
            arrays = parsed_npz(io.BytesIO(data)) if zipped else {"": parsed_npy(io.BytesIO(data))}
        name = _coordinates(arrays, where)
        xyz, score = arrays[name], _first(arrays, SCORES)
        if xyz.dtype.kind not in "fiu" or xyz.ndim not in (3, 4) or xyz.shape[-1] not in (2, 3):
            hint = "; an array (N, 3, T, V, M) is of many clips" * (xyz.ndim == 5)
            found = f"found shape {xyz.shape} of {xyz.dtype}, expected {SHAPES}"
            raise UserError(f"{where}: {found}{hint}")
        xyz = xyz.astype(np.float64)
        if xyz.ndim == 3:
            xyz = xyz[:, None]
        elif name == "keypoint":  # (M, T, V, C), as PYSKL has it
            xyz = xyz.transpose(1, 0, 2, 3)
            score = None if score is None else score.swapaxes(0, 1)
        if not xyz.size or xyz.shape[1] > PEOPLE:
            found = f"found shape {arrays[name].shape}"
            raise UserError(f"{where}: {found}, expected {SHAPES} with up to {PEOPLE} people")
        if np.isinf(xyz).any() or np.nanmax(np.abs(xyz), initial=0) > LARGEST:
            raise UserError(f"{where}: infinite or absurd coordinates; repair or remove the clip")
        return _poses(xyz, score, arrays, where, body)


def _poses(
    xyz: np.ndarray,
    score: np.ndarray | None,
    arrays: Mapping[str, np.ndarray],
    where: str,
    body: str,
) -> Poses:
    """xyz: (T, M, V, 2 or 3).   score: as many, or None."""
    remarks: tuple[str, ...] = ()
    if score is None and xyz.shape[-1] == 3 and _is_confidence(xyz):
        remarks = ("the third number of a joint is read as its confidence",)
        xyz, score = xyz[..., :2], xyz[..., 2]
    if score is not None:
        if score.size != xyz.size // xyz.shape[-1]:
            found = f"confidences of shape {score.shape} beside coordinates {xyz.shape}"
            raise UserError(f"{where}: {found}; {SHAPES} need as many")
        score = score.reshape(xyz.shape[:-1])
    frames = []
    for t, people in enumerate(xyz):
        some = [
            person(points, None if score is None else score[t, m], str(m + 1))
            for m, points in enumerate(people)
        ]
        frames.append(tuple(one for one in some if np.isfinite(one.xyz).any()))
    joints = _first(arrays, NAMES)
    names = () if joints is None else tuple(map(str, np.ravel(joints)))
    units = "picture" if xyz.shape[-1] == 2 else ""
    return Poses(tuple(frames), body, names, units=units, remarks=remarks)


def _is_confidence(xyz: np.ndarray) -> bool:
    """Whether the third numbers are confidences beside pixels."""
    third = xyz[..., 2]
    in_pixels = np.nanmax(np.abs(xyz[..., :2]), initial=0) > SURE
    return bool(in_pixels and np.nanmin(third) >= 0 and np.nanmax(third) <= 1)


def _coordinates(arrays: Mapping[str, np.ndarray], where: str) -> str:
    """The name of the array of coordinates."""
    named = [name for name in COORDINATES if name in arrays]
    numbers = [name for name, array in arrays.items() if array.ndim >= 3]
    if not named and len(numbers) != 1:
        held = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UserError(f"{where}: holds {held}; expected one called {' or '.join(COORDINATES)}")
    return named[0] if named else numbers[0]


def _first(arrays: Mapping[str, np.ndarray], names: tuple[str, ...]) -> Any:
    return next((arrays[name] for name in names if name in arrays), None)


READER = NumpyArray()
