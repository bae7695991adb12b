"""Robustness: frozen features of clips that lost joints, body parts or frames, at the test alone or
in the probe's training, too.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from pstl.config import Frozen, validated
from pstl.contracts import NotApplicable, Result, Task
from pstl.data.loader import in_order
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.features import BATCH, encode
from pstl.encoding.pretrained import Pretrained
from pstl.metrics.classification import TOP1, top_k
from pstl.metrics.clips import ClipMetrics, on_clips
from pstl.metrics.metric import UNSEEN
from pstl.ops import masks
from pstl.ops.finite import check_rows
from pstl.registry import load as load_plugin
from pstl.rng import torch_generator
from pstl.skeletons import Skeleton
from pstl.train import encoder_file

NO_DELETION = "this encoder takes every joint, so none can be deleted"
OTHER_FEATURES = (
    "fewer joints give fewer features here, which a probe trained on whole clips cannot read"
)


ProbeName = Literal["linear", "probe", "knn"]


class Config(Frozen):
    """Ours: of PSTL's own table only that it exists is known (PSTL spec 13).

    Joints are the recipe's: their absence does not disturb its centring and alignment. "deletion"
    takes joints out of the encoder's graph, as `embed --drop-joints` does, and is n/a for encoders
    that cannot; of frames it takes what is left, stretched to the old length.
    "zeros" puts joints or frames to the origin.
    """

    joints: tuple[int, ...] = (
        1,
        3,
        5,
        8,
        12,
    )  # at random, the same for every clip and method of a seed; more of them include fewer
    parts: bool = True  # each part of the skeleton's table
    frames: tuple[float, ...] = Field(
        (0.2, 0.4, 0.6)
    )  # share of each clip's frames, at random, others for each clip
    by: tuple[Literal["deletion", "zeros"], ...] = ("deletion", "zeros")
    probes: dict[ProbeName, dict[str, Any]] = {
        "linear": {},
        "knn": {},
    }  # with the settings of these tasks

    @model_validator(mode="after")
    def _possible(self) -> "Config":
        if not all(0 < share < 1 for share in self.frames) or not all(
            count >= 1 for count in self.joints
        ):
            raise ValueError("frames are shares between 0 and 1, joints are counts from 1")
        if not self.probes or not self.by:
            raise ValueError(
                f"probes and by need at least one entry; probes are {', '.join(get_args(ProbeName))}"
            )
        for name, section in self.probes.items():
            validated(load_plugin("tasks", name).TASK.settings, section, f"probes.{name}")
        return self


class Loss(NamedTuple):
    """What is lost: joints (0-based), or a share of the frames. `setting` says it in the rows."""

    setting: str
    joints: tuple[int, ...] = ()
    frames: float = 0.0


class LostJoints(Task[Pretrained, Config]):
    """Frozen features of clips that lost joints, parts or frames."""

    needs = "clips_and_features"
    probes = ("linear", "probe", "knn")
    settings = Config
    metrics = (TOP1,)

    def run(self, world: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
        """top1, and top1_unseen where test clips are also in training, for every probe, loss, and
        place of the loss.

        Settings: probe=<name>;in=<test or both>;by=<deletion or zeros>;<joints=count, part=name or
        frames=share>. `in=both`: the probe is trained on clips with the same loss. Nothing lost is
        joints=0 and frames=0. Every loss is encoded once for all probes and places.
        Raises: NotApplicable if joints are to be deleted, nothing else is asked for, and the
        encoder cannot.
        """
        whole = world.features
        assert whole is not None  # promised by needs
        world.renew()
        rows: dict[str, ClipMetrics] = {}
        without: dict[str, str] = {}
        every, probes = (
            list(losses(world, cfg, seed)),
            {name: probe_of(name, section, seed, device) for name, section in cfg.probes.items()},
        )
        before = {name: accuracy(probe, whole) for name, probe in probes.items()}
        for by in cfg.by:
            sides = {
                loss.setting: encoded(world, loss, by, seed)
                for loss in every
                if possible(world, loss, by)
            }
            for (name, probe), place in product(probes.items(), ("test", "both")):
                where = f"probe={name};in={place};by={by};"
                found = (
                    at_test(probe, whole, sides)
                    if place == "test"
                    else in_both(probe, whole, sides)
                )
                nothing = [
                    kind
                    for kind in ("joints", "frames")
                    if any(setting.startswith(kind) for setting in found)
                ]
                rows |= {f"{where}{kind}=0": before[name] for kind in nothing} | {
                    where + setting: m for setting, m in found.items()
                }
                missing = [loss.setting for loss in every if loss.setting not in found]
                without |= {
                    where + setting: OTHER_FEATURES if setting in sides else NO_DELETION
                    for setting in missing
                }
        if not rows:
            raise NotApplicable(NO_DELETION)
        first = next(iter(rows))
        return Result(rows.pop(first), setting=first, others=rows, without=without)


def losses(world: Pretrained, cfg: Config, seed: int) -> Iterator[Loss]:
    """What is lost, one after the other."""
    skeleton = encoder_file.skeleton_of(world.card)
    order = random_order(skeleton, seed)
    yield from (
        Loss(f"joints={count}", order[:count]) for count in cfg.joints if count < skeleton.joints
    )
    if cfg.parts:
        yield from (Loss(f"part={name}", joints) for name, joints in skeleton.parts.items())
    yield from (Loss(f"frames={share:g}", frames=share) for share in cfg.frames)


def possible(world: Pretrained, loss: Loss, by: str) -> bool:
    """Whether the encoder can take clips with this loss."""
    return by == "zeros" or world.encoder.can_drop or not loss.joints


def random_order(skeleton: Skeleton, seed: int) -> tuple[int, ...]:
    """All joints in the order in which they are lost, for one seed."""
    return tuple(
        torch.randperm(skeleton.joints, generator=torch_generator(seed, "lost joints")).tolist()
    )


def encoded(world: Pretrained, loss: Loss, by: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) of the training and of the test clips after one loss."""
    train, test = (
        encode_side(world, indices, loss, by, seed, number)
        for number, indices in enumerate((world.train, world.test))
    )
    return train, test


@torch.inference_mode()
def encode_side(
    world: Pretrained, indices: np.ndarray, loss: Loss, by: str, seed: int, number: int
) -> np.ndarray:
    """Features of some clips in file order; `number` tells the sides' frames that are lost apart."""
    clips, rows = world.clips(indices), []
    used = torch.cat(
        [
            frames_used(clips.take(torch.arange(p.start, p.stop))[0]).cpu()
            for p in in_order(len(clips), BATCH)
        ]
    )
    dropped = masks.random_frames(
        used, clips.x.shape[2], loss.frames, torch_generator(seed, "lost frames", number)
    )
    for part in in_order(len(clips), BATCH):
        x, length, _ = clips.take(torch.arange(part.start, part.stop))
        x, drop = lose(x, loss, by, dropped[part].to(x.device), used[part].to(x.device))
        rows.append(encode(world.card, world.encoder, x, length, drop).float().cpu())
    features = torch.cat(rows).numpy()
    check_rows(features, f"features without {loss.setting}", clips.name)
    return features


def lose(
    x: Tensor, loss: Loss, by: str, dropped: Tensor, used: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Clips after one loss, and the joints that the encoder is to delete.   x: (N, 3, T, V, M),
    dropped: (N, T) bool, used: (N,).
    """
    joints = torch.tensor(sorted(loss.joints), dtype=torch.long, device=x.device)
    if by == "zeros":
        lost = torch.zeros(len(x), x.shape[3], dtype=torch.bool, device=x.device).index_fill(
            1, joints, True
        )
        return masks.zero_fill(x, lost, dropped), None
    return (x, joints) if loss.joints else (masks.delete_frames(x, dropped, used), None)


def frames_used(x: Tensor) -> Tensor:
    """Frames up to the last in which anything is not zero: what the recipe filled.   x: (N, C, T,
    V, M).   Returns: (N,).
    """
    there = x.ne(0).any(4).any(3).any(1)  # (N, T)
    return (there * torch.arange(1, x.shape[2] + 1, device=x.device)).amax(1)


Sides = dict[
    str, tuple[np.ndarray, np.ndarray]
]  # setting of a loss -> features of the training and of the test clips after it


class Probe(NamedTuple):
    """A task on frozen features with its settings."""

    task: Task
    cfg: Frozen
    seed: int
    device: torch.device

    def __call__(self, features: FeatureSet) -> Result:
        return self.task.run(features, self.cfg, self.seed, self.device)


def probe_of(name: str, section: dict[str, Any], seed: int, device: torch.device) -> Probe:
    """The task `name` with these settings of it."""
    task: Task = load_plugin("tasks", name).TASK
    return Probe(task, validated(task.settings, section, f"probes.{name}"), seed, device)


def accuracy(probe: Probe, features: FeatureSet) -> ClipMetrics:
    """Metrics of one probe trained and tested on these features."""
    metrics = probe(features).metrics
    return ClipMetrics(
        {name: metrics[name] for name in ("top1", f"top1{UNSEEN}") if name in metrics}
    )


def in_both(probe: Probe, whole: FeatureSet, sides: Sides) -> dict[str, ClipMetrics]:
    """One probe for each loss, trained and tested on clips with it."""
    return {
        setting: accuracy(probe, replace(whole, train=train, test=test))
        for setting, (train, test) in sides.items()
    }


def at_test(probe: Probe, whole: FeatureSet, sides: Sides) -> dict[str, ClipMetrics]:
    """One probe, trained on the whole clips, on test clips with each loss; a probe that trains does
    so once for all.

    Losses that leave other features than the probe knows are left out.
    """
    tests = {
        setting: test
        for setting, (_, test) in sides.items()
        if test.shape[1] == whole.test.shape[1]
    }
    if not tests:
        return {}
    count = len(tests)
    stacked = replace(
        whole,
        test=np.concatenate(list(tests.values())),
        y_test=np.tile(whole.y_test, count),
        unseen=np.tile(whole.unseen, count),
    )
    scores = probe(stacked).scores
    if scores is None:
        return {
            setting: accuracy(probe, replace(whole, test=test)) for setting, test in tests.items()
        }
    y = torch.from_numpy(whole.y_test)

    def top1(points: Tensor) -> ClipMetrics:
        return on_clips(lambda kept: {"top1": float(top_k(points[kept], y[kept], 1))}, whole.unseen)

    return {
        setting: top1(points)
        for setting, points in zip(tests, torch.from_numpy(scores).chunk(count), strict=True)
    }


TASK = LostJoints()
