"""The whole of params.yaml, and the grid of runs and cells that it spans."""

import itertools
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args

from pydantic import PrivateAttr

from pstl.config.settings import (
    FUSED,
    Cell,
    Compared,
    Frozen,
    MethodSettings,
    Run,
    Stream,
    Suite,
    TaskSettings,
    known,
    merge,
    validated,
)  # fmt: skip
from pstl.errors import UserError
from pstl.registry import keywords, task_traits
from pstl.registry import names as plugin_names

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")
NO_PROTOCOL = {
    "summary",
    "source",
    "published",
    "protocol_of",
}  # of a task: what it may say and still work alike


def once(
    method: Callable[Concatenate["Params", Arguments], Value],
) -> Callable[Concatenate["Params", Arguments], Value]:
    """Compute a method of Params once per arguments: settings do not change after loading.

    The rules ask for every job, so whatever walks over a suite's grid must not walk again each
    time. Callers must not change what they are given.
    """

    @wraps(method)
    def remembered(self: "Params", /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        key = (method.__name__, args, tuple(kwargs.items()))
        if key not in self._remembered:
            self._remembered[key] = method(self, *args, **kwargs)
        value: Value = self._remembered[key]
        return value

    return remembered


class Params(Frozen):
    """The whole of params.yaml."""

    suite: str
    archives: tuple[
        str, ...
    ] = ()  # folders searched, at any depth, for archives the user already has
    tracking_uri: str = ""  # empty: a local sqlite store, unless MLFLOW_TRACKING_URI is set
    datasets: dict[str, dict[str, Any]] = {}
    methods: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    suites: dict[str, Suite]
    _remembered: dict[Any, Any] = PrivateAttr(default_factory=dict)  # what `once` has computed

    def suite_named(self, name: str) -> Suite:
        return self.suites[known(name, self.suites, "suite")]

    def dataset(self, name: str) -> dict[str, Any]:
        """Settings of one data set; {} if params.yaml says nothing about it. Raises: UserError if there is no such data set."""
        return self.datasets.get(known(name, plugin_names("data.datasets"), "dataset"), {})

    @once
    def method(self, suite: str, name: str) -> MethodSettings:
        """Settings of one method entry: its base, itself, then the suite's changes to the base and to itself.

        A suite that uses another's encoders starts from that one's changes.
        """
        own = self.suite_named(suite)
        entries, changes = (
            self.methods,
            merge(self.suite_named(own.encoders).methods, own.methods)
            if own.encoders
            else own.methods,
        )
        chain = [known(name, entries | changes, "method")]
        while base := (merge(entries.get(chain[0], {}), changes.get(chain[0], {}))).get("base"):
            if base in chain:
                raise UserError(
                    f"methods.{name}: base {base!r} refers back to itself; remove one 'base:'"
                )
            chain.insert(0, known(base, entries | changes, "method"))
        section: dict[str, Any] = {"method": chain[0]}
        for part in chain:
            section = merge(section, merge(entries.get(part, {}), changes.get(part, {})))
        section.pop("base", None)
        return validated(MethodSettings, section, f"methods.{name}")

    @once
    def task(self, suite: str, name: str) -> TaskSettings:
        """Settings of one task entry with the suite's changes."""
        entries, changes = self.tasks, self.suite_named(suite).tasks
        known(name, entries | changes, "task")
        section = merge({"kind": name}, merge(entries.get(name, {}), changes.get(name, {})))
        return validated(TaskSettings, section, f"tasks.{name}")

    @once
    def runs(self, suite: str) -> list[Run]:
        """Every run of a suite that has an encoder of its own, without repeats, in file order; runs that are only sources included."""
        without = self._without(suite)
        grid = [
            self.encoder_run(
                Run(suite=suite, dataset=e.dataset, split=e.split, method=m, stream=s, seed=seed),
                task,
            )
            for e in self.suite_named(suite).experiments
            for m, s, seed, task in itertools.product(e.methods, e.streams, e.seeds, e.tasks)
            if (m, s) not in without
        ]
        return list(dict.fromkeys(grid))

    @once
    def encoder_run(self, run: Run, task: str) -> Run:
        """The run whose encoder one task of `run` uses: its own, or the one of the task's `source`."""
        if source := self._source(run.suite, task):
            dataset, _, split = source.partition("/")
            run = run.model_copy(update={"dataset": dataset, "split": split})
        return self.lent(run)

    def lent(self, run: Run) -> Run:
        """The run as the suite trains it whose encoders its own suite uses, where that one has it too; else the run itself.

        Of a method in the suite's `encoder_seeds` it is the run of that seed.
        """
        own = self.suite_named(run.suite)
        lender, run = (
            own.encoders,
            run.model_copy(update={"seed": own.encoder_seeds.get(run.method, run.seed)}),
        )
        if not lender:
            return run
        there = run.model_copy(update={"suite": lender})
        return there if there in self._runs_of(lender) else run

    @once
    def _runs_of(self, suite: str) -> frozenset[Run]:
        return frozenset(self.runs(suite))

    @once
    def published_tasks(self, suite: str) -> dict[str, Compared]:
        """Task entry -> what its numbers may be compared with, for every entry of a suite."""
        named = {}
        for name in dict.fromkeys(
            task for e in self.suite_named(suite).experiments for task in e.tasks
        ):
            task = self.task(suite, name)
            published = task.published or ("transfer" if task.source else task.kind)
            one = task_traits(task.kind).one_protocol
            named[name] = Compared(published, None if one else self._protocol_of(suite, name))
        return named

    def _protocol_of(self, suite: str, task: str) -> tuple[str, ...]:
        """Methods whose papers evaluate as a task of this suite does."""
        own, change = self.tasks.get(task, {}), self.suite_named(suite).tasks.get(task, {})
        changed = merge(own, change)
        moved = any(changed[key] != own.get(key) for key in set(change) - NO_PROTOCOL)
        if moved and "protocol_of" not in change:
            return ()
        return self.task(suite, task).protocol_of

    @once
    def together(self, suite: str) -> dict[str, tuple[str, str]]:
        """Task entry -> (kind, source data set or ""), for tasks that headlines show side by side: those with a source, and their like.

        So a fine-tuned encoder of another data set stands beside the same network from scratch. Tasks that would become one stay apart.
        """
        taken: dict[tuple[str, str, str, str, str], set[str]] = {}
        shown: dict[str, tuple[str, str]] = {}
        for e in self.suite_named(suite).experiments:
            for name in e.tasks:
                kind, source = self._kind(suite, name), self._source(suite, name).partition("/")[0]
                shown[name] = (kind, source)
                for method in e.methods:
                    taken.setdefault((e.dataset, e.split, method, kind, source), set()).add(name)
        moved = {kind for kind, source in shown.values() if source} - {
            key[3] for key, names in taken.items() if len(names) > 1
        }
        return {name: (kind, source) for name, (kind, source) in shown.items() if kind in moved}

    @once
    def _source(self, suite: str, task: str) -> str:
        section = merge(self.tasks.get(task, {}), self.suite_named(suite).tasks.get(task, {}))
        return str(section.get("source", ""))

    @once
    def cells(self, suite: str) -> list[Cell]:
        """Every cell of a suite that a job makes: those of grid() whose method has their stream."""
        without = self._without(suite)
        return [
            cell for cell in self.grid(suite) if (cell.run.method, cell.run.stream) not in without
        ]

    @once
    def senseless(self, suite: str) -> dict[Run, str]:
        """Runs of grid() that no job makes, and why: their method has no such stream."""
        without = self._without(suite)
        found = {
            cell.run: without.get((cell.run.method, cell.run.stream), "")
            for cell in self.grid(suite)
        }
        return {run: reason for run, reason in found.items() if reason}

    @once
    def _without(self, suite: str) -> dict[tuple[str, str], str]:
        """(method entry, stream) -> why the method has no such stream; its module says so."""
        reasons: dict[tuple[str, str], str] = {}
        experiments = self.suite_named(suite).experiments
        for name in dict.fromkeys(name for e in experiments for name in e.methods):
            method = self.method(suite, name).method
            wants = keywords("methods", method, "Method", "wants")
            if only := wants.get("only_stream"):
                others = [stream for stream in (*get_args(Stream), FUSED) if stream != only]
                reasons |= {(name, stream): wants["only_stream_reason"] for stream in others}
        return reasons

    @once
    def grid(self, suite: str) -> list[Cell]:
        """Every task on every run of a suite, fused streams included, without repeats, in file order."""
        cells: dict[tuple[Run, str, str], Cell] = {}
        for e in self.suite_named(suite).experiments:
            for m, norm, seed, task in itertools.product(e.methods, e.batch_norm, e.seeds, e.tasks):
                for stream in e.streams:
                    run = Run(
                        suite=suite,
                        dataset=e.dataset,
                        split=e.split,
                        method=m,
                        stream=stream,
                        seed=seed,
                    )
                    cells.setdefault((run, norm, task), Cell(run, norm, task))
                if e.fuse and (
                    task in e.fuse.tasks if e.fuse.tasks else self.classifies(suite, task)
                ):
                    run = Run(
                        suite=suite,
                        dataset=e.dataset,
                        split=e.split,
                        method=m,
                        stream=FUSED,
                        seed=seed,
                    )
                    cells.setdefault((run, norm, task), Cell(run, norm, task, dict(e.fuse.weights)))
        return list(cells.values())

    @once
    def classifies(self, suite: str, task: str) -> bool:
        """Whether a task entry gives class scores, which can be fused, compared and drawn as confusion; its module says so."""
        return task_traits(self._kind(suite, task)).classifies

    @once
    def _kind(self, suite: str, task: str) -> str:
        return str(
            merge(self.tasks.get(task, {}), self.suite_named(suite).tasks.get(task, {})).get(
                "kind", task
            )
        )

    def fusion_weights(self, run: Run, batch_norm: str, task: str) -> dict[str, float]:
        """Weights of the streams of one fused cell.

        Raises: UserError if the suite fuses no such cell.
        """
        weights = self._fusions(run.suite).get((run, batch_norm, task))
        if weights is None:
            asked = f"{task} with batch norm {batch_norm}"
            raise UserError(
                f"{run}: suite {run.suite} fuses no {asked}; add 'fuse' to its experiment"
            )
        return weights

    @once
    def _fusions(self, suite: str) -> dict[tuple[Run, str, str], dict[str, float]]:
        fused = [cell for cell in self.cells(suite) if cell.fused]
        return {(c.run, c.batch_norm, c.task): c.fused for c in fused if c.fused}
