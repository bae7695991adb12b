"""Detection metrics once more, in plain loops from their definitions.

The fast ones are held against these.
"""

from pstl.metrics.detection import ActionInterval


def iou(p: ActionInterval, t: ActionInterval) -> float:
    union = max(p.end, t.end) - min(p.start, t.start)
    return (min(p.end, t.end) - max(p.start, t.start)) / union if union else 1.0


def same_place(p: ActionInterval, t: ActionInterval) -> bool:
    return (p.video, p.label) == (t.video, t.label)


class Script:
    """PKU-MMD's evaluation on videos listed in one order.

    A list for each video, one for each class, and one of everything.
    """

    def __init__(
        self,
        truth: list[ActionInterval],
        proposals: list[ActionInterval],
        videos: list[str],
        classes: int,
    ) -> None:
        self.sides, self.videos, self.classes = (truth, proposals), videos, classes

    def of_video(self, video: str) -> list[list[ActionInterval]]:
        return [[i for i in side if i.video == video] for side in self.sides]

    def of_class(self, label: int) -> list[list[ActionInterval]]:
        found: list[list[ActionInterval]] = [[], []]
        for video in self.videos:
            for kept, side in zip(found, self.of_video(video), strict=True):
                kept += [i for i in side if i.label == label]
        return found

    def pooled(self) -> list[list[ActionInterval]]:
        found: list[list[ActionInterval]] = [[], []]
        for label in range(self.classes + 1):
            for kept, side in zip(found, self.of_class(label), strict=True):
                kept += side
        return found

    def scores(self, theta: float) -> dict[str, float]:
        labels = range(1, self.classes + 1)
        return {
            "f1": script_f1(*self.pooled(), theta),
            "ap": script_ap(*self.pooled(), theta),
            "map_action": sum(script_ap(*self.of_class(label), theta) for label in labels)
            / self.classes,
            "map_video": sum(script_ap(*self.of_video(v), theta) for v in self.videos)
            / len(self.videos),
            "ap_2d": sum(script_ap(*self.pooled(), 0.05 * (step + 1)) for step in range(20)) / 20,
        }


def taken(truth: list[ActionInterval], p: ActionInterval, theta: float) -> int:
    """The ground truth that a proposal takes; -1 for none.

    It is the last of those it overlaps most, if that is theta or more.
    """
    best = -1
    for i, t in enumerate(truth):
        if not same_place(p, t) or iou(p, t) < theta:
            continue
        if best < 0 or iou(p, t) >= iou(p, truth[best]):
            best = i
    return best


def rates(numbers: list[int], truth: list[ActionInterval]) -> tuple[float, float]:
    """Precision and recall of some proposals, of which it is known what they took."""
    positives = len(set(numbers) - {-1})
    return (positives / len(numbers), positives / len(truth)) if numbers and truth else (0.0, 0.0)


def script_f1(truth: list[ActionInterval], proposals: list[ActionInterval], theta: float) -> float:
    precision, recall = rates([taken(truth, p, theta) for p in proposals], truth)
    return 2 * precision * recall / (precision + recall) if precision else 0.0


def script_ap(truth: list[ActionInterval], proposals: list[ActionInterval], theta: float) -> float:
    """The least confident goes first; rates are read anew after each that had taken something."""
    numbers = [taken(truth, p, theta) for p in sorted(proposals, key=lambda p: p.confidence)]
    best, before = rates(numbers, truth)
    area = 0.0
    for i, number in enumerate(numbers):
        if number < 0:
            continue
        precision, recall = rates(numbers[i + 1 :], truth)
        best = max(best, precision)
        area += best * (before - recall)
        before = recall
    return area


def swept_ap(truth: list[ActionInterval], proposals: list[ActionInterval], theta: float) -> float:
    """Average precision over recall.

    Everything at or above each confidence, matched anew, is one point of it.
    """
    points = [(0, 0.0)]
    for level in sorted({p.confidence for p in proposals}, reverse=True):
        shown = [p for p in proposals if p.confidence >= level]
        found = matched(truth, shown, theta)
        points.append((found, found / len(shown)))
    area = 0.0
    for i in range(1, len(points)):
        area += (points[i][0] - points[i - 1][0]) * max(precision for _, precision in points[i:])
    return area / len(truth) if truth else 0.0


def matched(truth: list[ActionInterval], proposals: list[ActionInterval], theta: float) -> int:
    """How many proposals find a ground truth of their own.

    The most confident and then the earliest choose first.
    """
    free, found = sorted(truth, key=lambda t: (t.start, t.end)), 0
    for p in sorted(proposals, key=lambda p: (-p.confidence, p.start, p.end)):
        best = max((t for t in free if same_place(p, t)), key=lambda t: iou(p, t), default=None)
        if best is not None and iou(p, best) >= theta:
            free.remove(best)
            found += 1
    return found
