"""features.npz: both sides of a split, encoded once. Free of torch."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from pstl.data.numpy_file import load_npz, save_npz
from pstl.data.store_shape import check_range
from pstl.errors import UserError
from pstl.files import Kind, check_shape, parsed, reading

MAKE = "run 'python -m pstl features' again"
FEATURES = Kind("readable features file", f"delete it and {MAKE}", MAKE)
ARRAYS = ("train", "test", "y_train", "y_test", "unseen")


@dataclass(frozen=True)
class FeatureSet:
    """Features of both sides of a split.

    train, test: (N, D) float32.   y_train, y_test: (N,) int64.
    unseen: (N_test,) bool, False for test clips whose coordinates are also those of a training
    clip.
    meta: card, provenance, classes, seconds, device.
    """

    train: np.ndarray
    test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray
    unseen: np.ndarray
    meta: dict[str, Any]

    def check_sides(self, task: str, least: int = 1) -> None:
        """Raises: UserError if there are fewer than `least` training clips, or no test clips."""
        if len(self.train) < least or not len(self.test):
            clips = f"{len(self.train)} training and {len(self.test)} test clips"
            raise UserError(f"{task}: {clips}; expected at least {least} and 1")


class FeaturesMeta(BaseModel):
    """What `meta` must hold; what is known of the encoder's run stands beside it."""

    classes: list[str]
    encoded_dataset: str
    batch_norm: str
    data_checksum: str


def clip_digest(names: Iterable[str]) -> str:
    """A short name for these clips in this order."""
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:16]


def write(path: str | Path, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Whole or not at all. Raises: UserError for numbers that are not to be trusted."""
    save_npz(path, {**arrays, "meta": np.array(json.dumps(meta, allow_nan=False))})


def read(path: str | Path) -> dict[str, Any]:
    """Arrays by name, and `meta`.

    Raises: UserError if the file is missing, damaged, or its arrays are not of the same clips.
    """
    with reading(path, FEATURES):
        content: dict[str, Any] = dict(load_npz(path, (*ARRAYS, "meta")))
        content["meta"] = parsed(str(content["meta"]))
        check_shape(content["meta"], FeaturesMeta)
        _check_sides(content, len(content["meta"]["classes"]))
        return content


def open_features(path: str | Path) -> FeatureSet:
    """Read features.npz. Raises: UserError if it is missing or damaged."""
    return FeatureSet(**read(path))


def read_test(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) and classes (N,) of the test clips. Raises: UserError as read() does."""
    with reading(path, FEATURES):
        content = load_npz(path, ("test", "y_test"), ("train", "y_train", "unseen", "meta"))
        test, y = content["test"], content["y_test"]
        if test.ndim != 2 or y.shape != test.shape[:1] or y.dtype != np.int64:
            raise ValueError(
                f"features of shape {test.shape}, classes of shape {y.shape} of {y.dtype}"
            )
        return test, y


def _check_sides(content: dict[str, Any], classes: int) -> None:
    """Raises: ValueError if the arrays are not of the same clips, widths and classes."""
    for side in ("train", "test"):
        features, y = content[side], content[f"y_{side}"]
        types = (features.dtype, y.dtype) == (np.float32, np.int64)
        if features.ndim != 2 or y.shape != features.shape[:1] or not types:
            found = f"{side} of shape {features.shape} of {features.dtype}"
            raise ValueError(
                f"{found}, y_{side} of {y.shape} of {y.dtype}, expected (N, D) and (N,)"
            )
        check_range(y, 0, classes - 1)
    clips, widths = len(content["test"]), (content["train"].shape[1], content["test"].shape[1])
    if widths[0] != widths[1]:
        raise ValueError(f"{widths[0]} features of training clips, {widths[1]} of test clips")
    if content["unseen"].shape != (clips,) or content["unseen"].dtype != bool:
        raise ValueError(f"unseen of shape {content['unseen'].shape}, expected {(clips,)} of bool")
