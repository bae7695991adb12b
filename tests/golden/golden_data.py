"""Sequences and recordings of every data set, read from crafted files by the data set's reader."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from pstl.data import parse
from pstl.data.fetch import fetch
from pstl.data.formats import expmap_txt
from pstl.records import Clip, Recording
from pstl.registry import load, load_dataset
from pstl.skeletons import load as load_skeleton

PLACES = 24
ACTIONS = ["wave fast", "shake hands"]
PEOPLE = {"performers": 2, "cameras": 1, "repetitions": 1, "actions": ACTIONS, "frames": [20, 30]}


def metres(rng: np.random.Generator, frames: int, joints: int) -> np.ndarray:
    """(frames, joints, 3) in metres, with six decimals."""
    walk = (rng.random((frames, joints, 3)) - 0.5).cumsum(0) * 0.02
    return np.round(rng.random((1, joints, 3)) * 2 + walk, 6)


def skeleton_text(bodies: list[list[tuple[int, np.ndarray]]]) -> str:
    """A `.skeleton` file.   bodies: for every frame, (id, (25, 3) metres) of those in it."""
    lines = [str(len(bodies))]
    for frame in bodies:
        lines.append(str(len(frame)))
        for number, xyz in frame:
            lines += [f"{number} 0 1 0 1 0 0 0.1 -0.2 2", "25"]
            for joint, (x, y, z) in enumerate(xyz.tolist()):
                lines.append(f"{x:.6f} {y:.6f} {z:.6f} 1.5 2.5 NaN 4.5 0 0 0 0 {joint % 3}")
    return "\n".join(lines) + "\n"


def ntu_files(folder: Path, names: Iterable[str]) -> None:
    first = 72057594037944738
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed)
        one, two = metres(rng, 12, 25), metres(rng, 12, 25)
        frames = [[(first, body)] for body in one]
        for number in range(3, 9):  # somebody comes, and both change slots for a while
            frames[number].append((first + 4 + 300 * (seed % 2), two[number]))
        for number in range(5, 7):
            frames[number].reverse()
        frames[10] = []
        text = skeleton_text(frames)
        ending = "\r\n" if seed % 2 else "\n"
        (folder / f"{name}.skeleton").write_bytes(text.replace("\n", ending).encode())


def ntu60(folder: Path) -> None:
    ntu_files(folder, ["S001C001P001R001A001", "S017C002P003R002A060", "S003C003P007R001A050"])


def ntu120(folder: Path) -> None:
    ntu_files(folder, ["S001C001P001R001A001", "S018C002P003R002A061", "S032C003P106R001A120"])


def pku_files(folder: Path, names: Iterable[str], suffix: str, tested: str) -> None:
    for place in (f"Skeleton{suffix}", f"Label_PKUMMD{suffix}"):
        (folder / place).mkdir()
    names = list(names)
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed)
        xyz = np.concatenate([metres(rng, 40, 25), metres(rng, 40, 25)], axis=1)
        xyz[:20, 25:] = 0
        lines = [" ".join(f"{value:.6f}" for value in row) for row in xyz.reshape(40, -1)]
        (folder / f"Skeleton{suffix}" / f"{name}.txt").write_text("\n".join(lines) + "\n")
        labels = f"{seed + 1},3,12,1\n{seed + 20},25,44,2\n\n"
        (folder / f"Label_PKUMMD{suffix}" / f"{name}.txt").write_text(labels)
    trained = ", ".join(name for name in names if name != tested)
    split = f"Training videos:\n{trained}, \nValidataion videos:\n{tested},\n"
    (folder / f"cross_subject{suffix}.txt").write_text(split)


def pkummd1(folder: Path) -> None:
    pku_files(folder, ["0002-L", "0003-R", "0291-M"], "", "0291-M")


def pkummd2(folder: Path) -> None:
    pku_files(folder, ["A01N01-L", "A02N02-M", "A26N07-R"], "_v2", "A26N07-R")


def nwucla(folder: Path) -> None:
    for seed, (action, view) in enumerate(((1, 1), (8, 2), (12, 3))):
        name = f"a{action:02d}_s{seed + 1:02d}_e01_v{view:02d}"
        label = load("data.datasets", "nwucla").LABELS[action]
        xyz = metres(np.random.default_rng(seed), 9, 20).tolist()
        content = {"file_name": name, "skeletons": xyz, "label": label}
        (folder / f"{name}.json").write_text(json.dumps(content))


def msraction3d(folder: Path) -> None:
    for seed, action in enumerate((1, 13, 20)):
        table = metres(np.random.default_rng(seed), 8, 20).reshape(-1, 3)
        lines = [f"{x:.6f} {y:.6f} {z:.6f} 0.9" for x, y, z in table.tolist()]
        name = f"a{action:02d}_s{seed + 4:02d}_e02_skeleton3D.txt"
        (folder / name).write_text("\n".join(lines) + "\n")


def utkinect(folder: Path) -> None:
    labels = []
    for seed, recording in enumerate(("s01_e01", "s09_e02")):
        xyz = metres(np.random.default_rng(seed), 30, 20)
        times = 100 + 2 * np.arange(30)
        lines = [
            f"{time} " + " ".join(f"{value:.6f}" for value in row)
            for time, row in zip(times.tolist(), xyz.reshape(30, -1), strict=True)
        ]
        (folder / f"joints_{recording}.txt").write_text("\n".join(lines) + "\n")
        labels += [recording, "walk: 104 120", "sitDown: 130 150", "standUp: NaN NaN"]
    (folder / "actionLabel.txt").write_text("\n".join(labels) + "\n")


def utdmhad(folder: Path) -> None:
    for seed, action in enumerate((1, 13, 27)):
        xyz = metres(np.random.default_rng(seed), 8, 20).transpose(1, 2, 0)
        name = f"a{action}_s{seed + 4}_t2_skeleton.mat"
        savemat(folder / name, {"d_skel": xyz}, do_compression=seed % 2 == 0)


def sbu(folder: Path) -> None:
    for seed, clip in enumerate(("s01s02/01/001", "s01s02/01/002", "s04s06/08/001")):
        shares = metres(np.random.default_rng(seed), 8, 30).reshape(8, -1)
        lines = [
            f"{55 + frame}," + ",".join(f"{value:.6f}" for value in row)
            for frame, row in enumerate(shares.tolist())
        ]
        (folder / clip).mkdir(parents=True)
        (folder / clip / "skeleton_pos.txt").write_text("\n".join(lines) + "\n")


FILES: dict[str, Callable[[Path], None]] = {
    "ntu60": ntu60,
    "ntu120": ntu120,
    "pkummd1": pkummd1,
    "pkummd2": pkummd2,
    "nwucla": nwucla,
    "msraction3d": msraction3d,
    "utkinect": utkinect,
    "utdmhad": utdmhad,
    "sbu": sbu,
}
UNTRIMMED = ("pkummd1", "pkummd2", "utkinect")


def read_clips(name: str, raw: Path) -> list[Clip]:
    return list(parse.clips(load_dataset(name), raw))


def read_untrimmed(name: str, raw: Path) -> list[Recording]:
    return list(parse.recordings(load_dataset(name), raw))


def described(clip: Clip, splits: dict[str, Any]) -> dict[str, Any]:
    """One clip in words and checksums: what is read from text is the same to the last bit."""
    facts = {
        "label": clip.label,
        "subject": clip.subject,
        "camera": clip.camera,
        "setup": clip.setup,
        "shape": list(clip.xyz.shape),
        "type": str(clip.xyz.dtype),
        "xyz": checksum(clip.xyz),
        "merged": list(clip.merged),
        "sides": {split: rule(clip) for split, rule in splits.items()},
    }
    if clip.bodies is not None:
        facts["bodies"] = checksum(clip.bodies)
    return facts


def checksum(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def of_dataset(name: str, folder: Path) -> dict[str, Any]:
    """What the readers make of crafted files."""
    copy, raw = folder / "copy", folder / "raw"
    copy.mkdir()
    FILES[name](copy)
    fetch(name, {}, raw, [copy])
    splits = load_dataset(name).spec.splits
    clips = sorted(read_clips(name, raw), key=lambda clip: clip.name)
    content: dict[str, Any] = {"clips": {clip.name: described(clip, splits) for clip in clips}}
    if name in UNTRIMMED:
        content["recordings"] = {}
        for recording in read_untrimmed(name, raw):
            content["recordings"][recording.clip.name] = {
                **described(recording.clip, splits),
                "times": recording.times.tolist(),
                "actions": [list(action) for action in recording.actions],
                "frame labels": recording.labels().tolist(),
            }
    return content


def simulated() -> dict[str, Any]:
    """Simulated people: trigonometry, so numbers and no checksums."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        fetch("synthetic", PEOPLE, raw, [])
        clips = read_clips("synthetic", raw)
    return {clip.name: in_numbers(clip.xyz) for clip in clips}


def motion_capture() -> dict[str, Any]:
    """CMU's exponential maps as positions of joints."""
    rng = np.random.default_rng(0)
    joints = load_skeleton("cmu38").joints
    angles = (rng.random((6, joints, 3)) - 0.5) * 2
    cmu = load_dataset("cmu")
    return {
        "positions": in_numbers(expmap_txt.positions(angles)),
        "first predicted frames": cmu.forecast_starts(200),
    }


def in_numbers(xyz: np.ndarray) -> dict[str, Any]:
    flat = xyz.astype(np.float64).ravel()
    places = np.linspace(0, len(flat) - 1, PLACES).astype(np.int64)
    return {
        "shape": list(xyz.shape),
        "sum": float(flat.sum()),
        "absolute sum": float(np.abs(flat).sum()),
        "values": [round(value, 8) for value in flat[places].tolist()],
    }


def made() -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name in FILES:
        with tempfile.TemporaryDirectory() as folder:
            content[name] = of_dataset(name, Path(folder))
    return {**content, "synthetic": simulated(), "cmu": motion_capture()}
