"""What others printed on one data set and split, whether this project runs their methods or not."""

from collections.abc import Iterable

from pstl.report import declared
from pstl.report.alike import SAID_BY_KIND
from pstl.report.paper import STREAMS, TASKS, Published
from pstl.report.text import ASSUMED, MARKED, Notes, table

INTRO = (
    "Numbers of others in percent, best first, each with its source. Not run here; their protocols "
    "differ (docs/protocols.md). Epoch: the best of several on the test clips, the last, or one "
    "fixed beforehand."
)


ERRORS = INTRO.replace("in percent, best first", "in the units named, least first")


def reference(published: list[Published], notes: Notes) -> list[str]:
    """Blocks: methods as rows, sources as footnotes; streams as columns, and of a metric over a
    number (an error over the frame it is of) these numbers.
    """
    single: list[Published] = []
    families: list[Published] = []
    for p in published:
        (families if _number(p.metric) is not None else single).append(p)
    blocks = [_by_stream(single, notes)] if single else []
    blocks += [_by_number(families, notes)] if families else []
    marked = [MARKED] if any(p.assumed for p in published) else []
    return [ERRORS if families else INTRO, *blocks, *marked]


def _number(name: str) -> float | None:
    """Of one of a family of metrics that are drawn over it."""
    metric = declared.metrics().of(name)
    return metric.number(name) if metric.over else None


def _by_number(published: list[Published], notes: Notes) -> str:
    """A row for each method and setting, best first; values that less is better of, rising."""
    rows: dict[tuple[str, ...], dict[float, Published]] = {}
    for p in published:
        metric = declared.metrics().of(p.metric)
        key = (p.task, p.setting, metric.name, p.method, p.paper, SAID_BY_KIND[p.kind], p.stream)
        rows.setdefault(key, {})[_number(p.metric) or 0.0] = p
    numbers = sorted(set().union(*rows.values()))
    body = []
    order = sorted(rows, key=lambda row: (*row[:3], _best_first(rows[row].values())))
    for row in order:
        task, setting, name, method, paper, epoch, stream = row
        metric = declared.metrics().of(next(iter(rows[row].values())).metric)
        source = " ".join(dict.fromkeys(notes.mark(_source(p)) for p in rows[row].values()))
        values = [str(rows[row][n].value) if n in rows[row] else "" for n in numbers]
        unit = f"{name.partition('{')[0].rstrip('_')} ({metric.unit or '%'})"
        body.append([task, unit, setting, f"{method} {source}", paper, epoch, stream, *values])
    over = declared.metrics().of(published[0].metric).over
    columns = [f"{over} {number:g}" for number in numbers]
    header = ["task", "metric", "setting", "method", "paper", "epoch", "stream", *columns]
    return table(header, body)


def _best_first(published: Iterable[Published]) -> float:
    """What rows are sorted by: their mean, upside down where more is better."""
    values = [p.value for p in published]
    metric = declared.metrics().of(next(iter(published)).metric)
    mean = sum(values) / len(values)
    return -mean if metric.higher_is_better else mean


def _by_stream(published: list[Published], notes: Notes) -> str:
    """Streams as columns."""
    groups: dict[tuple[str, ...], list[Published]] = {}
    for p in published:
        groups.setdefault((p.task, p.metric, p.setting, p.kind, p.method, p.paper), []).append(p)
    printed = {p.stream for p in published}
    streams = [stream for stream in STREAMS if stream in printed]
    best = {key: min(_best_first([p]) for p in of_key) for key, of_key in groups.items()}
    order = sorted(groups, key=lambda key: (TASKS.index(key[0]), key[1], best[key], key))
    body = []
    for key in order:
        task, metric, setting, kind, method, paper = key
        row = [task, metric, setting, method, paper, SAID_BY_KIND[kind]]
        for stream in streams:
            cited = [_cited(p, notes) for p in groups[key] if p.stream == stream]
            row.append(" / ".join(cited))
        body.append(row)
    header = ["task", "metric", "setting", "method", "paper", "epoch", *streams]
    return table(header, body)


def _cited(p: Published, notes: Notes) -> str:
    mark = f" {ASSUMED}" if p.assumed else ""
    return f"{p.value}{mark} {notes.mark(_source(p))}"


def _source(p: Published) -> str:
    assumed = f"assumed: {', '.join(p.assumed.split())}; " if p.assumed else ""
    return f"{assumed}{p.table}: {p.source}"
