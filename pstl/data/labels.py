"""Which training clips have labels when only a fraction may be used: one file per draw, read by every method of a comparison.

A file ranks the training clips of each class at random. A fraction takes the first ones of every class, so that the labelled
clips of 5 % are among those of 10 %.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from pstl.data.spec import DatasetSpec
from pstl.data.store import ArraySet, open_sequences
from pstl.errors import UserError
from pstl.files import Kind, read_json, write_json
from pstl.registry import load
from pstl.rng import numpy_generator

STEP = 20  # clips of a class that 5 % takes one of


MAKE = "make it with 'python -m pstl labels'"
LABELS = Kind("list of labelled clips", f"delete it and {MAKE}", MAKE)


class RankingFile(BaseModel):
    """What a file of draw_labels holds."""

    model_config = ConfigDict(extra="forbid")
    dataset: str
    split: str
    draw: int
    classes: list[list[str]]


@dataclass(frozen=True)
class Ranking:
    """classes: names of the training clips of each class (0-based label), those that are labelled first in front."""

    dataset: str
    split: str
    draw: int
    classes: list[list[str]]


def draw_labels(dataset: str, sequences: str | Path, split: str, draw: int, out: str | Path) -> None:
    """Write the ranking of one draw. It depends on the names and classes of the training clips and on the draw, not on a recipe.

    Raises: UserError for an unknown split, or a class without a training clip.
    """
    spec: DatasetSpec = load("data.datasets", dataset).SPEC
    if split not in spec.splits:
        raise UserError(f"unknown split {split!r} of {dataset}; known: {', '.join(spec.splits)}")
    train = [s for s in open_sequences(sequences) if spec.splits[split](s) == "train"]
    names, labels = [s.name for s in train], np.array([s.label for s in train], dtype=np.int64)
    write_json(out, asdict(rank(dataset, split, draw, names, labels, len(spec.classes))))


def rank(dataset: str, split: str, draw: int, names: list[str], labels: np.ndarray, classes: int) -> Ranking:
    """Shuffle every class by itself, starting from its sorted names: the order in which clips were read does not matter.

    names, labels: of the training clips, equally long; labels 0-based.   Raises: UserError for a class without a clip.
    """
    shuffled = []
    for c in range(classes):
        members = sorted(names[i] for i in np.flatnonzero(labels == c))
        if not members:
            raise UserError(f"{dataset}/{split}: class {c} has no training clip, so none can be labelled")
        rng = numpy_generator(draw, f"labels {dataset} {split}", c)
        shuffled.append([members[i] for i in rng.permutation(len(members))])
    return Ranking(dataset, split, draw, shuffled)


def read(path: str | Path) -> Ranking:
    """Read a file of draw_labels. Raises: UserError if it is missing or not one."""
    return Ranking(**read_json(path, LABELS, RankingFile))


def labelled(ranking: Ranking, fraction: float, data: ArraySet) -> np.ndarray:
    """Indices into `data` of the clips whose labels may be used, ascending.

    fraction: of the training clips, in (0, 1]; how many clips that is per class says clips_per_class().   Returns: (n,) int64.
    Raises: UserError for lists of another data set, or a name that is no training clip of the split.
    """
    if ranking.dataset != data.meta["dataset"] or ranking.split not in data.splits:
        found = f"{ranking.dataset}/{ranking.split}"
        raise UserError(
            f"labels drawn for {found}, but the array is of {data.meta['dataset']}; pass data/labels/{data.meta['dataset']}/..."
        )
    index = {data.names[i]: int(i) for i in data.splits[ranking.split][0]}
    chosen = [name for names in first_clips(ranking, fraction) for name in names]
    if unknown := [name for name in chosen if name not in index]:
        raise UserError(f"labels of {unknown[0]}, which is no training clip of {ranking.dataset}/{ranking.split}; draw the labels again")
    return np.array(sorted(index[name] for name in chosen), dtype=np.int64)


def first_clips(ranking: Ranking, fraction: float) -> list[list[str]]:
    """Names of the labelled clips of each class at one fraction; those of a smaller fraction are always among them."""
    counts = clips_per_class([len(names) for names in ranking.classes], fraction)
    return [names[:count] for names, count in zip(ranking.classes, counts, strict=True)]


def clips_per_class(sizes: list[int], fraction: float) -> list[int]:
    """How many clips of each class are labelled: all classes the same number, as far as they have so many.

    The number is the fraction of the mean class size, which is first rounded down to a multiple of 20, so that 10 % is exactly
    twice 5 %. That gives every number of the field's lists (PSP spec section 8): NTU-60 cross-subject 33, 66, 132, 264 and
    cross-view 31, 62, 124, 248 for 5, 10, 20, 40 %; NW-UCLA 5, 15, 30, 40 for 5, 15, 30, 40 %. Where classes have fewer than 20
    clips, their mean is taken as it is. Products are rounded down, at least one clip is taken, and fraction 1 is every clip.

    >>> [clips_per_class([102, 96, 124], f)[0] for f in (0.05, 0.15, 0.3, 0.4)]
    [5, 15, 30, 40]
    """
    if not 0 < fraction <= 1:
        raise UserError(f"labelled fraction {fraction}: expected more than 0 and at most 1, e.g. 0.05")
    if fraction == 1:
        return list(sizes)
    mean = sum(sizes) / len(sizes)
    base = mean if mean < STEP else mean // STEP * STEP
    count = max(1, math.floor(fraction * base + 1e-9))  # 0.29 * 100 is 28.999...
    return [min(count, size) for size in sizes]
