"""What a reader must know of a number before believing it: signs that stand beside it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pstl.report.tables import Line
from pstl.report.tested import Tested, classes_of

APART = 20.0  # points between the two states of the batch norms
FEW = 50  # test clips


class Flag(NamedTuple):
    """A sign beside a number, its name in tables, and what it says."""

    sign: str
    name: str
    meaning: str


CHANCE = Flag(
    "c", "at chance", "at chance: its interval holds the share of one class among all classes"
)
NORMS = Flag(
    "n", "norms apart", f"the two states of its batch norms are {APART:g} points or more apart"
)
NEVER = Flag("v", "class never predicted", "a class is never predicted")
CLIPS = Flag("f", "few clips", f"fewer than {FEW} test clips")
ONE_SEED = Flag("1", "one seed", "one seed: nothing is said about other seeds")
ALL = (CHANCE, NORMS, NEVER, CLIPS, ONE_SEED)

Flags = Mapping[Line, Sequence[Flag]]


def flags(lines: Sequence[Line], tested: Tested) -> Flags:
    """The flags of every line that has a number, in one order."""
    means: dict[tuple[str, ...], list[float]] = {}
    for line in lines:
        if line.mean is not None:
            means.setdefault(_whatever_the_norm(line), []).append(line.mean)
    flagged = {}
    for line in lines:
        if line.mean is None:
            continue
        of_both = means[_whatever_the_norm(line)]
        clips = tested.clips_of(line)
        says = {
            CHANCE: _at_chance(line, clips),
            NORMS: max(of_both) - min(of_both) >= APART,
            NEVER: line.metric == "top1" and tested.never_of(line) > 0,
            CLIPS: 0 < clips < FEW,
            ONE_SEED: line.seeds == 1 and not line.floor,
        }
        flagged[line] = [flag for flag, holds in says.items() if holds]
    return flagged


def _at_chance(line: Line, clips: int) -> bool:
    """Whether an accuracy may be no more than that of a guess among all classes."""
    classes = classes_of(line.dataset)
    if line.metric != "top1" or not classes or line.mean is None:
        return False
    span = line.span_on(clips)
    low = span.low if span else line.mean
    return low <= 100 / classes


def _whatever_the_norm(line: Line) -> tuple[str, ...]:
    of_cell = (line.dataset, line.split, line.task, line.labels, line.source, line.protocol)
    return (*of_cell, line.setting, line.method, line.stream, line.metric)
