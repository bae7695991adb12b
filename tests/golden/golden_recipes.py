"""Every recipe, with every variant of its settings, on crafted clips of two bodies of joints."""

import hashlib
from typing import Any

import numpy as np

from pstl.data.recipes import ctr300, metres300, resize50, scaled300, spine300, view50
from pstl.records import Clip
from pstl.skeletons import load

BODIES = {"kinect_v2": 2, "kinect_v1": 1}  # people kept
VARIANTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "resize50": (resize50, {}),
    "resize50 frames=25": (resize50, {"frames": 25}),
    "resize50 upright=5": (resize50, {"upright": 5}),
    "spine300": (spine300, {}),
    "spine300 spine_up=false": (spine300, {"spine_up": False}),
    "metres300": (metres300, {}),
    "ctr300": (ctr300, {}),
    "scaled300": (scaled300, {}),
    "scaled300 facing=shoulder": (scaled300, {"facing": "shoulder"}),
    "scaled300 ids=exact": (scaled300, {"ids": "exact"}),
    "view50": (view50, {}),
    "view50 steadier": (
        view50,
        {
            "frames_for_axes": 5,
            "up": "shoulders",
            "across": "shoulders",
            "scale": "trunk",
            "span": "metres",
            "resample": "resize",
        },
    ),
}
# Recipes that only copy: their arrays are the same to the last bit on every processor.
EXACT = {"metres300"}
PLACES = 24  # values of each clip that are written down


def clips(joints: int, seed: int) -> list[Clip]:
    """What real recordings hold: holes, people who come late, crowds, one frame, more than 300."""
    rng = np.random.default_rng(seed)

    def walk(name: str, frames: int, slots: int) -> Clip:
        pose = rng.random((1, joints, slots, 3)) * [0.6, 1.8, 0.4] + [0, -0.9, 3.0]
        path = (rng.random((frames, 1, slots, 3)) - 0.5).cumsum(0) * 0.05
        shaking = (rng.random((frames, joints, slots, 3)) - 0.5) * 0.04
        xyz = (pose + path + shaking * (1 + np.arange(slots)[:, None])).astype(np.float32)
        return Clip(name, 0, xyz, bodies=numbers(frames, slots))

    def numbers(frames: int, slots: int) -> np.ndarray:
        return np.tile(np.arange(1, slots + 1, dtype=np.uint8), (frames, 1))

    plain, alone, crowd = walk("plain", 40, 2), walk("alone", 33, 1), walk("crowd", 50, 4)
    long, single = walk("long", 321, 2), walk("single", 1, 1)

    late = walk("late", 37, 2)
    late.xyz[:6, :, 0] = 0
    late.bodies[:6, 0] = 0

    holes = walk("holes", 60, 2)
    for hole, slot in ((slice(10, 13), 0), (slice(12, 20), 1), (slice(45, 60), 1)):
        holes.xyz[hole, :, slot] = 0
        holes.bodies[hole, slot] = 0

    swapped = walk("swapped", 44, 2)  # two bodies exchange their slots
    swapped.xyz[20:] = swapped.xyz[20:, :, ::-1].copy()
    swapped.bodies[20:] = swapped.bodies[20:, ::-1].copy()

    merged = walk("merged", 30, 3)
    three = Clip("merged", 0, merged.xyz, bodies=merged.bodies, merged=(1, 1, 2))
    untold = Clip("untold", 0, walk("untold", 25, 2).xyz)  # no ids of bodies
    empty = Clip("empty", 0, np.zeros((5, joints, 1, 3), np.float32))
    return [plain, alone, crowd, long, single, late, holes, swapped, three, untold, empty]


def described(x: np.ndarray, exact: bool) -> dict[str, Any]:
    """One clip of an array in numbers.   x: (3, T, V, M)."""
    flat = x.astype(np.float64).ravel()
    places = np.linspace(0, len(flat) - 1, PLACES).astype(np.int64)
    description = {
        "sum": float(flat.sum()),
        "absolute sum": float(np.abs(flat).sum()),
        "zeros": int((flat == 0).sum()) if exact else int((np.abs(flat) < 1e-6).sum()),
        "values": [round(value, 8) for value in flat[places].tolist()],
    }
    if exact:
        description["sha256"] = hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()
    return description


def array_of(variant: str, body: str) -> dict[str, Any]:
    module, settings = VARIANTS[variant]
    recipe = module.RECIPE
    skeleton, people = load(body), BODIES[body]
    sequences = clips(skeleton.joints, seed=people)
    x, length = recipe.apply(sequences, skeleton, people, recipe.Config(**settings))
    exact = variant in EXACT
    return {
        "shape": list(x.shape),
        "type": str(x.dtype),
        "length": length.tolist(),
        "clips": {
            sequence.name: described(clip, exact)
            for sequence, clip in zip(sequences, x, strict=True)
        },
    }


def made() -> dict[str, Any]:
    return {f"{variant} {body}": array_of(variant, body) for variant in VARIANTS for body in BODIES}
