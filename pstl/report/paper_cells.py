"""A paper's cells: what was printed, what we have beside it, and what would make the rest.

A file of published numbers that is named like a method entry is that method's paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pstl.config import Cell, Compared, Params
from pstl.config.params import comparison_key
from pstl.plan.bill import unknown
from pstl.plan.hours import hours_of
from pstl.plan.hours_of_cells import hours_of_cells
from pstl.plan.sizes import Figures
from pstl.report import compare, paper
from pstl.report.kept import Tables
from pstl.report.labels import full_setting, share_text
from pstl.report.paper import UNVERIFIED, Published, same_method
from pstl.report.tables import HEADLINE, Line


@dataclass(frozen=True)
class Measured:
    """A number of ours beside theirs.   changed: what the suite changes of the paper's settings."""

    tables: Tables
    line: Line
    changed: tuple[str, ...]


class Makers(NamedTuple):
    """Cells of one suite that would stand beside a printed number, one a seed.

    as_printed: whether they are evaluated as the paper does.
    changed: what the suite changes of the paper's settings.
    """

    cells: list[Cell]
    as_printed: bool
    changed: tuple[str, ...]


@dataclass(frozen=True)
class PaperCell:
    """One printed number.

    measured: ours, one for each suite that has been run.   makers: what would make it, by suite.
    """

    theirs: Published
    measured: tuple[Measured, ...]
    makers: dict[str, Makers]

    @property
    def seen(self) -> bool:
        """Whether somebody has seen it printed; else it is remembered, and not shown."""
        return self.theirs.source != UNVERIFIED


class Bill(NamedTuple):
    """Hours of one suite on the device that was benched.

    cells: of the cells that the paper's numbers would stand beside; None: unknown.   suite: of all
    its methods but those `without` a figure.
    """

    cells: float | None
    suite: float
    without: tuple[str, ...]


@dataclass(frozen=True)
class Paper:
    """All that is known of one paper.

    entry: its method.   label: as the published numbers call it, "" where none of its own is known.
    bills: of the suites that would make some of the cells.
    elsewhere: tables that have the method on data for which nothing was printed.
    """

    entry: str
    label: str
    cells: tuple[PaperCell, ...]
    bills: dict[str, Bill] = field(default_factory=dict)
    elsewhere: tuple[Tables, ...] = ()

    @property
    def measured(self) -> list[PaperCell]:
        """Cells that have a number of ours."""
        return [cell for cell in self.cells if cell.measured]


def papers(params: Params) -> list[str]:
    """Method entries whose paper's numbers are known here."""
    return [path.stem for path in sorted(paper.FOLDER.glob("*.csv")) if path.stem in params.methods]


def gather(params: Params, everything: Sequence[Tables], figures: Figures) -> list[Paper]:
    """Every paper beside all tables.

    Raises: UserError for a published number that cannot be read.
    """
    compared = {suite: params.compared(suite) for suite in params.sound_suites()}
    grids = {suite: _grid(params, suite, compared[suite]) for suite in compared}
    suite_hours: dict[str, float] = {}
    billed = []
    for entry in papers(params):
        each = _paper(params, entry, everything, compared, grids)
        bills = {}
        for suite, some in _wanted(each).items():
            if suite not in suite_hours:
                suite_hours[suite] = sum(hours_of(params, suite, figures).values())
            lacking = tuple(unknown(params, suite, figures))
            bills[suite] = Bill(hours_of_cells(params, some, figures), suite_hours[suite], lacking)
        billed.append(replace(each, bills=bills))
    return billed


def _wanted(paper_: Paper) -> dict[str, list[Cell]]:
    """Suite -> the cells that a paper's numbers would stand beside."""
    wanted: dict[str, list[Cell]] = {}
    for cell in paper_.cells:
        for suite, some in cell.makers.items():
            wanted.setdefault(suite, []).extend(some.cells)
    return wanted


Key = tuple[str, ...]  # data set, split, stream, published task, method, decisive setting
Grid = Mapping[Key, list[Cell]]


def _grid(params: Params, suite: str, compared: Mapping[str, Compared]) -> Grid:
    """The cells of a suite by what a published number would have to be of."""
    grid: dict[Key, list[Cell]] = {}
    for cell in params.cells(suite):
        run = cell.run
        beside = compared[_named(cell)]
        if beside.own is None and params.task_of(cell).settings:
            continue  # what its rows state, and whether anybody prints such a number, is not known
        setting = full_setting("", share_text(cell.share), cell.source, beside.input)
        key = (run.dataset, run.split, run.stream, beside.task, same_method(run.method))
        grid.setdefault((*key, *paper.decisive(setting)), []).append(cell)
    return grid


def _paper(
    params: Params,
    entry: str,
    everything: Sequence[Tables],
    compared: Mapping[str, Mapping[str, Compared]],
    grids: Mapping[str, Grid],
) -> Paper:
    published = paper.read(paper.FOLDER / f"{entry}.csv")
    seen = [row for row in published if row.source != UNVERIFIED]
    measured: dict[Published, list[Measured]] = {}
    for tables in everything:
        for line, theirs in _beside(tables, seen, compared.get(tables.suite, {})):
            parts = changed(params, tables.suite, line.method)
            measured.setdefault(theirs, []).append(Measured(tables, line, parts))
    cells = []
    for theirs in published:
        ours = tuple(measured.get(theirs, ()))
        cells.append(PaperCell(theirs, ours, _makers(params, theirs, compared, grids)))
    printed = [row.paper for row in published if same_method(row.method) == same_method(entry)]
    beside = {id(one.tables) for many in measured.values() for one in many}
    elsewhere = []
    for tables in everything:
        named = any(row["method"] == entry and row["value"] is not None for row in tables.rows)
        if named and id(tables) not in beside:
            elsewhere.append(tables)
    return Paper(entry, printed[0] if printed else "", tuple(cells), {}, tuple(elsewhere))


def _beside(
    tables: Tables, published: list[Published], today: Mapping[str, Compared]
) -> list[tuple[Line, Published]]:
    """Ours beside theirs, of the headline state of the batch norms where there is one."""
    methods = {same_method(theirs.method) for theirs in published}
    rows = [row for row in tables.rows if same_method(row["method"]) in methods]
    pairs = compare.each_beside(rows, published, tables.compared(today))
    chosen: dict[tuple[Published, str, str], Line] = {}
    for line, theirs in pairs:
        key = (theirs, line.task, line.method)
        if line.mean is not None and (key not in chosen or line.batch_norm == HEADLINE):
            chosen[key] = line
    return [(line, theirs) for (theirs, *_), line in chosen.items()]


def _makers(
    params: Params,
    theirs: Published,
    compared: Mapping[str, Mapping[str, Compared]],
    grids: Mapping[str, Grid],
) -> dict[str, Makers]:
    """Suite -> its cells that a printed number may stand beside."""
    key = (theirs.dataset, theirs.split, theirs.stream, theirs.task, same_method(theirs.method))
    wanted = (*key, *paper.decisive(theirs.setting))
    makers = {}
    for suite, grid in grids.items():
        if cells := _one_norm(grid.get(wanted, [])):
            alike = any(compared[suite][_named(cell)].own is not False for cell in cells)
            makers[suite] = Makers(cells, alike, changed(params, suite, cells[0].run.method))
    return makers


def _named(cell: Cell) -> str:
    return comparison_key(cell.run.method, cell.task, cell.source, cell.protocol)


def _one_norm(cells: list[Cell]) -> list[Cell]:
    """Those of the state in which papers test, where there are such."""
    released = [cell for cell in cells if cell.batch_norm == "released"]
    return released or cells


def changed(params: Params, suite: str, method: str) -> tuple[str, ...]:
    """Which parts of a method's entry a suite changes."""
    if suite not in params.suites:
        return ()
    return tuple(params.suite_named(suite).methods.get(method, {}))
