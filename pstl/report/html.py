"""index.html of one suite: everything that was measured, on one page that needs nothing else. Made from files, by the workflow."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import NamedTuple

from pstl import paths
from pstl.config import FUSED, Params
from pstl.data.datasets import synthetic
from pstl.files import write_text
from pstl.metrics.metric import UNSEEN
from pstl.report import (
    alike,
    animation,
    declared,
    document,
    interval,
    markdown,
    panels,
    paper,
    printed,
    tables,
)
from pstl.report.document import Markup, Number, code, linked
from pstl.report.rows import NOT_APPLICABLE, NOT_RUN, Results, from_files, read_results
from pstl.report.svg import Bar, bars
from pstl.report.tables import NONE, Line, headlines
from pstl.skeletons import load as load_skeleton

SAID = 4  # numbers of one file that stand beside its command; the others are in the tables above
LONG = 30  # rows of a table above which it opens on a click
VALUES = ("ours", "std", "seeds", "95 % interval")
INTERVALS = (
    "95 % interval: over seeds (Student's t) where there are several; with one seed over test clips (Wilson), which says nothing about "
    "other seeds."
)


class Part(NamedTuple):
    """One data set and split of a suite."""

    name: str
    lines: list[Line]
    clips: int  # of the test side; 0 where no task kept its scores
    together: Mapping[
        str, tuple[str, str]
    ] = {}  # of Params: tasks that headlines show side by side


def build(params: Params, suite: str, out: str | Path) -> None:
    """Write the page to `out`. What was not run is on it as "not run", what makes no sense as "n/a" with its reason.

    Figures without data are left out.   Raises: UserError for a results file or a published number that cannot be read.
    """
    results, published = from_files(params, suite), paper.load()
    lines = tables.compare(results.rows, published, params.published_tasks(suite))
    sections = [("overview", "Overview", overview(params, suite, results))]
    for dataset, split in dict.fromkeys((line.dataset, line.split) for line in lines):
        own = [line for line in lines if (line.dataset, line.split) == (dataset, split)]
        part = Part(
            f"{dataset}, {split}",
            own,
            panels.test_clips(params, suite, dataset, split),
            params.together(suite),
        )
        known = [p for p in published if (p.dataset, p.split) == (dataset, split)]
        name = f"results-{dataset}-{split}"
        sections.append(
            (
                name,
                part.name,
                comparison(part, known)
                + panels.of_split(params, suite, dataset, split, part.lines),
            )
        )
    sections.append(
        ("training", "Training curves", panels.training(results) + panels.probes(params, suite))
    )
    sections.append(("skeletons", "What the data and the masks look like", skeletons()))
    sections.append(("cost", "Run times and machines", cost(results)))
    sections.append(
        ("reproduce", "How to reproduce each number", reproduce(params, suite, results))
    )
    write_text(out, document.page(f"pstl: results of the suite {suite}", sections))


def overview(params: Params, suite: str, results: Results) -> str:
    """Where everything on the page comes from."""
    found = markdown.facts(params, suite, results)
    pairs = [
        (name, code(value) if name == "to run it again" else value) for name, value in found.items()
    ]
    return f"<p>{params.suite_named(suite).summary}.</p>" + document.facts(pairs)


def comparison(part: Part, published: list[paper.Published]) -> str:
    """Ours beside the papers': headline, bars, and behind a click every number and everybody else's."""
    shown = main_lines(part)
    chart = _bars(shown, part.clips)
    sources = printed.Sources()
    blocks = [
        "<h3>Headline</h3>",
        document.note(_intro(part)),
        by_task(part, shown, sources),
        document.note(INTERVALS),
    ]
    blocks += [document.note(words) for words in printed.explained(shown)]
    if chart:
        alt = f"Top-1 accuracy on {part.name}: " + ", ".join(
            f"{bar.name} {bar.value:.1f}" for bar in chart
        )
        blocks.append(
            document.figure(
                "Top-1 accuracy. Whiskers: 95 % interval; black mark: published, where nothing of it is assumed.",
                bars(chart, "top-1 accuracy, %", alt),
            )
        )
    blocks.append(document.hidden(f"Every number of {part.name}", every(part, sources)))
    if sources.numbers:
        blocks.append(
            document.hidden(f"Sources of the published numbers on {part.name}", sources.table())
        )
    if published:
        order = sorted(
            published, key=lambda p: (paper.TASKS.index(p.task), p.stream, p.metric, -p.value)
        )
        body = [
            [p.task, p.stream, p.metric, p.setting, p.method, Number(str(p.value)), alike.SAID_BY_KIND[p.kind],
             ", ".join(p.assumed.split()), p.paper, linked(p.source)]
            for p in order
        ]  # fmt: skip
        header = (
            "task",
            "stream",
            "metric",
            "setting",
            "method",
            "value",
            "epoch",
            "assumed",
            "paper",
            "source",
        )
        blocks.append(
            document.hidden(
                f"Published numbers of others on {part.name}",
                document.table("Published numbers", header, body),
            )
        )
    return "".join(blocks)


def main_lines(part: Part) -> list[Line]:
    """The headline batch-norm variant of each method, one metric per task: what it is judged by, else its first."""
    lines = tables.merge_transfers(part.lines, part.together)
    first = {line.task: line.metric for line in reversed(lines)}
    main = first | tables.main_metrics(lines)
    return [line for line in tables.unswept(headlines(lines)) if line.metric == main[line.task]]


def by_task(part: Part, lines: list[Line], sources: printed.Sources) -> str:
    """One table per task and metric, narrow enough that a phone shows method, stream and number."""
    blocks = []
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.task, line.metric), []).append(line)
    for (task, metric), own in groups.items():
        settings = list(
            dict.fromkeys(line.setting for line in own if line.stream != FUSED and line.setting)
        )
        several = len(settings) > 1
        title = f"{task}: {metric}" + (f" ({settings[0]})" if len(settings) == 1 else "")
        compared = any(line.published is not None for line in own)
        body = [
            [
                _named(line),
                line.stream,
                *([line.setting] if several else []),
                *_values(line, part.clips),
                *(printed.cells(line, sources) if compared else []),
            ]
            for line in own
        ]
        header = (
            "method",
            "stream",
            *(["setting"] if several else []),
            *VALUES,
            *(printed.HEADER if compared else ()),
        )
        table = document.table(f"{title}, {part.name}", header, body)
        blocks.append(
            f"<h4>{escape(title)}</h4>"
            + (document.hidden(f"{len(body)} rows", table) if len(body) > LONG else table)
        )
    return "".join(blocks)


def every(part: Part, sources: printed.Sources) -> str:
    """One row per cell."""
    compared = any(line.published is not None for line in part.lines)
    header = (
        "task",
        "metric",
        "method",
        "stream",
        "setting",
        "batch norm",
        *VALUES,
        *(printed.HEADER if compared else ()),
    )
    cells = (
        [
            i.task,
            i.metric,
            i.method,
            i.stream,
            i.setting,
            i.batch_norm,
            *_values(i, part.clips),
            *(printed.cells(i, sources) if compared else []),
        ]
        for i in part.lines
    )
    return document.table(f"Every number of {part.name}", header, cells)


def skeletons() -> str:
    """Simulated people only: real recordings are not ours to show."""
    skeleton = load_skeleton(synthetic.DATASET.spec.skeleton)
    hides = [
        document.figure(
            f"{name}: {what}",
            animation.moving(clip, skeleton, f"Simulated skeleton under {name}; hidden: {what}"),
        )
        for name, what, clip in animation.masked()
    ]
    people = [
        document.figure(name, animation.moving(clip, skeleton, f"Simulated skeleton: {name}"))
        for name, clip in animation.gallery()
    ]
    words = "Simulated people of the built-in data set, front view; recordings of real people are not drawn, because their terms forbid it."
    return (
        '<p><button id="motion" type="button" aria-pressed="false" hidden>Stop the animations</button></p>'
        + "<h3>What the masks hide</h3>"
        + document.note(
            "Grey: hidden joints with their bones. Ruler: dark marks are frames that stay, gaps are frames that are hidden."
        )
        + document.grid(hides, "people")
        + "<h3>Actions of the built-in data set</h3>"
        + document.note(f"{words} Blue: left, vermilion: right.")
        + document.grid(people, "people")
    )


def cost(results: Results) -> str:
    """What each run took, and on what."""
    body = []
    for name, record in results.runs.items():
        curve = results.curves.get(name, [])
        speed = sorted(e["clips_per_second"] for e in curve if "clips_per_second" in e)
        body.append([
            name, Number(f"{record.get('seconds', 0):,.0f}"), Number(f"{speed[len(speed) // 2]:,.0f}" if speed else NONE),
            Number(f"{record.get('peak_mb', 0):,.0f}"), Number(f"{record.get('parameters', 0):,}"), record.get("device", ""),
            record.get("machine", "not recorded"), ", ".join(f"{k} {v}" for k, v in sorted(record.get("versions", {}).items())),
        ])  # fmt: skip
    header = (
        "run",
        "seconds",
        "clips/s (median)",
        "peak MB",
        "encoder's parameters",
        "device",
        "machine",
        "versions",
    )
    tasks: dict[str, dict[str, float]] = {}
    for row in results.rows:
        if row["value"] is not None:
            tasks.setdefault(row["task"], {})[
                f"{row['run_id']} {row['batch_norm']} {row['setting']}"
            ] = float(row["seconds"])
    times = [
        [task, Number(str(len(found))), Number(f"{sum(found.values()):,.1f}")]
        for task, found in tasks.items()
    ]
    return (
        document.note("Pre-training of each run. Peak memory is of the whole process.")
        + document.table("Pre-training", header, body)
        + "<h3>Tasks</h3>"
        + document.table("Tasks", ("task", "evaluations", "seconds in all"), times)
    )


def reproduce(params: Params, suite: str, results: Results) -> str:
    """For every file of rows the command that makes it again, what it was made from, and what it says."""
    body = []
    for cell in params.cells(suite):
        target = paths.metrics(cell.run, cell.batch_norm, cell.task)
        content = read_results(Path(target))
        rows = content.get("rows", []) if content else []
        reason = (
            f"{NOT_APPLICABLE}: {content['not_applicable']}"
            if content and content.get("not_applicable")
            else NOT_RUN
        )
        said = ", ".join(f"{row['metric']} {row['value']:.2f}" for row in rows[:SAID]) + (
            " ..." if len(rows) > SAID else ""
        )
        first = rows[0] if rows else {}
        command = f"snakemake --cores all --config suite={suite} -- {target}"
        facts = [
            str(first.get(key, ""))[:16]
            for key in ("git", "settings_digest", "data_checksum", "run_id")
        ]
        body.append([code(command), said or reason, *facts])
    header = ("command", "result", "commit", "settings", "data", "run")
    words = (
        "Check out the commit, install requirements.lock (make install), and type the command: it makes what is missing on the way, "
        "from the recordings on. On a CPU the same commit, data and settings give the same digits; on a GPU the last ones may differ."
    )
    return document.note(words) + document.hidden(
        f"{len(body)} commands", document.table("Commands", header, body)
    )


def _values(line: Line, clips: int) -> list[str]:
    """Cells of VALUES."""
    span = _span(line, clips)
    ours = (
        Number(f"{line.mean:.1f}")
        if line.mean is not None
        else Markup(f"<em>{escape(line.reason)}</em>")
    )
    seeds = (
        str(line.seeds) if line.seeds == line.seeds_asked else f"{line.seeds} of {line.seeds_asked}"
    )
    return [
        ours, Number(NONE if line.std is None else f"{line.std:.1f}"), Number(seeds),
        Number(f"{span.low:.1f} to {span.high:.1f} ({span.over})" if span else NONE),
    ]  # fmt: skip


def _named(line: Line) -> str:
    return line.method + (" *" if line.batch_norm != tables.HEADLINE else "")


def _span(line: Line, clips: int) -> interval.Interval | None:
    """The interval of one line's mean, if anything is known about it."""
    if line.mean is None:
        return None
    if line.span:
        return line.span
    share = declared.metrics().of(line.metric).share_of_clips and not line.metric.endswith(UNSEEN)
    return interval.over_clips(line.mean, clips) if clips and share else None


def _bars(lines: list[Line], clips: int) -> list[Bar]:
    """Lines with a top1, in their method's colour; tasks with many settings are drawn as curves instead."""
    methods = list(dict.fromkeys(line.method for line in lines))
    settings: dict[str, set[str]] = {}
    for line in lines:
        settings.setdefault(line.task, set()).update({line.setting} if line.stream != FUSED else ())
    chart = []
    for line in lines:
        several = len(settings[line.task])
        if line.metric == "top1" and line.mean is not None and several < panels.FEWEST:
            low, high = (_span(line, clips) or (None, None))[:2]
            setting = f" ({line.setting})" if several > 1 and line.stream != FUSED else ""
            chart.append(
                Bar(
                    f"{line.task}{setting}: {line.method}, {line.stream}",
                    line.mean,
                    low,
                    high,
                    line.comparable,
                    methods.index(line.method),
                )
            )
    return chart


def _intro(part: Part) -> str:
    repeats = (
        f" {markdown.REPEATS.replace('*', '')}"
        if any(line.metric.endswith(UNSEEN) for line in part.lines)
        else ""
    )
    tested = f" {part.clips:,} test clips." if part.clips else ""
    known = f"In percent unless the metric says otherwise; last epoch; batch norm {tables.HEADLINE}; *: as released, for want of another."
    return known + tested + repeats
