"""What suites/NAME.yaml may hold: one experiment, as blocks of a grid with the same axes."""

from collections.abc import Hashable
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, Field, field_validator

from pstl.config.frozen import Frozen
from pstl.config.settings import OTHER, BatchNorm, Factor, LabelShare, Stream

OWN = "own"  # of sources: the run's own encoder; of protocols: what the method's paper does
COMMON = "common"  # of protocols: what all methods share
Seed = Annotated[int, Field(ge=0, strict=True)]
Protocol = Literal["own", "common"]
Value = TypeVar("Value", bound=Hashable)


def _no_repeats(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """An axis whose values are all others: who writes one twice meant another."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} stands there twice; remove one of the two")
    return values


Several = Annotated[tuple[Value, ...], AfterValidator(_no_repeats)]
OneOrMore = Annotated[tuple[Value, ...], Field(min_length=1), AfterValidator(_no_repeats)]


class Fusion(Frozen):
    """Late fusion: the streams' test scores of these tasks are summed with these weights.

    Equal weights are reported beside them.
    """

    tasks: Several[str] = ()  # none named: every task that gives class scores
    # AimCLR's ensemble, PSTL spec 10
    weights: dict[str, Factor] = Field({"joint": 0.6, "bone": 0.6, "motion": 0.4}, min_length=2)


class FloorTasks(Frozen):
    """Which tasks have each kind of floor: all that have any, none, or these."""

    raw: bool | Several[str] = True
    untrained: bool | Several[str] = True


class Axes(Frozen):
    """The axes of the grid. A suite sets them for all its experiments, an experiment for itself."""

    dataset: str = ""
    splits: Several[str] = ()
    streams: OneOrMore[Stream] = ("joint",)
    # Shares of the training labels, for methods that learn from some of them and for tasks that
    # draw some of them. None given: what the entries of the methods and tasks say.
    labels: Several[LabelShare] = ()
    sources: OneOrMore[str] = (OWN,)  # dataset/split whose encoders are used
    seeds: OneOrMore[Seed] = (0,)
    batch_norm: OneOrMore[BatchNorm] = ("released", "recalibrated")
    # own: a task as the method's `protocol` has it; common: as `tasks` has it for all methods.
    protocols: OneOrMore[Protocol] = ("own",)
    # Which tasks have the floors of every trained method beside it: all that have any, or these,
    # of both kinds or of each.
    floors: bool | Several[str] | FloorTasks = True

    @field_validator("streams", mode="before")
    @classmethod
    def _all_streams(cls, value: Any) -> Any:
        single = tuple(stream for stream in get_args(Stream) if stream != OTHER)
        return single if value == "all" else value

    def floor_tasks(self) -> dict[str, bool | tuple[str, ...]]:
        """Kind of floor -> tasks that are to have it; True: all that can."""
        if isinstance(self.floors, FloorTasks):
            return {"raw": self.floors.raw, "untrained": self.floors.untrained}
        return {"raw": self.floors, "untrained": self.floors}


class Experiment(Axes):
    """A block of the grid: every method on every axis, followed by every task."""

    methods: OneOrMore[str]
    tasks: OneOrMore[str]
    fuse: Fusion | None = None

    def has_floor(self, task: str, kind: str) -> bool:
        """Whether a task's cells are to stand beside their floor of a kind: raw or untrained."""
        asked = self.floor_tasks()[kind]
        return asked if isinstance(asked, bool) else task in asked


class Suite(Axes):
    """One file of suites/: a set of experiments, and the settings it changes for them.

    methods, tasks: merged over those of params.yaml.   datasets: that it declares.
    """

    summary: str
    datasets: dict[str, dict[str, Any]] = {}
    methods: dict[str, dict[str, Any]] = {}
    tasks: dict[str, dict[str, Any]] = {}
    # Another suite: the runs that both have are trained there, with its changes of methods.
    reuse_encoders_from: str = ""
    # method -> seed whose encoder its runs of every seed use, where one per seed costs too much:
    # they differ in what a task draws only.
    encoder_seeds: dict[str, Seed] = {}
    experiments: tuple[Experiment, ...] = Field(min_length=1)

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
