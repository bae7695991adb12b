"""Detection metrics against their definitions where everything ties: confidences, overlaps, spans,
names.
"""

import numpy as np
import pytest
from detection_references import Script, swept_ap

from pstl.metrics.detection import ActionInterval, greedy, greedy_ap, pkummd, tied

VIDEOS = ("d", "b", "c", "a")
CLASSES = 3


def some(rng: np.random.Generator, confidences: np.ndarray) -> list[ActionInterval]:
    """Intervals of a few videos and classes on a coarse grid, one for each confidence."""
    count = len(confidences)
    start, length = rng.integers(0, 5, count) * 10.0, rng.integers(0, 4, count) * 10.0
    columns = (
        rng.choice(VIDEOS, count),
        rng.integers(1, CLASSES + 1, count),
        start,
        start + length,
        confidences,
    )
    return [
        ActionInterval(*row) for row in zip(*(column.tolist() for column in columns), strict=True)
    ]


def crowded(
    rng: np.random.Generator, levels: int
) -> tuple[list[ActionInterval], list[ActionInterval]]:
    """Ground truth and proposals; `levels` different confidences, or 0 for all different."""
    count = int(rng.integers(0, 14))
    confidences = rng.integers(0, levels, count) / levels if levels else rng.permutation(count) / 16
    return some(rng, np.ones(int(rng.integers(0, 9)))), some(rng, confidences)


def shuffled(
    rng: np.random.Generator, side: list[ActionInterval], names: dict[str, str]
) -> list[ActionInterval]:
    return [side[i]._replace(video=names[side[i].video]) for i in rng.permutation(len(side))]


@pytest.mark.parametrize("levels", [0, 1, 3])
def test_the_script_is_followed_where_confidences_tie(levels):
    """The script pools lists class by class, and takes a video as its file stands: another order of
    ties is another number.
    """
    rng = np.random.default_rng(levels)
    for _ in range(120):
        truth, proposals = crowded(rng, levels)
        videos = [*rng.permutation(VIDEOS).tolist(), "without intervals"]
        assert pkummd(truth, proposals, 0.5, videos, CLASSES) == Script(
            truth, proposals, videos, CLASSES
        ).scores(0.5)


@pytest.mark.parametrize("levels", [0, 1, 3])
def test_greedy_depends_on_no_name_and_no_order(levels):
    """A score must not change because a video is called otherwise, or because a file lists its
    intervals in another order.
    """
    rng = np.random.default_rng(levels)
    for _ in range(400):
        truth, proposals = crowded(rng, levels)
        theta = float(rng.choice([0.1, 0.5, 1.0]))
        value = greedy_ap(truth, proposals, theta)
        assert value == pytest.approx(swept_ap(truth, proposals, theta), abs=1e-12)
        names = dict(zip(VIDEOS, rng.permutation(VIDEOS).tolist(), strict=True))
        others = [shuffled(rng, side, names) for side in (truth, proposals)]
        assert greedy_ap(*others, theta) == value
        assert greedy(*others, theta, VIDEOS) == pytest.approx(
            greedy(truth, proposals, theta, VIDEOS), abs=1e-12
        )


def test_proposals_of_one_confidence_are_all_in_before_precision_is_read():
    """By hand: one of two is right, whichever video is called a.

    With names as the order it was 1/4 or 1/2.
    """
    truth = [ActionInterval("a", 1, 0, 10), ActionInterval("b", 1, 0, 10)]
    for wrong, right in (("a", "b"), ("b", "a")):
        proposals = [ActionInterval(wrong, 1, 20, 30), ActionInterval(right, 1, 0, 10)]
        assert greedy_ap(truth, proposals, 0.5) == greedy_ap(truth, proposals[::-1], 0.5) == 0.25
    assert tied(proposals) == 2
    assert tied([p._replace(confidence=n) for n, p in enumerate(proposals)]) == 0
