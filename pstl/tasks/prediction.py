"""Motion prediction: from some observed frames to the next ones, as offsets of every joint to the
last pose that was seen.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn

from pstl.config import Frozen, TrainSettings
from pstl.contracts import Batch, Clip, Losses, NotApplicable, Result, Task
from pstl.data.loader import Clips
from pstl.encoding import windows
from pstl.encoding.heads import (
    FeatureRows,
    Head,
    TunedEncoder,
    cached,
    outputs_of,
)
from pstl.encoding.recorded import Recorded
from pstl.errors import UserError
from pstl.metrics.metric import Metric
from pstl.metrics.motion import joint_errors
from pstl.ops.finite import check_rows
from pstl.registry import load_dataset
from pstl.rng import torch_generator
from pstl.skeletons import Skeleton
from pstl.skeletons import load as load_skeleton

METRICS = (
    Metric(
        "mpjpe",
        title="Motion prediction: mean joint error over all predicted frames in millimetres",
        unit="mm",
        higher_is_better=False,
    ),
    Metric("mpjpe_{}", unit="mm", higher_is_better=False, over="predicted frame"),
)
DRAWN = 2  # test windows kept for the report


class Training(TrainSettings):
    """Ours; nobody's protocol."""

    epochs: int = Field(40, ge=1)
    batch_size: int = Field(64, ge=1)
    lr: float = Field(3e-3, gt=0)


class Config(Frozen):
    """Nobody's protocol: Hi-TRS's own was not published (Hi-TRS spec 9).

    Where a data set has a public test protocol, its windows are used.
    """

    observe: int = Field(50, ge=2)  # frames
    predict: int = Field(25, ge=1)  # frames
    horizons: tuple[int, ...] = (
        2,
        4,
        8,
        10,
        14,
        25,
    )  # predicted frames, from 1, at which the error is reported
    stride: int = Field(5, ge=1)  # frames between training windows
    test_stride: int = Field(
        25, ge=1
    )  # frames between test windows, where the data set has no protocol of its own
    # the head on frozen, standardised video features, or the encoder with it
    tune: Literal["head", "all"] = "all"
    # the encoder's, while it is tuned: it makes the scale of what is regressed uncertain
    dropout: bool = False
    hidden: int = Field(0, ge=0)  # units of a hidden layer of the head; 0: the head is linear
    # False: another task of the suite already trains the same network from scratch, which takes as
    # long
    from_scratch: bool = True
    train: Training = Training.model_validate({})

    @model_validator(mode="after")
    def _within_reach(self) -> "Config":
        if not self.horizons or not all(1 <= h <= self.predict for h in self.horizons):
            raise ValueError(f"horizons are frames from 1 to predict={self.predict}")
        return self


class Forecasts(NamedTuple):
    """Windows of one person: seen (N, observe, V, 3), then future (N, predict, V, 3), metres,
    around the centre of the last pose seen,
    which has its shoulders along x.
    """

    seen: np.ndarray
    future: np.ndarray


class Prediction(Task[Recorded, Config]):
    """The motion of the next frames."""

    needs = "recordings"
    settings = Config
    metrics = METRICS

    def run(self, world: Recorded, cfg: Config, seed: int, device: torch.device) -> Result:
        """mpjpe_<frame> at each horizon and mpjpe over all predicted frames, in millimetres: less
        is better.

        Rows of their own: the same network from scratch, trained whole, if cfg.from_scratch; the
        last pose (zero velocity); the last step repeated (constant velocity).
        Raises: NotApplicable for an encoder without weights, if it is to be tuned; UserError if no
        window is long enough.
        """
        trainable = any(p.requires_grad for p in world.encoder.parameters())
        if cfg.tune == "all" and not trainable:
            raise NotApplicable("this encoder has no weights to tune")
        train, test = (
            forecasts(world, cfg, world.train, "training"),
            forecasts(world, cfg, world.test, "test"),
        )
        baselines = {
            "zero velocity": zero_velocity(test),
            "constant velocity": constant_velocity(test),
        }
        predicted = predict(world, cfg, train, test, cfg.tune, fresh=False)
        if trainable and cfg.from_scratch:
            baselines = {
                "from scratch": predict(world, cfg, train, test, "all", fresh=True)
            } | baselines
        world.done()
        others = {
            f"baseline={name}": measures(cfg, offsets, test) for name, offsets in baselines.items()
        }
        shown = (
            drawn(test, predicted, world.store.spec.skeleton) if world.store.spec.simulated else []
        )
        return Result(
            measures(cfg, predicted, test), f"tune={cfg.tune}", others=others, motions=shown
        )


def drawn(test: Forecasts, offsets: np.ndarray, skeleton: str) -> list[dict[str, Any]]:
    """The liveliest of every DRAWN-th part of the test windows, in millimetres, for the report.

    Never of recorded people.
    """
    moved = np.linalg.norm(test.future - test.seen[:, -1:], axis=-1).mean((1, 2))
    parts = np.array_split(np.arange(len(moved)), min(DRAWN, len(moved)))
    chosen = [int(part[moved[part].argmax()]) for part in parts]
    errors = 1000 * np.linalg.norm(offsets + test.seen[:, -1:] - test.future, axis=-1).mean((1, 2))

    def whole(poses: np.ndarray) -> list[Any]:
        return list((1000 * poses).round().astype(int).tolist())

    return [
        {
            "name": f"test window {i + 1}", "skeleton": skeleton, "mpjpe": round(float(errors[i]), 1),
            "seen": whole(test.seen[i]), "future": whole(test.future[i]), "found": whole(offsets[i] + test.seen[i, -1:]),
        }
        for i in chosen
    ]  # fmt: skip


def measures(cfg: Config, offsets: np.ndarray, test: Forecasts) -> dict[str, float]:
    """Errors in millimetres.   offsets: (N, predict, V, 3) metres, relative to the last pose seen."""
    errors = joint_errors(
        torch.from_numpy(offsets + test.seen[:, -1:]), torch.from_numpy(test.future)
    )
    return {
        "mpjpe": float(errors.mean()),
        **{f"mpjpe_{frame}": float(errors[frame - 1]) for frame in cfg.horizons},
    }


def zero_velocity(test: Forecasts) -> np.ndarray:
    """Nobody moves: (N, predict, V, 3) zeros."""
    return np.zeros_like(test.future)


def constant_velocity(test: Forecasts) -> np.ndarray:
    """Every joint goes on as in the last step that was seen."""
    step = test.seen[:, -1:] - test.seen[:, -2:-1]
    return step * np.arange(1, test.future.shape[1] + 1, dtype=step.dtype)[None, :, None, None]


def forecasts(world: Recorded, cfg: Config, recordings: np.ndarray, side: str) -> Forecasts:
    """Windows of some recordings: training windows every cfg.stride frames, test windows by the
    data set's own protocol if it has one.

    Of several bodies one is predicted, see one_body(); windows in which it is absent for a frame
    are left out.
    """
    protocol = load_dataset(world.store.dataset).forecast_starts
    shown = np.arange(-cfg.observe, cfg.predict)
    cut = []
    for i in recordings:
        xyz = one_body(world.store[i].clip)
        stride = cfg.stride if side == "training" else cfg.test_stride
        starts: Sequence[int] = range(cfg.observe, len(xyz) - cfg.predict + 1, stride)
        if side == "test" and (public := protocol(len(xyz))) is not None:
            starts = public
        cut += [
            xyz[first + shown]
            for first in starts
            if first >= cfg.observe and first + cfg.predict <= len(xyz)
        ]
    there = [window for window in cut if window.any(axis=(1, 2)).all()]
    if not there:
        raise UserError(
            f"{world.store.dataset}/{world.run.split}: no {side} recording shows one person for {cfg.observe} + {cfg.predict} frames; "
            "lower observe or predict of the task"
        )
    aligned = face(np.stack(there), cfg.observe - 1, load_skeleton(world.store.spec.skeleton))
    return Forecasts(aligned[:, : cfg.observe], aligned[:, cfg.observe :])


def one_body(clip: Clip) -> np.ndarray:
    """(T, V, 3) of the body that is there longest, whatever its slot, zero where it is absent;
    without numbers of bodies the first slot.
    """
    if clip.bodies is None:
        return clip.xyz[:, :, 0]
    longest = np.bincount(clip.bodies.ravel(), minlength=2)[1:].argmax() + 1
    return np.einsum("tvmc,tm->tvc", clip.xyz, (clip.bodies == longest).astype(clip.xyz.dtype))


def face(xyz: np.ndarray, frame: int, skeleton: Skeleton) -> np.ndarray:
    """Windows moved and turned about the vertical as a whole, by one frame: its centre to the
    origin, its shoulders along x.

    xyz: (N, T, V, 3), y up.
    Returns: the same shape, float32; distances, and so errors, do not change.
    """
    xyz = xyz.astype(np.float64) - xyz[:, frame : frame + 1, skeleton.centre : skeleton.centre + 1]
    left, right = skeleton.shoulders
    line = xyz[:, frame, right] - xyz[:, frame, left]
    angle = np.arctan2(line[:, 2], line[:, 0])
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    x, y, z = np.moveaxis(xyz, -1, 0)
    return np.stack([cos * x + sin * z, y, -sin * x + cos * z], axis=-1).astype(np.float32)


def predict(
    world: Recorded, cfg: Config, train: Forecasts, test: Forecasts, tune: str, fresh: bool
) -> np.ndarray:
    """Train on some windows and predict others.

    Returns: (N_test, predict, V, 3) offsets to the last pose seen, metres.
    """
    clips, shown = _clips(world, train), _clips(world, test)
    encoder = world.copy(fresh)
    world.renew(encoder, clips)
    width, what = encoder.width, "from scratch" if fresh else "pre-trained"
    head = OffsetHead(cfg, width, train.future.shape[2], world.run.seed)
    predictor = TunedEncoder(encoder, world.card, head, width, "clip", cfg.dropout)
    predictor.to(world.device)
    if tune == "all":
        world.fit(predictor, clips, cfg.train, what)
        world.renew(encoder, clips)
        predictor.renew(clips)
        offsets = outputs_of(predictor, shown)
    else:
        sides = cached(predictor.rows, clips), cached(predictor.rows, shown)
        features = predictor.standard.standardised(*sides)
        world.fit(head, FeatureRows(features[0], _targets(train), world.device), cfg.train, what)
        offsets = outputs_of(head, FeatureRows(features[1], _targets(test), world.device))
    predicted = offsets.cpu().numpy()
    check_rows(predicted, "predictions", shown.name)
    return predicted


class OffsetHead(Head):
    """Offsets of every joint to the last pose seen, off the video feature.

    The loss is the mean distance of the joints from where they should be, in metres. The last layer
    begins at zero, so training begins at the baseline `zero velocity`.
    """

    def __init__(self, cfg: Config, width: int, joints: int, seed: int) -> None:
        super().__init__()
        self.shape = (cfg.predict, joints, 3)
        out = nn.Linear(cfg.hidden or width, cfg.predict * joints * 3)
        nn.init.zeros_(out.weight)
        nn.init.zeros_(out.bias)
        self.layers: nn.Module = out
        if cfg.hidden:
            first = nn.Linear(width, cfg.hidden)
            nn.init.xavier_normal_(first.weight, generator=torch_generator(seed, "prediction"))
            nn.init.zeros_(first.bias)
            self.layers = nn.Sequential(first, nn.GELU(), out)

    def outputs(self, batch: Batch) -> Tensor:
        """(N, 1, D) -> (N, predict, V, 3) metres."""
        offsets: Tensor = self.layers(batch.x)
        return offsets.view(len(batch.x), *self.shape)

    def forward(self, batch: Batch, rng: Generator) -> Losses:
        assert batch.y is not None  # the windows carry them
        distance = torch.linalg.vector_norm(self.outputs(batch) - batch.y, dim=-1)
        return {"loss": distance.mean()}


def _clips(world: Recorded, side: Forecasts) -> Clips:
    """What was seen, as the encoder's recipe makes it, with the offsets to come as labels."""
    spec = world.store.spec
    seen = [Clip(f"window {i}", 0, window[:, :, None]) for i, window in enumerate(side.seen)]
    data = windows.as_array(seen, world.card, spec.skeleton, spec.people)
    return world.clips(replace(data, y=_targets(side)), labelled=True)


def _targets(side: Forecasts) -> np.ndarray:
    """(N, predict, V, 3) offsets to the last pose seen."""
    return side.future - side.seen[:, -1:]


TASK = Prediction()
