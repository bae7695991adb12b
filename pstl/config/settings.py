"""What one section of params.yaml may hold: the settings of plug-ins, training, methods, tasks, experiments and suites."""

import hashlib
import json
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pstl.errors import UserError

Stream = Literal["joint", "bone", "motion"]
FUSED = "3s"  # stands where a run's stream does for streams fused late
BatchNorm = Literal["released", "recalibrated"]
Factor = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Epochs = tuple[Annotated[int, Field(ge=0)], ...]
LabelRule = Literal[
    "psp", "per_class_round", "random", "per_class_7"
]  # how many clips of which class a draw labels: data/labels.py
DEFAULT_RULE: LabelRule = "psp"


class Frozen(BaseModel):
    """Base of every settings class: unknown keys and numbers that are not finite are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """pydantic would read `k: true` as 1."""
        if isinstance(value, bool) and _takes_numbers(cls, info.field_name or ""):
            raise ValueError(f"expected a number, not {str(value).lower()}")
        return value


class Plugin(BaseModel):
    """A plug-in by name with its own settings beside it; the settings are checked by the plug-in's Config."""

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
    schedule: Literal["cosine", "step", "linear", "constant"] = "cosine"
    warmup_epochs: int = Field(0, ge=0)  # lr = peak * (epoch + warmup_start) / warmup_epochs
    warmup_start: Literal[0, 1] = (
        0  # 0: epoch 0 has lr 0, as the PSTL code does; 1: the warm-up's last epoch has the peak (PSP)
    )
    milestones: Epochs = ()  # step only: epochs at which lr is multiplied by gamma
    gamma: Factor | tuple[Factor, ...] = 0.1  # the same at every milestone, or one for each
    warmup_steps: int = Field(
        0, ge=0
    )  # optimiser steps; with decay_steps the rate follows the step: 0 at step 0, lr at warmup_steps
    decay_steps: int = Field(
        0, ge=0
    )  # linear only: step at which the rate reaches final_lr; 0: the rate follows the epoch
    final_lr: float = Field(0.0, ge=0)  # with decay_steps
    max_steps: int = Field(
        0, ge=0
    )  # stop at this optimiser step, within an epoch if need be; 0: `epochs` alone decides
    clip_norm: float = Field(0.0, ge=0)  # largest L2 norm of all gradients together; 0: not clipped
    no_decay: tuple[
        str, ...
    ] = ()  # parameters with one of these words in their name have no weight decay
    steps_per_epoch: int = Field(
        0, ge=0
    )  # batches that make an epoch, the clips being gone through as often as needed; 0: one pass
    # Clips drawn among the labelled ones and put before each batch, whose own clips then all go without label. "fraction": as many
    # of batch_size as `labels` says, a half rounded up, and at least 4 (PSP's 9 beside 90 at 10 %; other fractions are our choice, PSP spec 7).
    labelled_batch: Annotated[int, Field(ge=0)] | Literal["fraction"] = 0
    accumulate: int = Field(1, ge=1)  # batches per optimiser step
    whole_steps: bool = False  # leave out an epoch's last batches if they make no whole step
    precision: Literal["auto", "fp32", "bf16"] = (
        "fp32"  # auto: what the device does fast (train/precision.py); rows say which
    )
    snapshot_every: int = Field(0, ge=0)  # epochs between encoders kept in snapshots.zip; 0: none

    @model_validator(mode="after")
    def _one_clock(self) -> "TrainSettings":
        if self.decay_steps and (
            self.schedule != "linear" or self.warmup_epochs or self.warmup_steps >= self.decay_steps
        ):
            raise ValueError(
                "decay_steps needs schedule linear, warmup_epochs 0 and fewer warmup_steps than decay_steps"
            )
        if not self.decay_steps and (self.warmup_steps or self.final_lr):
            raise ValueError("warmup_steps and final_lr need decay_steps")
        return self

    @model_validator(mode="after")
    def _a_gamma_for_each_milestone(self) -> "TrainSettings":
        if not isinstance(self.gamma, tuple):
            return self
        if len(self.gamma) != len(self.milestones):
            expected = f"one for each of the {len(self.milestones)} milestones, or one number"
            raise ValueError(f"gamma has {len(self.gamma)} values; expected {expected}")
        if list(self.milestones) != sorted(set(self.milestones)):
            found = f"milestones {list(self.milestones)} with a gamma for each"
            raise ValueError(f"{found}; expected ascending epochs")
        return self


class MethodSettings(Frozen):
    """One entry of `methods:`; the entry's name is free, `method` is the module (default: the entry's name)."""

    method: str
    recipe: Plugin
    encoder: Plugin
    train: TrainSettings
    # Share of the training clips whose labels a method that needs labels may see; the draw is the run's seed (data/labels.py). None: all.
    # It stands here and not among the method's settings, because a method sees batches and does not choose clips.
    labels: float | None = Field(None, gt=0, le=1)
    label_rule: LabelRule = DEFAULT_RULE  # which clips these are
    settings: dict[str, Any] = {}


class Compared(NamedTuple):
    """What may stand beside the numbers of a task entry.

    task: the published task.   of: methods whose papers evaluate so; None where the rows' own setting
    says all that decides a comparison.
    """

    task: str
    of: tuple[str, ...] | None = None


class TaskSettings(BaseModel):
    """One entry of `tasks:`; `kind` is the module, the rest is checked by its Config."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str
    summary: str = ""
    source: str = ""  # dataset/split whose encoder is used; empty: the run's own. Any task becomes a transfer by it
    published: str = ""  # published task it is compared with; empty: `transfer` if there is a source, else the kind
    # Methods whose papers evaluate so: from their numbers alone something is subtracted. A suite that changes how
    # the task works has to say it anew.
    protocol_of: tuple[str, ...] = Field((), exclude=True)  # no job is another because of it

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def label_rule(self) -> str:
        """Of a task that draws labels."""
        return str(self.settings.get("label_rule", DEFAULT_RULE))


class Fusion(Frozen):
    """Late fusion of streams: the test scores of these tasks are summed with these weights; equal weights are reported beside them."""

    tasks: tuple[str, ...] = ()  # none named: every task of the experiment that gives class scores
    weights: dict[str, Factor] = {
        "joint": 0.6,
        "bone": 0.6,
        "motion": 0.4,
    }  # AimCLR's ensemble, PSTL spec 10


class Experiment(Frozen):
    """A block of the grid: every method x stream x seed, followed by every task on every batch-norm variant."""

    dataset: str
    split: str
    methods: tuple[str, ...]
    streams: tuple[Stream, ...] = ("joint",)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    tasks: tuple[str, ...]
    batch_norm: tuple[BatchNorm, ...] = ("released", "recalibrated")
    fuse: Fusion | None = None

    @model_validator(mode="after")
    def _what_is_fused_is_run(self) -> "Experiment":
        if self.fuse and (unseen := set(self.fuse.weights) - set(self.streams)):
            raise ValueError(
                f"fuse names the streams {sorted(unseen)}, but streams are {list(self.streams)}"
            )
        if self.fuse and (absent := set(self.fuse.tasks) - set(self.tasks)):
            raise ValueError(
                f"fuse names the tasks {sorted(absent)}, but tasks are {list(self.tasks)}"
            )
        return self


class Run(Frozen):
    """One row of the grid. `stream` is joint, bone, motion, or 3s for fused scores."""

    suite: str
    dataset: str
    split: str
    method: str
    stream: str
    seed: int

    def __str__(self) -> str:
        return f"{self.suite}/{self.dataset}/{self.split}/{self.method}/{self.stream}/s{self.seed}"

    @classmethod
    def parse(cls, text: str) -> "Run":
        """Inverse of str(run). Raises: UserError if `text` is not suite/dataset/split/method/stream/s<seed>."""
        parts = text.strip("/").split("/")
        if len(parts) != 6 or not parts[5].startswith("s") or not parts[5][1:].isdigit():
            raise UserError(
                f"run {text!r}: expected suite/dataset/split/method/stream/s<seed>, e.g. builtin/synthetic/xsub/pstl/joint/s0"
            )
        return cls(
            suite=parts[0],
            dataset=parts[1],
            split=parts[2],
            method=parts[3],
            stream=parts[4],
            seed=int(parts[5][1:]),
        )


class Cell(NamedTuple):
    """One evaluated cell of the grid; a fused cell has run.stream == "3s" and the weights of its streams."""

    run: Run
    batch_norm: str
    task: str
    fused: dict[str, float] | None = None


class Suite(Frozen):
    """A named set of experiments, with the settings it changes (`methods` and `tasks` are merged over the top-level ones)."""

    summary: str
    methods: dict[str, dict[str, Any]] = {}
    tasks: dict[str, dict[str, Any]] = {}
    encoders: str = ""  # another suite, which trains the runs that both have: its changes of methods, its encoders and features are used
    # method -> seed whose encoder its runs of every seed use, where one per seed costs too much: they differ in what a task draws only
    encoder_seeds: dict[str, Annotated[int, Field(ge=0)]] = {}
    experiments: tuple[Experiment, ...] = Field(min_length=1)


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of `base` with `change` laid over it; nested mappings are merged, everything else is replaced."""
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


@cache
def _takes_numbers(model: type[BaseModel], field: str) -> bool:
    """Whether a field is for numbers, and not for true and false as well."""
    annotation = str(model.model_fields[field].annotation)
    numbers = "int" in annotation or "float" in annotation
    return numbers and "bool" not in annotation and "Any" not in annotation


def validated(model: type[BaseModel], section: Any, where: str) -> Any:
    """`section` as a `model`. Raises: UserError that names `where`, the key, what was found and what was expected."""
    try:
        return model.model_validate(section)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "top level"
        said = first["msg"].lower().replace("valid tuple", "list")
        hint = _keys(model, first["loc"]) if first["type"] == "extra_forbidden" else ""
        raise UserError(f"{where}: {key}: {said} (found {_short(first['input'])}){hint}") from None


def _keys(model: Any, place: tuple[int | str, ...]) -> str:
    """The keys that there are where an unknown one stands, the most similar first."""
    for part in place[:-1]:
        inner = model.model_fields.get(part)
        model = _model_in(inner.annotation) if inner else model
        if model is None:
            return ""
    names = list(model.model_fields)
    similar = get_close_matches(str(place[-1]), names, 1)
    return f"; {f'did you mean {similar[0]}? ' if similar else ''}known keys: {', '.join(names)}"


def _model_in(annotation: Any) -> Any:
    """The first settings class in a type such as dict[str, Suite]; None if there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def known(name: str, choices: Any, what: str) -> str:
    """`name`, if it is one of the choices. Raises: UserError that lists them."""
    if name not in choices:
        raise UserError(f"unknown {what} {name!r}; known: {', '.join(sorted(choices))}")
    return name


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
