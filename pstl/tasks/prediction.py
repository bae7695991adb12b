"""Motion prediction: from some observed frames to the next ones.

What is predicted are the offsets of every joint to the last pose that was seen.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor, nn

from pstl.config import Frozen, TrainSettings
from pstl.contracts import Task
from pstl.data.loader import Clips
from pstl.encoding import windows
from pstl.encoding.heads import FeatureRows, Head, TunedEncoder, cached, outputs_of
from pstl.encoding.recorded import Recorded
from pstl.metrics.metric import Metric
from pstl.metrics.motion import joint_errors
from pstl.ops.finite import check_rows
from pstl.records import Batch, Clip, Losses, NotApplicable, Result
from pstl.rng import torch_generator
from pstl.tasks._forecasts import (
    Forecasts,
    Protocol,
    constant_velocity,
    forecasts,
    liveliest,
    zero_velocity,
)

METRICS = (
    Metric(
        "mpjpe",
        title="Motion prediction: mean joint error over all predicted frames in millimetres",
        unit="mm",
        higher_is_better=False,
    ),
    Metric("mpjpe_{}", unit="mm", higher_is_better=False, over="predicted frame"),
)
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
    # The head on frozen, standardised video features, or the encoder with it
    tune: Literal["head", "all"] = "all"
    # The encoder's, while it is tuned: it makes the scale of what is regressed uncertain
    dropout: bool = False
    hidden: int = Field(0, ge=0)  # units of a hidden layer of the head; 0: the head is linear
    # False where another task of the suite already trains the same network from scratch, which
    # takes as long.
    from_scratch: bool = True
    train: Training = Training.model_validate({})

    @model_validator(mode="after")
    def _within_reach(self) -> "Config":
        if not self.horizons or not all(1 <= h <= self.predict for h in self.horizons):
            raise ValueError(f"horizons are frames from 1 to predict={self.predict}")
        return self

    @property
    def protocol(self) -> Protocol:
        """How recordings are cut into windows."""
        return Protocol(self.observe, self.predict, self.stride, self.test_stride)


class Prediction(Task[Recorded, Config]):
    """The motion of the next frames."""

    needs = "recordings"
    floors = ()  # its own rows have the network from scratch and naive baselines
    settings = Config
    metrics = METRICS

    def run(self, inputs: Recorded, cfg: Config, seed: int, device: torch.device) -> Result:
        """mpjpe_<frame> at each horizon and mpjpe over all predicted frames, in millimetres.

        Rows of their own: the same network from scratch, trained whole, if cfg.from_scratch; the
        last pose (zero velocity); the last step repeated (constant velocity).
        Raises: NotApplicable for an encoder without weights, if it is to be tuned; UserError if no
        window is long enough.
        """
        trainable = any(p.requires_grad for p in inputs.encoder.parameters())
        if cfg.tune == "all" and not trainable:
            raise NotApplicable("this encoder has no weights to tune")
        train = forecasts(inputs, cfg.protocol, "training")
        test = forecasts(inputs, cfg.protocol, "test")
        predicted = predict(inputs, cfg, train, test, cfg.tune, fresh=False)
        baselines: dict[str, np.ndarray] = {}
        if trainable and cfg.from_scratch:
            baselines["from scratch"] = predict(inputs, cfg, train, test, "all", fresh=True)
        baselines["zero velocity"] = zero_velocity(test)
        baselines["constant velocity"] = constant_velocity(test)
        inputs.done()
        others = {
            f"baseline={name}": prediction_metrics(cfg, offsets, test)
            for name, offsets in baselines.items()
        }
        spec = inputs.store.spec
        return Result(
            prediction_metrics(cfg, predicted, test),
            f"tune={cfg.tune}",
            others=others,
            motions=liveliest(test, predicted, spec.skeleton, SHOWN) if spec.simulated else [],
        )


def prediction_metrics(cfg: Config, offsets: np.ndarray, test: Forecasts) -> dict[str, float]:
    """Errors in millimetres.

    offsets: (N, predict, V, 3) metres, relative to the last pose seen.
    """
    predicted = torch.from_numpy(offsets + test.seen[:, -1:])
    errors = joint_errors(predicted, torch.from_numpy(test.future))
    metrics = {"mpjpe": float(errors.mean())}
    for frame in cfg.horizons:
        metrics[f"mpjpe_{frame}"] = float(errors[frame - 1])
    return metrics


def predict(
    inputs: Recorded, cfg: Config, train: Forecasts, test: Forecasts, tune: str, fresh: bool
) -> np.ndarray:
    """Train on some windows and predict others.

    Returns: (N_test, predict, V, 3) offsets to the last pose seen, metres.
    """
    clips, shown = _clips(inputs, train), _clips(inputs, test)
    encoder = inputs.copy(fresh)
    inputs.renew(encoder, clips)
    width, what = encoder.width, "from scratch" if fresh else "pre-trained"
    head = OffsetHead(cfg, width, train.future.shape[2], inputs.run.seed)
    predictor = TunedEncoder(encoder, inputs.card, head, width, "clip", cfg.dropout)
    predictor.to(inputs.device)
    if tune == "all":
        inputs.fit(predictor, clips, cfg.train, what)
        inputs.renew(encoder, clips)
        predictor.renew(clips)
        offsets = outputs_of(predictor, shown)
    else:
        sides = cached(predictor.rows, clips), cached(predictor.rows, shown)
        features = predictor.standard.standardised(*sides)
        inputs.fit(head, FeatureRows(features[0], _targets(train), inputs.device), cfg.train, what)
        offsets = outputs_of(head, FeatureRows(features[1], _targets(test), inputs.device))
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
        """The mean error of the predicted poses."""
        assert batch.y is not None  # the windows carry them
        distance = torch.linalg.vector_norm(self.outputs(batch) - batch.y, dim=-1)
        return {"loss": distance.mean()}


def _clips(inputs: Recorded, side: Forecasts) -> Clips:
    """What was seen, as the encoder's recipe makes it, with the offsets to come as labels."""
    spec = inputs.store.spec
    seen = [Clip(f"window {i}", 0, window[:, :, None]) for i, window in enumerate(side.seen)]
    data = windows.as_array(seen, inputs.card, spec.skeleton, spec.people)
    return inputs.clips(replace(data, y=_targets(side)), labelled=True)


def _targets(side: Forecasts) -> np.ndarray:
    """(N, predict, V, 3) offsets to the last pose seen."""
    return side.future - side.seen[:, -1:]


TASK = Prediction()
