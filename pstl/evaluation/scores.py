"""What one cell said about each test clip, on disk: read by fusion, paired tests and confusion
matrices. Free of torch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pstl.data.numpy_file import load_npz, save_npz
from pstl.data.store_shape import check_range
from pstl.files import Kind, check_shape, parsed, reading

SCORES = Kind("readable scores file", "delete it and run the task again", "run the task first")
CELL = (
    "dataset",
    "split",
    "method",
    "stream",
    "seed",
    "task",
    "share",  # of the training labels; `labels` is the draw
    "source",
    "protocol",
    "batch_norm",
)  # what names one cell of the grid
DATA = (
    "data_checksum",
    "clips",
    "labels",
)  # the array, its test clips in order, and the draw of labels


@dataclass(frozen=True)
class Scores:
    """points: (N, classes), or (0, 0) where the task keeps none.   y: (N,) int64.   unseen: (N,)
    bool, False for copies of training clips.

    about: of CELL and DATA, where the scores come from.
    """

    points: np.ndarray
    y: np.ndarray
    unseen: np.ndarray
    about: dict[str, Any] = field(default_factory=dict)


def write(path: str | Path, scores: Scores) -> None:
    """Write a file that read() understands, whole or not at all.

    Raises: UserError for scores that are not to be trusted.
    """
    about = np.array(json.dumps(scores.about, allow_nan=False))
    save_npz(
        path, {"scores": scores.points, "y": scores.y, "unseen": scores.unseen, "about": about}
    )


def read(path: str | Path) -> Scores:
    """Raises: UserError if it is missing, or not such a file."""
    with reading(path, SCORES):
        content = load_npz(path, ("scores", "y"), ("unseen", "about"))
        points, y = content["scores"], content["y"]
        unseen = content.get("unseen", np.ones(len(y), bool))
        about = parsed(str(content["about"])) if "about" in content else {}
        check_shape(about, dict[str, Any])
        if (
            (points.size and (points.ndim != 2 or len(points) != len(y)))
            or unseen.shape != y.shape
            or unseen.dtype != bool
        ):
            raise ValueError(f"scores of shape {points.shape} for {len(y)} test clips")
        if points.size:
            check_range(y, 0, points.shape[1] - 1)
        return Scores(points, y, unseen, about)


def difference(one: Scores, other: Scores, keys: Sequence[str]) -> str:
    """In what the two differ that must be equal before they are combined; empty if in nothing.
    keys: of CELL and DATA.

    What neither of them knows about itself, as files from elsewhere, is not compared.
    """
    if len(one.y) != len(other.y):
        return f"{len(one.y)} test clips, not {len(other.y)}"
    for key in keys:
        if one.about.get(key) != other.about.get(key):
            return f"{key} {_short(one.about, key)}, not {_short(other.about, key)}"
    if not np.array_equal(one.y, other.y):
        return "other classes of the test clips"
    return ""


def _short(about: Mapping[str, Any], key: str) -> str:
    return str(about.get(key, "not stated"))[:16]
