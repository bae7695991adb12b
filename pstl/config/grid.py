"""The grid of one suite: every run and cell that its experiments span."""

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, get_args

from pstl.config.cells import FUSED, Cell, Run
from pstl.config.floors import RAW, UNTRAINED, FloorMaker, Floors
from pstl.config.resolve import Entries
from pstl.config.settings import OTHER, MethodSettings, Stream, TaskSettings
from pstl.config.suites import OWN, Experiment, Suite
from pstl.errors import UserError
from pstl.registry import keywords, task_traits

# Floors learn nothing, and may be fed what such a method is fed.
ONE_AT_A_TIME = f"it takes one stream at a time; {OTHER} is of methods that take several together"
FLOORS = (RAW, UNTRAINED)
# What a task needs that draws labels; see contracts.Task.
DRAWING = ("labelled_clips", "labelled_features")


@dataclass(frozen=True)
class Encoders:
    """Which run's encoder the runs of a suite use.

    reused: the suite whose encoders are used where it has the run, and its runs.
    seeds: method -> the one seed whose encoder all its runs use.
    """

    reused: str
    reused_runs: frozenset[Run]
    seeds: Mapping[str, int]

    def encoder_run(self, run: Run, source: str = "") -> Run:
        """The run whose encoder file is used.   source: dataset/split of another run, or empty."""
        update: dict[str, object] = {"seed": self.seeds.get(run.method, run.seed)}
        if source:
            dataset, _, split = source.partition("/")
            update |= {"dataset": dataset, "split": split}
        trained = run.model_copy(update=update)
        elsewhere = trained.model_copy(update={"suite": self.reused})
        return elsewhere if elsewhere in self.reused_runs else trained


@dataclass(frozen=True)
class Grid:
    """What a suite asks for, in the order of its file and without repeats.

    cells: every one that is asked for.   not_applicable: runs that no job makes -> why.
    runs: those with an encoder of their own, of whatever suite; runs that are only sources, too.
    methods: entry -> settings.   tasks: (entry, protocol) -> settings.   floors: those that come by
    themselves; their cells are among the others, at the end.
    """

    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]
    not_applicable: Mapping[Run, str]
    encoders: Encoders
    methods: Mapping[str, MethodSettings]
    tasks: Mapping[tuple[str, str], TaskSettings]
    floors: Floors


class Point(NamedTuple):
    """One point of the axes that do not belong to a run."""

    method: str
    split: str
    batch_norm: str
    seed: int
    task: str
    share: float | None
    source: str
    protocol: str


class Used(NamedTuple):
    """Settings that the points of a grid share, looked up once.

    methods: by entry.   protocols: (method, task) -> entry whose own protocol it is, or "".
    tasks: (task, protocol) -> settings.
    """

    methods: Mapping[str, MethodSettings]
    protocols: Mapping[tuple[str, str], str]
    tasks: Mapping[tuple[str, str], TaskSettings]


def build_grid(name: str, suite: Suite, entries: Entries, encoders: Encoders) -> Grid:
    """Everything one suite asks for. Raises: UserError for an entry that does not exist."""
    blocks = suite.blocks()
    used_methods = dict.fromkeys(m for block in blocks for m in block.methods)
    methods = {method: entries.method(method) for method in used_methods}
    imported = [method for method, settings in methods.items() if settings.weights]
    # Nothing of an encoder that others trained depends on a seed.
    encoders = replace(encoders, seeds={**encoders.seeds, **dict.fromkeys(imported, 0)})
    used = _look_up(blocks, entries, methods)
    cells: dict[Cell, Cell] = {}
    reasons = _without_stream(methods)
    trained: dict[Cell, set[str]] = {}  # cell -> kinds of floors that it is to have
    for block in blocks:
        for cell in _cells(name, block, used):
            _check_weights(cell, cells.setdefault(cell, cell))
            exists = (cell.run.method, cell.run.stream) not in reasons
            if exists and methods[cell.run.method].learns:
                asked = {kind for kind in FLOORS if block.has_floor(cell.task, kind)}
                trained.setdefault(cell, set()).update(asked)
    floors = _add_floors(cells, trained, used, entries.method_names)
    not_applicable = {
        cell.run: reasons[cell.run.method, cell.run.stream]
        for cell in cells
        if (cell.run.method, cell.run.stream) in reasons
    }
    made = [c for c in cells if c.run not in not_applicable and not c.fused]
    if not made:
        raise UserError(f"suite {name}: nothing to make; {_first_reason(not_applicable)}")
    runs = dict.fromkeys(encoders.encoder_run(cell.run, cell.source) for cell in made)
    methods |= floors.entries
    return Grid(tuple(cells), tuple(runs), not_applicable, encoders, methods, used.tasks, floors)


def _add_floors(
    cells: dict[Cell, Cell],
    trained: Mapping[Cell, Collection[str]],
    used: Used,
    taken: Collection[str],
) -> Floors:
    """Put the floors of trained methods' cells behind all others.

    trained: cell -> kinds of floors that it is to have.   taken: names of entries.
    """
    moved = any(cell.source for cell in trained)
    maker = FloorMaker(used.methods, used.protocols, taken, moved)
    beside: dict[Cell, dict[str, Cell]] = {}
    for cell, asked in trained.items():
        has = task_traits(used.tasks[cell.task, cell.protocol].kind).floors
        for kind in (kind for kind in has if kind in asked):
            floor = maker.cell(cell, kind)
            # Streams that another method fuses with other weights are no floor of this one.
            if cells.setdefault(floor, floor).fused == floor.fused:
                beside.setdefault(cell, {})[kind] = floor
    return Floors(beside, maker.made)


def _first_reason(not_applicable: Mapping[Run, str]) -> str:
    """Why the first of these runs is not made, and what to do."""
    run, reason = next(iter(not_applicable.items()))
    return f"{run.method} on the stream {run.stream} is not applicable: {reason}; ask for another"


def _check_weights(cell: Cell, earlier: Cell) -> None:
    """Refuse two experiments that fuse one cell with other weights: it has one file."""
    if cell.fused != earlier.fused:
        raise UserError(
            f"suite {cell.run.suite}: two experiments fuse {cell} with other weights, "
            f"{dict(earlier.fused or {})} and {dict(cell.fused or {})}; keep one"
        )


def takes_labels(method: MethodSettings) -> bool:
    """Whether a method learns from labels, of which it may be given a share."""
    wants = keywords("methods", method.method, "Method", "wants")
    return method.labels is not None or bool(wants.get("labels"))


def draws_labels(task: TaskSettings) -> bool:
    """Whether a task is given the labels of some of the training clips."""
    return task_traits(task.kind).needs in DRAWING


def classifies(task: TaskSettings) -> bool:
    """Whether a task gives class scores, which can be fused; its module says so."""
    return task_traits(task.kind).classifies


def _look_up(
    blocks: list[Experiment], entries: Entries, methods: Mapping[str, MethodSettings]
) -> Used:
    pairs: dict[tuple[str, str], None] = {}
    for block in blocks:
        pairs |= dict.fromkeys(itertools.product(block.methods, block.tasks))
    protocols = {pair: entries.protocol_of(*pair) for pair in pairs}
    shared = [(task, "") for _, task in pairs]
    own = [(task, protocol) for (_, task), protocol in protocols.items()]
    tasks = {key: entries.task(*key) for key in dict.fromkeys([*shared, *own])}
    return Used(methods, protocols, tasks)


def _cells(suite: str, block: Experiment, used: Used) -> Iterator[Cell]:
    for point in _points(block, used):
        task = used.tasks[point.task, point.protocol]
        method = used.methods[point.method]
        learnt = (point.share or method.labels) if takes_labels(method) else None
        drawn = point.share if draws_labels(task) else None
        if drawn is None and draws_labels(task):
            drawn = task.settings.get("labels")
        fuses = block.fuse and (point.task in block.fuse.tasks or not block.fuse.tasks)
        fused = dict(block.fuse.weights) if block.fuse and fuses and classifies(task) else None
        for stream in (*block.streams, *([FUSED] if fused else [])):
            run = Run(
                suite=suite,
                dataset=block.dataset,
                split=point.split,
                method=point.method,
                stream=stream,
                seed=point.seed,
                labels=learnt,
            )
            weights = fused if stream == FUSED else None
            yield Cell(
                run, point.batch_norm, point.task, drawn, point.source, point.protocol, weights
            )


def _points(block: Experiment, used: Used) -> Iterator[Point]:
    axes = (block.splits, block.methods, block.batch_norm, block.seeds, block.tasks)
    for split, method, batch_norm, seed, task in itertools.product(*axes):
        takes_share = takes_labels(used.methods[method]) or draws_labels(used.tasks[task, ""])
        shares = block.labels if block.labels and takes_share else (None,)
        own = used.protocols[method, task]
        protocols = dict.fromkeys(own if p == OWN else "" for p in block.protocols)
        sources = _sources(block, split, used.methods[method])
        for share, source, protocol in itertools.product(shares, sources, protocols):
            yield Point(method, split, batch_norm, seed, task, share, source, protocol)


def _sources(block: Experiment, split: str, method: MethodSettings) -> list[str]:
    """dataset/split of the run whose encoder is used, "" for the run's own.

    Weights that others trained are of one run, which is the own one of no other data.
    """
    own = ""
    if method.weights and method.weights.trained_on != f"{block.dataset}/{split}":
        own = method.weights.trained_on
    return list(dict.fromkeys(own if source == OWN else source for source in block.sources))


def _without_stream(methods: Mapping[str, MethodSettings]) -> dict[tuple[str, str], str]:
    """(method entry, stream) -> why the method has no such stream.

    Its module says so, or there are no weights of it.
    """
    reasons: dict[tuple[str, str], str] = {}
    for name, settings in methods.items():
        wants = keywords("methods", settings.method, "Method", "wants")
        if only := wants.get("only_stream"):
            others = [stream for stream in (*get_args(Stream), FUSED) if stream != only]
            reasons |= {(name, stream): wants["only_stream_reason"] for stream in others}
        elif settings.learns:
            reasons[name, OTHER] = ONE_AT_A_TIME
        if settings.weights:
            absent = set(get_args(Stream)) - settings.weights.files.keys()
            why = f"its weights are of: {', '.join(settings.weights.files)}"
            without = [*absent, FUSED] if absent - {OTHER} else [*absent]
            reasons |= {(name, stream): why for stream in without}
    return reasons
