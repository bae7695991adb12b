"""One clip by its file, or all of a folder, in any published format or as people have it of their
own, with its body and slots."""

import itertools
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.data import own_files
from pstl.data.datasets import nwucla
from pstl.data.formats import (
    msr_txt,
    pku_txt,
    sbu_txt,
    skeleton_txt,
    ucla_json,
    utd_mat,
    utkinect_txt,
)
from pstl.data.numpy_file import load_npy
from pstl.data.own_files import Hints
from pstl.data.reading import content
from pstl.data.spec import DatasetSpec
from pstl.data.store import SequenceStore, open_sequences
from pstl.errors import UserError
from pstl.files import Kind, reading
from pstl.records import Clip
from pstl.registry import load_dataset
from pstl.skeletons import Skeleton
from pstl.skeletons import load as load_skeleton
from pstl.skeletons.mapping import completed, fitting

log = logging.getLogger(__name__)
ARRAY = Kind("readable array (.npy)", "get another copy")
CLIP = Kind("readable clip", "get another copy")
BARE = "(T, V, 3) or (T, M, V, 3)"
NO_HINTS = Hints()
LABELS = "labels.csv"  # beside clips: what they are, and no clip
ARRAYS_ARE_FILES = "; an array of clips (N, 3, T, V, M) is to be named as a file"


class SourcedClip(NamedTuple):
    """A raw clip and what its source knows about it.

    skeleton: the body's name, empty where the source does not say.   people: body slots of its data
    set, 0 where there is none.   trusted: its coordinates were accepted by `parse`.
    metric: its reader made metres of it.   said: and what else it had to assume, in one line.
    """

    raw: Clip
    skeleton: str = ""
    people: int = 0
    trusted: bool = False
    metric: bool = False
    said: str = ""


class Format(NamedTuple):
    """Files that hold one clip or recording.   dataset: the one whose body and slots they have."""

    example: str
    pattern: str
    dataset: str
    read: Callable[[Path, Skeleton], Clip]


def _skeleton_txt(path: Path, body: Skeleton) -> Clip:
    read = skeleton_txt.read(path)
    return told_apart(Clip(path.stem, -1, read.xyz), read.ids)


def _ucla_json(path: Path, body: Skeleton) -> Clip:
    xyz, _ = ucla_json.read(content(path), str(path), body.joints, nwucla.LABELS)
    return Clip(path.stem, -1, xyz)


def _msr_txt(path: Path, body: Skeleton) -> Clip:
    return Clip(path.stem, -1, msr_txt.read(content(path), str(path), body.joints))


def _utkinect_txt(path: Path, body: Skeleton) -> Clip:
    return Clip(path.stem, -1, utkinect_txt.read(content(path), str(path), body.joints).xyz)


def _utd_mat(path: Path, body: Skeleton) -> Clip:
    return Clip(path.stem, -1, utd_mat.read(content(path), str(path), body.joints))


def _sbu_txt(path: Path, body: Skeleton) -> Clip:
    return Clip(path.stem, -1, sbu_txt.read(content(path), str(path), body.joints))


def _pku_txt(path: Path, body: Skeleton) -> Clip:
    return Clip(path.stem, -1, pku_txt.read(content(path), str(path)))


FORMATS = (
    Format("*.skeleton", r".*\.skeleton", "ntu120", _skeleton_txt),
    Format("aAA_sSS_eEE_vVV.json", ucla_json.NAME, "nwucla", _ucla_json),
    Format("aAA_sSS_eEE_skeleton3D.txt", msr_txt.NAME, "msraction3d", _msr_txt),
    Format("joints_sSS_eEE.txt", utkinect_txt.NAME, "utkinect", _utkinect_txt),
    Format("aA_sS_tT_skeleton.mat", utd_mat.NAME, "utdmhad", _utd_mat),
    Format("skeleton_pos.txt", sbu_txt.FILE, "sbu", _sbu_txt),
    Format("XXXX-V.txt", pku_txt.NAME.pattern + r"\.txt", "pkummd1", _pku_txt),
)
ENDINGS = ", ".join(f"*{suffix}" for suffix in own_files.suffixes())
KNOWN = ", ".join([ENDINGS, *(form.example for form in FORMATS)])


def is_clip(path: Path) -> bool:
    """Whether a file or folder is called like a clip that can be read here."""
    if path.is_dir():
        return own_files.is_frames(path)
    return _format_of(path) is not None or own_files.takes(path)


def read(path: Path, hints: Hints = NO_HINTS) -> SourcedClip:
    """The clip of one file, or of a folder with a file for every frame.

    A bare .npy is not judged: nothing says whose joints it holds, in which unit.
    Raises: UserError if it is of no known kind, or naming what is wrong with it.
    """
    if path.suffix == ".npy":
        return SourcedClip(Clip(path.stem, -1, slots(_array(path), str(path))))
    return _of_format(path) or _of_own(path, hints)


def read_own(path: Path, hints: Hints = NO_HINTS) -> list[SourcedClip]:
    """Every clip of a file or a folder, whatever it is: in metres, y up, with its body.

    Also of a folder that `parse` made. What had to be assumed of a clip is in its `said`.
    Raises: UserError saying what was found and what is expected.
    """
    if (path / "values.bin").exists():
        return list(of_store(*stored(path)))
    return [_of_format(one) or _of_own(one, hints) for one in clips_at(path)]


def clips_at(path: Path) -> list[Path]:
    """The clips of a folder; a file, and a folder with a file for every frame, is one itself."""
    is_folder = path.is_dir() and not own_files.is_frames(path)
    return in_folder(path) if is_folder else [path]


def _of_format(path: Path) -> SourcedClip | None:
    """The clip of a file in a published format; None for any other file."""
    form = _format_of(path)
    if form is None:
        return None
    spec = load_dataset(form.dataset).spec
    with reading(path, CLIP):
        raw = form.read(path, load_skeleton(spec.skeleton))
    return SourcedClip(raw, spec.skeleton, spec.people)


def _of_own(path: Path, hints: Hints) -> SourcedClip:
    """The clip of a file of one's own."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if not path.is_dir() and path.suffix.lower() not in own_files.suffixes():
        raise UserError(f"{path}: not a clip that can be read here; known files: {KNOWN}")
    raw, body, said = own_files.read(path, hints)
    return SourcedClip(raw, body, metric=True, said=said)


def in_folder(folder: Path) -> list[Path]:
    """The clip files of a folder, sorted by name.

    Raises: UserError if there is none, or if two would have one name.
    """
    entries = sorted(folder.iterdir())
    entries = [path for path in entries if path.name[0] != "." and path.name != LABELS]
    files = [path for path in entries if is_clip(path)]
    others = [path for path in entries if path.is_file() and path not in files]
    if not files:
        deeper = any(path.is_dir() for path in folder.iterdir())
        below = ", and folders below it are not looked into" if deeper else ""
        raise UserError(f"{folder}: no clips here{below}; expected files like {KNOWN}")
    if others:
        count = (
            "1 file is no clip" if len(others) == 1 else f"{len(others)} such files are no clips"
        )
        log.warning("%s: %s and left out", others[0], count)
    for name, another in itertools.pairwise(sorted(files, key=lambda path: path.stem)):
        if name.stem == another.stem:
            raise UserError(f"{name}: of one name with {another.name}; rename or remove one")
    return files


def stored(folder: Path) -> tuple[SequenceStore, DatasetSpec]:
    """Recordings that `parse` read, and the data set they are of."""
    store = open_sequences(folder)
    return store, load_dataset(store.meta["dataset"]).spec


def of_store(store: SequenceStore, spec: DatasetSpec) -> Iterator[SourcedClip]:
    """Every clip of a store, in its order."""
    return (SourcedClip(raw, spec.skeleton, spec.people, trusted=True) for raw in store)


def slots(xyz: np.ndarray, where: str) -> np.ndarray:
    """A bare array as body slots.   (T, V, 3) or (T, M, V, 3) -> (T, V, M, 3) float32.

    Raises: UserError for another shape, type, or a number that is not finite.
    """
    if xyz.ndim not in (3, 4) or xyz.shape[-1] != 3 or not xyz.size or xyz.dtype.kind not in "fiu":
        message = f"{where}: found shape {xyz.shape} of {xyz.dtype}, expected {BARE} numbers"
        raise UserError(message + ARRAYS_ARE_FILES * (xyz.ndim == 5))
    with np.errstate(over="ignore"):
        bodies = (xyz[:, None] if xyz.ndim == 3 else xyz).astype(np.float32)
    sound = np.isfinite(bodies).all(axis=(1, 2, 3))
    if not sound.all():
        frame = int(np.argmin(sound))
        held = f"frame {frame} holds NaN or infinite coordinates"
        raise UserError(f"{where}: {held}; repair or remove the clip")
    return np.ascontiguousarray(bodies.transpose(0, 2, 1, 3))


def told_apart(raw: Clip, ids: np.ndarray) -> Clip:
    """A clip whose bodies a sensor numbered.   ids: (T, M) whole numbers, 0 where there is none."""
    return replace(raw, bodies=skeleton_txt.numbered(ids), merged=skeleton_txt.merged(ids))


def bodied(clip: SourcedClip, skeleton: str, where: str) -> SourcedClip:
    """A clip with the name of its body, what its source says, else `skeleton`, and with the joints
    that files of this body lack; the body is never told from the number of joints.

    Raises: UserError if neither names one, both do and differ, or the joints are not so many.
    """
    joints = clip.raw.xyz.shape[1]
    if clip.skeleton and skeleton and clip.skeleton != skeleton:
        stated = f"a body of {clip.skeleton}, as its format or data set has it"
        raise UserError(f"{where}: {stated}; leave out {skeleton}")
    name = clip.skeleton or skeleton
    if not name:
        asked = f"{joints} joints, but nothing says of which body"
        raise UserError(f"{where}: {asked}; name it with --skeleton: {fitting(joints)}")
    check_joints(name, joints, where)
    body = load_skeleton(name)
    if joints == body.joints:
        return clip._replace(skeleton=name)
    seen = clip.raw.xyz.any(axis=3, keepdims=True)
    xyz = np.nan_to_num(completed(np.where(seen, clip.raw.xyz, np.float32(np.nan)), body))
    return clip._replace(skeleton=name, raw=replace(clip.raw, xyz=xyz))


def check_joints(name: str, joints: int, where: str) -> None:
    """Raises: UserError if the body `name` has not so many joints, naming the ones that do."""
    body = load_skeleton(name)
    expected = body.recorded
    if joints not in (expected, body.joints):
        shapes = f"(T, {expected}, 3) or (T, M, {expected}, 3)"
        message = f"{where}: {joints} joints, expected {shapes}, those of {name}"
        raise UserError(f"{message}; if it is another body, name it: --skeleton, {fitting(joints)}")


def _format_of(path: Path) -> Format | None:
    return next((form for form in FORMATS if re.fullmatch(form.pattern, path.name)), None)


def _array(path: Path) -> np.ndarray:
    with reading(path, ARRAY):
        return load_npy(path)
