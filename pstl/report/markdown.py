"""comparison.md: where the numbers come from, the headline, every number, and others' numbers."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

from pstl.config import FUSED
from pstl.metrics.metric import UNSEEN
from pstl.report import declared, equal, facts, floors, moved_tables
from pstl.report.alike import LIKE, MINUS
from pstl.report.few_labels import by_share, label_rules
from pstl.report.joined import Joined
from pstl.report.markdown_cells import explained, like, minus, over_floor, theirs, value
from pstl.report.paper import Published
from pstl.report.reference import reference
from pstl.report.tables import (
    HEADLINE,
    Line,
    as_shown,
    by_split,
    has_floors,
    has_published,
    headline_norm,
    headlines,
    main_metrics,
    of_a_part,
    unswept,
)
from pstl.report.text import Notes, table

# The project's own data sets: nobody else has numbers on them.
SIMULATED = ("synthetic", "synthetic_untrimmed")
REPEATS = (
    "Some test clips of this split repeat training clips, digit for digit (docs/datasets.md): "
    "*unseen*, below, leaves them out."
)

INTERVALS = (
    "In brackets: 95 % interval over seeds (Student's t, of percentages on the scale of log-odds); "
    "no brackets: one seed."
)

Column = tuple[str, str, str]  # task, setting, stream


class Page(NamedTuple):
    """What is needed to write about one data set and split."""

    lines: list[Line]
    published: list[Published]
    notes: Notes


def render(everything: Joined) -> str:
    """The whole page. The same inputs give the same bytes."""
    params, suite = everything.params, everything.suite
    head = [
        f"# Results of the suite `{suite}`",
        params.suite_named(suite).summary + ".",
        facts.header(everything),
    ]
    rules = label_rules(everything.results)
    sections = body(everything.lines, everything.published, rules)
    return "\n\n".join([*head, *sections]) + "\n"


def body(lines: list[Line], published: list[Published], rules: Mapping[str, str]) -> list[str]:
    """All below the head, block by block: what follows from rows alone.

    rules: as from label_rules().
    """
    notes = Notes()
    blocks = moved_tables.blocks(lines, notes)
    for (dataset, split), of_split in by_split(lines).items():
        of_others = [p for p in published if (p.dataset, p.split) == (dataset, split)]
        page = Page(of_split, of_others, notes)
        blocks.append(f"## {dataset}, {split}")
        blocks += few_labels(page, rules)
        blocks += section(page._replace(lines=as_shown(of_split)), dataset)
    if notes.numbers:
        blocks.append(str(notes))
    return blocks


def section(page: Page, dataset: str) -> list[str]:
    """Headline, every number task by task, published numbers."""
    blocks = ["### Headline", *headline(page)]
    for task in dict.fromkeys(line.task for line in page.lines):
        blocks += details(page, task)
    blocks += equal.blocks(page.lines)
    blocks.append("### Published")
    if dataset in SIMULATED:
        reason = "these recordings are simulated by this project"
        return [*blocks, f"There are no published numbers: {reason}."]
    if not page.published:
        return [*blocks, "No published number with a source is known for this data set and split."]
    return [*blocks, *reference(page.published, page.notes)]


def headline(page: Page) -> list[str]:
    """Methods as rows, tasks and streams as columns: each task's main metric.

    Below a method: its published numbers and the differences.
    """
    judged = main_metrics(page.lines)
    shown = headlines(unswept(page.lines))
    shown = [line for line in shown if line.metric == judged.get(line.task)]
    columns = _headline_columns(shown)
    if not columns:
        return [
            "Each task here was tried in many settings: see `settings.png`, and every number below."
        ]
    rows: list[list[str]] = []
    starred = False
    for method in dict.fromkeys(line.method for line in shown):
        cells = [_at(shown, method, column) for column in columns]
        name = method
        if _norm(page, method) != HEADLINE:
            starred = True
            name += " \\*"
        rows += _of_method(name, cells, page.notes)
    blocks = [_intro(judged), table(["method", *_headline_names(columns)], rows)]
    blocks += [floors.EXPLAINED] if has_floors(shown) else []
    blocks += explained([line for line in shown if line.published is not None])
    if starred:
        blocks.append(
            "\\* batch norm as released: the suite asks for no recalibrated numbers of this method."
        )
    if has_unseen(page.lines):
        blocks.append(REPEATS)
    return blocks


def _of_method(name: str, cells: list[Line | None], notes: Notes) -> list[list[str]]:
    """Rows of one method: ours, and below it where there is one the published number.

    cells: a line for each column, None where the method has none.
    """
    # Row by row: footnotes are numbered in the order of the page.
    ours = [value(line, notes) if line else "" for line in cells]
    rows = [[name, *ours]]
    for kind, title in floors.MINUS.items():
        if any(line and line.minus_floor(kind) is not None for line in cells):
            rows.append([f"*{title}*", *(over_floor(line, kind) for line in cells)])
    if has_published([line for line in cells if line]):
        rows.append(["*published*", *(theirs(line, notes) for line in cells)])
        rows.append([f"*{MINUS}*", *map(minus, cells)])
        rows.append([f"*{LIKE}*", *(like(line, notes) for line in cells)])
    return rows


def _intro(judged: Mapping[str, str]) -> str:
    """What the numbers of a headline are.   judged: task -> main metric."""
    titles = [metric.heading for metric in declared.metrics() if metric.name in judged.values()]
    spread = "mean ± sample standard deviation over seeds (their number)"
    return f"{'; '.join(titles)}. Last epoch, batch norm {HEADLINE}; {spread}."


def _headline_columns(lines: list[Line]) -> list[Column]:
    """Tasks in their order, and their settings and streams."""
    columns: dict[Column, None] = {}
    for line in lines:
        setting = "" if line.stream == FUSED else line.setting
        columns[line.task, setting, line.stream] = None
    places: dict[str, int] = {}
    for task, _, _ in columns:
        places.setdefault(task, len(places))
    return sorted(columns, key=lambda column: places[column[0]])


def _headline_names(columns: list[Column]) -> list[str]:
    """A setting is named where its task has several."""
    settings: dict[str, set[str]] = {}
    for task, setting, _ in columns:
        settings.setdefault(task, set()).add(setting)
    names = []
    for task, setting, stream in columns:
        name = f"{task}, {stream}"
        if setting and len(settings[task] - {""}) > 1:
            name += f" ({setting})"
        names.append(name)
    return names


def few_labels(page: Page, rules: Mapping[str, str]) -> list[str]:
    """Methods as rows, shares of the labels as columns; nothing where a suite has no such cell.

    rules: as from label_rules().
    """
    methods = by_share(page.lines, rules)
    columns = sorted(set().union(*methods.values()))
    if not columns:
        return []
    header = ["method"]
    for share in columns:
        header.append(f"{100 * share:g} %")
    rows = []
    for name, shares in methods.items():
        row = [name]
        for share in columns:
            row.append(value(shares[share], page.notes) if share in shares else "")
        rows.append(row)
    words = "Top-1 accuracy in percent with a share of the labels, a draw for each seed."
    words += " Methods with one rule of drawing (in brackets, else psp) see the same clips."
    shown = {line.method: line.floor for shares in methods.values() for line in shares.values()}
    for name, floor in shown.items():
        if floor == "raw":
            words += f" `{name}` are the coordinates of a recipe."
        elif floor:
            words += f" `{name}` starts untrained: tuned, it learns from the labelled clips alone."
    return ["### Few labels", words, table(header, rows)]


def details(page: Page, task: str) -> list[str]:
    """Every number of one task; those of a part of the test side in a table of their own."""
    lines = [line for line in page.lines if line.task == task]
    parts = [line for line in lines if of_a_part(line)]
    blocks = every_number(page, f"### {task}", [line for line in lines if not of_a_part(line)])
    if parts:
        blocks += every_number(page, f"### {task}, parts of the test side", parts)
    return blocks


def every_number(page: Page, title: str, lines: list[Line]) -> list[str]:
    """All metrics, both batch-norm variants, seeds and interval of some lines of one task.

    Beside them, where there is one, the published top1 and the differences to it.
    """
    settings = list(dict.fromkeys(line.setting for line in lines))
    several = len(settings) > 1
    columns = _detail_columns(lines)
    compared = has_published([line for line in lines if line.metric == "top1"])
    header = ["method", "stream"]
    if several:
        header.append("setting")
    for norm, metric in columns:
        header.append(f"{norm}: {declared.metrics().label(metric)}")
    if compared:
        header += ["published top1", MINUS, LIKE]
    rows = []
    for (method, stream, setting), cells in _by_row(lines).items():
        row = [method, stream]
        if several:
            row.append(setting)
        for column in columns:
            row.append(value(cells[column], page.notes, interval=True) if column in cells else "")
        if compared:
            main = cells.get((_norm(page, method), "top1"))
            row += [theirs(main, page.notes), minus(main), like(main, page.notes)]
        rows.append(row)
    if not several and settings[0]:
        title += f" ({settings[0]})"
    blocks = [title, table(header, rows)]
    if any(line.span for line in lines):
        blocks.append(INTERVALS)
    return blocks


def _by_row(lines: list[Line]) -> dict[tuple[str, str, str], dict[tuple[str, str], Line]]:
    """(method, stream, setting) -> (batch norm, metric) -> line."""
    rows: dict[tuple[str, str, str], dict[tuple[str, str], Line]] = {}
    for line in lines:
        row = rows.setdefault((line.method, line.stream, line.setting), {})
        row[line.batch_norm, line.metric] = line
    return rows


def _detail_columns(lines: list[Line]) -> list[tuple[str, str]]:
    """Batch-norm variant and metric: the headline variant first, metrics as they are declared."""
    norms = sorted({line.batch_norm for line in lines}, key=lambda norm: norm != HEADLINE)
    shown = dict.fromkeys(line.metric for line in lines if _shown(line.metric))
    metrics = sorted(shown, key=declared.metrics().position)
    return list(itertools.product(norms, metrics))


def has_unseen(lines: list[Line]) -> bool:
    """Whether some test clips of a split repeat training clips."""
    return any(line.metric.endswith(UNSEEN) for line in lines)


def _shown(metric: str) -> bool:
    return not metric.endswith(UNSEEN) or declared.metrics().of(metric).unseen_shown


def _norm(page: Page, method: str) -> str:
    return headline_norm(page.lines, page.lines[0].dataset, page.lines[0].split, method)


def _at(lines: list[Line], method: str, column: Column) -> Line | None:
    """The line of a method in a column; a column without a setting takes any."""
    task, setting, stream = column
    for line in lines:
        same = (line.method, line.task, line.stream) == (method, task, stream)
        if same and setting in (line.setting, ""):
            return line
    return None
