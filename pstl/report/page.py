"""index.html of one suite: everything that was measured, on one page that needs nothing else."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pstl import paths
from pstl.config import Cell, Params
from pstl.files import write_text
from pstl.report import (
    document,
    kept_material,
    material,
    moved_page,
    overview,
    panels,
    results_section,
    simulated_clips,
)
from pstl.report.charts import Curves
from pstl.report.costs import costs, run_seconds
from pstl.report.document import Cells, Section, Table, Text, number
from pstl.report.mark_charts import Points
from pstl.report.material import Material
from pstl.report.poses import Moving
from pstl.report.rows import NOT_APPLICABLE, NOT_RUN, Epochs, read_cell_file
from pstl.report.tables import NONE, by_split

QUOTED = 4  # numbers of one file that stand beside its command; the others are in the tables


@dataclass(frozen=True)
class Training(Section):
    """Losses of the runs, and tasks by their own epochs."""

    losses: list[Curves]
    tasks: list[Curves]


@dataclass(frozen=True)
class Skeletons(Section):
    """Simulated people, and what masks hide of one."""

    masks: list[Moving]
    actions: list[Moving]


@dataclass(frozen=True)
class Cost(Section):
    """What runs and tasks took, and on what.   charts: accuracy by what its training took."""

    charts: list[Points]
    runs: Table
    tasks: Table


@dataclass(frozen=True)
class Reproduce(Section):
    """A command for every file of rows."""

    commands: Table


def build(params: Params, suite: str, out: str | Path) -> None:
    """Write the page of a suite to `out`.

    What was not run is on it as "not run", what makes no sense as "n/a" with its reason. Figures
    and sections without data are left out.
    Raises: UserError for a results file or a published number that cannot be read.
    """
    content = material.of_runs(params, suite)
    write_text(out, document.page(f"pstl: results of the suite {suite}", sections(content)))


def build_kept(params: Params, folder: str | Path, out: str | Path) -> None:
    """The same of kept tables (results/measured/), which have no runs, scores and features.

    Raises: UserError for a folder without such tables.
    """
    content = kept_material.of_kept(params, Path(folder))
    title = f"pstl: kept results of the suite {content.suite}"
    write_text(out, document.page(title, sections(content)))


def sections(content: Material) -> list[Section]:
    """The answer, the results of each split, and what can be said of the runs behind them."""
    shown: list[Section] = [overview.overview(content), *moved_page.section(content.lines)]
    for split in by_split(content.lines):
        shown.append(results_section.build(content, *split))
    if content.cells:
        shown += of_runs(content)
    return [*shown, overview.provenance(content)]


def of_runs(content: Material) -> list[Section]:
    """What is known of runs: how they trained, what they saw and took, how to make them again."""
    training = Training(
        "training",
        "Training curves",
        "training.html",
        panels.training(content.results, content.looks, shortest=2),
        panels.tasks_by_epoch(content.headline_cells, content.looks),
    )
    skeletons = Skeletons(
        "skeletons",
        "What the data and the masks look like",
        "skeletons.html",
        simulated_clips.masked(),
        simulated_clips.actions(),
    )
    drawn = [training] if training.losses or training.tasks else []
    return [*drawn, skeletons, cost(content), reproduce(content)]


def cost(content: Material) -> Cost:
    """What each run took, and on what; and each task, all its cells together."""
    results, rows = content.results, []
    for name, record in results.runs.items():
        rows.append(_run_cost(name, record, results.curves.get(name, [])))
    header = (
        "run", "seconds", "clips/s (median)", "peak MB", "encoder's parameters", "device",
        "machine", "versions",
    )  # fmt: skip
    tasks: list[Cells] = []
    for task, spent in costs(results, content.cells).tasks.items():
        tasks.append([task, number(str(spent.cells)), number(f"{spent.seconds:,.0f}")])
    return Cost(
        "cost",
        "Run times and machines",
        "cost.html",
        panels.costs(content.lines, results, content.looks),
        Table("Pre-training", header, rows),
        Table("Tasks", ("task", "cells", "seconds in all"), tasks),
    )


def _run_cost(name: str, record: Mapping[str, Any], epochs: Epochs) -> Cells:
    speeds = [epoch["clips_per_second"] for epoch in epochs if "clips_per_second" in epoch]
    speed = f"{statistics.median_high(speeds):,.0f}" if speeds else NONE
    versions = sorted(record.get("versions", {}).items())
    return [
        name,
        number(f"{run_seconds(record):,.0f}"),
        number(speed),
        number(f"{record.get('peak_mb', 0):,.0f}"),
        number(f"{record.get('parameters', 0):,}"),
        record.get("device", ""),
        record.get("machine", "not recorded"),
        ", ".join(f"{library} {version}" for library, version in versions),
    ]


def reproduce(content: Material) -> Reproduce:
    """For every file of rows the command that makes it again, what it was made from and says."""
    rows = [_command(cell, content.suite) for cell in content.cells]
    header = ("command", "result", "commit", "settings", "data", "run")
    return Reproduce(
        "reproduce",
        "How to reproduce each number",
        "reproduce.html",
        Table("Commands", header, rows),
    )


def _command(cell: Cell, suite: str) -> Cells:
    target = paths.metrics(cell)
    content = read_cell_file(cell) or {}
    rows = content.get("rows", [])
    reason = content.get("not_applicable")
    result = NOT_RUN
    if reason:
        result = f"{NOT_APPLICABLE}: {reason}"
    if rows:
        numbers = [f"{row['metric']} {row['value']:.2f}" for row in rows[:QUOTED]]
        result = ", ".join(numbers)
    if len(rows) > QUOTED:
        result += " ..."
    first = rows[0] if rows else {}
    command = f"snakemake --cores all --config suite={suite} -- {target}"
    cells: list[str | Text] = [Text(command, "code"), result]
    for name in ("git", "settings_digest", "data_checksum", "run_id"):
        cells.append(str(first.get(name, ""))[:16])
    return cells
