"""Which training clips have labels when only a fraction may be used: one file per rule and draw.

Every method of a comparison reads the same file. It ranks the training clips at random, those of
each class by themselves or, for the rule `random`, all together, and a fraction takes the first
ones. How many they are is the rule's business, see clips_per_class(): every paper has its own.

The released code draws anew for every fraction. Here the clips of a smaller fraction are among
those of a larger one, because both are the first of one ranking. There is one exception: the 7
clips of a class that `per_class_7` labels at 1 % may be more than 5 % of a class of under 150.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from pstl.config import DEFAULT_RULE, LabelRule, digest
from pstl.data.store import ArraySet, open_sequences
from pstl.errors import UserError
from pstl.files import Kind, read_json, write_record
from pstl.registry import load_dataset
from pstl.rng import numpy_generator

STEP = 20  # psp: clips of a class that 5 % takes one of
SEVEN = 7  # per_class_7: clips of a class at 1 %
TOGETHER = "random"  # the rule that draws from all classes together

MAKE = "make it with 'python -m pstl labels'"
LABELS = Kind("list of labelled clips", f"delete it and {MAKE}", MAKE)


class RankingFile(BaseModel):
    """What a file of draw_labels holds."""

    model_config = ConfigDict(extra="forbid")
    dataset: str
    split: str
    draw: int
    classes: list[list[str]]
    rule: LabelRule = DEFAULT_RULE


@dataclass(frozen=True)
class Ranking:
    """classes: names of the training clips of each class that occurs, labelled first in front.

    Of the rule `random` it is one list, of all classes.
    """

    dataset: str
    split: str
    draw: int
    classes: list[list[str]]
    rule: str = DEFAULT_RULE

    @property
    def digest(self) -> str:
        """Digest of everything in it."""
        return digest(asdict(self))


def draw_labels(
    dataset: str,
    sequences: str | Path,
    split: str,
    draw: int,
    out: str | Path,
    rule: str = DEFAULT_RULE,
) -> None:
    """Write the ranking of one draw by one rule.

    It depends on the names and classes of the training clips, not on a recipe. Classes of which the
    recordings hold no clip at all have no list: PKU-MMD's second phase has 41 of the 51.
    Raises: UserError for an unknown split or rule, a draw below 0, or a class that is tested and
    never trained.
    """
    side_of = load_dataset(dataset).spec.rule(split)
    if draw < 0:
        raise UserError(f"draw {draw}: expected 0, 1, 2, ...: a run's seed")
    store = open_sequences(sequences)
    sides = [side_of(clip) for clip in store]
    train = np.flatnonzero(np.array(sides) == "train")
    test = np.flatnonzero(np.array(sides) == "test")
    labels = store.index["label"].astype(np.int64)
    occurring = np.unique(labels[np.concatenate([train, test])])
    _check_classes(f"{dataset}/{split}", labels[train], occurring.tolist())
    number = np.searchsorted(occurring, labels[train])
    names = [store.names[i] for i in train]
    ranking = rank(dataset, split, draw, names, number, len(occurring))
    write_record(out, asdict(by_rule(ranking, rule)))


def rank(
    dataset: str, split: str, draw: int, names: list[str], labels: np.ndarray, classes: int
) -> Ranking:
    """Shuffle every class by itself, from its sorted names: how clips were read does not matter.

    names, labels: (N,), of the training clips; labels 0-based.
    Raises: UserError for a class without a clip.
    """
    _check_classes(f"{dataset}/{split}", labels, range(classes))
    shuffled = []
    for c in range(classes):
        members = sorted(names[i] for i in np.flatnonzero(labels == c))
        shuffled.append(_shuffled(members, draw, f"labels {dataset} {split}", c))
    return Ranking(dataset, split, draw, shuffled)


def by_rule(ranking: Ranking, rule: str) -> Ranking:
    """The clips of rank() as another rule ranks them. Raises: UserError for an unknown rule.

    Rules that draw from each class share one order: they differ in how many, not in which.
    """
    if rule not in get_args(LabelRule):
        known = ", ".join(get_args(LabelRule))
        raise UserError(f"unknown rule {rule!r} of labels; known: {known}")
    if rule != TOGETHER:
        return replace(ranking, rule=rule)
    clips = sorted(chain.from_iterable(ranking.classes))
    purpose = f"labels {ranking.dataset} {ranking.split} together"
    return replace(ranking, rule=rule, classes=[_shuffled(clips, ranking.draw, purpose, 0)])


def read(path: str | Path) -> Ranking:
    """Read a file of draw_labels; one that names no rule is of the rule psp.

    Raises: UserError if it is missing or not one.
    """
    return Ranking(**read_json(path, LABELS, RankingFile))


def labelled(ranking: Ranking, fraction: float, data: ArraySet) -> np.ndarray:
    """Indices into `data` of the clips whose labels may be used, ascending: (n,) int64.

    fraction: of the training clips, in (0, 1]; clips_per_class() says how many clips that is.
    Raises: UserError for lists of another data set, or of other training clips than the split has,
    or if not one clip is labelled.
    """
    name, where = data.meta["dataset"], f"{ranking.dataset}/{ranking.split}"
    if ranking.dataset != name or ranking.split not in data.splits:
        raise UserError(
            f"labels drawn for {where}, but the array is of {name}; pass data/labels/{name}/..."
        )
    _check_clips(ranking, data)
    chosen = set(chain.from_iterable(first_clips(ranking, fraction)))
    if not chosen:
        total = sum(len(clips) for clips in ranking.classes)
        raise UserError(
            f"labelled fraction {fraction:g}: the rule {ranking.rule} labels none of {total} clips "
            f"of {where}; take a larger fraction, or the rule psp: at least one of each class"
        )
    train = data.splits[ranking.split][0].tolist()
    return np.array(sorted(i for i in train if data.names[i] in chosen), dtype=np.int64)


def record(rule: str, fraction: float, draw: int, names: Sequence[str]) -> dict[str, Any]:
    """What results say of the labels they were made with.   names: of the labelled clips."""
    drawn = {"rule": rule, "fraction": fraction, "draw": draw}
    return {**drawn, "clips": len(names), "digest": digest(sorted(names))}


def first_clips(ranking: Ranking, fraction: float) -> list[list[str]]:
    """Names of the labelled clips of each list of the ranking at one fraction."""
    sizes = [len(names) for names in ranking.classes]
    counts = clips_per_class(sizes, fraction, ranking.rule)
    return [names[:count] for names, count in zip(ranking.classes, counts, strict=True)]


def clips_per_class(sizes: list[int], fraction: float, rule: str = DEFAULT_RULE) -> list[int]:
    """How many clips of each class are labelled. Fraction 1 is every clip, whatever the rule.

    psp: of all classes the same number, as far as they have so many. It is the fraction of the mean
    class size, which is first rounded down to a multiple of 20, so that 10 % is exactly twice 5 %.
    That gives every number of the field's lists (PSP spec 8): NTU-60 cross-subject 33, 66,
    132, 264 and cross-view 31, 62, 124, 248 for 5, 10, 20, 40 %; NW-UCLA 5, 15, 30, 40 for 5, 15,
    30, 40 %. Where classes have fewer than 20 clips, their mean is taken as it is. Rounded down,
    but at least one.

    per_class_round: the fraction of every class by itself, as the released code of AimCLR and PSTL
    rounds it, Python's round(): to the nearest whole number, of two to the even one. A class of few
    clips may have none.

    random: int(clips * fraction) of all classes together, as in CMD's released code, 0.29 of 100
    being 28 there. Classes have what chance gives them.

    per_class_7: 7 of every class at 1 %; at other fractions round(clips * fraction) in all, each
    class in proportion to its size. These are the lengths of Hi-TRS's released lists. How their
    clips were chosen cannot be seen: 7 of each class is likely, the proportion our choice.

    Returns: a number for each of `sizes`; of the rule random one number for all.
    Raises: UserError for a fraction outside (0, 1].

    >>> [clips_per_class([102, 96, 124], f)[0] for f in (0.05, 0.15, 0.3, 0.4)]
    [5, 15, 30, 40]
    >>> [clips_per_class([650, 350, 100], 0.01, rule) for rule in COUNTS]
    [[3, 3, 3], [6, 4, 1], [11], [7, 7, 7]]
    """
    if not 0 < fraction <= 1:
        raise UserError(
            f"labelled fraction {fraction}: expected more than 0 and at most 1, e.g. 0.05"
        )
    return COUNTS[rule](sizes, fraction)


def _psp(sizes: list[int], fraction: float) -> list[int]:
    if fraction == 1:
        return list(sizes)
    mean = sum(sizes) / len(sizes)
    base = mean if mean < STEP else mean // STEP * STEP
    count = max(1, math.floor(fraction * base + 1e-9))  # 0.29 * 100 is 28.999...
    return [min(count, size) for size in sizes]


def _per_class_round(sizes: list[int], fraction: float) -> list[int]:
    return [round(fraction * size) for size in sizes]


def _random(sizes: list[int], fraction: float) -> list[int]:
    return [int(sum(sizes) * fraction)]


def _per_class_7(sizes: list[int], fraction: float) -> list[int]:
    """In proportion: the clips whose (number in their class + 1/2) / size of the class is least.

    So no class has fewer at a larger fraction, as it may where largest remainders are rounded up.
    """
    if fraction == 0.01:
        return [min(SEVEN, size) for size in sizes]
    places = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes])
    classes = np.repeat(np.arange(len(sizes)), sizes)
    first = np.argsort(places, kind="stable")[: round(sum(sizes) * fraction)]
    counts: list[int] = np.bincount(classes[first], minlength=len(sizes)).tolist()
    return counts


COUNTS: dict[str, Callable[[list[int], float], list[int]]] = {
    "psp": _psp,
    "per_class_round": _per_class_round,
    "random": _random,
    "per_class_7": _per_class_7,
}


def _shuffled(names: list[str], draw: int, purpose: str, number: int) -> list[str]:
    order = numpy_generator(draw, purpose, number).permutation(len(names))
    return [names[i] for i in order]


def _check_classes(where: str, labels: np.ndarray, classes: Iterable[int]) -> None:
    """labels: of the training clips.   classes: that are to be among them."""
    if untrained := sorted(set(classes) - set(labels.tolist())):
        problem = f"class {untrained[0]} has no training clip, so none can be labelled"
        raise UserError(f"{where}: {problem}")


def _check_clips(ranking: Ranking, data: ArraySet) -> None:
    """A ranking of more, fewer or other clips would label another number than it says."""
    where = f"{ranking.dataset}/{ranking.split}"
    train = {data.names[i] for i in data.splits[ranking.split][0]}
    ranked = list(chain.from_iterable(ranking.classes))
    if stray := sorted(set(ranked) - train):
        problem = f"labels of {stray[0]}, which is no training clip of {where}"
    elif absent := sorted(train - set(ranked)):
        problem = f"labels drawn without {absent[0]}, a training clip of {where}"
    elif len(set(ranked)) != len(ranked):
        problem = f"labels of {where} with a clip twice"
    else:
        return
    raise UserError(f"{problem}; draw the labels again")
