"""Temporal detection scored two ways, each under its own name: the protocol of PKU-MMD, quirks
included, and greedy matching.

The two differ by tens of points on the same proposals (docs/protocols.md), so a number without its
protocol means nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

PKUMMD_CLASSES = 51
STEPS = 20  # thresholds of 2D-AP: 0.05, 0.10, ..., 1.00

Scores = dict[str, float]


class ActionInterval(NamedTuple):
    """An action in a video: label from 1, frames start to end, confidence (of a ground truth: not
    read).
    """

    video: str
    label: int
    start: float
    end: float
    confidence: float = 1.0


class Match(NamedTuple):
    """The ground truth that a proposal overlaps most: its index in the list and the overlap; -1 and
    0 if there is none.
    """

    truth: int
    overlap: float


Protocol = Callable[
    [Sequence[ActionInterval], Sequence[ActionInterval], float], float
]  # truth, proposals, theta -> average precision


def overlap(a: ActionInterval, b: ActionInterval) -> float:
    """Intersection over union of two intervals; without the +1 of frame counts, and negative where
    they are apart.

    Two equal intervals of no length overlap by 1, where the released script divides by zero.
    """
    union = max(a.end, b.end) - min(a.start, b.start)
    return (min(a.end, b.end) - max(a.start, b.start)) / union if union else 1.0


def pkummd(
    truth: Sequence[ActionInterval],
    proposals: Sequence[ActionInterval],
    theta: float,
    videos: Iterable[str],
    classes: int = PKUMMD_CLASSES,
) -> Scores:
    """f1, ap, map_action, map_video and ap_2d as PKU-MMD's evaluation script computes them, digit
    for digit; shares, not percent.

    videos: every video that counts, in the order in which the script would list its folder, those
    without proposals or ground
    truth included: in the script they vanish with their ground truth, so a method gains by writing
    no file; here such a video has no proposals. Only where confidences are equal does this order
    matter, and that of a video's intervals in the lists.
    map_action: mean over `classes` classes, of which those without ground truth have 0.
    ap_2d does not depend on `theta`.
    Source: ECHO960/PKU-MMD, evaluate.py (spec of Hi-TRS, section 7).
    """
    place = {video: number for number, video in enumerate(videos)}

    def listed(side: Sequence[ActionInterval]) -> list[ActionInterval]:
        """In the order of the videos, which decides between equal confidences."""
        return sorted(side, key=lambda i: place.get(i.video, len(place)))

    truth, proposals = listed(truth), listed(proposals)
    # The script has its lists class by class where it pools all videos, and as they stand in the
    # file within a video.
    every, said = (sorted(side, key=lambda i: i.label) for side in (truth, proposals))
    return {
        "f1": pkummd_f1(every, said, theta),
        "ap": pkummd_ap(every, said, theta),
        **means(pkummd_ap, truth, proposals, theta, place, range(1, classes + 1)),
        "ap_2d": sum(pkummd_ap(every, said, 0.05 * (step + 1)) for step in range(STEPS)) / STEPS,
    }


def greedy(
    truth: Sequence[ActionInterval],
    proposals: Sequence[ActionInterval],
    theta: float,
    videos: Iterable[str],
) -> Scores:
    """ap, map_action and map_video with one-to-one matching and precision read at the rank, as
    ActivityNet and THUMOS do.

    map_action: mean over the classes that have ground truth.
    map_video: mean over `videos` that have ground truth.
    """
    known = {t.video for t in truth}
    videos = [video for video in videos if video in known]
    return {
        "ap": greedy_ap(truth, proposals, theta),
        **means(greedy_ap, truth, proposals, theta, videos, sorted({t.label for t in truth})),
    }


def means(
    protocol: Protocol,
    truth: Sequence[ActionInterval],
    proposals: Sequence[ActionInterval],
    theta: float,
    videos: Iterable[str],
    labels: Iterable[int],
) -> Scores:
    """map_action and map_video: the mean over classes, and over videos, of one protocol's average
    precision; 0 over nothing.
    """

    def mean(field: str, keys: Sequence[str | int]) -> float:
        """Mean over the values of one field: labels or videos."""
        true, found = _by(field, truth), _by(field, proposals)
        values = [protocol(true[key], found[key], theta) for key in keys]
        return sum(values) / len(keys) if keys else 0.0

    return {"map_action": mean("label", list(labels)), "map_video": mean("video", list(videos))}


def pkummd_f1(
    truth: Sequence[ActionInterval], proposals: Sequence[ActionInterval], theta: float
) -> float:
    """Harmonic mean of precision and recall of all proposals; 0 if nothing matches, where the
    script divides by zero.
    """
    found = {match.truth for match in _taken(truth, proposals, theta)} - {-1}
    precision, recall = _precision_recall(len(found), len(proposals), len(truth))
    return 2 * precision * recall / (precision + recall) if found else 0.0


def pkummd_ap(
    truth: Sequence[ActionInterval], proposals: Sequence[ActionInterval], theta: float
) -> float:
    """PKU-MMD's average precision: drop the proposals one by one, least confident first, and
    integrate over recall.

    QUIRK(Hi-TRS spec 7): precision is read after a true positive has gone, never at its rank;
    several proposals may take one ground truth, which stays found until the last of them goes. So
    low-confidence false positives cost, and duplicates can pay.
    """
    proposals = sorted(proposals, key=lambda p: p.confidence)
    taken = _taken(truth, proposals, theta)
    takers: dict[int, int] = defaultdict(
        int
    )  # ground truth -> proposals that took it and are still there
    for match in taken:
        takers[match.truth] += match.truth >= 0
    found, left = sum(count > 0 for count in takers.values()), len(proposals)
    best, old_recall = _precision_recall(found, left, len(truth))
    score = 0.0
    for match in taken:
        left -= 1
        if match.truth < 0:
            continue
        takers[match.truth] -= 1
        found -= takers[match.truth] == 0
        precision, recall = _precision_recall(found, left, len(truth))
        best = max(best, precision)
        score += best * (old_recall - recall)
        old_recall = recall
    return score


def greedy_ap(
    truth: Sequence[ActionInterval], proposals: Sequence[ActionInterval], theta: float
) -> float:
    """The usual average precision: most confident first, each takes the free ground truth it
    overlaps most, the rest are false.

    The area under precision over recall, where precision is the best at this recall or a higher
    one; 0 without ground truth.
    Proposals of equal confidence count together: precision is read when all of them are in. Of
    those in one video and class the one that starts first, then ends first, chooses first, and of
    equally overlapping ground truths the one that starts first, then ends
    first, is taken. So neither the videos' names nor the order of the lists can matter.
    """
    hits = Counter[float]()  # confidence -> proposals that found something
    places = _by_place(truth)
    for place, own in _by_place(proposals).items():
        free = sorted((t for _, t in places[place]), key=_span)
        for p in sorted((p for _, p in own), key=lambda p: (-p.confidence, *_span(p))):
            most, at = max(((overlap(p, t), -i) for i, t in enumerate(free)), default=(0.0, 0))
            if most >= theta:
                hits[p.confidence] += 1
                free.pop(-at)
    asked = Counter(p.confidence for p in proposals)
    levels = sorted(asked, reverse=True)
    counts = zip(
        accumulate(hits[level] for level in levels),
        accumulate(asked[level] for level in levels),
        strict=True,
    )
    envelope = list(accumulate(reversed([found / rank for found, rank in counts]), max))[::-1]
    if not truth:
        return 0.0
    areas = [hits[level] * precision for level, precision in zip(levels, envelope, strict=True)]
    return sum(areas) / len(truth)


def tied(proposals: Iterable[ActionInterval]) -> int:
    """How many proposals share their confidence with another."""
    counts = Counter(p.confidence for p in proposals)
    return sum(count for count in counts.values() if count > 1)


def _taken(
    truth: Sequence[ActionInterval], proposals: Sequence[ActionInterval], theta: float
) -> list[Match]:
    """What each proposal takes by itself: the ground truth of most overlap, of equals the later
    one, if that is >= theta.
    """
    places = _by_place(truth)
    matches = []
    for p in proposals:
        overlaps = [(overlap(p, t), i) for i, t in places[p.video, p.label]]
        most, best = max(overlaps, default=(-1.0, -1))
        matches.append(Match(best, most) if most >= theta else Match(-1, 0.0))
    return matches


def _span(i: ActionInterval) -> tuple[float, float]:
    return i.start, i.end


def _by(field: str, intervals: Iterable[ActionInterval]) -> dict[str | int, list[ActionInterval]]:
    """Intervals by video or by label; an empty list for any other."""
    groups = defaultdict(list)
    for interval in intervals:
        groups[getattr(interval, field)].append(interval)
    return groups


def _by_place(
    intervals: Iterable[ActionInterval],
) -> dict[tuple[str, int], list[tuple[int, ActionInterval]]]:
    """Numbered intervals by video and label: only there can a proposal match."""
    groups = defaultdict(list)
    for i, interval in enumerate(intervals):
        groups[interval.video, interval.label].append((i, interval))
    return groups


def _precision_recall(found: int, proposals: int, truth: int) -> tuple[float, float]:
    return (found / proposals, found / truth) if proposals and truth else (0.0, 0.0)
