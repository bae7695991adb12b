"""A suite for a paper: booktabs tables, a bibliography of their sources, and figures as PDF."""

from collections.abc import Sequence
from pathlib import Path

from pstl.files import write_text
from pstl.report import declared, drawing, plots, tables, text
from pstl.report.bibliography import Bibliography, references
from pstl.report.headline_panels import Panel, panels_of
from pstl.report.joined import Joined
from pstl.report.paper import Published
from pstl.report.tables import Line
from pstl.report.tex import escaped

NOTHING = "--"
LONGEST = 40  # rows of a table that fits on a page
DOCUMENT = r"""%% Compile with latexmk -pdf or tectonic; tables.tex and the figures go into a paper.
\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage{textcomp,amsmath,booktabs,longtable,graphicx,url}
\usepackage[margin=2cm]{geometry}
\title{%(title)s}
\author{}
\date{}
\begin{document}
\maketitle
\input{tables}
%(figures)s
\nocite{*}
\bibliographystyle{plain}
\bibliography{sources}
\end{document}
"""
FIGURE = r"""\begin{figure}[htbp]
\centering
\includegraphics[width=%(width)s,height=0.85\textheight,keepaspectratio]{%(name)s}
\caption{%(caption)s}
\end{figure}
"""
CAPTIONS = {
    "curves": "Training loss: mean over seeds, from the lowest to the highest.",
    "accuracy": "Headline numbers with 95 \\% intervals, floors in the same row.",
    "settings": "Numbers over a setting; bands: one standard deviation over seeds.",
    "labels": "Accuracy over the share of labels; bands: one standard deviation over seeds.",
    "moved": "Encoders moved between data sets.",
    "cost": "Accuracy over seconds of training.",
}
RULES = (
    "Mean and 95 \\% interval; bold: the best of ours, underlined: the second. "
    "Published numbers with their sources. "
)
MARKED = "?: its source does not state all that decides a comparison."


def write_all(suite: Joined, out: Path) -> None:
    """Write tables.tex, sources.bib, figures as .pdf, and main.tex, which shows them all.

    The same inputs give the same bytes.
    """
    tables_text, sources_text = texts(suite)
    figures = []
    for name, charts in plots.every(suite).items():
        if charts:
            figure = drawing.grid(charts, "", drawing.PAPER)
            drawing.save(figure, out / f"{name}.pdf", drawing.PAPER)
            width = r"\columnwidth" if len(charts) == 1 else r"\textwidth"
            shown = {"width": width, "name": name, "caption": CAPTIONS[name]}
            figures.append(FIGURE % shown)
    write_text(out / "tables.tex", tables_text)
    write_text(out / "sources.bib", sources_text)
    title = escaped(f"{suite.suite}: {suite.params.suite_named(suite.suite).summary}")
    write_text(out / "main.tex", DOCUMENT % {"title": title, "figures": "\n".join(figures)})


def texts(suite: Joined) -> tuple[str, str]:
    """Ours task by task, what others printed split by split, and the sources that they cite."""
    sources, blocks = Bibliography(), []
    clips = plots.clips_of(suite)
    for place, lines in panels_of(suite.lines).items():
        blocks.append(_table(place, lines, clips.get(place[:2], 0), sources))
    for split in tables.by_split(suite.lines):
        theirs = [p for p in suite.published if (p.dataset, p.split) == split]
        blocks.append(_published(", ".join(split), theirs, sources))
    sources.add(references())
    return "\n".join(blocks), str(sources)


def _table(place: Panel, lines: Sequence[Line], clips: int, sources: Bibliography) -> str:
    """Ours of one task, in the order of the grid."""
    dataset, split, task, name, setting = place
    metric = declared.metrics().of(name)
    several = len({line.stream for line in lines}) > 1
    floors = [kind for kind in ("raw", "untrained") if _has_floor(lines, kind)]
    published = tables.has_published(list(lines))
    marks = _marks(lines, metric.higher_is_better)
    rows = []
    for line in lines:
        cells = [escaped(line.rival or line.encoder)]
        cells += [escaped(line.stream)] if several else []
        cells.append(_ours(line, clips, marks.get(line, "")))
        cells += [_signed(line.minus_floor(kind)) for kind in floors]
        cells += _theirs(line, sources) if published else []
        rows.append(cells)
    unit = metric.unit or "\\%"
    header = ["method", *(["stream"] if several else []), f"ours, {unit}"]
    header += [{"raw": "over coordinates", "untrained": "over untrained"}[kind] for kind in floors]
    header += ["published", "ours $-$ published"] if published else []
    words = ", ".join(filter(None, [task, name, setting, dataset, split]))
    caption = rf"\caption{{{escaped(words)}. {RULES}{MARKED}}}"
    columns = "ll" if several else "l"
    columns += "r" * (len(header) - len(columns))
    return _tabular(caption, columns, header, rows)


def _published(place: str, theirs: Sequence[Published], sources: Bibliography) -> str:
    """What others printed on a split; nothing where there is none."""
    rows = []
    for number in theirs:
        said = [number.task, number.stream, number.metric, number.setting, number.method]
        rows.append(
            [*map(escaped, said), _cited(number.value, number.assumed, number.source, sources)]
        )
    if not rows:
        return ""
    header = ["task", "stream", "metric", "setting", "method", "value"]
    caption = rf"\caption{{Published on {escaped(place)}. {MARKED}}}"
    return _long(caption, r"lllp{4cm}p{4cm}r", header, rows)


def _has_floor(lines: Sequence[Line], kind: str) -> bool:
    return any(line.minus_floor(kind) is not None for line in lines)


def _marks(lines: Sequence[Line], higher_is_better: bool) -> dict[Line, str]:
    """The best and the second of ours -> how they are set; equal numbers alike, floors never."""
    ours = [line for line in lines if not (line.floor or line.rival)]
    printed = {line: _value(line) for line in ours}
    numbers = {printed[line]: line.mean or 0.0 for line in ours}
    ranked = sorted(numbers, key=lambda shown: numbers[shown], reverse=higher_is_better)
    commands = dict(zip(ranked, (r"\textbf", r"\underline"), strict=False))
    return {line: commands[shown] for line, shown in printed.items() if shown in commands}


def _value(line: Line) -> str:
    return declared.metrics().of(line.metric).text(line.mean or 0.0)


def _ours(line: Line, clips: int, command: str) -> str:
    """The mean, emphasised, and its interval."""
    shown = f"{command}{{{_value(line)}}}" if command else _value(line)
    span = line.span_on(clips)
    if span is None:
        return shown
    metric = declared.metrics().of(line.metric)
    return rf"{shown} {{\small [{metric.text(span.low)}, {metric.text(span.high)}]}}"


def _signed(difference: float | None) -> str:
    return NOTHING if difference is None else f"${difference:+.1f}$"


def _theirs(line: Line, sources: Bibliography) -> list[str]:
    """The published number with its sources, and the difference to it."""
    if line.published is None:
        return [NOTHING, NOTHING]
    shown = _cited(line.published, line.assumed, line.published_source, sources)
    return [shown, _signed(line.mean_minus_published)]


def _cited(value: float, assumed: str, source: str, sources: Bibliography) -> str:
    """A printed number, a mark where something of it is assumed, and where it stands."""
    keys = sources.keys(source)
    cited = rf"~\cite{{{','.join(keys)}}}" if keys else ""
    return f"{value}{text.ASSUMED if assumed else ''}{cited}"


def _tabular(caption: str, columns: str, header: list[str], rows: list[list[str]]) -> str:
    """A table with its caption; over pages where it is long."""
    head = [r"\toprule", _line(header), r"\midrule"]
    body = [_line(cells) for cells in rows]
    if len(rows) > LONGEST:
        return _long(caption, columns, header, rows)
    begin = [r"\begin{table}[htbp]", r"\centering", caption, rf"\begin{{tabular}}{{{columns}}}"]
    end = [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join([*begin, *head, *body, *end])


def _long(caption: str, columns: str, header: list[str], rows: list[list[str]]) -> str:
    """A table that goes over pages."""
    begin = [rf"\begin{{longtable}}{{{columns}}}", rf"{caption}\\", r"\toprule", _line(header)]
    body = [_line(cells) for cells in rows]
    end = [r"\bottomrule", r"\end{longtable}", ""]
    return "\n".join([*begin, r"\midrule", r"\endhead", *body, *end])


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
