"""What the paired tests of a suite say, in three sentences at most; or that they say nothing."""

import math
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from pstl.report.interval import NORMAL
from pstl.report.labels import task_label
from pstl.report.paired import DRAWS, Pair, Verdict
from pstl.report.tables import Line

LEVEL = 0.05  # of all tests behind one sentence together (Holm)
LEAST = 2 / (1 + DRAWS)  # the smallest p that the draws of a paired bootstrap can tell
NAMED = 3  # methods that a sentence names
NOTHING = "Nothing is tested: there are no class scores of two methods on the same test clips."
HOW = (
    "Paired bootstrap over test clips and seeds; each sentence holds at 5 % for all the tests "
    "behind it together (Holm)."
)
ONE_SEED = "With one seed a side the tests say nothing about other seeds."
FLOORS = {"raw": "its coordinates", "untrained": "itself untrained"}

Group = tuple[str, ...]  # what the two cells of a test share


class Findings(NamedTuple):
    """sentences: three at most.   reach: how far they reach."""

    sentences: list[str]
    reach: list[str]


class Test(NamedTuple):
    """A method against another, from its side.   better: 1, -1, or 0 if they are not told apart."""

    name: str
    other: str
    accuracy: float
    points: float
    p: float
    better: int = 0


def findings(
    pairs: Sequence[Pair],
    lines: Iterable[Line],
    labelled: Container[str] = (),
    leader: Sequence[Pair] = (),
) -> Findings:
    """The findings, and how far they reach.

    pairs: of headline cells.   lines: of the suite.   labelled: methods that learn from labels, of
    which nobody asks whether pre-training pays.   leader: the best one against all others, as from
    paired.leader(); without, the best of the stream that most pairs are of.
    """
    if not pairs and not leader:
        return Findings([NOTHING], [])
    kinds = {line.encoder: line.floor for line in lines}
    groups: dict[Group, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair[:-3], []).append(pair)
    rivals, floors = {}, {}
    for group, of_group in groups.items():
        rivals[group] = [p for p in of_group if not kinds.get(p.a) and not kinds.get(p.b)]
        floors[group] = [p for p in of_group if bool(kinds.get(p.a)) != bool(kinds.get(p.b))]
    if leader:
        rivals = {leader[0][:-3]: list(leader)}
    best, task = _best(rivals)
    sentences = [*best, *_pays(floors, kinds, labelled, task)]
    if not sentences:
        return Findings([NOTHING], [])
    seeds = {min(p.verdict.seeds_a, p.verdict.seeds_b) for p in (*pairs, *leader)}
    return Findings(sentences, [HOW, *([ONE_SEED] if seeds == {1} else [])])


def headline_pairs(pairs: Iterable[Pair], lines: Iterable[Line]) -> list[Pair]:
    """Pairs of the batch-norm state that each method is headlined by; a floor follows its method.

    lines: of headlines, as from tables.headlines().
    """
    norms, kinds = {}, {}
    for line in lines:
        norms[line.dataset, line.split, line.method] = line.batch_norm
        kinds[line.encoder] = line.floor
    kept = []
    for pair in pairs:
        learnt = [name for name in (pair.a, pair.b) if not kinds.get(name)] or [pair.a, pair.b]
        methods = (name.partition(" ")[0] for name in learnt)
        of_both = {norms.get((pair.dataset, pair.split, method)) for method in methods}
        if of_both == {pair.batch_norm}:
            kept.append(pair)
    return kept


def _best(groups: dict[Group, list[Pair]]) -> tuple[list[str], Group]:
    """The leader where most methods are compared, and whom it is better than; and the task."""
    if not any(groups.values()):
        return [], ()
    group = max(groups, key=lambda group: len(groups[group]))
    pairs = groups[group]
    leader = max(pairs, key=lambda pair: pair.verdict.accuracy_a).a
    tests = _judged([_from(pair, leader) for pair in pairs if leader in (pair.a, pair.b)])
    beaten = [test for test in tests if test.better > 0]
    others = [test for test in tests if test.better <= 0]
    head = f"By {_said(group)}, {leader} is highest ({tests[0].accuracy:.1f} %)"
    if not beaten:
        whom = f"any of the {len(tests)} others" if len(tests) > 1 else tests[0].other
        return [f"{head}, but not told apart from {whom}."], group[:-2]
    nearest = min(beaten, key=lambda test: test.points)
    count = "the other" if len(tests) == 1 else f"{len(beaten)} of the {len(tests)} others"
    if not others and len(tests) > 1:
        count = f"each of the {len(tests)} others"
    text = f"{head} and better than {count}; {nearest.other} is {nearest.points:.1f} points below"
    if others:
        text += f"; not told apart from {_listed([test.other for test in others])}"
    return [text + "."], group[:-2]


def _pays(
    groups: dict[Group, list[Pair]], kinds: dict[str, str], labelled: Container[str], named: Group
) -> list[str]:
    """Whether pre-training pays on the task where most methods stand beside their floors.

    named: the task that the sentence before names.
    """
    by_task: dict[Group, list[tuple[str, Test]]] = {}
    for group, pairs in groups.items():
        *_, stream, _ = group
        for pair in pairs:
            name = pair.b if kinds.get(pair.a) else pair.a
            if name.partition(" ")[0] in labelled:
                continue
            by_task.setdefault(group[:-2], []).append((f"{name}, {stream}", _from(pair, name)))
    if not by_task:
        return []
    task = max(by_task, key=lambda task: len(by_task[task]))
    sides = by_task[task]
    tests: dict[str, list[Test]] = {}
    for (name, _), test in zip(sides, _judged([test for _, test in sides]), strict=True):
        tests.setdefault(name, []).append(test)
    above = {name: min(of, key=lambda t: t.points) for name, of in tests.items() if _above(of)}
    below = {name: min(of, key=lambda t: t.points) for name, of in tests.items() if _below(of)}
    said = "" if task == named else f" by {_said(task)}"
    if above:
        most = sorted(above, key=lambda name: -above[name].points)
        words = [f"{name} ({above[name].points:+.1f})" for name in most]
        first = f"Pre-training pays{said} for {len(above)} of {len(tests)}, above both floors"
        sentences = [f"{first}: {_listed(words)}."]
    else:
        sentences = [f"Pre-training does not pay{said}: none of {len(tests)} is above both floors."]
    if below:
        most = sorted(below, key=lambda name: below[name].points)
        words = []
        for name in most:
            test = below[name]
            words.append(f"{name} ({test.points:+.1f} from {FLOORS[kinds[test.other]]})")
        sentences.append(f"Below a floor{said} are {len(below)} of {len(tests)}: {_listed(words)}.")
    return sentences


def _above(tests: Sequence[Test]) -> bool:
    return all(test.better > 0 for test in tests)


def _below(tests: Sequence[Test]) -> bool:
    return any(test.better < 0 for test in tests)


def _from(pair: Pair, name: str) -> Test:
    """A pair from the side of one of its two."""
    verdict, p = pair.verdict, _chance(pair.verdict)
    if name == pair.a:
        return Test(name, pair.b, verdict.accuracy_a, verdict.difference, p)
    return Test(name, pair.a, verdict.accuracy_b, -verdict.difference, p)


def _chance(verdict: Verdict) -> float:
    """The p of a test; of one that no draw contradicts, that of a normal with its interval.

    So many draws tell no smaller p, and hundreds of tests together ask for one.
    """
    spread = (verdict.high - verdict.low) / (2 * NORMAL)
    if verdict.p > LEAST or not spread:
        return verdict.p
    return min(verdict.p, math.erfc(abs(verdict.difference) / spread / math.sqrt(2)))


def _judged(tests: Sequence[Test]) -> list[Test]:
    """With who is better, so that all of them together are wrong once in twenty at most.

    Source: Holm, Scandinavian Journal of Statistics 1979.
    """
    judged, holds = list(tests), True
    for rank, i in enumerate(sorted(range(len(tests)), key=lambda i: tests[i].p)):
        holds = holds and tests[i].p * (len(tests) - rank) <= LEVEL
        if holds:
            judged[i] = tests[i]._replace(better=1 if tests[i].points > 0 else -1)
    return judged


def _said(group: Group) -> str:
    """A task, where it is on and, if one is named, the stream."""
    dataset, split, task, labels, protocol, *rest = group
    text = task_label(task, labels, protocol)
    if rest and rest[0]:
        text += f" ({rest[0]})"
    return f"{text} on {dataset}, {split}"


def _listed(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    more = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f"; and {more} more" if more > 0 else "")
