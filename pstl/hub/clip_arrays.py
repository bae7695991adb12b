"""Arrays of clips from anywhere: a folder that `prepare` made, or a bare .npy and what is by it."""

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

from pstl.config import Plugin
from pstl.data import plausible
from pstl.data.clip_files import ARRAY
from pstl.data.loader import in_order
from pstl.data.numpy_file import load_npy
from pstl.data.store import ArraySet, open_array
from pstl.encoding.features import BATCH
from pstl.errors import ShapeError, UserError
from pstl.files import Kind, read_json, reading
from pstl.registry import load_recipe
from pstl.skeletons import load as load_skeleton
from pstl.train.encoder_file import EncoderCard

log = logging.getLogger(__name__)
META = Kind("readable description of an array", "get another copy")
BESIDE = ("splits.npz", "length.npy", "meta.json")  # one of them: x.npy is no raw clip


def is_array(source: Path) -> bool:
    """Whether this is an array of clips, and not raw clips."""
    if not source.is_dir():
        return source.suffix == ".npy"
    beside = any(os.path.lexists(source / name) for name in BESIDE)
    return beside and os.path.lexists(source / "x.npy")


def is_one_clip(source: Path) -> bool:
    """Whether a .npy file has the dimensions of a raw clip, and not those of an array of clips."""
    return source.suffix == ".npy" and source.is_file() and _loaded(source).ndim in (3, 4)


def open_clips(source: str | Path, card: EncoderCard, skeleton: str) -> ArraySet:
    """Clips (N, 3, T, V, M) as an encoder's recipe makes them, with their lengths and their body.

    source: a folder with x.npy and all that belongs to it, or a .npy file. The file x.npy of such a
    folder is the folder; beside another, length.npy holds the frames (N,) that count; else all do.
    skeleton: the body of a bare file, if it is not the encoder's.
    Raises: UserError, ShapeError for what is no such array, or contradicts what is said of it.
    """
    path = Path(source)
    file = path / "x.npy" if path.is_dir() else path
    stored = file.name == "x.npy" and os.path.lexists(file.parent / "splits.npz")
    own = _body_beside(file)
    if skeleton and own and skeleton != own:
        contradiction = f"clips of {own}, says meta.json"
        raise UserError(f"{source}: {contradiction}; leave out --skeleton {skeleton}")
    body = own or skeleton or card.skeleton
    data = open_array(file.parent, encodable=True) if stored else _bare(file, card, body)
    _judge(data, card, file.parent if stored else file, refuse=not stored)
    return data


def _body_beside(file: Path) -> str:
    """The body that meta.json beside x.npy names; empty if there is none."""
    beside = file.with_name("meta.json")
    if file.name != "x.npy" or not os.path.lexists(beside):
        return ""
    meta: dict[str, Any] = read_json(beside, META)
    return str(meta.get("skeleton", ""))


def _bare(path: Path, card: EncoderCard, skeleton: str) -> ArraySet:
    """A .npy file, and length.npy beside it."""
    x, joints = _loaded(path), load_skeleton(skeleton).joints
    if x.dtype.kind not in "fiu" or not x.size:
        count = len(x) if x.ndim else 0
        message = f"{path}: found {count} items of type {x.dtype}"
        raise UserError(f"{message}, expected at least one clip of real numbers")
    if x.ndim != 5 or x.shape[1] != 3 or x.shape[3] != joints:
        shape = f"(N, 3, {card.frames}, {joints}, M) or other frames, of {skeleton}"
        remedy = "name another body with --skeleton, and put raw clips into a folder of their own"
        raise ShapeError(f"{path}: clips of shape {x.shape}, expected {shape}; {remedy}")
    count, frames = x.shape[0], x.shape[2]
    beside = path.with_name("length.npy")
    given = os.path.lexists(beside)
    length = _lengths(beside, count) if given else np.full(count, frames)
    nothing, names = np.full(count, -1), [str(number) for number in range(count)]
    meta = {"skeleton": skeleton, "lengths": given}
    return ArraySet(x.astype(np.float32, copy=False), nothing, length, nothing, names, {}, meta)


def _lengths(path: Path, count: int) -> np.ndarray:
    length = _loaded(path)
    if length.shape != (count,) or length.dtype.kind not in "iu" or length.min() < 1:
        message = f"{path}: lengths of shape {length.shape} and type {length.dtype}"
        remedy = "if it belongs to other clips, move it away"
        raise UserError(f"{message}, expected ({count},) whole numbers from 1; {remedy}")
    log.info("lengths are those of %s", path)
    return length.astype(np.int64)


def _loaded(path: Path) -> np.ndarray:
    with reading(path, ARRAY):
        return load_npy(path, mapped=True)


def _judge(data: ArraySet, card: EncoderCard, where: Path, refuse: bool) -> None:
    """Say what is odd about clips. refuse: whether bodies of an impossible size are an error.

    Raises: UserError for a number that is not finite.
    """
    remarks = plausible.Remarks()
    metres = load_recipe(Plugin.model_validate(card.recipe).name).metres
    for part in in_order(len(data.x), BATCH):
        x = np.asarray(data.x[part])
        finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
        if not finite.all():
            bad = part.start + int(np.argmin(finite))
            held = f"clip {bad} holds NaN or infinite coordinates"
            raise UserError(f"{where}: {held}; repair or remove it")
        empty_end = ~x[:, :, -1].any(axis=(1, 2, 3)) if not data.meta.get("lengths", True) else ()
        for number, clip in enumerate(x.transpose(0, 2, 3, 4, 1), start=part.start):
            name = f"{where}: clip {data.names[number]}"
            plausible.judge_size(metres * plausible.size(clip), name, remarks, refuse)
            if data.length[number] == 1:
                remarks.add(plausible.STILL, name)
        for number in np.flatnonzero(empty_end).tolist():
            remarks.add(
                "ends in empty frames, which count because no length.npy lies beside the array",
                f"{where}: clip {part.start + number}",
            )
    remarks.say()
