"""Robustness: frozen features of clips that lost joints, body parts or frames.

At the test alone, or in the probe's training, too.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from pstl.config import CLIP, Frozen, validated
from pstl.contracts import Task
from pstl.data.loader import in_order
from pstl.encoding.feature_file import FeatureSet
from pstl.encoding.features import BATCH, encode
from pstl.encoding.pretrained import Pretrained
from pstl.metrics.classification import TOP1, top_k
from pstl.metrics.clips import ClipMetrics, on_clips
from pstl.metrics.metric import UNSEEN
from pstl.ops import masks
from pstl.ops.finite import check_rows
from pstl.records import NotApplicable, Result
from pstl.registry import load as load_plugin
from pstl.rng import torch_generator
from pstl.skeletons import Skeleton
from pstl.train import encoder_file

NO_DELETION = "this encoder takes every joint, so none can be deleted"
OTHER_FEATURES = (
    "fewer joints give fewer features here, which a probe trained on whole clips cannot read"
)

ProbeName = Literal["linear", "probe", "knn"]
Place = Literal["test", "both"]


class Config(Frozen):
    """Our own protocol: of PSTL's own table only that it exists is known (PSTL spec 13).

    Joints are the recipe's: their absence does not disturb its centring and alignment. "deletion"
    takes joints out of the encoder's graph, as `embed --drop-joints` does, and is n/a for encoders
    that cannot; of frames it takes what is left, stretched to the old length. "zeros" puts joints
    or frames to the origin.
    """

    # At random, the same for every clip and method of a seed; more of them include fewer.
    joints: tuple[int, ...] = (1, 3, 5, 8, 12)
    parts: bool = True  # each part of the skeleton's table
    # Share of each clip's frames, at random, others for each clip.
    frames: tuple[float, ...] = Field((0.2, 0.4, 0.6))
    by: tuple[Literal["deletion", "zeros"], ...] = ("deletion", "zeros")
    # With the settings of these tasks.
    probes: dict[ProbeName, dict[str, Any]] = {"linear": {}, "knn": {}}

    @model_validator(mode="after")
    def _possible(self) -> "Config":
        shares = all(0 < share < 1 for share in self.frames)
        if not shares or not all(count >= 1 for count in self.joints):
            raise ValueError("frames are shares between 0 and 1, joints are counts from 1")
        if not self.probes or not self.by:
            known = ", ".join(get_args(ProbeName))
            raise ValueError(f"probes and by need at least one entry; probes are {known}")
        for name, section in self.probes.items():
            probe = validated(load_plugin("tasks", name).TASK.settings, section, f"probes.{name}")
            if probe.pooling != CLIP:
                raise ValueError(
                    f"probes.{name}: pooling {probe.pooling}; clips are encoded here, "
                    f"to {CLIP} features alone"
                )
        return self


class Loss(NamedTuple):
    """What is lost: joints (0-based), or a share of the frames. `setting` says it in the rows."""

    setting: str
    joints: tuple[int, ...] = ()
    frames: float = 0.0


class LostJoints(Task[Pretrained, Config]):
    """Frozen features of clips that lost joints, parts or frames."""

    needs = "clips_and_features"
    floors = ("untrained",)  # of coordinates, probes of thousands of numbers at each of its losses
    probes = ("linear", "probe", "knn")
    settings = Config
    metrics = (TOP1,)

    def run(self, inputs: Pretrained, cfg: Config, seed: int, device: torch.device) -> Result:
        """top1 for every probe, loss, and place of the loss.

        Settings: probe=<name>;in=<test or both>;by=<deletion or zeros>;<joints=count, part=name or
        frames=share>. `in=both`: the probe is trained on clips with the same loss. Nothing lost is
        joints=0 and frames=0. Every loss is encoded once for all probes and places.
        Raises: NotApplicable if joints are to be deleted, nothing else is asked for, and the
        encoder cannot.
        """
        intact = inputs.features
        assert intact is not None  # promised by needs
        inputs.renew()
        wanted = list(losses(inputs, cfg, seed))
        probes = [probe_of(name, section, seed, device) for name, section in cfg.probes.items()]
        without_loss = {probe.name: accuracy(probe, intact) for probe in probes}
        rows: dict[str, ClipMetrics] = {}
        without: dict[str, str] = {}
        for by in cfg.by:
            possible = [loss for loss in wanted if can_lose(inputs, loss, by)]
            sides = {loss.setting: encoded(inputs, loss, by, seed) for loss in possible}
            for probe, place in product(probes, get_args(Place)):
                where = f"probe={probe.name};in={place};by={by};"
                measured = measure(probe, intact, sides, place)
                for kind in ("joints", "frames"):
                    if any(setting.startswith(kind) for setting in measured):
                        rows[f"{where}{kind}=0"] = without_loss[probe.name]
                rows |= {where + setting: metrics for setting, metrics in measured.items()}
                for loss in wanted:
                    if loss.setting not in measured:
                        reason = OTHER_FEATURES if loss.setting in sides else NO_DELETION
                        without[where + loss.setting] = reason
        if not rows:
            raise NotApplicable(NO_DELETION)
        first = next(iter(rows))
        return Result(rows.pop(first), setting=first, others=rows, without=without)


def losses(inputs: Pretrained, cfg: Config, seed: int) -> Iterator[Loss]:
    """What is lost, one after the other."""
    skeleton = encoder_file.skeleton_of(inputs.card)
    order = random_order(skeleton, seed)
    for count in cfg.joints:
        if count < skeleton.joints:
            yield Loss(f"joints={count}", order[:count])
    if cfg.parts:
        for name, joints in skeleton.parts.items():
            yield Loss(f"part={name}", joints)
    for share in cfg.frames:
        yield Loss(f"frames={share:g}", frames=share)


def can_lose(inputs: Pretrained, loss: Loss, by: str) -> bool:
    """Whether the encoder can take clips with this loss."""
    return by == "zeros" or inputs.encoder.can_drop or not loss.joints


def random_order(skeleton: Skeleton, seed: int) -> tuple[int, ...]:
    """All joints in the order in which they are lost, for one seed."""
    rng = torch_generator(seed, "lost joints")
    return tuple(torch.randperm(skeleton.joints, generator=rng).tolist())


def encoded(inputs: Pretrained, loss: Loss, by: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) of the training and of the test clips after one loss."""
    train = encode_side(inputs, inputs.train, loss, by, torch_generator(seed, "lost frames", 0))
    test = encode_side(inputs, inputs.test, loss, by, torch_generator(seed, "lost frames", 1))
    return train, test


@torch.inference_mode()
def encode_side(
    inputs: Pretrained, indices: np.ndarray, loss: Loss, by: str, rng: Generator
) -> np.ndarray:
    """Features (N, D) of some clips in file order.

    rng: draws the frames that each clip loses.
    """
    clips, rows = inputs.clips(indices), []
    counts = []
    for part in in_order(len(clips), BATCH):
        x, _, _ = clips.take(torch.arange(part.start, part.stop))
        counts.append(frames_used(x).cpu())
    used = torch.cat(counts)
    dropped = masks.random_frames(used, clips.x.shape[2], loss.frames, rng)
    for part in in_order(len(clips), BATCH):
        x, length, _ = clips.take(torch.arange(part.start, part.stop))
        x, drop = lose(x, loss, by, dropped[part].to(x.device), used[part].to(x.device))
        rows.append(encode(inputs.card, inputs.encoder, x, length, drop).float().cpu())
    features = torch.cat(rows).numpy()
    check_rows(features, f"features without {loss.setting}", clips.name)
    return features


def lose(
    x: Tensor, loss: Loss, by: str, dropped: Tensor, used: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Clips after one loss, and the joints that the encoder is to delete.

    x: (N, 3, T, V, M), dropped: (N, T) bool, used: (N,).   Returns: x's shape, (K,) or None.
    """
    joints = torch.tensor(sorted(loss.joints), dtype=torch.long, device=x.device)
    if by == "zeros":
        lost = torch.zeros(len(x), x.shape[3], dtype=torch.bool, device=x.device)
        return masks.zero_fill(x, lost.index_fill(1, joints, True), dropped), None
    if loss.joints:
        return x, joints
    return masks.delete_frames(x, dropped, used), None


def frames_used(x: Tensor) -> Tensor:
    """Frames up to the last in which anything is not zero: what the recipe filled.

    x: (N, C, T, V, M).   Returns: (N,).
    """
    filled = x.ne(0).any(4).any(3).any(1)  # (N, T)
    return (filled * torch.arange(1, x.shape[2] + 1, device=x.device)).amax(1)


# Setting of a loss -> features of the training and of the test clips after it.
Sides = dict[str, tuple[np.ndarray, np.ndarray]]


class Probe(NamedTuple):
    """A task on frozen features with its settings."""

    name: str
    task: Task
    cfg: Frozen
    seed: int
    device: torch.device

    def __call__(self, features: FeatureSet) -> Result:
        return self.task.run(features, self.cfg, self.seed, self.device)


def probe_of(name: str, section: dict[str, Any], seed: int, device: torch.device) -> Probe:
    """The task `name` with these settings of it."""
    task: Task = load_plugin("tasks", name).TASK
    cfg = validated(task.settings, section, f"probes.{name}")
    return Probe(name, task, cfg, seed, device)


def accuracy(probe: Probe, features: FeatureSet) -> ClipMetrics:
    """top1 of one probe trained and tested on these features."""
    metrics = probe(features).metrics
    return ClipMetrics({n: metrics[n] for n in ("top1", f"top1{UNSEEN}") if n in metrics})


def measure(probe: Probe, intact: FeatureSet, sides: Sides, place: Place) -> dict[str, ClipMetrics]:
    """top1 by setting of the loss, at the test alone or in the probe's training, too."""
    if place == "test":
        return at_test(probe, intact, sides)
    both = {}
    for setting, (train, test) in sides.items():
        both[setting] = accuracy(probe, replace(intact, train=train, test=test))
    return both


def at_test(probe: Probe, intact: FeatureSet, sides: Sides) -> dict[str, ClipMetrics]:
    """One probe, trained on intact clips, on test clips with each loss.

    A probe that trains does so once for all. Losses that leave other features than the probe knows
    are left out.
    """
    width = intact.test.shape[1]
    tests = {setting: test for setting, (_, test) in sides.items() if test.shape[1] == width}
    if not tests:
        return {}
    stacked = replace(
        intact,
        test=np.concatenate(list(tests.values())),
        y_test=np.tile(intact.y_test, len(tests)),
        unseen=np.tile(intact.unseen, len(tests)),
    )
    scores = probe(stacked).scores
    if scores is None:
        each = {setting: replace(intact, test=test) for setting, test in tests.items()}
        return {setting: accuracy(probe, features) for setting, features in each.items()}
    parts = torch.from_numpy(scores).chunk(len(tests))
    y = torch.from_numpy(intact.y_test)
    return {
        setting: top1_of_clips(points, y, intact.unseen)
        for setting, points in zip(tests, parts, strict=True)
    }


def top1_of_clips(scores: Tensor, y: Tensor, unseen: np.ndarray) -> ClipMetrics:
    """top1 of scores (N, classes), with and without the clips that repeat training clips."""
    return on_clips(lambda clips: {"top1": float(top_k(scores[clips], y[clips], 1))}, unseen)


TASK = LostJoints()
