"""Five float64 training steps of every method: losses, weights and features as numbers.

float64, because in float32 Adam turns rounding into whole steps. Weights and clips are drawn by
NumPy, so that no processor's own random kernels are in them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from pstl.backbones import bigru, dsta, stgcn, tcn, vit
from pstl.backbones import hitrs as hitrs_backbone
from pstl.backbones import scdnet as scdnet_backbone
from pstl.backbones import umurl as umurl_backbone
from pstl.methods import (
    aimclr,
    hitrs,
    mamp,
    predict_cluster,
    psp,
    pstl,
    scdnet,
    simclr,
    skeletonbt,
    skeletonclr,
    supervised,
    umurl,
)
from pstl.records import Batch, Problem
from pstl.skeletons import load

STEPS = 5
CLIPS, FRAMES, CLASSES = 8, 32, 3
LABELLED = 4  # clips in front of a batch of PSP
WEIGHT_SEED, CLIP_SEED = 1, 2

STGCN = {"backbone": stgcn, "encoder": {"width": 2, "dropout": 0.25}, "people": 2}
BARLOW = {"projector_width": 8}
CONTRAST = {"settings": {"queue": 24, "projection": 8}, **STGCN, "optimiser": "sgd"}
SCDNET_WIDTHS = {"width": 16, "heads": 2, "feedforward": 16, "stem_width": 8, "dropout": 0.0}
SCDNET = {
    "method": scdnet,
    "settings": {"frames": 16, "cubes": 4, "masked_cubes": 2, "queue": 12, "projection": 8},
    "backbone": scdnet_backbone,
    "encoder": SCDNET_WIDTHS,
    "people": 2,
    "optimiser": "sgd",
}
HITRS_WIDTHS = {"width": 8, "heads": 2, "head_width": 4, "layers": 1, "dropout": 0.25}
HITRS = {"method": hitrs, "backbone": hitrs_backbone, "encoder": HITRS_WIDTHS, "people": 1}
PSP = {
    "method": psp,
    "backbone": dsta,
    "encoder": {"width": 8, "heads": 2},
    "people": 2,
    "optimiser": "sgd",
}
MAMP = {
    "method": mamp,
    "settings": {"frames": 24, "shortest": 12, "decoder_width": 8, "decoder_depth": 1,
                 "decoder_heads": 2},
    "backbone": vit,
    "encoder": {"width": 8, "depth": 2, "heads": 2},
    "people": 2,
}  # fmt: skip
UMURL = {
    "method": umurl,
    "settings": {"frames": 16, "projection": 12},
    "backbone": umurl_backbone,
    "encoder": {"width": 8},
    "people": 2,
    "stream": "other",
}
PREDICT_CLUSTER = {
    "method": predict_cluster,
    "backbone": bigru,
    "encoder": {"width": 4, "layers": 2},
    "people": 2,
}
CASES: dict[str, dict[str, Any]] = {
    "pstl": {"method": pstl, "settings": BARLOW, **STGCN},
    "pstl, ablated": {
        "method": pstl,
        "settings": {**BARLOW, "per_sample": True, "joint_choice": "random"},
        "stream": "motion",
        **STGCN,
    },
    "skeletonbt": {"method": skeletonbt, "settings": BARLOW, "stream": "bone", **STGCN},
    "supervised": {"method": supervised, **STGCN},
    "skeletonclr": {"method": skeletonclr, **CONTRAST},
    "aimclr": {"method": aimclr, **CONTRAST},
    "aimclr, mining": {
        "method": aimclr,
        **CONTRAST,
        "settings": {"queue": 24, "projection": 8, "mine_after": 0},
        "stream": "motion",
    },
    "scdnet": SCDNET,
    "scdnet, bone": {**SCDNET, "stream": "bone"},
    "hitrs": HITRS,
    "hitrs, motion": {**HITRS, "stream": "motion"},
    "predict_cluster": PREDICT_CLUSTER,
    "predict_cluster, fixed state": {
        **PREDICT_CLUSTER,
        "settings": {"fixed": "state"},
        "stream": "motion",
    },
    "psp": {**PSP, "settings": {"frames": 16, "heads": 4}},
    "psp, turned": {**PSP, "settings": {"frames": 16, "recursive": True, "turn_deg": 30.0}},
    "simclr": {
        "method": simclr,
        "settings": {"hidden": 8, "projection": 4},
        "backbone": tcn,
        "encoder": {"width": 8},
        "people": 2,
    },
    "mamp": MAMP,
    "mamp, motion": {**MAMP, "stream": "motion"},
    "psp, supervised": {**PSP, "settings": {"frames": 16, "contrast_weight": 0}},
    "umurl": UMURL,
    "umurl, bone": {**UMURL, "encoder": {"width": 8, "features": "bone"}},
}


@contextmanager
def double_precision() -> Iterator[None]:
    """float64 all through: what methods raise to at least float32 is not lowered to it."""
    torch.set_default_dtype(torch.float64)
    try:
        with patch.object(torch.Tensor, "float", torch.Tensor.double):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def clips(people: int, joints: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random walks of 20 to 32 frames, every third one of one person; zero beyond their length.

    Returns: x (8, 3, 32, joints, people) float64, length (8,) int64.
    """
    rng = np.random.default_rng(CLIP_SEED)
    steps = rng.random((CLIPS, 3, FRAMES, joints, people)) - 0.5
    x = rng.random((CLIPS, 3, 1, joints, people)) + 0.1 * steps.cumsum(2)
    length = np.linspace(20, FRAMES, CLIPS).astype(np.int64)
    for clip, frames in zip(x, length, strict=True):
        clip[:, frames:] = 0
    if people == 2:
        x[::3, ..., 1] = 0
    return torch.from_numpy(x), torch.from_numpy(length)


def fill(module: torch.nn.Module) -> None:
    """Give all weights and the queues of keys numbers that NumPy draws, in the module's order."""
    rng = np.random.default_rng(WEIGHT_SEED)
    for weight in module.parameters():
        bound = 1 / np.sqrt(weight[0].numel()) if weight.dim() > 1 else 0.1
        drawn = torch.from_numpy(bound * (2 * rng.random(weight.shape) - 1))
        is_scale = weight.dim() == 1 and bool((weight == 1).all())  # of a norm
        weight.data = 1 + drawn if is_scale else drawn
    for name, buffer in module.named_buffers():
        if name.endswith("keys"):
            drawn = torch.from_numpy(2 * rng.random(buffer.shape) - 1)
            buffer.copy_(torch.nn.functional.normalize(drawn, dim=1))


def built(case: dict[str, Any]) -> torch.nn.Module:
    """The method of a case with crafted weights."""
    skeleton, people = load("kinect_v2"), case["people"]
    method = case["method"]
    cfg = method.Config(**case.get("settings", {}))
    frames = method.Method.frames(cfg, FRAMES)
    encoder_cfg = case["backbone"].Config(**case["encoder"])
    encoder = case["backbone"].Encoder(encoder_cfg, skeleton, people, frames)
    problem = Problem(skeleton, people, frames, CLASSES, case.get("stream", "joint"))
    module = method.Method(cfg, encoder, problem).double()
    fill(module)
    return module


def batch_of(case: dict[str, Any]) -> Batch:
    x, length = clips(case["people"], load("kinect_v2").joints)
    present = x.ne(0).any(3).any(2).any(1)
    y = torch.arange(CLIPS) % CLASSES
    labelled = LABELLED if case["method"] is psp else 0
    if labelled:
        y[labelled:] = -1
    return Batch(x, length, y, present, length, labelled)


def optimiser_of(case: dict[str, Any], module: torch.nn.Module) -> torch.optim.Optimizer:
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    if case.get("optimiser") == "sgd":
        return torch.optim.SGD(weights, lr=0.01, momentum=0.9, weight_decay=1e-4)
    return torch.optim.Adam(weights, lr=1e-3, weight_decay=1e-5)


def generator(step: int) -> torch.Generator:
    return torch.Generator().manual_seed(100 + step)


def trained(case: dict[str, Any]) -> dict[str, Any]:
    """Losses of five steps, and what the weights and the clean features are after them."""
    module, batch = built(case), batch_of(case)
    module.train()
    optimiser, losses = optimiser_of(case, module), []
    torch.manual_seed(0)  # of dropout
    for step in range(STEPS):
        parts = module(batch, generator(step))
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        module.after_step()
        losses.append({name: float(part.detach()) for name, part in parts.items()})
    return {
        "losses": losses,
        "weights": weights_of(module),
        "views": views_of(case, module, batch),
    }


def views_of(case: dict[str, Any], module: torch.nn.Module, batch: Batch) -> dict[str, Any]:
    """The views a task sees: clean and encoded, and random as its paper fine-tunes on."""
    skeleton, stream = load("kinect_v2"), case.get("stream", "joint")
    module.eval()
    x, length, cfg = batch.x, batch.length, module.cfg
    with torch.no_grad():
        clean = module.clean_stream(cfg, x, length, skeleton, stream)
        features = module.encoder(clean)
        augmented, shorter = module.augmented(cfg, x, length, generator(99))
    return {
        "clean": summary([clean]),
        "features": summary([features.clip]),
        "features of frames": summary([features.frames]),
        "augmented": summary([augmented]),
        "augmented frames": int(shorter.sum()),
    }


def weights_of(module: torch.nn.Module) -> dict[str, Any]:
    """One summary for the weights of every part of a method, and one for its buffers."""
    parts = dict(module.named_children())
    groups = {}
    for name, part in parts.items():
        weights = [weight.detach() for weight in part.parameters()]
        kept = part.state_dict()
        named = [kept[key] for key, _ in part.named_buffers() if key in kept]
        buffers = [buffer for buffer in named if buffer.is_floating_point()]
        groups[name] = summary(weights)
        if buffers:
            groups[f"{name}, buffers"] = summary(buffers)
    return groups


def summary(tensors: list[torch.Tensor]) -> dict[str, float]:
    """Count, norm, sum, and a sum in which every place of a tensor has a weight of its own."""
    flat = [tensor.double().flatten().numpy() for tensor in tensors]
    weighted = [values @ (np.arange(len(values)) * 37 % 101 / 101) for values in flat]
    return {
        "count": sum(map(len, flat)),
        "norm": float(np.sqrt(sum(values @ values for values in flat))),
        "sum": float(sum(values.sum() for values in flat)),
        "weighted": float(sum(weighted)),
    }


def made() -> dict[str, Any]:
    with double_precision():
        return {name: trained(case) for name, case in CASES.items()}
