"""What one section of params.yaml may hold: settings of plug-ins, training, methods and tasks."""

import hashlib
import json
import re
from copy import deepcopy
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from pstl.config.frozen import Frozen
from pstl.config.weights import Side, Weights
from pstl.config.worded import worded

Stream = Literal["joint", "bone", "motion", "other"]
# The stream of a method that takes several in together: it is fed joint positions.
OTHER = "other"
BatchNorm = Literal["released", "recalibrated"]
Factor = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def _six_digits(share: float) -> float:
    """A share as files are named by it: two shares of one name would share one file."""
    if float(f"{share:g}") != share:
        raise ValueError(f"files are named by six digits of a share, e.g. {share:g}")
    return share


# Of the training labels.
LabelShare = Annotated[float, Field(gt=0, le=1), AfterValidator(_six_digits)]
NotNegative = Annotated[float, Field(ge=0)]
Moment = Annotated[float, Field(ge=0, lt=1)]  # share of the past in a running mean
Epochs = tuple[Annotated[int, Field(ge=0)], ...]
# How many clips of which class a draw labels: data/labels.py.
LabelRule = Literal["psp", "per_class_round", "random", "per_class_7"]
DEFAULT_RULE: LabelRule = "psp"
# What a clip's feature is: the encoder's own (clip), the mean over time of each joint of an encoder
# that keeps joints apart (joints), or the means of so many equal parts of the time (time4).
POOLING = re.compile(r"clip|joints|time[1-9][0-9]{0,2}")
Pooling = Annotated[
    str,
    worded(POOLING.pattern, "clip, joints, or time and a number up to 999, e.g. time4"),
    Field(json_schema_extra={"pattern": f"^({POOLING.pattern})$"}),
]
CLIP, JOINTS, TIME = "clip", "joints", "time"
TRANSFER = "transfer"  # in a method's `protocol`: the task that evaluates on other data


class Plugin(BaseModel):
    """A plug-in by name with its own settings beside it, which its Config checks."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def key(self) -> str:
        """The name, with a short hash of the settings if there are any: fit for a folder name."""
        return f"{self.name}-{digest(self.settings)[:8]}" if self.settings else self.name


class TrainSettings(Frozen):
    """How a method is trained; what is trained is the method's own business."""

    epochs: int = Field(ge=0)
    batch_size: int = Field(128, ge=1)
    drop_last: bool = False  # leave out the last short batch
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = Field(gt=0)
    weight_decay: float = Field(0.0, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)  # sgd only
    nesterov: bool = False  # sgd only
    betas: tuple[Moment, Moment] = (0.9, 0.999)  # adam and adamw only
    schedule: Literal["cosine", "step", "linear", "constant"] = "cosine"
    warmup_epochs: int = Field(0, ge=0)  # lr = peak * (epoch + warmup_start) / warmup_epochs
    # 0: epoch 0 has lr 0, as the PSTL code does; 1: the warm-up's last epoch has the peak (PSP).
    warmup_start: Literal[0, 1] = 0
    milestones: Epochs = ()  # step only: epochs at which lr is multiplied by gamma
    gamma: Factor | tuple[Factor, ...] = 0.1  # the same at every milestone, or one for each
    # The rate follows the optimiser's steps within an epoch, too (MAMP): epoch 3.5 is its middle.
    per_step: bool = False
    # Optimiser steps; with decay_steps the rate follows the step: 0 at step 0, lr at warmup_steps.
    warmup_steps: int = Field(0, ge=0)
    # linear only: step at which the rate reaches final_lr; 0: the rate follows the epoch.
    decay_steps: int = Field(0, ge=0)
    final_lr: float = Field(0.0, ge=0)  # at which cosine and linear end
    # Stop at this optimiser step, within an epoch if need be; 0: `epochs` alone decides.
    max_steps: int = Field(0, ge=0)
    clip_norm: float = Field(0.0, ge=0)  # largest L2 norm of all gradients together; 0: not clipped
    # Parameters with one of these words in their name have no weight decay.
    no_decay: tuple[str, ...] = ()
    # Batches that make an epoch, the clips being gone through as often as needed; 0: one pass.
    steps_per_epoch: int = Field(0, ge=0)
    # Each clip of a batch is drawn among all clips (Predict & Cluster); needs steps_per_epoch.
    replacement: bool = False
    # Clips drawn among the labelled ones and put before each batch, whose own clips then all go
    # without label. "fraction": as many of batch_size as `labels` says, a half rounded up, and at
    # least 4 (PSP's 9 beside 90 at 10 %; other fractions are our choice, PSP spec 7).
    labelled_batch: Annotated[int, Field(ge=0)] | Literal["fraction"] = 0
    accumulate: int = Field(1, ge=1)  # batches per optimiser step
    whole_steps: bool = False  # leave out an epoch's last batches if they make no whole step
    # auto: what the device does fast (train/precision.py); rows say which.
    # tf32: products and convolutions of a GPU that has it keep 10 bits of float32's 23; elsewhere
    # fp32, which keeps all of them everywhere.
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "fp32"
    snapshot_every: int = Field(0, ge=0)  # epochs between encoders kept in snapshots.zip; 0: none

    @model_validator(mode="after")
    def _one_clock(self) -> "TrainSettings":
        by_steps = self.schedule == "linear" and not self.warmup_epochs
        if self.decay_steps and not (by_steps and self.warmup_steps < self.decay_steps):
            raise ValueError(
                "decay_steps needs schedule linear, warmup_epochs 0 "
                "and fewer warmup_steps than decay_steps"
            )
        if not self.decay_steps and self.warmup_steps:
            raise ValueError("warmup_steps needs decay_steps")
        if self.per_step and (self.decay_steps or self.warmup_start):
            raise ValueError("per_step needs a rate by epochs: decay_steps 0 and warmup_start 0")
        if self.replacement and not self.steps_per_epoch:
            raise ValueError("replacement needs steps_per_epoch: no draw ends a pass")
        if self.final_lr and self.schedule not in ("cosine", "linear"):
            raise ValueError(f"final_lr needs schedule cosine or linear, not {self.schedule}")
        return self

    @model_validator(mode="after")
    def _a_gamma_for_each_milestone(self) -> "TrainSettings":
        if not isinstance(self.gamma, tuple):
            return self
        if len(self.gamma) != len(self.milestones):
            expected = f"one for each of the {len(self.milestones)} milestones, or one number"
            raise ValueError(f"gamma has {len(self.gamma)} values; expected {expected}")
        if list(self.milestones) != sorted(set(self.milestones)):
            named = f"milestones {list(self.milestones)} with a gamma for each"
            raise ValueError(f"{named}; expected ascending epochs")
        return self


class MethodSettings(Frozen):
    """One entry of `methods:`; its name is free, `method` is the module (default: the name)."""

    method: str
    recipe: Plugin
    encoder: Plugin
    train: TrainSettings
    # Share of the training clips whose labels a method that needs labels may see, where the axis
    # `labels` says nothing; the draw is the run's seed (data/labels.py). None: all. It stands here
    # and not among the method's settings, because a method sees batches and does not choose clips.
    labels: LabelShare | None = None
    label_rule: LabelRule = DEFAULT_RULE  # which clips these are
    settings: dict[str, Any] = {}
    weights: Weights | None = None  # in place of training, which is then none
    # dataset/split whose training sides are trained on as well, without their labels; the run's own
    # may be among them.
    corpus: tuple[Side, ...] = ()
    # How its paper evaluates: changes to entries of `tasks:`; and under `transfer` the name of the
    # task by which the paper moves encoders to other data. No training is another because of it.
    protocol: dict[str, dict[str, Any] | str] = Field({}, exclude=True)

    @property
    def learns(self) -> bool:
        """Whether its encoder has been trained on anything; one that has not is a floor."""
        return self.train.epochs > 0 or self.weights is not None

    @model_validator(mode="before")
    @classmethod
    def _weights_are_not_trained(cls, value: Any) -> Any:
        """Whatever the base of an entry with weights says of training; see Entries.method."""
        if not isinstance(value, dict) or value.get("weights") is None:
            return value
        trained = ("labels", "label_rule", "corpus")
        kept = {key: part for key, part in value.items() if key not in trained}
        return kept | {"train": {"epochs": 0, "lr": 1.0}}

    @field_validator("corpus")
    @classmethod
    def _each_data_set_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        datasets = [side.partition("/")[0] for side in value]
        for dataset in datasets:
            if datasets.count(dataset) > 1:
                raise ValueError(f"{dataset} stands there twice; keep one of its splits")
        return value

    @field_validator("protocol", mode="before")
    @classmethod
    def _a_transfer_is_a_task(cls, value: Any) -> Any:
        for name, change in value.items() if isinstance(value, dict) else ():
            if not isinstance(change, str if name == TRANSFER else dict):
                expected = "the name of a task" if name == TRANSFER else "settings of the task"
                raise ValueError(f"{name}: expected {expected}, found {change!r}")
        return value


class Compared(NamedTuple):
    """What may stand beside the numbers of one method on one task.

    task: the published task.   own: whether it is evaluated as the method's own paper does, so that
    the papers' numbers may be subtracted; None where the rows' setting says all that decides it.
    input: what its stream `other` consists of, as published numbers state it.
    """

    task: str
    own: bool | None = None
    input: str = ""


class TaskSettings(BaseModel):
    """One entry of `tasks:`; `kind` is the module, the rest is checked by its Config."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str
    summary: str = ""
    # Published task it is compared with; empty: `transfer` on another run's encoder, else the kind.
    published: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def label_rule(self) -> str:
        """Of a task that draws labels."""
        return str(self.settings.get("label_rule", DEFAULT_RULE))

    @property
    def pooling(self) -> str:
        """Of a task that reads features: which."""
        return str(self.settings.get("pooling", CLIP))


def segments_of(pooling: str) -> int:
    """How many parts of the time are kept apart.

    >>> segments_of("time4")
    4
    """
    return int(pooling.removeprefix(TIME))


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of `base` with `change` laid over it.

    Nested mappings are merged, everything else is replaced.
    """
    merged = deepcopy(base)
    for key, value in change.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if nested else deepcopy(value)
    return merged


def digest(value: Any) -> str:
    """Short hash of settings, independent of key order."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
