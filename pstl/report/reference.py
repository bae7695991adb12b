"""What others printed on one data set and split, whether this project runs their methods or not."""

from pstl.report.alike import SAID_BY_KIND
from pstl.report.paper import STREAMS, TASKS, Published
from pstl.report.text import ASSUMED, MARKED, Notes, table

INTRO = (
    "Numbers of others in percent, best first, each with its source. Not run here; their protocols "
    "differ (docs/protocols.md). Epoch: the best of several on the test clips, the last, or one "
    "fixed beforehand."
)


def reference(published: list[Published], notes: Notes) -> list[str]:
    """Blocks: methods as rows, streams as columns, sources as footnotes."""
    groups: dict[tuple[str, ...], list[Published]] = {}
    for p in published:
        groups.setdefault((p.task, p.metric, p.setting, p.kind, p.method, p.paper), []).append(p)
    printed = {p.stream for p in published}
    streams = [stream for stream in STREAMS if stream in printed]
    best: dict[tuple[str, ...], float] = {}
    for key, of_key in groups.items():
        best[key] = max(p.value for p in of_key)
    order = sorted(groups, key=lambda key: (TASKS.index(key[0]), key[1], -best[key], key))
    body = []
    for key in order:
        task, metric, setting, kind, method, paper = key
        row = [task, metric, setting, method, paper, SAID_BY_KIND[kind]]
        for stream in streams:
            cited = [_cited(p, notes) for p in groups[key] if p.stream == stream]
            row.append(" / ".join(cited))
        body.append(row)
    header = ["task", "metric", "setting", "method", "paper", "epoch", *streams]
    marked = [MARKED] if any(p.assumed for p in published) else []
    return [INTRO, table(header, body), *marked]


def _cited(p: Published, notes: Notes) -> str:
    mark = f" {ASSUMED}" if p.assumed else ""
    assumed = f"assumed: {', '.join(p.assumed.split())}; " if p.assumed else ""
    return f"{p.value}{mark} {notes.mark(f'{assumed}{p.table}: {p.source}')}"
