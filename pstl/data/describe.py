"""One file of any known kind: what it holds, or what is wrong with it."""

import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pstl.data import archives, members, own_files, reading
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
from pstl.data.sevenzip import Broken
from pstl.data.slips import mended
from pstl.errors import UserError, trouble
from pstl.registry import load_dataset
from pstl.skeletons import load as load_skeleton

Report = dict[str, Any]


class Kind(NamedTuple):
    """Files of one kind: their name for people, a regular expression for their names, and how they
    are described."""

    name: str
    pattern: str
    describe: Callable[[Path], Report]


def kind_of(path: Path) -> Kind | None:
    """The kind of a file, by its name."""
    return next((kind for kind in KINDS if re.fullmatch(kind.pattern, path.name, re.ASCII)), None)


def examine_file(path: Path) -> Report:
    """{file, kind, ok, state, ...facts} or {file, ok: False, state, damage}.

    state: whole, truncated, damaged, unknown.
    """
    is_frames = path.is_dir() and own_files.is_frames(path)  # a folder that is one clip
    kind = OWN if is_frames else kind_of(path)
    report = {"file": str(path)} | ({"kind": kind.name} if kind else {})
    if path.is_dir() and not is_frames:
        return report | {
            "ok": False,
            "state": "damaged",
            "damage": f"{path}: is a folder, expected a file, or a folder of frames",
        }
    if kind is None:
        expected = ", ".join(each.name for each in KINDS)
        return report | {
            "ok": False,
            "state": "unknown",
            "damage": f"{path}: not a name of any known kind ({expected})",
        }
    try:
        return report | {"ok": True, "state": "whole"} | kind.describe(path)
    except (UserError, OSError) as error:
        damage = trouble(error, path) if isinstance(error, OSError) else str(error)
        return report | {"ok": False, "state": state_of(error), "damage": damage}


def state_of(error: Exception) -> str:
    """The state that an error tells of: truncated, where that is known, missing, ambiguous, else
    damaged."""
    if isinstance(error, Broken):
        return error.state
    if isinstance(error, members.Gone | archives.Foreign):
        return "missing"
    return "ambiguous" if isinstance(error, archives.Twice) else "damaged"


def _skeleton(path: Path) -> Report:
    clip = skeleton_txt.read(path)
    has_body = clip.ids != 0
    inferred = (clip.tracking != 2).transpose(0, 2, 1)[has_body].mean()
    return {
        "frames": len(clip.xyz),
        "most_bodies_in_a_frame": int(has_body.sum(1).max()),
        "frames_without_body": int((~has_body.any(1)).sum()),
        "bodies": len(np.unique(clip.ids[has_body])),
        "inferred_joints": round(float(inferred), 3),
    }


def _pku(path: Path) -> Report:
    data = reading.content(path)
    folder = "/".join(Path(os.path.realpath(path)).parts[-3:-1])
    if b"," in data[:64] or (not data.strip() and re.search(pku_txt.LABELS, folder)):
        spec = load_dataset("pkummd1").spec
        text, notes = mended(reading.decoded(data), path.name, spec.slips)
        intervals = pku_txt.read_labels(text, str(path), len(spec.classes))
        return {"kind": "PKU-MMD labels", "intervals": len(intervals), "notes": notes}
    xyz = pku_txt.read(data, str(path))
    return {
        "frames": len(xyz),
        "frames_with_two_bodies": int(xyz[:, :, 1].any((1, 2)).sum()),
        "frames_without_body": int((~xyz.any((1, 2, 3))).sum()),
    }


def _ucla(path: Path) -> Report:
    joints = load_skeleton("kinect_v1").joints
    xyz, _ = ucla_json.read(reading.content(path), str(path), joints, nwucla.LABELS)
    return {"frames": len(xyz)}


def _utkinect(path: Path) -> Report:
    joints = load_skeleton("kinect_v1").joints
    return {"frames": len(utkinect_txt.read(reading.content(path), str(path), joints).xyz)}


def _msr(path: Path) -> Report:
    xyz = msr_txt.read(reading.content(path), str(path), load_skeleton("msr20").joints)
    return {"frames": len(xyz), "frames_without_body": int((~xyz.any((1, 2, 3))).sum())}


def _utd(path: Path) -> Report:
    xyz = utd_mat.read(reading.content(path), str(path), load_skeleton("utd20").joints)
    return {"frames": len(xyz), "frames_without_body": int((~xyz.any((1, 2, 3))).sum())}


def _sbu(path: Path) -> Report:
    xyz = sbu_txt.read(reading.content(path), str(path), load_skeleton("sbu15").joints)
    present = np.asarray(xyz.any((1, 3)))
    return {"frames": len(xyz), "frames_with_two_bodies": int(present.all(axis=1).sum())}


def _archive(path: Path) -> Report:
    files = archives.check(path)
    damaged: dict[str, str] = {}
    for _ in archives.stream(
        path, set(files), damaged
    ):  # to its last byte: checksums tell what a list of files does not
        pass
    if damaged:
        raise Broken(
            f"{next(iter(damaged.values()))} ({len(damaged)} of {len(files)} members are damaged)",
            "damaged",
        )
    endings = Counter(Path(name).suffix or "none" for name in files)
    return {"files": len(files), "endings": dict(endings.most_common(5))}


def _own(path: Path) -> Report:
    clip = own_files.read(path, own_files.Hints())
    xyz = clip.raw.xyz
    report: Report = {"body": clip.body, "frames": len(xyz), "bodies": xyz.shape[2]}
    report["frames_without_body"] = int((~xyz.any((1, 2, 3))).sum())
    return report | ({"read_as": clip.said} if clip.said else {})


OWN = Kind("clip of one's own", rf".*({'|'.join(map(re.escape, own_files.suffixes()))})", _own)
KINDS = (
    Kind("NTU RGB+D skeleton", r".*\.skeleton", _skeleton),
    Kind("PKU-MMD recording", pku_txt.NAME.pattern + r"\.txt", _pku),
    Kind("NW-UCLA clip", ucla_json.NAME, _ucla),
    Kind("UTKinect recording", utkinect_txt.NAME, _utkinect),
    Kind("MSR Action3D clip", msr_txt.NAME, _msr),
    Kind("UTD-MHAD clip", utd_mat.NAME, _utd),
    Kind("SBU clip", sbu_txt.FILE, _sbu),
    Kind("archive", r".*\.(zip|7z)", _archive),
    OWN,
)
