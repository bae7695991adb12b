"""Lost joints at equal accuracy: who loses more of two methods that are equal with nothing lost."""

import itertools

from pstl.report import declared, sweeps
from pstl.report.sweeps import Points
from pstl.report.tables import Line
from pstl.report.text import table

NEAR = 2.0  # points between two methods that count as equal
TITLE = "### {title}: lost at equal accuracy"
EXPLAINED = (
    f"Pairs of methods within {NEAR:g} points of each other with nothing lost; points that each "
    "then loses of its own."
)


def blocks(lines: list[Line]) -> list[str]:
    """A table for each setting and number of things lost that has such a pair.

    lines: as tables.as_shown() names them.
    """
    written = []
    groups = sweeps.by_condition(sweeps.sweeps(lines))
    for (sweep, stream, setting), methods in groups.items():
        rows = _rows(sweep.metric, methods)
        if sweep.over in sweeps.LOSSES and rows:
            counts = [f"{x:g}" for x, _ in next(iter(methods.values()))[1:]]
            header = ["a", "b", "a, %", "b, %"]
            for count in counts:
                header += [f"a, {sweep.over} {count}", f"b, {sweep.over} {count}"]
            condition = f" ({';'.join(setting)})" if setting else ""
            title = f"{sweep.task}, {sweep.metric}{condition}, {stream}"
            written += [TITLE.format(title=title), table(header, rows)]
    return [*written, EXPLAINED] if written else []


def _rows(name: str, methods: dict[str, Points]) -> list[list[str]]:
    """A row for each pair that is equal with nothing lost."""
    metric, rows = declared.metrics().of(name), []
    for (a, of_a), (b, of_b) in itertools.combinations(methods.items(), 2):
        curves = (_means(of_a), _means(of_b))
        if any(0.0 not in curve for curve in curves) or curves[0].keys() != curves[1].keys():
            continue
        first, second = curves[0][0.0], curves[1][0.0]
        if abs(first - second) > NEAR:
            continue
        row = [a, b, metric.text(first), metric.text(second)]
        for x in list(curves[0])[1:]:
            row += [metric.text(curve[x] - curve[0.0], "+") for curve in curves]
        rows.append(row)
    return rows


def _means(points: Points) -> dict[float, float]:
    return {x: line.mean for x, line in points if line.mean is not None}
