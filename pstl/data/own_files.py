"""Files that people have of their own as clips: whose joints, in metres, y up, one body a slot.

A reader (pstl/data/readers) says what a file holds; everything else is decided here, the same for
all of them, and said in one line (docs/own-data.md).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pstl.contracts import Reader
from pstl.data import measure, reading, tracks
from pstl.data.readers.alphapose_json import in_time
from pstl.errors import UserError
from pstl.records import Clip, Person, Poses
from pstl.registry import load_reader, names
from pstl.skeletons import Skeleton, joint_names
from pstl.skeletons import load as load_skeleton
from pstl.skeletons.mapping import completed, fitting, placed

FLAT = "two dimensions, z is 0: an encoder of 3-D recordings sees less than it was trained on"
AWAY = 3.0  # metres before the sensor: 0, 0, 0 is a joint that was not seen


class Hints(NamedTuple):
    """What somebody says of files that do not say it themselves; "" what is to be found out.

    body: a skeleton.   units: m, cm, mm, inch or picture.   up: y, -y, z, -z, x or -x.
    fallback: a skeleton, of files of which nothing else tells.
    """

    body: str = ""
    units: str = ""
    up: str = ""
    fallback: str = ""


class ReadClip(NamedTuple):
    """A clip in metres with y up.   body: whose joints.   said: what was done, in one line."""

    raw: Clip
    body: str
    said: str


def readers() -> list[Reader]:
    """Every reader there is."""
    return [load_reader(name) for name in names("data.readers")]


def suffixes() -> tuple[str, ...]:
    """Endings of files that some reader takes."""
    return tuple(sorted({suffix for reader in readers() for suffix in reader.suffixes}))


def takes(path: Path) -> bool:
    """Whether some reader takes a file of this ending and, where that does not tell, content."""
    ending = path.suffix.lower()
    of_ending = [reader for reader in readers() if ending in reader.suffixes]
    if not of_ending or all(not reader.marks for reader in of_ending):
        return bool(of_ending)
    data = reading.content(path) if path.is_file() else b""
    return any(all(mark in data for mark in reader.marks) for reader in of_ending)


def reader_of(data: bytes, where: str) -> Reader:
    """The reader that takes a file of this ending and content.

    Raises: UserError that says what every reader of such files expects.
    """
    suffix = Path(where).suffix.lower()
    fitting_suffix = [reader for reader in readers() if suffix in reader.suffixes]
    if not fitting_suffix:
        known = ", ".join(suffixes())
        raise UserError(f"{where}: no file of a clip that can be read here; known endings: {known}")
    for reader in fitting_suffix:
        if all(mark in data for mark in reader.marks):
            return reader
    kinds = "; or ".join(reader.expects for reader in fitting_suffix)
    begins = data[:40].decode("utf-8", "replace")
    raise UserError(f"{where}: begins with {begins!r}, expected {kinds}")


def is_frames(folder: Path) -> bool:
    """Whether a folder is one clip: files of which each is a frame."""
    files = frame_files(folder)
    if not files or any(path.suffix.lower() != ".json" for path in files):
        return False
    data = reading.content(files[0])
    takers = [reader for reader in readers() if files[0].suffix.lower() in reader.suffixes]
    return any(r.a_file_a_frame and all(mark in data for mark in r.marks) for r in takers)


def frame_files(folder: Path) -> list[Path]:
    """The files of a folder in the order of the numbers in their names."""
    files = [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]
    return sorted(files, key=lambda path: in_time(path.name))


def read(source: Path, hints: Hints) -> ReadClip:
    """The clip of a file, or of a folder with a file for every frame.

    Raises: UserError that says what was found and what is expected.
    """
    files = frame_files(source) if source.is_dir() else [source]
    contents = [(reading.content(path), str(path)) for path in files]
    return of_contents(contents, source.stem, hints)


def of_contents(files: Sequence[tuple[bytes, str]], name: str, hints: Hints) -> ReadClip:
    """The clip of one file, or of several that are a frame each.   files: (bytes, what messages
    call them)."""
    data, where = files[0]
    reader = reader_of(data, where)
    if hints.body:
        load_skeleton(hints.body)
    poses = reader.read(data, where, hints.body)
    if len(files) > 1:
        others = [reader.read(more, place, hints.body).frames for more, place in files[1:]]
        frames = [*poses.frames, *(frame for some in others for frame in some)]
        poses = replace(poses, frames=tuple(frames))
    return understood(poses, name, hints, where)


def understood(poses: Poses, name: str, hints: Hints, where: str = "") -> ReadClip:
    """What a reader found as a clip of the house.

    Raises: UserError if nothing says whose joints these are, or nobody is in any frame.
    """
    where = where or name
    body = _body(poses, hints, where)
    frames, joints = _in_order(poses, body, where)
    xyz, left_out = tracks.slots(frames)
    if poses.zero_is_unseen:
        xyz = without_zeros(xyz)
    if not np.isfinite(xyz).any():
        raise UserError(f"{where}: nobody in any frame; remove the clip")
    xyz, is_flat = completed(xyz, body), xyz.shape[-1] == 2
    units = hints.units or poses.units
    is_picture = units == "picture"
    scale = measure.scale_of(xyz, body, units)
    up = hints.up or poses.up or measure.upwards(xyz, body, is_flat)
    up = up or ("-y" if is_picture else "y")
    if is_flat:
        xyz = np.concatenate([xyz, 0 * xyz[..., :1]], axis=-1)
    metres = from_origin(measure.turned(xyz * scale.metres, up, is_picture))
    axis = f"{measure.WORDS[up]} and was turned" if up in measure.WORDS else ""
    said = [
        joints,
        scale.said,
        axis,
        FLAT * is_flat,
        f"only {tracks.MOST} people kept" * bool(left_out),
    ]
    line = "; ".join(filter(None, [*said, *poses.remarks]))
    return ReadClip(Clip(name, -1, metres), body.name, line)


def without_zeros(xyz: np.ndarray) -> np.ndarray:
    """Joints at 0, 0, 0 as joints that were not seen, unless the body stands around that place and
    the joint is always there: then coordinates are relative to it.

    xyz: (T, V, M, 2 or 3), NaN where a joint was not seen.
    """
    zero = (xyz == 0).all(axis=3)  # (T, V, M)
    seen = np.isfinite(xyz).all(axis=3) & ~zero
    always = zero.any(axis=0) & ~seen.any(axis=0)  # (V, M)
    others = xyz[seen]
    if always.any() and len(others):
        size = (others.max(axis=0) - others.min(axis=0)).max()
        if np.linalg.norm(others.mean(axis=0)) < size / 2:
            zero = zero & ~always
    return np.where(zero[..., None], np.nan, xyz)


def _body(poses: Poses, hints: Hints, where: str) -> Skeleton:
    """Whose joints these are: as somebody says, as the format does, or by the joints' names."""
    if hints.body or poses.body:
        return load_skeleton(hints.body or poses.body)
    by_names = joint_names.body_of(poses.joints) if poses.joints else ""
    if by_names or hints.fallback:
        return load_skeleton(by_names or hints.fallback)
    if poses.joints:
        listed = ", ".join(poses.joints[:8]) + ", ..." * (len(poses.joints) > 8)
        asked = "name the body whose joints stand for the missing ones"
        raise UserError(f"{where}: joints {listed}: no body has all of its joints there; {asked}")
    count = next((len(person.xyz) for frame in poses.frames for person in frame), 0)
    asked = f"{count} joints, and nothing says of which body; name it"
    raise UserError(f"{where}: {asked}: {fitting(count)}")


def _in_order(poses: Poses, body: Skeleton, where: str) -> tuple[Sequence[Sequence[Person]], str]:
    """The people of each frame with the joints that files of the body have, in its order; and what
    stands for joints that this file lacks, in words.

    Raises: UserError if there are other joints.
    """
    if poses.joints:
        groups, said = placed(joint_names.places(poses.joints, body), body.name, where)
        frames = [[_mean_of(one, groups) for one in frame] for frame in poses.frames]
        return frames, said
    for number, frame in enumerate(poses.frames):
        for person in frame:
            if len(person.xyz) != body.recorded:
                found = f"frame {number} has {len(person.xyz)} joints"
                expected = f"expected the {body.recorded} of {body.name}"
                fits = fitting(len(person.xyz))
                raise UserError(f"{where}: {found}, {expected}; name another body: {fits}")
    return poses.frames, ""


def _mean_of(person: Person, groups: Sequence[Sequence[int]]) -> Person:
    """A person with joints that are means of its own.   groups: of each, which ones."""
    joints = [person.xyz[list(group)].mean(axis=0) for group in groups]
    return person._replace(xyz=np.stack(joints))


def from_origin(xyz: np.ndarray) -> np.ndarray:
    """Unseen joints as zeros, float32. Where a joint that was seen is at 0, all stand before it.

    xyz: (T, V, M, 3), NaN where a joint was not seen.
    """
    xyz = xyz.astype(np.float32)
    if (xyz == 0).all(axis=3).any():
        xyz = xyz + np.array([0, 0, AWAY], dtype=np.float32)
    return np.ascontiguousarray(np.nan_to_num(xyz))
