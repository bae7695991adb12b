"""A markdown page for each paper: what it prints, what we have, and what would make the rest."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pstl import paths
from pstl.config import FUSED, Cell, Params
from pstl.files import write_text
from pstl.plan.bill import devices
from pstl.plan.hours_of_cells import streams_of
from pstl.plan.sizes import Figures
from pstl.registry import load_dataset
from pstl.report import alike, declared, paper_cells
from pstl.report.kept import PAGE, Tables
from pstl.report.paper import TASKS, same_method
from pstl.report.paper_cells import Measured, Paper, PaperCell
from pstl.report.tables import HEADLINE, NONE, Line, signed
from pstl.report.text import ASSUMED, MARKED, Notes, table

HEADER = ["data", "stream", "setting", "printed", "ours", alike.LIKE, "by"]
NO_SUITE = "no suite asks for it"
MADE_BY = "python -m pstl papers --out results/papers"
CHANGED = "†"
UNLIKE = "‡"


def write_all(
    params: Params, everything: Sequence[Tables], figures: Figures, out: Path
) -> list[Path]:
    """Write the page of every paper into a folder. Returns: the pages."""
    pages = []
    for each in paper_cells.gather(params, everything, figures):
        pages.append(out / f"{each.entry}.md")
        write_text(pages[-1], Page(params, each, figures, out).text())
    return pages


class Page:
    """One page.   folder: where it will lie, for its links."""

    def __init__(self, params: Params, paper: Paper, figures: Figures, folder: Path) -> None:
        self.params, self.paper, self.figures, self.folder = params, paper, figures, folder
        self.notes = Notes()

    def text(self) -> str:
        """The whole page."""
        blocks = [*self._head(), *self._numbers(), *self._remembered(), *self._missing()]
        blocks += [*self._unasked(), *self._elsewhere(), str(self.notes)]
        return "\n\n".join(block for block in blocks if block) + "\n"

    def _head(self) -> list[str]:
        paper = self.paper
        seen = [cell for cell in paper.cells if cell.seen]
        makeable = [cell for cell in seen if cell.makers and not cell.measured]
        spec = Path(f"docs/specs/{paper.entry}.md")
        specified = f", as [{spec}]({self._link(spec)}) specifies it" if spec.exists() else ""
        counts = (
            f"{len(seen)} printed numbers with a source, {len(paper.measured)} of them beside a "
            f"number of ours, {len(makeable)} of the others would be made by a suite here."
        )
        whose = "" if paper.label else " No number of this paper's own tables is known here."
        return [
            f"# {paper.label or paper.entry}: what is printed, and what we have",
            f"{counts}{whose}",
            f"The method is the entry `{paper.entry}` of params.yaml{specified}. Made by "
            f"`{MADE_BY}`; nothing here is typed.",
            f"*printed*: percent, with the kind of its epoch. {MARKED} *ours*: mean ± standard "
            f"deviation [95 % interval over seeds] (seeds), the last epoch, batch norm {HEADLINE} "
            f"where there is such a state. *{alike.LIKE}*: ours of the kind theirs is, minus "
            f"theirs; `{NONE}` where nothing may be subtracted. {CHANGED}: the suite changes the "
            f"paper's settings. {UNLIKE}: its cells follow the protocol that all methods share, "
            "not the paper's.",
        ]

    def _numbers(self) -> list[str]:
        blocks = []
        for task in TASKS:
            rows = []
            for cell in self.paper.cells:
                if cell.theirs.task == task and cell.seen:
                    rows += self._rows(cell)
            if rows:
                blocks += [f"## {task}", table(HEADER, rows)]
        return blocks

    def _rows(self, cell: PaperCell) -> list[list[str]]:
        """A row for each suite that was run, else one that says what would make it."""
        theirs = cell.theirs
        printed = f"{theirs.value:g}{f' {ASSUMED}' if theirs.assumed else ''}"
        printed += f", {alike.SAID_BY_KIND[theirs.kind]} {self.notes.mark(self._source(cell))}"
        named = [f"{theirs.dataset}, {theirs.split}", theirs.stream, self._setting(cell)]
        if not cell.measured:
            return [[*named, printed, "not run", NONE, self._makers(cell)]]
        rows = []
        for ours in cell.measured:
            rows.append([*named, printed, _ours(ours.line), self._like(ours.line), self._by(ours)])
        return rows

    def _setting(self, cell: PaperCell) -> str:
        """Metric, setting and name as far as they are not the task's and the method's own."""
        theirs, parts = cell.theirs, []
        if theirs.method != self.paper.label.partition(" (")[0]:
            parts.append(theirs.method)
        if theirs.metric != "top1":
            parts.append(theirs.metric)
        return "; ".join([*parts, *filter(None, [theirs.setting.replace(";", "; ")])])

    def _source(self, cell: PaperCell) -> str:
        theirs = cell.theirs
        assumed = f"; not stated there: {', '.join(theirs.assumed.split())}"
        return f"{theirs.table}: {theirs.source}{assumed if theirs.assumed else ''}"

    def _like(self, line: Line) -> str:
        if line.like_minus_published is not None:
            return signed(line.like_minus_published)
        return f"{NONE} {self.notes.mark(line.why_not)}" if line.why_not else NONE

    def _by(self, ours: Measured) -> str:
        page = ours.tables.folder / PAGE
        mark = f" {CHANGED} ({', '.join(ours.changed)})" if ours.changed else ""
        return f"[{ours.tables.name}]({self._link(page)}){mark}"

    def _makers(self, cell: PaperCell) -> str:
        """Suites that would make it, those by the paper's own settings first."""
        names = []
        for suite, makers in cell.makers.items():
            marks = (CHANGED if makers.changed else "") + ("" if makers.as_printed else UNLIKE)
            names.append(f"`{suite}`{f' {marks}' if marks else ''}")
        return ", ".join(sorted(names, key=len)) or NO_SUITE

    def _remembered(self) -> list[str]:
        rows = []
        for cell in self.paper.cells:
            theirs = cell.theirs
            if not cell.seen:
                named = [theirs.task, f"{theirs.dataset}, {theirs.split}", theirs.stream]
                rows.append([*named, self._setting(cell), self._makers(cell)])
        if not rows:
            return []
        return [
            "## Remembered, not seen",
            "Cells that people remember and of which nobody here has seen a printed number; none "
            "is shown.",
            table(["task", "data", "stream", "setting", "by"], rows),
        ]

    def _missing(self) -> list[str]:
        """For each suite that would make cells: the command and the bill; and the data."""
        missing = [cell for cell in self.paper.cells if not cell.measured]
        suites = list(dict.fromkeys(suite for cell in missing for suite in cell.makers))
        if not suites:
            return []
        blocks, datasets = [], set()
        for suite in suites:
            makers = []
            for cell in missing:
                makers += cell.makers[suite].cells if suite in cell.makers else []
            datasets |= self._datasets(makers)
            blocks += self._suite(
                suite, list(dict.fromkeys(paths.metrics(each) for each in makers))
            )
        return [
            "## To make what is missing",
            *blocks,
            "### The data",
            "\n".join(f"- {self._data(name)}" for name in sorted(datasets)),
        ]

    def _datasets(self, cells: list[Cell]) -> set[str]:
        """Data sets that cells are of, and that their encoders come from."""
        names = set()
        for cell in cells:
            for part in streams_of(self.params, cell):
                names |= {part.run.dataset, self.params.encoder_run(part.run, part.source).dataset}
        return names

    def _suite(self, suite: str, targets: list[str]) -> list[str]:
        command = f"snakemake --cores all --config suite={suite} archives=FOLDER -- TARGET"
        return [
            f"### Suite `{suite}`: {self.params.suite_named(suite).summary}",
            f"    {command}",
            "TARGET is one of the files below, or left out for the whole suite, FOLDER where the "
            f"archives lie. {self._bill(suite)}",
            f"<details><summary>Targets: {len(targets)}</summary>",
            "\n".join(f"    {target}" for target in targets),
            "</details>",
        ]

    def _bill(self, suite: str) -> str:
        bill, machine = self.paper.bills[suite], "; ".join(devices(self.figures))
        own = "unknown, as bench has no figure of the method there"
        if bill.cells is not None:
            own = f"{bill.cells:,.1f} hours"
        without = ""
        if bill.without:
            without = f", not counting {', '.join(bill.without)}, of which there is no figure"
        return (
            f"Bill on one {machine}: this paper's cells {own}; all methods of the suite "
            f"{bill.suite:,.1f} hours{without}. On another machine: "
            f"`python -m pstl bench --json FILE`, then `python -m pstl plan {suite} --bench FILE`."
        )

    def _data(self, name: str) -> str:
        spec = load_dataset(name).spec
        if spec.simulated:
            return f"`{name}` is made here."
        how = f" To get it: {spec.how_to_get}." if spec.how_to_get else ""
        return f"`{name}`: {spec.source}. Licence: {spec.licence}.{how}"

    def _unasked(self) -> list[str]:
        """What a suite's file would have to say for cells that no suite asks for."""
        entries = {same_method(name): name for name in self.params.methods}
        lines: dict[str, None] = {}
        for cell in self.paper.cells:
            theirs, entry = cell.theirs, entries.get(same_method(cell.theirs.method))
            if cell.makers or entry is None:
                continue
            asked: dict[str, Any] = {
                "dataset": theirs.dataset,
                "splits": [theirs.split],
                "methods": [entry],
            }
            if theirs.stream == FUSED:
                asked |= {"streams": "all", "fuse": {}}
            else:
                asked["streams"] = [theirs.stream]
            asked |= {"tasks": [theirs.task]}
            line = yaml.safe_dump(asked, default_flow_style=True, sort_keys=False, width=1000)
            lines[f"    - {line.strip()}"] = None
        if not lines:
            return []
        return [
            "## No suite asks for these",
            "Blocks of experiments for a file of suites/ ([docs/suites.md]"
            f"({self._link(Path('docs/suites.md'))})), one for each kind of cell above that is "
            "made by no suite yet; shares of labels and sources of a transfer are axes of the "
            "same block.",
            "\n".join(lines),
        ]

    def _elsewhere(self) -> list[str]:
        rows = []
        for tables in self.paper.elsewhere:
            data = dict.fromkeys(f"{row['dataset']}, {row['split']}" for row in tables.rows)
            link = f"[{tables.name}]({self._link(tables.folder / PAGE)})"
            rows.append([link, "; ".join(data), tables.summary])
        if not rows:
            return []
        return [
            "## Measured here, where the paper's numbers are not known",
            table(["tables", "data", "what they are"], rows),
        ]

    def _link(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.folder)).as_posix()


def _ours(line: Line) -> str:
    metric = declared.metrics().of(line.metric)
    assert line.mean is not None
    ours = metric.text(line.mean)
    if line.std is not None:
        ours += f" ± {metric.text(line.std)}"
    if line.span:
        ours += f" [{metric.text(line.span.low)}, {metric.text(line.span.high)}]"
    return f"{ours} ({line.seeds_text})"
