"""Moving skeletons as SVG that needs no script, and still ones for paper. Only simulated people: recordings are not ours to show."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pstl.data.datasets import synthetic
from pstl.data.formats.skeleton_txt import Name
from pstl.methods import pstl, scdnet
from pstl.ops import masks
from pstl.rng import torch_generator
from pstl.simulator.actions import ACTIONS
from pstl.simulator.sensor import Noise
from pstl.skeletons import Skeleton, load

SIDE = 150  # of a drawing, in pixels
SHOWN = 36  # frames of an animation
STILLS = 6  # poses on paper
SECONDS = 2.4
LEFT, RIGHT, TRUNK = "#0072b2", "#d55e00", "#444"
GONE = "#d8d8d8"
STEPS = torch.float64


class Clip(NamedTuple):
    """xyz: (T, V, M, 3) metres.   joints, frames: (V,) and (T,) bool, True where a mask hides them."""

    xyz: np.ndarray
    joints: np.ndarray
    frames: np.ndarray


def simulated(action: int, frames: int | None = None) -> np.ndarray:
    """One clip of the built-in data set without sensor defects, (T, V, M, 3); resampled to `frames` if given."""
    quiet = Noise(
        **dict.fromkeys(
            ("empty", "ghost", "slot_change", "absence", "lost_limb", "dropped_frame"), 0.0
        )
    )
    xyz = synthetic.simulate(
        synthetic.DATASET.Config.model_validate({"noise": quiet, "heading_deg": 20.0}),
        Name(1, 2, 1, 1, action + 1),
    ).xyz
    if frames is None:
        return xyz
    return xyz[np.linspace(0, len(xyz) - 1, frames).round().astype(int)]


def gallery() -> list[tuple[str, Clip]]:
    """Every action of the built-in data set, by name."""
    clips = [simulated(i, SHOWN) for i in range(len(ACTIONS))]
    return [(action.name, whole(xyz)) for action, xyz in zip(ACTIONS, clips, strict=True)]


def whole(xyz: np.ndarray) -> Clip:
    return Clip(xyz, np.zeros(xyz.shape[1], bool), np.zeros(len(xyz), bool))


def masked() -> list[tuple[str, str, Clip]]:
    """What each published mask hides of one clip, at the released settings: (name, what it does, clip)."""
    skeleton, cfg, cubes = load(synthetic.DATASET.spec.skeleton), pstl.Config(), scdnet.Config()
    long = simulated(0, cubes.frames)
    xyz = long[np.linspace(0, len(long) - 1, pstl.FRAMES_OF_PAPER).round().astype(int)]
    rng = torch_generator(0, "report masks")
    joints = skeleton.joints
    central = _flags(masks.central_joints(skeleton, cfg.masked_joints, rng).numpy(), joints)
    grown = masks.structure_guided_joints(
        skeleton, round(cubes.seed_joints * joints), round(cubes.masked_joints * joints), 1, rng
    )[0]
    pieces = masks.frame_cubes(cubes.frames, cubes.cubes, cubes.masked_cubes, 1, rng)[0].numpy()
    none, always = np.zeros(joints, bool), np.zeros(len(xyz), bool)
    return [
        (
            "CSM (PSTL)",
            "joints by their number of bones: hubs of the body go first",
            Clip(xyz, central, always),
        ),
        (
            "MATM (PSTL)",
            "the fastest frames, and as many again at random",
            Clip(xyz, none, fast_frames(xyz, cfg.masked_frames, rng)),
        ),
        (
            "structure-guided (SCD-Net)",
            "a connected group around random joints",
            Clip(xyz, grown.numpy(), always),
        ),
        ("cubes (SCD-Net)", "pieces of consecutive frames", Clip(long, none, pieces)),
    ]


def fast_frames(xyz: np.ndarray, masked_frames: int, rng: torch.Generator) -> np.ndarray:
    """Which frames MATM takes out: (T,) bool.

    A frame's number travels along as a fourth coordinate. It grows by the same in every frame, so the order by speed stays.
    """
    x = torch.from_numpy(xyz).to(STEPS).permute(3, 0, 1, 2)[None]  # (1, 3, T, V, M)
    number = torch.arange(len(xyz), dtype=STEPS).view(1, 1, -1, 1, 1).expand(1, 1, *x.shape[2:])
    kept: Tensor = masks.drop_fast_frames(torch.cat([x, number], 1), masked_frames, rng)[
        0, 3, :, 0, 0
    ]
    return ~_flags(kept.round().long().numpy(), len(xyz))


def moving(clip: Clip, skeleton: Skeleton, alt: str) -> str:
    """The clip as an endless animation, and as a row of poses for print and for people who asked for no motion."""
    flat = project(clip.xyz)
    body = strip(clip.frames)
    for m in range(flat.shape[2]):
        if not np.abs(clip.xyz[:, :, m]).any():
            continue
        for tone, bones in _bones(skeleton, clip.joints).items():
            if bones:
                body.append(
                    animated(
                        [path(flat[t, :, m], bones) for t in range(len(flat))], tone, clip.frames
                    )
                )
    return drawing(body, [_pose(flat[t], clip, t, skeleton) for t in stills(len(flat))], alt)


def stills(frames: int) -> list[int]:
    """Frames that are shown on paper."""
    return [int(t) for t in np.linspace(0, frames - 1, min(STILLS, frames)).round()]


def drawing(body: Sequence[str], poses: Sequence[str], alt: str) -> str:
    """The moving picture, and the row of poses that stands for it on paper."""
    still = "".join(
        f'<g transform="translate({i * SIDE * 0.6:.0f} 0)">{pose}</g>'
        for i, pose in enumerate(poses)
    )
    return (
        f'<svg class="moving" viewBox="0 0 {SIDE} {SIDE + 8}" role="img" aria-label="{escape(alt)}"><title>{escape(alt)}</title>'
        f'{"".join(body)}</svg><svg class="still" viewBox="0 0 {SIDE * 0.6 * (len(poses) - 1) + SIDE:.0f} {SIDE}" role="img" '
        f'aria-label="{escape(alt)}, {len(poses)} poses">{still}</svg>'
    )


def project(xyz: np.ndarray) -> np.ndarray:
    """Front view in whole pixels, y down, everything inside SIDE x SIDE.   (T, V, M, 3) -> (T, V, M, 2)."""
    there = np.abs(xyz).sum(-1) > 0
    seen = xyz[there][:, :2] if there.any() else np.zeros((1, 2))
    low, high = seen.min(0), seen.max(0)
    scale = (SIDE - 12) / max(float((high - low).max()), 1e-6)
    flat = (xyz[..., :2] - (low + high) / 2) * scale * np.array([1, -1]) + SIDE / 2
    return flat.round().astype(int)


def path(joints: np.ndarray, bones: Sequence[tuple[int, int]]) -> str:
    """SVG path of some bones of one pose (V, 2)."""
    return "".join(
        f"M{joints[a, 0]} {joints[a, 1]}L{joints[b, 0]} {joints[b, 1]}" for a, b in bones
    )


def _bones(skeleton: Skeleton, hidden: np.ndarray) -> dict[str, list[tuple[int, int]]]:
    """Bones by colour: sides and trunk; those with a hidden end in grey."""
    tones: dict[str, list[tuple[int, int]]] = {GONE: [], TRUNK: [], LEFT: [], RIGHT: []}
    sides = {
        j: tone for pair in skeleton.left_right for j, tone in zip(pair, (LEFT, RIGHT), strict=True)
    }
    for child, parent in skeleton.edges:
        tones[GONE if hidden[child] or hidden[parent] else sides.get(child, TRUNK)].append(
            (child, parent)
        )
    return tones


def animated(paths: list[str], tone: str, dropped: np.ndarray) -> str:
    """One path that changes from frame to frame; it fades in the frames that a mask drops."""
    timing = f'dur="{SECONDS}s" repeatCount="indefinite" calcMode="discrete"'
    fade = ""
    if dropped.any():
        fade = f'<animate attributeName="opacity" values="{";".join("0.12" if d else "1" for d in dropped)}" {timing}/>'
    return (
        f'<path d="{paths[0]}" fill="none" stroke="{tone}" stroke-width="2.4" stroke-linecap="round">'
        f'<animate attributeName="d" values="{";".join(paths)}" {timing}/>{fade}</path>'
    )


def strip(dropped: np.ndarray) -> list[str]:
    """A ruler below the drawing: one mark per frame, empty where the mask drops it, with a hand that runs along."""
    if not dropped.any():
        return []
    step = SIDE / len(dropped)
    marks = "".join(
        f"M{i * step + 0.3:.1f} {SIDE + 2}h{step - 0.6:.1f}v5h-{step - 0.6:.1f}z"
        for i in np.flatnonzero(~dropped)
    )
    hand = f'<animate attributeName="x" from="0" to="{SIDE}" dur="{SECONDS}s" repeatCount="indefinite"/>'
    return [
        f'<path d="{marks}" fill="{TRUNK}"/>',
        f'<rect y="{SIDE}" width="1.5" height="8" fill="{RIGHT}">{hand}</rect>',
    ]


def _pose(flat: np.ndarray, clip: Clip, t: int, skeleton: Skeleton) -> str:
    present = [m for m in range(flat.shape[1]) if np.abs(clip.xyz[t, :, m]).any()]
    drawn = [
        f'<path d="{path(flat[:, m], bones)}" fill="none" stroke="{tone}" stroke-width="2.2" stroke-linecap="round"/>'
        for m in present
        for tone, bones in _bones(skeleton, clip.joints).items()
        if bones
    ]
    return f'<g opacity="{0.15 if clip.frames[t] else 1}">{"".join(drawn)}</g>'


def _flags(index: np.ndarray, count: int) -> np.ndarray:
    """(count,) bool, True at `index`."""
    flags = np.zeros(count, bool)
    flags[index] = True
    return flags
