"""The first screen: what the suite is, what is best at what, how sure that is, what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pstl.config import FUSED
from pstl.report import matrix, plots
from pstl.report.charts import Curves
from pstl.report.document import Section, Text
from pstl.report.facts import COMMAND
from pstl.report.findings import Findings, findings
from pstl.report.flags import ONE_SEED, Flag
from pstl.report.forest import Forest, Point
from pstl.report.markdown import SIMULATED
from pstl.report.material import Material
from pstl.report.matrix import Matrix
from pstl.report.tables import NONE, Line, as_shown

TOUR = (
    "A tour on simulated recordings: it shows that every step runs, and measures nothing on people"
)
COSTS = ("cells", "wall time", "device", "machine")  # facts that the first screen shows
BEST = (
    "Bold: best of its column. Small: 95 % interval, over seeds or, of one number, over test clips."
)
SWEPT = "Each task here was tried in many settings: the picture shows one, the others stand below."
SHADES = "Blue: above the stronger floor, vermilion: below, darker from 2, 5, 10 and 20 points on."


@dataclass(frozen=True)
class Overview(Section):
    """What templates/overview.html shows.

    words: about the matrix, below it.   flags: signs that stand beside numbers.   legend: what its
    columns are, and why cells make no sense.
    """

    sentence: str
    matrix: Matrix
    words: list[str]
    flags: list[Flag]
    legend: list[str]
    picture: Forest | Curves | None
    findings: Findings
    cost: list[tuple[str, str]]
    folds: ClassVar = "never"


@dataclass(frozen=True)
class Provenance(Section):
    """Where everything on the page comes from.   facts: names and values."""

    facts: list[tuple[str, str | Text]]


def overview(material: Material) -> Overview:
    """The answer first."""
    shown = matrix.shown(material.lines)
    table = matrix.build(shown, material.gains, material.flags, material.tested)
    words = [BEST] if table.rows else []
    words += [SHADES] if table.shaded else []
    if table.of_one_seed:
        words.append(f"Every number is of {ONE_SEED.meaning}.")
        table = table.without_one_seed
    drawn: Forest | Curves | None = picture(shown, material)
    swept = [] if table.heads else plots.settings(as_shown(material.lines), material.looks)
    if swept:
        words.append(SWEPT)
        drawn = swept[0]
    return Overview(
        "overview",
        "What is best at what",
        "overview.html",
        sentence(material),
        table,
        words,
        table.flags,
        [*table.numbers, *table.reasons],
        drawn,
        findings(material.pairs, material.lines, material.labelled, material.leader),
        [(name, material.facts[name]) for name in COSTS if material.facts.get(name, NONE) != NONE],
    )


def sentence(material: Material) -> str:
    """What the suite is."""
    learnt = {line.method for line in material.lines if not line.floor}
    places = {f"{line.dataset}, {line.split}" for line in material.lines}
    summary = material.summary.rstrip(".")
    text = f"{summary[:1].upper()}{summary[1:]}: {_count(len(learnt), 'method')}"
    text += f" on {_listed(sorted(places))}." if places else "."
    simulated = {line.dataset in SIMULATED for line in material.lines}
    return f"{text} {TOUR}." if simulated == {True} else text


def picture(lines: Sequence[Line], material: Material) -> Forest | None:
    """The gains of the task in which most methods have one, the largest first."""
    by_task: dict[tuple[str, ...], list[Line]] = {}
    for line in sorted(lines, key=lambda line: line.stream == FUSED):
        if line in material.gains:
            place: tuple[str, ...] = (
                line.label, line.dataset, line.split, line.metric, line.setting,
            )  # fmt: skip
            if line.stream == FUSED:  # its setting is of the fusion: it stands beside its streams
                place = next((other for other in by_task if other[:-1] == place[:-1]), place)
            by_task.setdefault(place, []).append(line)
    if not by_task:
        return None
    task = max(by_task, key=lambda place: len(by_task[place]))
    of_task = sorted(by_task[task], key=lambda line: -material.gains[line].points)
    points = []
    for line in of_task:
        gain = material.gains[line]
        points.append(Point(f"{line.encoder}, {line.stream}", gain.points, gain.low, gain.high))
    title = f"Gain over the stronger floor by {task[0]} on {task[1]}, {task[2]}"
    alt = f"{title}: {', '.join(f'{point.name} {point.value:+.1f}' for point in points)}"
    return Forest(title, alt, points, "points over the stronger floor (95 % interval)")


def provenance(material: Material) -> Provenance:
    """What was run, on what, and the command that runs it again."""
    entries: list[tuple[str, str | Text]] = []
    for name, value in material.facts.items():
        entries.append((name, Text(value, "code") if name == COMMAND else value))
    return Provenance("provenance", "Where the numbers come from", "provenance.html", entries)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _listed(places: list[str]) -> str:
    """Places by name, where they are few."""
    return " and ".join(places) if len(places) <= 2 else f"{len(places)} splits"
