"""Speed of reading and of normalising recordings, beside plain Python such as released code is made of: the same work, timed in turn."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import simulated
from pstl.config import Plugin
from pstl.contracts import Clip, Member
from pstl.data import archives, members, parse, pool, prepare
from pstl.data.datasets import ntu60
from pstl.data.formats.skeleton_txt import JOINTS
from pstl.data.store import write_sequences
from pstl.skeletons import load as load_skeleton

CONTENTS = 48  # different clips in the archive
ROUNDS = 3  # each side is timed so often, in turn, and its best time counts
CHUNK = 64  # clips a process normalises at once
CLIPS = 12_000  # normalised in a round, the same ones again and again
FIELDS = (
    "x",
    "y",
    "z",
    "depth_x",
    "depth_y",
    "colour_x",
    "colour_y",
    "turn_w",
    "turn_x",
    "turn_y",
    "turn_z",
    "state",
)
Row = dict[str, Any]


def bench_data(files: int, jobs: int | None = None) -> list[Row]:
    """Rows {work, ours, plain, times, times_by_clock, unit, jobs}: rates of `jobs` processes (all cores) and of one plain one, and ratios.

    read: `.skeleton` files to arrays, here out of a deflated archive, there from memory.   recipes: clips in memory to their arrays.
    Rates are those of processes that have a core each: what is divided by is processor time, handing over results included, so that
    other work on the machine does not count. times_by_clock is the plain ratio of waiting times. Starting processes is in neither.
    """
    jobs = jobs or pool.cores()
    with TemporaryDirectory() as folder:
        archive = simulated.ntu60_archive(Path(folder), min(CONTENTS, files), files)
        names = archives.check(archive)
        texts = dict(archives.stream(archive, sorted(names)[:CONTENTS]))
        clips: list[Clip] = []
        for name, text in texts.items():
            clips += ntu60.DATASET.read(Member(name), text, None)
        write_sequences(Path(folder, "sequences"), ntu60.DATASET.spec, JOINTS, clips)
        rows = [_read(archive, names, list(texts.values()), jobs)]
        return rows + [
            _normalise(Path(folder, "sequences"), clips, recipe, plain, jobs)
            for recipe, plain in PLAIN.items()
        ]


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned text."""
    lines = [("work", "ours", "plain Python", "unit", "processes", "times", "by the clock")]
    lines += [
        (
            r["work"],
            f"{r['ours']:,.0f}",
            f"{r['plain']:,.1f}",
            r["unit"],
            str(r["jobs"]),
            f"{r['times']:.1f}",
            f"{r['times_by_clock']:.1f}",
        )
        for r in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def plain_read(data: bytes) -> np.ndarray:
    """The reader that the papers' code descends from: line by line, a dictionary for every joint.   Returns: (T, V, 2, 3) float32."""
    lines = iter(data.decode("ascii").splitlines())
    frames = []
    for _ in range(int(next(lines))):
        bodies = []
        for _ in range(int(next(lines))):
            next(lines)
            bodies.append(
                [
                    dict(zip(FIELDS, map(float, next(lines).split()), strict=True))
                    for _ in range(int(next(lines)))
                ]
            )
        frames.append(bodies)
    x = np.zeros((len(frames), JOINTS, 2, 3), np.float32)
    for t, bodies in enumerate(frames):
        for m, body in enumerate(bodies[:2]):
            for v, joint in enumerate(body):
                x[t, v, m] = joint["x"], joint["y"], joint["z"]
    return x


def plain_resize50(clip: Clip, frames: int = 50) -> np.ndarray:
    """PSTL's recipe for one clip, in loops over its two bodies, there or not, and their frames.   Returns: (3, frames, V, 2) float32."""
    skeleton = load_skeleton("kinect_v2")
    left, right = skeleton.shoulders
    x = np.zeros((3, frames, JOINTS, 2), np.float32)
    xyz = np.concatenate([clip.xyz, np.zeros_like(clip.xyz)], axis=2)[:, :, :2]
    length = sum(1 for frame in xyz if np.abs(frame[0, 0]).sum() > 0) or len(xyz)
    for m in range(2):
        moved = [frame[:, m] - frame[skeleton.centre, m] for frame in xyz[:length]]
        resized = []
        for t in range(frames):
            at = (t + 0.5) * length / frames - 0.5
            low, high = (min(max(math.floor(at) + i, 0), length - 1) for i in (0, 1))
            resized.append(
                moved[low] * (1 - (at - math.floor(at))) + moved[high] * (at - math.floor(at))
            )
        lines = [frame[right] - frame[left] for frame in resized]
        sign = -1 if sum(line[2] for line in lines) >= 0 else 1
        for t, (frame, line) in enumerate(zip(resized, lines, strict=True)):
            angle = sign * math.acos(line[0] / (math.hypot(line[0], line[2]) + 1e-4))
            cos, sin = math.cos(angle), math.sin(angle)
            x[:, t, :, m] = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) @ frame.T
    return x


def plain_spine300(clip: Clip) -> np.ndarray:
    """SCD-Net's recipe for one clip, in loops over bodies, frames and joints.   Returns: (3, T, V, 2) float32."""
    skeleton = load_skeleton("kinect_v2")
    bodies = [clip.xyz[:, :, slot].astype(np.float64) for slot in range(min(clip.xyz.shape[2], 4))]
    spreads = []
    for body in bodies:
        there = [frame for frame in body if frame.any()]
        spreads.append(sum(np.concatenate(there).std(0)) if there else 0.0)
    chosen = [_plain_fill(bodies[i]) for i in np.argsort(-np.array(spreads), kind="stable")[:2]]
    middle = chosen[0][:, skeleton.spine[1] : skeleton.spine[1] + 1]
    chosen = [(body - middle) * (body.sum(-1, keepdims=True) != 0) for body in chosen]
    for (start, end), target in (
        (skeleton.spine, (0.0, 0.0, 1.0)),
        (skeleton.shoulders, (1.0, 0.0, 0.0)),
    ):
        line = chosen[0][0, end] - chosen[0][0, start]
        axis, angle = np.cross(line, target), math.acos(line @ target / np.linalg.norm(line))
        u, v, w = axis / np.linalg.norm(axis)
        cross = np.array([[0, -w, v], [w, 0, -u], [-v, u, 0]])
        rotation = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
        for body in chosen:
            for frame in body:
                if not frame.any():
                    continue
                for i, joint in enumerate(frame):
                    frame[i] = np.dot(rotation, joint)
    x = np.zeros((3, len(clip.xyz), JOINTS, 2), np.float32)
    for m, body in enumerate(chosen):
        x[..., m] = body.transpose(2, 0, 1)
    return x


def _plain_fill(body: np.ndarray) -> np.ndarray:
    """A late start moved to the front, an early end filled by repetition, frame by frame."""
    body = body.copy()
    if body.any() and not body[0].any():
        kept = [frame.copy() for frame in body if frame.any()]
        body[:] = 0
        body[: len(kept)] = kept
    for t, frame in enumerate(body):
        if t and not frame.any() and not body[t:].any():
            for later in range(t, len(body)):
                body[later] = body[later - t]
            break
    return body


PLAIN: dict[str, Callable[[Clip], np.ndarray]] = {
    "resize50": plain_resize50,
    "spine300": plain_spine300,
}


def _read(archive: Path, names: list[str], texts: list[bytes], jobs: int) -> Row:
    listed = [Member(name, archive) for name in names]
    pieces = [(batch, [(0, None)] * len(batch.members)) for batch in members.batches(listed)]
    each = sum(size for _, size, _ in archives.entries(archive)) / len(pieces) / 1e6
    few = texts[: max(1, len(texts) // 4)]
    size = sum(map(len, few)) / 1e6
    ours, plain = [], []
    for _ in range(ROUNDS):
        ours.append(_pooled(partial(parse.read_batch, "ntu60", False), pieces, jobs) / each)
        plain.append(_plain(lambda: [plain_read(text) for text in few]) / size)
    return _row("read", ours, plain, "MB of text/s", jobs)


def _normalise(
    sequences: Path,
    clips: list[Clip],
    recipe: str,
    plain: Callable[[Clip], np.ndarray],
    jobs: int,
) -> Row:
    ranges = [range(first, min(first + CHUNK, len(clips))) for first in range(0, len(clips), CHUNK)]
    pieces = ranges * max(2, CLIPS // len(clips))
    few, ours, slow = clips[: max(1, len(clips) // 4)], [], []
    for _ in range(ROUNDS):
        ours.append(
            _pooled(partial(_prepared, recipe, sequences), pieces, jobs) * len(ranges) / len(clips)
        )
        slow.append(_plain(lambda: [plain(clip) for clip in few]) / len(few))
    return _row(recipe, ours, slow, "clips/s", jobs)


def _prepared(recipe: str, sequences: Path, rows: range) -> int:
    """The work of one process: clips of the store to their part of the array."""
    return len(
        prepare.apply_recipe(
            "ntu60",
            Plugin(name=recipe),
            prepare.opened_once(sequences),
            slice(rows.start, rows.stop),
        )[1]
    )


def _row(work: str, ours: list[np.ndarray], plain: list[np.ndarray], unit: str, jobs: int) -> Row:
    """ours, plain: (processor time, waiting time) in seconds a unit."""
    (cpu, wait), (plain_cpu, plain_wait) = np.min(ours, axis=0), np.min(plain, axis=0)
    rates = {
        "ours": 1 / cpu,
        "plain": 1 / plain_cpu,
        "times": plain_cpu / cpu,
        "times_by_clock": plain_wait / wait,
    }
    return {"work": work, "unit": unit, "jobs": jobs} | {
        key: float(value) for key, value in rates.items()
    }


def _plain(work: Callable[[], Any]) -> np.ndarray:
    began = _clocks()
    work()
    return _clocks() - began


def _pooled(work: Callable[[Any], Any], pieces: Sequence[Any], jobs: int) -> np.ndarray:
    """Processor time a core and waiting time for a piece, from the first result on: until then processes start."""
    results = pool.each(partial(_with_time, work), pieces, jobs)
    next(results)
    began = _clocks()
    spent = sum(seconds for seconds, _ in results)
    cpu, wait = _clocks() - began
    cpu = cpu if jobs == 1 else (cpu + spent) / jobs
    return np.array([cpu, wait]) / (len(pieces) - 1)


def _with_time(work: Callable[[Any], Any], piece: Any) -> tuple[float, Any]:
    began = time.process_time()
    result = work(piece)
    return time.process_time() - began, result


def _clocks() -> np.ndarray:
    return np.array([time.process_time(), time.perf_counter()])
