"""params.yaml, read and checked once. After load() nobody sees a dict; a typo stops here, before the first job.

Free of torch, so that `snakemake -n` and `--help` answer at once. Settings of plug-ins (methods, encoders, tasks, data sets)
are checked by check_plugins(), which does import them.
"""

import hashlib
import itertools
import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pstl.errors import UserError
from pstl.registry import declared
from pstl.registry import load as load_plugin
from pstl.registry import names as plugin_names

Stream = Literal["joint", "bone", "motion"]
BatchNorm = Literal["released", "recalibrated"]


class Frozen(BaseModel):
    """Base of every settings class: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    warmup_start: Literal[0, 1] = 0  # 0: epoch 0 has lr 0, as the PSTL code does; 1: the warm-up's last epoch has the peak (PSP)
    milestones: tuple[int, ...] = ()  # step only: epochs at which lr is multiplied by gamma
    gamma: float = Field(0.1, gt=0)
    warmup_steps: int = Field(0, ge=0)  # optimiser steps; with decay_steps the rate follows the step: 0 at step 0, lr at warmup_steps
    decay_steps: int = Field(0, ge=0)  # linear only: step at which the rate reaches final_lr; 0: the rate follows the epoch
    final_lr: float = Field(0.0, ge=0)  # with decay_steps
    max_steps: int = Field(0, ge=0)  # stop at this optimiser step, within an epoch if need be; 0: `epochs` alone decides
    clip_norm: float = Field(0.0, ge=0)  # largest L2 norm of all gradients together; 0: not clipped
    no_decay: tuple[str, ...] = ()  # parameters with one of these words in their name have no weight decay
    steps_per_epoch: int = Field(0, ge=0)  # batches that make an epoch, the clips being gone through as often as needed; 0: one pass
    # Clips drawn among the labelled ones and put before each batch, whose own clips then all go without label. "fraction": as many
    # of batch_size as there are labels, rounded, and at least 4 (PSP's 9 beside 90 at 10 %; other fractions are our choice, spec 7).
    labelled_batch: int | Literal["fraction"] = 0
    accumulate: int = Field(1, ge=1)  # batches per optimiser step
    precision: Literal["fp32", "bf16"] = "fp32"
    snapshot_every: int = Field(0, ge=0)  # epochs between encoders kept in snapshots/, for accuracy against steps; 0: none

    @model_validator(mode="after")
    def _one_clock(self) -> "TrainSettings":
        if self.decay_steps and (self.schedule != "linear" or self.warmup_epochs or self.warmup_steps >= self.decay_steps):
            raise ValueError("decay_steps needs schedule linear, warmup_epochs 0 and fewer warmup_steps than decay_steps")
        if not self.decay_steps and (self.warmup_steps or self.final_lr):
            raise ValueError("warmup_steps and final_lr need decay_steps")
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
    settings: dict[str, Any] = {}


class TaskSettings(BaseModel):
    """One entry of `tasks:`; `kind` is the module, the rest is checked by its Config."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str
    summary: str = ""
    source: str = ""  # dataset/split whose encoder is used; empty: the run's own. Any task becomes a transfer by it
    published: str = ""  # published task it is compared with; empty: `transfer` if there is a source, else the kind

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Fusion(Frozen):
    """Late fusion of streams: the test scores of these tasks are summed with these weights; equal weights are reported beside them."""

    tasks: tuple[str, ...] = ()  # none named: every task of the experiment that gives class scores
    weights: dict[str, float] = {"joint": 0.6, "bone": 0.6, "motion": 0.4}  # AimCLR's ensemble, spec section 10


class Experiment(Frozen):
    """A block of the grid: every method x stream x seed, followed by every task on every batch-norm variant."""

    dataset: str
    split: str
    methods: tuple[str, ...]
    streams: tuple[Stream, ...] = ("joint",)
    seeds: tuple[int, ...] = (0,)
    tasks: tuple[str, ...]
    batch_norm: tuple[BatchNorm, ...] = ("released", "recalibrated")
    fuse: Fusion | None = None

    @model_validator(mode="after")
    def _what_is_fused_is_run(self) -> "Experiment":
        if self.fuse and (unseen := set(self.fuse.weights) - set(self.streams)):
            raise ValueError(f"fuse names the streams {sorted(unseen)}, but streams are {list(self.streams)}")
        if self.fuse and (absent := set(self.fuse.tasks) - set(self.tasks)):
            raise ValueError(f"fuse names the tasks {sorted(absent)}, but tasks are {list(self.tasks)}")
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
            raise UserError(f"run {text!r}: expected suite/dataset/split/method/stream/s<seed>, e.g. builtin/synthetic/xsub/pstl/joint/s0")
        return cls(suite=parts[0], dataset=parts[1], split=parts[2], method=parts[3], stream=parts[4], seed=int(parts[5][1:]))


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
    experiments: tuple[Experiment, ...] = Field(min_length=1)


class Params(Frozen):
    """The whole of params.yaml."""

    suite: str
    archives: tuple[str, ...] = ()  # folders searched, at any depth, for archives the user already has
    tracking_uri: str = ""  # empty: a local sqlite store, unless MLFLOW_TRACKING_URI is set
    datasets: dict[str, dict[str, Any]] = {}
    methods: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    suites: dict[str, Suite]

    def suite_named(self, name: str) -> Suite:
        return self.suites[_known(name, self.suites, "suite")]

    def dataset(self, name: str) -> dict[str, Any]:
        """Settings of one data set; {} if params.yaml says nothing about it. Raises: UserError if there is no such data set."""
        return self.datasets.get(_known(name, plugin_names("data.datasets"), "dataset"), {})

    def method(self, suite: str, name: str) -> MethodSettings:
        """Settings of one method entry: its base, itself, then the suite's changes to the base and to itself.

        A suite that uses another's encoders starts from that one's changes.
        """
        own = self.suite_named(suite)
        entries, changes = self.methods, merge(self.suite_named(own.encoders).methods, own.methods) if own.encoders else own.methods
        chain = [_known(name, entries | changes, "method")]
        while base := (merge(entries.get(chain[0], {}), changes.get(chain[0], {}))).get("base"):
            if base in chain:
                raise UserError(f"methods.{name}: base {base!r} refers back to itself; remove one 'base:'")
            chain.insert(0, _known(base, entries | changes, "method"))
        section: dict[str, Any] = {"method": chain[0]}
        for part in chain:
            section = merge(section, merge(entries.get(part, {}), changes.get(part, {})))
        section.pop("base", None)
        return _validated(MethodSettings, section, f"methods.{name}")

    def task(self, suite: str, name: str) -> TaskSettings:
        """Settings of one task entry with the suite's changes."""
        entries, changes = self.tasks, self.suite_named(suite).tasks
        _known(name, entries | changes, "task")
        section = merge({"kind": name}, merge(entries.get(name, {}), changes.get(name, {})))
        return _validated(TaskSettings, section, f"tasks.{name}")

    def runs(self, suite: str) -> list[Run]:
        """Every run of a suite that has an encoder of its own, without repeats, in file order; runs that are only sources included."""
        grid = [
            self.encoder_run(Run(suite=suite, dataset=e.dataset, split=e.split, method=m, stream=s, seed=seed), task)
            for e in self.suite_named(suite).experiments
            for m, s, seed, task in itertools.product(e.methods, e.streams, e.seeds, e.tasks)
        ]
        return list(dict.fromkeys(grid))

    def encoder_run(self, run: Run, task: str) -> Run:
        """The run whose encoder one task of `run` uses: its own, or the one of the task's `source`."""
        if source := self._source(run.suite, task):
            dataset, _, split = source.partition("/")
            run = run.model_copy(update={"dataset": dataset, "split": split})
        return self.lent(run)

    def lent(self, run: Run) -> Run:
        """The run as the suite trains it whose encoders its own suite uses, where that one has it too; else the run itself."""
        lender = self.suite_named(run.suite).encoders
        there = run.model_copy(update={"suite": lender})
        return there if lender and there in self.runs(lender) else run

    def published_tasks(self, suite: str) -> dict[str, str]:
        """Task entry -> the task whose published numbers stand beside it, for every entry of a suite."""
        named = {}
        for name in dict.fromkeys(task for e in self.suite_named(suite).experiments for task in e.tasks):
            section = merge(self.tasks.get(name, {}), self.suite_named(suite).tasks.get(name, {}))
            named[name] = str(section.get("published") or ("transfer" if section.get("source") else section.get("kind", name)))
        return named

    def _source(self, suite: str, task: str) -> str:
        section = merge(self.tasks.get(task, {}), self.suite_named(suite).tasks.get(task, {}))
        return str(section.get("source", ""))

    def cells(self, suite: str) -> list[Cell]:
        """Every task on every run of a suite, fused streams included, without repeats, in file order."""
        cells: dict[tuple[Run, str, str], Cell] = {}
        for e in self.suite_named(suite).experiments:
            for m, norm, seed, task in itertools.product(e.methods, e.batch_norm, e.seeds, e.tasks):
                for stream in e.streams:
                    run = Run(suite=suite, dataset=e.dataset, split=e.split, method=m, stream=stream, seed=seed)
                    cells.setdefault((run, norm, task), Cell(run, norm, task))
                if e.fuse and (task in e.fuse.tasks if e.fuse.tasks else self.classifies(suite, task)):
                    run = Run(suite=suite, dataset=e.dataset, split=e.split, method=m, stream="3s", seed=seed)
                    cells.setdefault((run, norm, task), Cell(run, norm, task, dict(e.fuse.weights)))
        return list(cells.values())

    def classifies(self, suite: str, task: str) -> bool:
        """Whether a task entry gives class scores, which can be fused, compared and drawn as confusion; its module says so."""
        kind = merge(self.tasks.get(task, {}), self.suite_named(suite).tasks.get(task, {})).get("kind", task)
        return bool(declared("tasks", kind, "CLASSIFIES", False))

    def fusion_weights(self, run: Run, batch_norm: str, task: str) -> dict[str, float]:
        """Weights of the streams of one fused cell. Raises: UserError if the suite fuses no such cell."""
        for cell in self.cells(run.suite):
            if cell.fused and (cell.run, cell.batch_norm, cell.task) == (run, batch_norm, task):
                return cell.fused
        raise UserError(f"{run}: suite {run.suite} fuses no {task} with batch norm {batch_norm}; add 'fuse' to its experiment")


def merge(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of `base` with `change` laid over it; nested mappings are merged, everything else is replaced."""
    merged = deepcopy(base)
    for key, value in change.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if nested else deepcopy(value)
    return merged


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check params.yaml. Raises: UserError naming the key, what was found and what was expected."""
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run from the project's root or pass --params FILE") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    params = _validated(Params, content, str(path))
    for name in params.suites:
        _check_lender(params, name)
    for name, suite in params.suites.items():
        for experiment in suite.experiments:
            _check_experiment(params, name, experiment)
        _check_borrowed(params, name)
    params.suite_named(params.suite)
    return params


def check_plugins(params: Params, suite: str) -> None:
    """Check the settings of every data set, recipe, encoder, method and task that a suite uses. Imports torch.

    Raises: UserError naming the key, what was found and what was expected.
    """
    for experiment in params.suite_named(suite).experiments:
        dataset = load_plugin("data.datasets", experiment.dataset)
        validated(dataset.Config, params.dataset(experiment.dataset), f"datasets.{experiment.dataset}")
        _known(experiment.split, dataset.SPEC.splits, f"split of {experiment.dataset}")
        for name in experiment.methods:
            section = params.method(suite, name)
            module = load_plugin("methods", section.method)
            validated(module.Config, section.settings, f"methods.{name}.settings")
            if section.labels is not None and not module.Method.needs_labels:
                raise UserError(f"methods.{name}: labels is {section.labels}, but {section.method} sees no labels; remove 'labels'")
            for kind, plugin in (("backbones", section.encoder), ("data.recipes", section.recipe)):
                validated(load_plugin(kind, plugin.name).Config, plugin.settings, f"methods.{name}.{plugin.name}")
        for name in experiment.tasks:
            task = params.task(suite, name)
            validated(load_plugin("tasks", task.kind).Config, task.settings, f"tasks.{name}")
            if task.source:
                source, _, split = task.source.partition("/")
                spec = load_plugin("data.datasets", source).SPEC
                _known(split, spec.splits, f"split in the source of tasks.{name}")
                _check_transfer(name, spec, split, dataset.SPEC, experiment.split)


def digest(value: Any) -> str:
    """Short hash of settings, independent of key order."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def validated(model: type[Frozen], section: dict[str, Any], where: str) -> Any:
    """`section` as a `model`. Raises: UserError that names `where`, the key, what was found and what was expected."""
    return _validated(model, section, where)


def _check_experiment(params: Params, suite: str, experiment: Experiment) -> None:
    _known(experiment.dataset, plugin_names("data.datasets"), "dataset")
    for name in experiment.methods:
        section = params.method(suite, name)
        _known(section.method, plugin_names("methods"), f"method of methods.{name}")
        _known(section.encoder.name, plugin_names("backbones"), f"encoder of methods.{name}")
        _known(section.recipe.name, plugin_names("data.recipes"), f"recipe of methods.{name}")
    for name in experiment.tasks:
        task = params.task(suite, name)
        _known(task.kind, plugin_names("tasks"), f"kind of tasks.{name}")
        if experiment.fuse and name in experiment.fuse.tasks and not params.classifies(suite, name):
            raise UserError(f"suites.{suite}: fuse names the task {name!r}, which gives no class scores; take it out of 'fuse'")
        if task.source:
            dataset, slash, split = task.source.partition("/")
            if not slash or not split:
                raise UserError(f"tasks.{name}: source {task.source!r}; expected dataset/split, e.g. nwucla/xview")
            _known(dataset, plugin_names("data.datasets"), f"data set in the source of tasks.{name}")


def _check_lender(params: Params, suite: str) -> None:
    lender = params.suites[suite].encoders
    if lender and params.suites[_known(lender, params.suites, f"suite in suites.{suite}.encoders")].encoders:
        raise UserError(f"suites.{suite}: encoders of {lender}, which uses those of another suite itself; name the one that trains them")


def _check_borrowed(params: Params, suite: str) -> None:
    """What a suite borrows must be what it would train itself."""
    lender = params.suites[suite].encoders
    for method in dict.fromkeys(run.method for run in params.runs(suite) if run.suite != suite):
        if params.method(suite, method) != params.method(lender, method):
            raise UserError(
                f"suites.{suite}: methods.{method} has other settings than in {lender}, whose encoders are used; make them equal"
            )


def _check_transfer(task: str, source: Any, split: str, target: Any, tested: str) -> None:
    """An encoder must not have been trained on the clips it is tested on, under whatever name of a data set."""
    clip = None if (source.name, split) == (target.name, tested) else source.leak(split, target, tested)
    if clip:
        spared = [s for s in source.splits if not source.leak(s, target, tested)]
        raise UserError(
            f"tasks.{task}: {source.name}/{split} trains on clips that {target.name}/{tested} tests on, e.g. set-up {clip.setup}, "
            f"performer {clip.subject}, camera {clip.camera}; sources that do not: {', '.join(spared) or 'none'}"
        )


def _known(name: str, choices: Any, what: str) -> str:
    if name not in choices:
        raise UserError(f"unknown {what} {name!r}; known: {', '.join(sorted(choices))}")
    return name


def _validated(model: type[BaseModel], section: Any, where: str) -> Any:
    try:
        return model.model_validate(section)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "top level"
        known = f"; known keys: {', '.join(model.model_fields)}" if first["type"] == "extra_forbidden" and len(first["loc"]) == 1 else ""
        raise UserError(f"{where}: {key}: {first['msg'].lower()} (found {_short(first['input'])}){known}") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
