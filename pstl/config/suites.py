"""What suites/NAME.yaml may hold: one experiment, as blocks of a grid with the same axes."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from pstl.config.settings import BatchNorm, Factor, Frozen, Stream

OWN = "own"  # of sources: the run's own encoder; of protocols: what the method's paper does
Seed = Annotated[int, Field(ge=0)]
LabelShare = Annotated[float, Field(gt=0, le=1)]
Protocol = Literal["own", "common"]


class Fusion(Frozen):
    """Late fusion: the streams' test scores of these tasks are summed with these weights.

    Equal weights are reported beside them.
    """

    tasks: tuple[str, ...] = ()  # none named: every task that gives class scores
    # AimCLR's ensemble, PSTL spec 10
    weights: dict[str, Factor] = {"joint": 0.6, "bone": 0.6, "motion": 0.4}


class Axes(Frozen):
    """The axes of the grid. A suite sets them for all its experiments, an experiment for itself."""

    dataset: str = ""
    splits: tuple[str, ...] = ()
    streams: tuple[Stream, ...] = ("joint",)
    # Shares of the training labels, for methods that learn from some of them and for tasks that
    # draw some of them. None given: what the entries of the methods and tasks say.
    labels: tuple[LabelShare, ...] = ()
    sources: tuple[str, ...] = (OWN,)  # dataset/split whose encoders are used
    seeds: tuple[Seed, ...] = (0,)
    batch_norm: tuple[BatchNorm, ...] = ("released", "recalibrated")
    # own: a task as the method's `protocol` has it; common: as `tasks` has it for all methods.
    protocols: tuple[Protocol, ...] = ("own",)

    @field_validator("streams", mode="before")
    @classmethod
    def _all_streams(cls, value: Any) -> Any:
        return get_args(Stream) if value == "all" else value


class Experiment(Axes):
    """A block of the grid: every method on every axis, followed by every task."""

    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    fuse: Fusion | None = None


class Suite(Axes):
    """One file of suites/: a set of experiments, and the settings it changes for them.

    methods, tasks: merged over those of params.yaml.
    """

    summary: str
    methods: dict[str, dict[str, Any]] = {}
    tasks: dict[str, dict[str, Any]] = {}
    # Another suite: the runs that both have are trained there, with its changes of methods.
    reuse_encoders_from: str = ""
    # method -> seed whose encoder its runs of every seed use, where one per seed costs too much:
    # they differ in what a task draws only.
    encoder_seeds: dict[str, Seed] = {}
    experiments: tuple[Experiment, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _one_split(cls, content: Any) -> Any:
        blocks = content.get("experiments") if isinstance(content, dict) else None
        for block in [content, *(blocks if isinstance(blocks, list) else [])]:
            if isinstance(block, dict) and "split" in block:
                raise ValueError("'split' has become the axis 'splits', a list: splits: [xsub]")
        return content

    def blocks(self) -> list[Experiment]:
        """The experiments, each with the suite's axes where it sets none itself."""
        shared = {
            name: getattr(self, name) for name in Axes.model_fields if name in self.model_fields_set
        }
        filled = []
        for experiment in self.experiments:
            missing = {k: v for k, v in shared.items() if k not in experiment.model_fields_set}
            filled.append(experiment.model_copy(update=missing))
        return filled
