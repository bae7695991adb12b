"""The clips that the page shows: actions of the built-in data set, and what masks hide of one.

Only simulated people: recordings are not ours to show.
"""

import numpy as np
import torch
from torch import Tensor

from pstl.data.datasets import synthetic
from pstl.data.formats.skeleton_txt import ClipName
from pstl.methods import pstl, scdnet
from pstl.ops import masks
from pstl.report.poses import Clip, Moving, moving
from pstl.rng import torch_generator
from pstl.simulator.actions import ACTIONS
from pstl.simulator.sensor import Noise
from pstl.skeletons import load

SHOWN = 36  # frames of an action
STEPS = torch.float64


def simulated(action: int, frames: int | None = None) -> np.ndarray:
    """One clip of the built-in data set without sensor defects, (T, V, M, 3) metres.

    frames: to resample to; None: as many as it has.
    """
    defects = ("empty", "ghost", "slot_change", "absence", "lost_limb", "dropped_frame")
    quiet = Noise(**dict.fromkeys(defects, 0.0))
    config = synthetic.DATASET.Config.model_validate({"noise": quiet, "heading_deg": 20.0})
    xyz = synthetic.simulate(config, ClipName(1, 2, 1, 1, action + 1)).xyz
    return xyz if frames is None else _resampled(xyz, frames)


def actions() -> list[Moving]:
    """Every action of the built-in data set."""
    skeleton = load(synthetic.DATASET.spec.skeleton)
    pictures = []
    for number, action in enumerate(ACTIONS):
        xyz = simulated(number, SHOWN)
        clip = Clip(xyz, np.zeros(skeleton.joints, bool), np.zeros(len(xyz), bool))
        pictures.append(moving(action.name, clip, skeleton, f"Simulated skeleton: {action.name}"))
    return pictures


def masked() -> list[Moving]:
    """What each published mask hides of one clip, at the released settings."""
    skeleton, cfg, cubes = load(synthetic.DATASET.spec.skeleton), pstl.Config(), scdnet.Config()
    long = simulated(0, cubes.frames)
    xyz = _resampled(long, pstl.FRAMES_OF_PAPER)
    rng = torch_generator(0, "report masks")
    joints = skeleton.joints
    hubs = _flags(masks.central_joints(skeleton, cfg.masked_joints, rng).numpy(), joints)
    seeds, grown = round(cubes.seed_joints * joints), round(cubes.masked_joints * joints)
    group = masks.structure_guided_joints(skeleton, seeds, grown, 1, rng)[0].numpy()
    pieces = masks.frame_cubes(cubes.frames, cubes.cubes, cubes.masked_cubes, 1, rng)[0].numpy()
    no_joint, no_frame = np.zeros(joints, bool), np.zeros(len(xyz), bool)
    fast = fast_frames(xyz, cfg.masked_frames, rng)
    hides = [
        (
            "CSM (PSTL)",
            "joints by their number of bones: hubs of the body go first",
            Clip(xyz, hubs, no_frame),
        ),
        (
            "MATM (PSTL)",
            "the fastest frames, and as many again at random",
            Clip(xyz, no_joint, fast),
        ),
        (
            "structure-guided (SCD-Net)",
            "a connected group around random joints",
            Clip(xyz, group, no_frame),
        ),
        ("cubes (SCD-Net)", "pieces of consecutive frames", Clip(long, no_joint, pieces)),
    ]
    pictures = []
    for name, what, clip in hides:
        alt = f"Simulated skeleton under {name}; hidden: {what}"
        pictures.append(moving(f"{name}: {what}", clip, skeleton, alt))
    return pictures


def fast_frames(xyz: np.ndarray, masked_frames: int, rng: torch.Generator) -> np.ndarray:
    """Which frames MATM takes out: (T,) bool.   xyz: (T, V, M, 3).

    A frame's number travels along as a fourth coordinate. It grows by the same in every frame, so
    the order by speed stays.
    """
    x = torch.from_numpy(xyz).to(STEPS).permute(3, 0, 1, 2)[None]  # (1, 3, T, V, M)
    number = torch.arange(len(xyz), dtype=STEPS).view(1, 1, -1, 1, 1).expand(1, 1, *x.shape[2:])
    left: Tensor = masks.drop_fast_frames(torch.cat([x, number], 1), masked_frames, rng)
    return ~_flags(left[0, 3, :, 0, 0].round().long().numpy(), len(xyz))


def _resampled(xyz: np.ndarray, frames: int) -> np.ndarray:
    """The nearest of `frames` evenly spaced frames of (T, V, M, 3)."""
    return xyz[np.linspace(0, len(xyz) - 1, frames).round().astype(int)]


def _flags(index: np.ndarray, count: int) -> np.ndarray:
    """(count,) bool, True at `index`."""
    flags = np.zeros(count, bool)
    flags[index] = True
    return flags
