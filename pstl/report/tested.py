"""What is known of the test clips behind the numbers: how many, of how many classes, and which
cells have classes that they never predict.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pstl.registry import dataset_names, load_dataset
from pstl.report.confusion import Scored
from pstl.report.labels import share_text
from pstl.report.paired import Pair
from pstl.report.tables import Line

Split = tuple[str, str]  # data set, split
Key = tuple[str, ...]  # what names a cell whatever its seed


@dataclass(frozen=True)
class Tested:
    """clips: of a split, where that is known.   never: of a cell, its classes never predicted.

    A class counts if one of the cell's seeds never predicts it.
    """

    clips: dict[Split, int] = field(default_factory=dict)
    never: dict[Key, int] = field(default_factory=dict)

    def clips_of(self, line: Line) -> int:
        """Test clips of a line, those of the data set's release if not of scores; 0: not known."""
        split = line.dataset, line.split
        return self.clips.get(split) or expected_clips(*split)

    def never_of(self, line: Line) -> int:
        """How many classes a line's cell never predicts; 0 if that is not known."""
        return self.never.get(_key(line), 0)


def of_scores(scored: Iterable[Scored]) -> Tested:
    """Of the scores of every test clip."""
    tested = Tested()
    for cell, predicted, classes, clips in scored:
        if not classes:
            continue
        tested.clips.setdefault((cell.run.dataset, cell.run.split), len(clips.y))
        identity = {**cell.identity, "labels": share_text(cell.share)}
        key = tuple(str(identity[name]) for name in NAMES)
        never = classes - len(np.unique(predicted))
        tested.never[key] = max(never, tested.never.get(key, 0))
    return tested


def of_pairs(pairs: Iterable[Pair]) -> Tested:
    """Of paired tests, where the scores themselves are not kept."""
    return Tested({(pair.dataset, pair.split): pair.verdict.clips for pair in pairs})


def classes_of(dataset: str) -> int:
    """How many classes a data set has; 0 for one that kept rows name and that is no more."""
    return len(load_dataset(dataset).spec.classes) if dataset in dataset_names() else 0


def expected_clips(dataset: str, split: str) -> int:
    """How many test clips a data set's release has; 0 for one that nobody counted."""
    if dataset not in dataset_names():
        return 0
    return load_dataset(dataset).spec.expected.get(split, (0, 0))[1]


NAMES = (
    "dataset", "split", "task", "labels", "source", "protocol", "batch_norm", "method", "stream",
)  # fmt: skip


def _key(line: Any) -> Key:
    return tuple(str(getattr(line, name)) for name in NAMES)
