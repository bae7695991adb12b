"""params.yaml and suites/ as one object: settings of every entry, and the grid of every suite."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pstl.config.cells import Cell, Run, cell_name
from pstl.config.document import Document
from pstl.config.floors import floor_kind
from pstl.config.frozen import Frozen
from pstl.config.grid import Grid, takes_labels
from pstl.config.resolve import Entries
from pstl.config.settings import (
    TRANSFER,
    Compared,
    MethodSettings,
    TaskSettings,
    merge,
)
from pstl.config.suites import COMMON, OWN, Suite
from pstl.config.validation import known
from pstl.errors import UserError
from pstl.registry import dataset_names, declaration, is_declared, keywords, task_traits


class Settings(Frozen):
    """What params.yaml may hold."""

    suite: str
    # Folders searched, at any depth, for archives the user already has.
    archives: tuple[str, ...] = ()
    tracking_uri: str = ""  # empty: a local sqlite store, unless MLFLOW_TRACKING_URI is set
    datasets: dict[str, dict[str, Any]] = {}
    methods: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Params:
    """All settings, checked.

    documents: suite -> its file, and "" -> params.yaml: where errors say that something stands.
    grids: suite -> everything it asks for. All three may be read as they are asked for.
    """

    suite: str
    archives: tuple[str, ...]
    tracking_uri: str
    datasets: Mapping[str, dict[str, Any]]
    methods: Mapping[str, dict[str, Any]]
    tasks: Mapping[str, dict[str, Any]]
    suites: Mapping[str, Suite]
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False)
    grids: Mapping[str, Grid] = field(default_factory=dict, repr=False)

    def content(self, suite: str) -> dict[str, Any]:
        """Everything that a suite's jobs may follow from, as JSON holds it."""
        read = [suite, self.suite_named(suite).reuse_encoders_from]
        suites = {name: self.suites[name].model_dump(mode="json") for name in read if name}
        shared = {name: getattr(self, name) for name in Settings.model_fields}
        return {**shared, "suites": suites}

    def sound_suites(self) -> list[str]:
        """Names of the suites in which nothing is wrong; of another, who asks for it is told."""
        sound = []
        for name in self.suites:
            with suppress(UserError):
                self._grid(name)
                sound.append(name)
        return sound

    def suite_named(self, name: str) -> Suite:
        return self.suites[known(name, self.suites, "suite")]

    def dataset(self, name: str) -> dict[str, Any]:
        """Settings of one data set, or what declares it; {} if no file says anything about it.

        Raises: UserError if there is no such data set.
        """
        known(name, dataset_names(), "dataset")
        if name not in self.datasets and is_declared(name):
            return dict(declaration(name)[1])
        return self.datasets.get(name, {})

    def entries(self, suite: str) -> Entries:
        """Entries of methods and tasks as a suite sees them."""
        return entries_of(self, suite)

    def method(self, suite: str, name: str) -> MethodSettings:
        """Settings of one method entry in a suite."""
        settings = self._grid(suite).methods.get(name)
        return settings or self.entries(suite).method(name)

    def method_in_paper(self, name: str) -> MethodSettings:
        """Settings of one method entry that no suite has changed."""
        return self.entries_in_paper().method(name)

    def entries_in_paper(self) -> Entries:
        """Entries of methods and tasks that no suite has changed."""
        documents = (self.documents[""],) if "" in self.documents else ()
        return Entries(self.methods, self.tasks, {}, {}, documents)

    def method_of(self, run: Run) -> MethodSettings:
        """Settings of a run's method, with the run's share of the labels."""
        settings = self.method(run.suite, run.method)
        if run.labels is None:
            return settings
        return settings.model_copy(update={"labels": run.labels})

    def task(self, suite: str, name: str, protocol: str = "") -> TaskSettings:
        """Settings of one task entry in a suite.

        protocol: the method entry whose paper's protocol it is; empty for the shared settings.
        """
        settings = self._grid(suite).tasks.get((name, protocol))
        return settings or self.entries(suite).task(name, protocol)

    def task_of(self, cell: Cell) -> TaskSettings:
        """Settings of a cell's task, with the cell's share of the labels."""
        settings = self.task(cell.run.suite, cell.task, cell.protocol)
        if cell.labels is None:
            return settings
        return settings.model_copy(update={"labels": cell.labels})

    def run(self, text: str) -> Run:
        """The run that is called so, with the share of labels that its method's entry names.

        Raises: UserError for another text, suite or method.
        """
        run = Run.parse(text)
        settings = self.method(run.suite, run.method)
        if run.labels is None and takes_labels(settings):
            return run.model_copy(update={"labels": settings.labels})
        return run

    def cell(
        self,
        run: Run,
        batch_norm: str,
        task: str,
        labels: float | None = None,
        source: str = "",
        by: str = OWN,
    ) -> Cell:
        """The cell of these axes as the grid would hold it, with the weights of a fused one.

        by: whose protocol of the task: own, that of the run's method; common, none; or that of a
        method entry, as floors have it.
        """
        entries = self.entries(run.suite)
        protocol = entries.protocol_of(run.method, task) if by == OWN else by
        if by == COMMON:
            protocol = ""
        settings = entries.task(task, protocol)
        if labels is None:
            labels = settings.settings.get("labels")
        cell = Cell(run, batch_norm, task, labels, source, protocol)
        return next((asked for asked in self.grid(run.suite) if asked == cell), cell)

    def protocol_by(self, cell: Cell) -> str:
        """Whose protocol a cell's task is by, as cell() is told."""
        own = self.entries(cell.run.suite).protocol_of(cell.run.method, cell.task)
        return OWN if cell.protocol == own else cell.protocol or COMMON

    def floors(self, suite: str) -> Mapping[Cell, Mapping[str, Cell]]:
        """Cell of a trained method -> kind of floor -> its cell."""
        return self._grid(suite).floors.beside

    def floor_kinds(self, suite: str) -> dict[str, str]:
        """Method entry of a suite's grid -> which floor it is, raw or untrained; "": it learns."""
        methods = self._grid(suite).methods
        return {name: floor_kind(section) for name, section in methods.items()}

    def runs(self, suite: str) -> tuple[Run, ...]:
        """Every run of a suite with an encoder of its own, those that are only sources, too."""
        return self._grid(suite).runs

    def grid(self, suite: str) -> tuple[Cell, ...]:
        """Every task on every run of a suite, fused streams included, in the order of its file."""
        return self._grid(suite).cells

    def cells(self, suite: str) -> list[Cell]:
        """Every cell of a suite that a job makes: those whose method has their stream."""
        grid = self._grid(suite)
        return [cell for cell in grid.cells if cell.run not in grid.not_applicable]

    def not_applicable(self, suite: str) -> Mapping[Run, str]:
        """Runs of grid() that no job makes, and why: their method has no such stream."""
        return self._grid(suite).not_applicable

    def encoder_run(self, run: Run, source: str = "") -> Run:
        """The run whose encoder file is used by a run.

        source: dataset/split of another run; empty for the run's own data.
        """
        return self._grid(run.suite).encoders.encoder_run(run, source)

    def fusion_weights(self, cell: Cell) -> dict[str, float]:
        """Weights of the streams of one fused cell.

        Raises: UserError if the suite fuses no such cell.
        """
        if cell.fused is None:
            asked = f"{cell.name} with batch norm {cell.batch_norm}"
            raise UserError(
                f"{cell.run}: suite {cell.run.suite} fuses no {asked}; add 'fuse' to its experiment"
            )
        return dict(cell.fused)

    def compared(self, suite: str) -> dict[str, Compared]:
        """What the numbers of each method and task may be compared with, by comparison_key()."""
        entries, comparisons = self.entries(suite), {}
        for cell in self.grid(suite):
            key = comparison_key(cell.run.method, cell.task, cell.source, cell.protocol)
            if key not in comparisons:
                comparisons[key] = _compared(entries, cell)
        return comparisons

    def _grid(self, suite: str) -> Grid:
        return self.grids[known(suite, self.suites, "suite")]


def comparison_key(method: str, task: str, source: str, protocol: str) -> str:
    """What decides, of a cell, what it may be compared with."""
    return f"{method} {cell_name(task, None, source, protocol)}"


def entries_in_file(params: Params, suite: str) -> Entries:
    """Entries of methods and tasks as a suite's file has them, without the floors made for it.

    A suite that uses another's encoders starts from that one's changes of methods.
    """
    settings = params.suite_named(suite)
    chain, changes = [suite], dict(settings.methods)
    if settings.reuse_encoders_from:
        reused = settings.reuse_encoders_from
        chain.append(reused)
        changes = merge(params.suite_named(reused).methods, changes)
    documents = [params.documents[name] for name in (*chain, "") if name in params.documents]
    return Entries(params.methods, params.tasks, changes, settings.tasks, tuple(documents))


def entries_of(params: Params, suite: str) -> Entries:
    """Entries of methods and tasks as a suite sees them, its floors among them."""
    entries = entries_in_file(params, suite)
    floors = params.grids[suite].floors.entries
    made = {name: section.model_dump() for name, section in floors.items()}
    return replace(entries, methods={**entries.methods, **made})


def _compared(entries: Entries, cell: Cell) -> Compared:
    task = entries.task(cell.task, cell.protocol)
    published = task.published or (TRANSFER if cell.source else task.kind)
    wants = keywords("methods", entries.method(cell.run.method).method, "Method", "wants")
    together = str(wants.get("only_stream_input", ""))
    if task_traits(task.kind).one_protocol:
        return Compared(published, input=together)
    own = entries.as_in_paper(cell.run.method, cell.task, cell.protocol, cell.source)
    return Compared(published, own, together)
