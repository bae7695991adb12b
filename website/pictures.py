"""Every picture of the pages, drawn anew into docs/pictures: `python -m website.pictures`.

The people are simulated; a method's views are made by the code that trains it. The same code gives
the same bytes, and a test compares them.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pstl.methods import _barlow, mamp, pstl, scdnet, simclr
from pstl.ops import augment, body_views, masks
from pstl.ops.windows import pack
from pstl.report.simulated_clips import fast_frames, simulated
from pstl.rng import torch_generator
from pstl.skeletons import load
from website import headline
from website.diagram import Branch, svg

FOLDER = Path(__file__).resolve().parents[1] / "docs/pictures"
BODY = load("kinect_v2")
ACTION = 1  # of the simulator: wave fast
FRAMES = 50
ABOUT = "Simulated people pass through the method"


def clip(frames: int = FRAMES) -> Tensor:
    """One simulated person, centred.   Returns: (1, 3, frames, V, 1)."""
    xyz = simulated(ACTION, frames)[:, :, :1]
    xyz = xyz - xyz[:, BODY.centre : BODY.centre + 1]
    return torch.from_numpy(xyz).float().permute(3, 0, 1, 2)[None]


def branch(caption: str, x: Tensor, *boxes: str, **more: object) -> Branch:
    """A branch of a clip (1, 3, T, V, 1)."""
    xyz = x[0, :, :, :, 0].permute(1, 2, 0).numpy()
    hidden = more.pop("hidden", np.zeros(xyz.shape[:2], bool))
    return Branch(caption, xyz, hidden, boxes, **more)  # type: ignore[arg-type]


def over(frames: np.ndarray | None, joints: np.ndarray | None, count: int) -> np.ndarray:
    """What is hidden, (T, V), where frames (T,) or joints (V,) are."""
    hidden = np.zeros((count, BODY.joints), bool)
    if frames is not None:
        hidden |= frames[:, None]
    if joints is not None:
        hidden |= joints[None]
    return hidden


def weak(seed: int) -> Tensor:
    """A view of PSTL and SkeletonBT."""
    rng = torch_generator(seed, "picture")
    return _barlow.weak_view(pstl.Config(), clip(), BODY, rng)


def normal(seed: int) -> Tensor:
    """A view of SkeletonCLR: a crop and a shear."""
    rng = torch_generator(seed, "picture")
    x = augment.crop(clip(), 6, rng)
    return augment.transform(x, augment.shear(1, 0.5, rng))


def extreme(seed: int) -> Tensor:
    """A view of AimCLR with some of what may happen to it."""
    rng = torch_generator(seed, "picture")
    x = augment.transform(normal(seed), augment.rotation(1, 30.0, 1.0, rng))
    return x + 0.02 * torch.randn(x.shape, generator=rng)


def draw_pstl() -> str:
    rng = torch_generator(3, "picture")
    dropped = masks.central_joints(BODY, pstl.Config().masked_joints, rng).numpy()
    joints = np.zeros(BODY.joints, bool)
    joints[dropped] = True
    temporal = weak(2)
    xyz = temporal[0].permute(1, 2, 3, 0).numpy()
    fast = fast_frames(xyz, pstl.Config().masked_frames, rng)
    rows = [
        branch("temporal: fast frames are taken out", temporal, "encoder f", "projector g",
               hidden=over(fast, None, FRAMES)),
        branch("anchor", weak(1), "encoder f", "projector g"),
        branch("spatial: central joints are taken out", weak(4), "encoder f", "projector g",
               hidden=over(None, joints, FRAMES)),
    ]  # fmt: skip
    loss = ["Barlow Twins", "temporal and anchor", "+ Barlow Twins", "anchor and spatial"]
    return svg(rows, loss, BODY, f"{ABOUT} PSTL")


def draw_skeletonbt() -> str:
    rows = [
        branch("one view", weak(1), "encoder f", "projector g"),
        branch("another view", weak(4), "encoder f", "projector g"),
    ]
    return svg(rows, ["Barlow Twins", "of both views"], BODY, f"{ABOUT} SkeletonBT")


def draw_scdnet() -> str:
    cfg, rng = scdnet.Config(), torch_generator(0, "picture")
    seeds, grown = round(cfg.seed_joints * BODY.joints), round(cfg.masked_joints * BODY.joints)
    joints = masks.structure_guided_joints(BODY, seeds, grown, 1, rng)[0].numpy()
    cubes = masks.frame_cubes(cfg.frames, cfg.cubes, cfg.masked_cubes, 1, rng)[0].numpy()
    x = clip(cfg.frames)
    first = augment.transform(x, augment.rotation(1, 30.0, 1.0, rng))
    second = augment.transform(x, augment.shear(1, 1.0, rng))
    rows = [
        branch("view 1: a group of joints is masked", first, "encoder|in time, in space",
               "projectors|q_t q_s q_g", hidden=over(None, joints, cfg.frames)),
        branch("view 2: pieces of time are masked", second, "(momentum|encoder)",
               "(projectors|k_t k_s k_g)", hidden=over(cubes, None, cfg.frames)),
    ]  # fmt: skip
    loss = ["InfoNCE, four times:", "q_t and q_s to k_g,", "q_g to k_t and k_s,", "among 3 queues"]
    return svg(rows, loss, BODY, f"{ABOUT} SCD-Net")


def draw_hitrs() -> str:
    rng = torch_generator(5, "picture")
    x = clip()
    frames = x[0, :, :, :, 0].permute(1, 2, 0)
    packed = pack(torch.tensor([FRAMES]))
    draw = torch.rand(FRAMES, BODY.joints, generator=rng, dtype=torch.float64)
    _, chosen = masks.corrupt_joints(frames, packed, torch.tensor([FRAMES]), 0.15, draw)
    hidden = np.zeros(FRAMES * BODY.joints, bool)
    hidden[chosen.numpy()] = True
    rows = [
        branch("one person, 15 % of the joints corrupted", x, "F-TRS|joints of a frame",
               "C-TRS|frames of a clip", "V-TRS|clips of a video",
               hidden=hidden.reshape(FRAMES, -1)),
    ]  # fmt: skip
    loss = [
        "restore the joints",
        "+ frames exchanged?",
        "+ clips exchanged?",
        "+ find the last clip",
    ]
    return svg(rows, loss, BODY, f"{ABOUT} Hi-TRS")


def draw_psp() -> str:
    x = clip()
    attention = "polymerised|attention"
    rows = [
        branch("joints of a clip without label", x, "encoder", attention, "projector"),
        branch("its motion", x, "encoder", attention, "projector", moves=True),
        branch("a labelled clip, joints and motion", clip(), "encoder", "classifier"),
    ]
    loss = ["NT-Xent, joints and", "motion, of body,", "parts and joints", "", "+ cross-entropy"]
    return svg(rows, loss, BODY, f"{ABOUT} PSP")


def draw_simclr() -> str:
    rng = torch_generator(1, "picture")
    views = [body_views.random_view(clip(), BODY, simclr.Config(frames=0), rng) for _ in range(2)]
    lost = [(~view[0].any(0)[..., 0]).numpy() for view in views]
    rows = [
        branch("another part, body and side of the clip", views[0], "encoder", "projector",
               hidden=lost[0]),
        branch("and another", views[1], "encoder", "projector", hidden=lost[1]),
    ]  # fmt: skip
    loss = ["NT-Xent: a clip's views", "together, other clips", "of the batch apart"]
    return svg(rows, loss, BODY, f"{ABOUT} SimCLR")


def draw_skeletonclr() -> str:
    rows = [
        branch("a normal view", normal(1), "encoder", "projector|q"),
        branch("another normal view", normal(2), "(momentum|encoder)", "(projector|k)"),
    ]
    loss = ["InfoNCE: q to k", "among a queue", "of past keys"]
    return svg(rows, loss, BODY, f"{ABOUT} SkeletonCLR")


def draw_aimclr() -> str:
    rows = [
        branch("an extreme view", extreme(3), "encoder", "drop what|stands out", "projector"),
        branch("a normal view", normal(1), "encoder", "projector|q"),
        branch("another normal view", normal(2), "(momentum|encoder)", "(projector|k)"),
    ]
    loss = [
        "InfoNCE: q to k and",
        "its neighbours in a queue",
        "",
        "+ the extreme view's",
        "scores follow q's",
    ]
    return svg(rows, loss, BODY, f"{ABOUT} AimCLR")


def draw_umurl() -> str:
    x = clip(64)
    rows = [
        branch("joints of one view", x, "embedding", "encoder", "projector"),
        branch("bones of another", x, "embedding", "encoder", "projector"),
        branch("motion of a third", x, "embedding", "encoder", "projector", moves=True),
        branch("all three of a fourth", x, "3 embeddings,|their mean", "encoder", "3 projectors"),
    ]
    loss = [
        "each alone agrees with",
        "all together (intra)",
        "and with the others",
        "(inter);",
        "VICReg keeps them apart",
    ]
    return svg(rows, loss, BODY, f"{ABOUT} UmURL")


def draw_predict_cluster() -> str:
    rows = [
        branch("a clip", clip(), "GRU, both|directions", "one vector", "weak decoder"),
    ]
    loss = ["tell the clip again:", "mean absolute error"]
    return svg(rows, loss, BODY, f"{ABOUT} Predict and Cluster")


def draw_mamp() -> str:
    cfg, rng = mamp.Config(), torch_generator(0, "picture")
    x = clip(cfg.frames)
    patches = x[0, :, :, :, 0].permute(2, 1, 0).reshape(BODY.joints, -1, 12).transpose(0, 1)
    amount = mamp.intensity(patches[None]).flatten(1)
    noise = torch.rand(amount.shape, generator=rng)
    visible = mamp.calmest(amount, noise, cfg.tau, int(amount.shape[1] * (1 - cfg.masked)))
    hidden = np.ones(amount.shape[1], bool)
    hidden[visible[0].numpy()] = False
    hidden = hidden.reshape(-1, BODY.joints).repeat(cfg.frames // len(patches), 0)
    rows = [
        branch("a tenth of the tokens, the calm ones rather", x, "transformer|on what is seen",
               "transformer|on all places", hidden=hidden),
    ]  # fmt: skip
    loss = ["predict the motion", "inside the others:", "mean squared error"]
    return svg(rows, loss, BODY, f"{ABOUT} MAMP")


def draw_supervised() -> str:
    rows = [branch("a labelled clip", clip(), "encoder", "linear layer")]
    return svg(rows, ["cross-entropy", "with the label"], BODY, f"{ABOUT} supervised training")


def draw_random_init() -> str:
    rows = [branch("a clip", clip(), "(encoder,|untrained)")]
    return svg(rows, ["no loss:", "features as they come"], BODY, f"{ABOUT} without training")


def draw_raw() -> str:
    rows = [branch("a clip, by the recipe", clip(), "(its numbers)")]
    return svg(
        rows, ["no loss, no encoder:", "coordinates as features"], BODY, f"{ABOUT} of no method"
    )


DRAWN: dict[str, Callable[[], str]] = {
    "pstl": draw_pstl,
    "scdnet": draw_scdnet,
    "hitrs": draw_hitrs,
    "psp": draw_psp,
    "simclr": draw_simclr,
    "skeletonbt": draw_skeletonbt,
    "skeletonclr": draw_skeletonclr,
    "aimclr": draw_aimclr,
    "umurl": draw_umurl,
    "predict_cluster": draw_predict_cluster,
    "mamp": draw_mamp,
    "supervised": draw_supervised,
    "random_init": draw_random_init,
    "raw": draw_raw,
    "headline": headline.draw,
}


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAWN.items():
        (FOLDER / f"{name}.svg").write_text(draw(), "utf-8")


if __name__ == "__main__":
    main()
