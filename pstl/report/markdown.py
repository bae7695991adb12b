"""comparison.md: where the numbers come from, the headline, every number, and what others published, on one page."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pstl.config import FUSED, Cell, Params
from pstl.metrics.metric import UNSEEN
from pstl.report import declared
from pstl.report.alike import EXPLAINED, LIKE, MINUS, SAID_BY_KIND
from pstl.report.paper import Published
from pstl.report.reference import reference
from pstl.report.rows import NOT_APPLICABLE, Results, Row
from pstl.report.shares import Seen, by_share, seen_labels
from pstl.report.tables import (
    HEADLINE,
    NONE,
    Line,
    headline_norm,
    main_metrics,
    merge_transfers,
    unswept,
)
from pstl.report.text import ASSUMED, MARKED, Notes, table

SIMULATED = (
    "synthetic",
    "synthetic_untrimmed",
)  # the project's own data sets: nobody else has numbers on them
REPEATS = "Some test clips of this split repeat training clips, digit for digit (docs/datasets.md): *unseen*, below, leaves them out."
Together = Mapping[str, tuple[str, str]]  # task -> (kind, source), of Params.together


class Page(NamedTuple):
    """What is needed to write about one data set and split."""

    lines: list[Line]
    published: list[Published]
    notes: Notes


def render(
    params: Params, suite: str, results: Results, lines: list[Line], published: list[Published]
) -> str:
    """The whole page. The same inputs give the same bytes."""
    head = [
        f"# Results of the suite `{suite}`",
        params.suite_named(suite).summary + ".",
        header(params, suite, results),
    ]
    sections = body(lines, published, params.together(suite), seen_labels(results))
    return "\n\n".join([*head, *sections]) + "\n"


def body(
    lines: list[Line], published: list[Published], together: Together, seen: Mapping[str, Seen]
) -> list[str]:
    """All below the head, block by block: what follows from rows alone.

    together: of Params.   seen: as from seen_labels().
    """
    notes = Notes()
    blocks: list[str] = []
    for dataset, split in dict.fromkeys((line.dataset, line.split) for line in lines):
        here = [line for line in lines if (line.dataset, line.split) == (dataset, split)]
        theirs = [p for p in published if (p.dataset, p.split) == (dataset, split)]
        page = Page(here, theirs, notes)
        blocks += [
            f"## {dataset}, {split}",
            *few_labels(page, seen),
            *section(page, dataset, together),
        ]
    return [*blocks, *([str(notes)] if notes.numbers else [])]


def header(params: Params, suite: str, results: Results) -> str:
    """What was run, on what, with what, and the command that runs it again."""
    found = facts(params, suite, results)
    found["to run it again"] = f"`{found['to run it again']}`"
    return table(["", ""], [[name, value] for name, value in found.items()])


def facts(params: Params, suite: str, results: Results) -> dict[str, str]:
    """The same as names and values."""
    asked = {_identity(cell) for cell in params.grid(suite)}  # no states that came along
    rows = [row for row in results.rows if _cell(row) in asked]
    run = [row for row in rows if row["value"] is not None]
    cells = {_cell(row): row["reason"] for row in rows} | {_cell(row): "" for row in run}
    done, senseless = (
        sum(not why for why in cells.values()),
        sum(why.startswith(NOT_APPLICABLE) for why in cells.values()),
    )
    tasks = {_cell(row): row["seconds"] for row in run}
    training = sum(float(record.get("seconds", 0)) for record in results.runs.values())
    total = training + sum(float(seconds) for seconds in tasks.values())
    versions = {
        f"{name} {v}"
        for record in results.runs.values()
        for name, v in record.get("versions", {}).items()
    }
    return {
        "to run it again": "snakemake --cores all"
        + ("" if suite == params.suite else f" --config suite={suite}"),
        "cells": f"{done} of {len(cells)} evaluated"
        + (f", {senseless} {NOT_APPLICABLE}" if senseless else "")
        + f", on {len(results.runs)} of {len(params.runs(suite))} encoders",
        "code": _listed(
            [*(row["git"] for row in run), *(r.get("git", "") for r in results.runs.values())]
        ),
        "data": _listed(f"{row['dataset']} {row['data_checksum'][:16]}" for row in run),
        "versions": _listed(versions),
        "device": _listed(
            [*(row["device"] for row in run), *(r.get("device", "") for r in results.runs.values())]
        ),
        "machine": _listed(r.get("machine", "") for r in results.runs.values()),
        "wall time": f"{total:,.0f} s: {training:,.0f} s of pre-training, {total - training:,.0f} s of tasks",
    }


def section(page: Page, dataset: str, together: Together) -> list[str]:
    """Headline, every number task by task, published numbers."""
    blocks = ["### Headline", *headline(page._replace(lines=merge_transfers(page.lines, together)))]
    for task in dict.fromkeys(line.task for line in page.lines):
        blocks += details(page, task)
    blocks.append("### Published")
    if dataset in SIMULATED:
        return [
            *blocks,
            "There are no published numbers: these recordings are simulated by this project.",
        ]
    if not page.published:
        return [*blocks, "No published number with a source is known for this data set and split."]
    return [*blocks, *reference(page.published, page.notes)]


def headline(page: Page) -> list[str]:
    """Methods as rows, tasks and streams as columns: each task's main metric.

    Below a method: its published numbers and the differences.
    """
    judged = main_metrics(page.lines)
    chosen = [
        line
        for line in unswept(page.lines)
        if line.metric == judged.get(line.task) and line.batch_norm == _norm(page, line.method)
    ]
    columns = list(
        dict.fromkeys(
            (line.task, line.setting if line.stream != FUSED else "", line.stream)
            for line in chosen
        )
    )
    by_task = [task for task in dict.fromkeys(column[0] for column in columns)]
    columns.sort(key=lambda column: by_task.index(column[0]))
    if not columns:
        return [
            "Each task here was tried in many settings: see `settings.png`, and every number below."
        ]
    body, marked = [], False
    for method in dict.fromkeys(line.method for line in chosen):
        cells = [_at(chosen, method, column) for column in columns]
        other = _norm(page, method) != HEADLINE
        marked |= other
        body.append(
            [
                method + (" \\*" if other else ""),
                *(value(line, page.notes) if line else "" for line in cells),
            ]
        )
        if any(line and line.published is not None for line in cells):
            body.append(["*published*", *(_theirs(line, page.notes) for line in cells)])
            body.append([f"*{MINUS}*", *(_minus(line) for line in cells)])
            body.append([f"*{LIKE}*", *(_like(line, page.notes) for line in cells)])
    kinds = [metric.title for metric in declared.metrics() if metric.name in judged.values()]
    spread = "mean ± sample standard deviation over seeds (their number)"
    intro = f"{'; '.join(kinds)}. Last epoch, batch norm {HEADLINE}; {spread}."
    beside = [*_explained([line for line in chosen if line.published is not None])]
    star = (
        ["\\* batch norm as released: the suite asks for no recalibrated numbers of this method."]
        if marked
        else []
    )
    several = {
        task for task in by_task if len({c[1] for c in columns if c[0] == task and c[1]}) > 1
    }
    names = [
        f"{task}, {stream}" + (f" ({setting})" if task in several and setting else "")
        for task, setting, stream in columns
    ]
    repeats = [REPEATS] if any(line.metric.endswith(UNSEEN) for line in page.lines) else []
    return [intro, table(["method", *names], body), *beside, *star, *repeats]


def few_labels(page: Page, seen: Mapping[str, Seen]) -> list[str]:
    """Methods as rows, shares of the labels as columns; nothing where a suite has no such cell. seen: as from seen_labels()."""
    found = by_share(page.lines, seen)
    columns = sorted({share for shares in found.values() for share in shares})
    if not columns:
        return []
    body = [
        [name, *(value(shares[c], page.notes) if c in shares else "" for c in columns)]
        for name, shares in found.items()
    ]
    words = "Top-1 accuracy in percent with a share of the labels, a draw for each seed."
    words += " Methods with one rule of drawing (in brackets, else psp) see the same clips."
    if any(name.partition(" ")[0] == "random_init" for name in found):
        words += " `random_init` is an untrained encoder trained on the labelled clips alone."
    return ["### Few labels", words, table(["method", *(f"{100 * c:g} %" for c in columns)], body)]


def details(page: Page, task: str) -> list[str]:
    """Every number of one task: all metrics, both batch-norm variants, seeds and interval.

    Beside them, where there is one, the published top1 and the differences to it.
    """
    lines = [line for line in page.lines if line.task == task]
    settings = {line.setting for line in lines}
    norms = sorted({line.batch_norm for line in lines}, key=lambda norm: norm != HEADLINE)
    found = [metric for metric in dict.fromkeys(line.metric for line in lines) if _shown(metric)]
    metrics = sorted(found, key=declared.metrics().position)
    compared = any(line.published is not None and line.metric == "top1" for line in lines)
    columns = [(norm, metric) for norm in norms for metric in metrics]
    body = []
    for method, stream, setting in dict.fromkeys(
        (line.method, line.stream, line.setting) for line in lines
    ):
        row = {
            (i.batch_norm, i.metric): i
            for i in lines
            if (i.method, i.stream, i.setting) == (method, stream, setting)
        }
        main = row.get((_norm(page, method), "top1"))
        body.append(
            [
                method,
                stream,
                *([setting] if len(settings) > 1 else []),
                *(value(row[c], page.notes, interval=True) if c in row else "" for c in columns),
            ]
        )
        body[-1] += (
            [_theirs(main, page.notes), _minus(main), _like(main, page.notes)] if compared else []
        )
    names = [f"{norm}: {declared.metrics().label(metric)}" for norm, metric in columns]
    title = f"### {task}" + (
        f" ({settings.pop()})" if len(settings) == 1 and settings != {""} else ""
    )
    wide = ["setting"] if len(settings) > 1 else []
    theirs = ["published top1", MINUS, LIKE] if compared else []
    bounds = (
        ["In brackets: 95 % interval over seeds (Student's t)."]
        if any(line.span for line in lines)
        else []
    )
    return [title, table(["method", "stream", *wide, *names, *theirs], body), *bounds]


def value(line: Line, notes: Notes, interval: bool = False) -> str:
    """A mean as people print it: 68.3, or 68.3 ± 1.2 (3), or 68.3 (1 of 3) where seeds are missing; else "not run", or "n/a" and why.

    interval: add the 95 % interval over seeds: 68.3 ± 1.2 [65.3, 71.3] (3).
    """
    if line.mean is None:
        word, _, why = line.reason.partition(": ")
        return f"{word} {notes.mark(why)}" if why else word
    spread = "" if line.std is None else f" ± {line.std:.1f}"
    if interval and line.span:
        spread += f" [{line.span.low:.1f}, {line.span.high:.1f}]"
    seeds = (
        f" ({line.seeds} of {line.seeds_asked})"
        if line.seeds < line.seeds_asked
        else f" ({line.seeds})"
        if line.seeds > 1
        else ""
    )
    return f"{line.mean:.1f}{spread}{seeds}"


def _shown(metric: str) -> bool:
    return not metric.endswith(UNSEEN) or declared.metrics().of(metric).unseen_shown


def _theirs(line: Line | None, notes: Notes) -> str:
    if line is None or line.published is None:
        return NONE
    mark, which = f" {ASSUMED}" if line.assumed else "", SAID_BY_KIND[line.published_kind]
    return f"{line.published}{mark} {notes.mark(f'{which}; {line.source}')}"


def _minus(line: Line | None) -> str:
    difference = None if line is None else line.mean_minus_published
    return NONE if difference is None else f"{difference:+.1f}"


def _like(line: Line | None, notes: Notes) -> str:
    if line is None or line.published is None:
        return NONE
    if line.like_minus_published is None:
        return f"{NONE} {notes.mark(line.why_not)}"
    return f"{line.like_minus_published:+.1f}"


def _explained(lines: list[Line]) -> list[str]:
    """What stands under a table that has published numbers in it."""
    marked = [MARKED] if any(line.assumed for line in lines) else []
    return [EXPLAINED, *marked] if lines else []


def _norm(page: Page, method: str) -> str:
    return headline_norm(page.lines, page.lines[0].dataset, page.lines[0].split, method)


def _at(lines: list[Line], method: str, column: tuple[str, str, str]) -> Line | None:
    task, setting, stream = column
    return next(
        (
            i
            for i in lines
            if (i.method, i.task, i.stream) == (method, task, stream) and setting in (i.setting, "")
        ),
        None,
    )


def _cell(row: Row) -> tuple[str, ...]:
    return tuple(
        str(row[name])
        for name in ("dataset", "split", "method", "stream", "seed", "batch_norm", "task")
    )


def _identity(cell: Cell) -> tuple[str, ...]:
    """The same of a cell of the grid."""
    run = cell.run
    return run.dataset, run.split, run.method, run.stream, str(run.seed), cell.batch_norm, cell.task


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted({v for v in values if v})) or NONE
