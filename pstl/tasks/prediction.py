"""Motion prediction: from some observed frames to the next ones.

What is predicted are the offsets of every joint to the last pose that was seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, model_validator

from pstl.config import Frozen, TrainSettings
from pstl.contracts import Task
from pstl.data.loader import Clips
from pstl.encoding import windows
from pstl.encoding.heads import FeatureRows, Head, TunedEncoder, cached, outputs_of
from pstl.encoding.recorded import Recorded
from pstl.metrics.metric import Metric
from pstl.ops.finite import check_rows
from pstl.records import Clip, NotApplicable, Result
from pstl.registry import load_dataset
from pstl.skeletons import load as load_skeleton
from pstl.tasks._extrapolation import carried_on, ridge
from pstl.tasks._forecasts import (
    Forecasts,
    Protocol,
    both_ways,
    forecasts,
    joined,
    liveliest,
    with_mirrored,
)
from pstl.tasks._motion_heads import FeatureHead, PoseHead
from pstl.tasks._motion_rows import Counted, by_action, every_window, gains, table
from pstl.tasks._pose_network import PoseNetwork

METRICS = (
    Metric(
        "mpjpe",
        title="Motion prediction: mean joint error over all predicted frames in millimetres",
        unit="mm",
        higher_is_better=False,
    ),
    Metric("mpjpe_{}", unit="mm", higher_is_better=False, over="predicted frame"),
    # What is gained by pre-training and by the encoder, run by run: the interval over seeds of
    # these is a paired test.
    Metric("below_scratch", label="mpjpe, from scratch − this", unit="mm"),
    Metric("below_rival", label="mpjpe, dct mlp − this", unit="mm"),
    # The same errors in the unit of the data set's public code.
    Metric("public_mpjpe", unit="public mm", higher_is_better=False),
    Metric("public_mpjpe_{}", unit="public mm", higher_is_better=False, over="predicted frame"),
)
RIVAL = (10, 64, 4)  # poses that the network without an encoder sees, its width and its blocks
Rows = Sequence[np.ndarray]
SHOWN = 2  # test windows kept for the report


class Training(TrainSettings):
    """Our own protocol."""

    epochs: int = Field(40, ge=1)
    batch_size: int = Field(64, ge=1)
    lr: float = Field(3e-3, gt=0)


class Config(Frozen):
    """Our own protocol: Hi-TRS's was not published (Hi-TRS spec 9).

    Where a data set has a public test protocol, its windows are used.
    """

    observe: int = Field(50, ge=2)  # frames
    predict: int = Field(25, ge=1)  # frames
    # Predicted frames, from 1, at which the error is reported.
    horizons: tuple[int, ...] = (2, 4, 8, 10, 14, 25)
    stride: int = Field(5, ge=1)  # frames between training windows
    # Frames between test windows, where the data set has no protocol of its own.
    test_stride: int = Field(25, ge=1)
    # Each training window with left and right exchanged, too; a test window is predicted both ways
    # and the mean is taken.
    mirror: bool = False
    # The head on frozen, standardised features, or the encoder with it
    tune: Literal["head", "all"] = "all"
    # What it reads of the encoder: the video feature, or the last row in time
    feature: Literal["clip", "last_row"] = "clip"
    poses: int = Field(0, ge=0)  # last frames that the head sees itself; 0: the feature alone
    blocks: int = Field(4, ge=1)  # of a head that sees poses
    # The encoder's, while it is tuned: it makes the scale of what is regressed uncertain
    dropout: bool = False
    hidden: int = Field(0, ge=0)  # units of the head's hidden layers; 0: the head is linear
    # What is said is the mean of the head's prediction and of ridge regression's.
    with_ridge: bool = False
    # False where another task of the suite already trains the same network from scratch, which
    # takes as long.
    from_scratch: bool = True
    # Rows for what is learnt without an encoder, which takes a minute or so: ridge regression, and
    # the head that sees poses with nothing beside them.
    rivals: bool = True
    # Rows for the test windows of each action, too; and for every window of the test recordings, as
    # some papers count, beside those of a public protocol. Both need a class for every window.
    per_action: bool = False
    every_window: bool = False
    train: Training = Training.model_validate({})

    @model_validator(mode="after")
    def _within_reach(self) -> "Config":
        if not self.horizons or not all(1 <= h <= self.predict for h in self.horizons):
            raise ValueError(f"horizons are frames from 1 to predict={self.predict}")
        if self.poses == 1 or self.poses > self.observe:
            raise ValueError(f"poses is 0, or 2 to observe={self.observe}: one has no velocity")
        if self.poses and not self.hidden:
            raise ValueError("a head that sees poses needs hidden, the width of its rows")
        if self.with_ridge and not self.rivals:
            raise ValueError("with_ridge needs rivals, one of which is ridge regression")
        return self

    @property
    def protocol(self) -> Protocol:
        """How recordings are cut into windows."""
        return Protocol(self.observe, self.predict, self.stride, self.test_stride)


class Sides(NamedTuple):
    """Windows that are trained on, and those that are predicted."""

    train: Forecasts
    test: Forecasts


class Prediction(Task[Recorded, Config]):
    """The motion of the next frames."""

    needs = "recordings"
    floors = ()  # its own rows have the network from scratch and naive baselines
    settings = Config
    metrics = METRICS

    def run(self, inputs: Recorded, cfg: Config, seed: int, device: torch.device) -> Result:
        """mpjpe_<frame> at each horizon and mpjpe over all predicted frames, in millimetres.

        Rows of their own: the same network from scratch, trained whole, if cfg.from_scratch; what
        needs no encoder; all of them for each action, if cfg.per_action.
        Raises: NotApplicable for an encoder without weights, if it is to be tuned; UserError if no
        window is long enough.
        """
        trainable = any(p.requires_grad for p in inputs.encoder.parameters())
        if cfg.tune == "all" and not trainable:
            raise NotApplicable("this encoder has no weights to tune")
        train = forecasts(inputs, cfg.protocol, "training")
        test = public = forecasts(inputs, cfg.protocol, "test")
        if cfg.every_window:
            test = joined(public, forecasts(inputs, cfg.protocol, "every test"))
        setting = f"tune={cfg.tune}"
        learnt = {setting: predict(inputs, cfg, train, test, cfg.tune, fresh=False)}
        if trainable and cfg.from_scratch:
            learnt["baseline=from scratch"] = predict(inputs, cfg, train, test, "all", fresh=True)
        told = learnt | carried_on(train, test)
        if cfg.rivals:
            told["baseline=ridge"] = ridge(train, test)
            told["baseline=dct mlp"] = alone(inputs, cfg, train, test)
        if cfg.with_ridge:
            learnt["baseline=dct mlp and ridge"] = told["baseline=dct mlp"]
            for name, offsets in learnt.items():
                told[name] = (offsets + told["baseline=ridge"]) / 2
        inputs.done()
        rows = self.rows(inputs, cfg, told, test, len(public.seen))
        rows[setting] |= gains(rows, setting)
        spec = inputs.store.spec
        return Result(
            rows.pop(setting),
            setting,
            others=rows,
            motions=liveliest(test, told[setting], spec.skeleton, SHOWN) if spec.simulated else [],
        )

    def rows(
        self,
        inputs: Recorded,
        cfg: Config,
        told: Mapping[str, np.ndarray],
        test: Forecasts,
        public: int,
    ) -> dict[str, dict[str, float]]:
        """Setting -> metrics.   told: setting -> offsets.   public: windows of the protocol, which
        come before those that are there besides.
        """
        dataset = load_dataset(inputs.store.dataset)
        count = Counted(cfg.horizons, dataset.forecast_scale, dataset.spec.classes)
        of_protocol = {name: offsets[:public] for name, offsets in told.items()}
        rows = table(of_protocol, test.part(slice(public)), count)
        if cfg.per_action:
            rows |= by_action(of_protocol, test.part(slice(public)), count)
        if cfg.every_window:
            others = {name: offsets[public:] for name, offsets in told.items()}
            rows |= every_window(others, test.part(slice(public, None)), count)
        return rows


def alone(inputs: Recorded, cfg: Config, train: Forecasts, test: Forecasts) -> np.ndarray:
    """The head that sees poses, trained as any other, with no feature beside them.

    Where the suite's own head sees none, it has RIVAL's sizes.
    """
    sides = _sides(inputs, cfg, train, test)
    sizes = (cfg.poses, cfg.hidden, cfg.blocks) if cfg.poses else RIVAL
    nothing = [np.zeros((len(side.seen), 1, 0), np.float32) for side in sides]
    head = _pose_head(inputs, cfg, sides, sizes, 0)
    return _of_rows(inputs, cfg, sides, head, nothing, "dct mlp")


def predict(
    inputs: Recorded, cfg: Config, train: Forecasts, test: Forecasts, tune: str, fresh: bool
) -> np.ndarray:
    """Train on some windows and predict others.

    Returns: (N_test, predict, V, 3) offsets to the last pose seen, metres.
    """
    sides = _sides(inputs, cfg, train, test)
    clips = _clips(inputs, sides.train, sides.train.windows)
    shown = _clips(inputs, sides.test, sides.test.seen)
    encoder = inputs.copy(fresh)
    inputs.renew(encoder, clips)
    with torch.inference_mode():  # rows in time may be of another width than the clip's feature
        encoded = windows.encode(inputs.card, encoder, *clips.take(torch.arange(1))[:2])
    width = (encoded.clip if cfg.feature == "clip" else encoded.frames).shape[-1]
    what = "from scratch" if fresh else "pre-trained"
    head = _head(inputs, cfg, sides, width)
    predictor = TunedEncoder(encoder, inputs.card, head, width, cfg.feature, cfg.dropout)
    predictor.to(inputs.device)
    if tune == "head":
        rows = cached(predictor.rows, clips), cached(predictor.rows, shown)
        features = predictor.standard.standardised(*rows)
        return _of_rows(inputs, cfg, sides, head, features, what)
    inputs.fit(predictor, clips, cfg.train, what)
    inputs.renew(encoder, clips)
    predictor.renew(clips)
    return _numbers(inputs, cfg, predictor, shown)


def _of_rows(
    inputs: Recorded, cfg: Config, sides: Sides, head: Head, features: Rows, what: str
) -> np.ndarray:
    """What a head says that is trained on features (N, R, D) of both sides alone."""
    head.to(inputs.device)
    inputs.fit(head, FeatureRows(features[0], sides.train.windows, inputs.device), cfg.train, what)
    return _numbers(inputs, cfg, head, FeatureRows(features[1], sides.test.seen, inputs.device))


def _sides(inputs: Recorded, cfg: Config, train: Forecasts, test: Forecasts) -> Sides:
    if not cfg.mirror:
        return Sides(train, test)
    skeleton = load_skeleton(inputs.store.spec.skeleton)
    return Sides(with_mirrored(train, skeleton), with_mirrored(test, skeleton))


def _numbers(
    inputs: Recorded, cfg: Config, trained: Head | TunedEncoder, source: Clips | FeatureRows
) -> np.ndarray:
    """What is said of test windows, (N, predict, V, 3)."""
    predicted = outputs_of(trained, source).cpu().numpy()
    check_rows(predicted, "predictions", source.name)
    if not cfg.mirror:
        return predicted
    return both_ways(predicted, load_skeleton(inputs.store.spec.skeleton))


def _head(inputs: Recorded, cfg: Config, sides: Sides, width: int) -> Head:
    if cfg.poses:
        return _pose_head(inputs, cfg, sides, (cfg.poses, cfg.hidden, cfg.blocks), width)
    window = (cfg.observe, cfg.predict, sides.train.seen.shape[2])
    return FeatureHead(window, width, cfg.hidden, inputs.run.seed)


def _pose_head(
    inputs: Recorded, cfg: Config, sides: Sides, sizes: tuple[int, int, int], width: int
) -> PoseHead:
    """sizes: poses seen, hidden, blocks.   width: of the feature beside them, 0 for none."""
    frames, hidden, blocks = sizes
    joints = sides.train.seen.shape[2]
    frames = min(frames, cfg.observe)
    network = PoseNetwork(frames, cfg.predict, joints, hidden, blocks, width)
    return PoseHead(cfg.observe, network, inputs.run.seed)


def _clips(inputs: Recorded, side: Forecasts, labels: np.ndarray) -> Clips:
    """What was seen, as the encoder's recipe makes it, with labels (N, ...)."""
    spec = inputs.store.spec
    seen = [Clip(f"window {i}", 0, window[:, :, None]) for i, window in enumerate(side.seen)]
    data = windows.as_array(seen, inputs.card, spec.skeleton, spec.people)
    return inputs.clips(replace(data, y=labels), labelled=True)


TASK = Prediction()
