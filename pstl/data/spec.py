"""The facts of a data set: where its bytes come from, what they mean, how it is split."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pstl.errors import UserError

if TYPE_CHECKING:
    from pstl.records import Clip

Sides = TypeVar("Sides")


@dataclass(frozen=True)
class Slip:
    """A known slip of a release, which every copy of it has: row `row` of text file `file`.

    Rows are counted from 1 without blank lines. It stands there as `released` and is read as
    `read`.
    """

    file: str
    row: int
    released: str
    read: str
    why: str

    def __str__(self) -> str:
        place = f"{self.file}, row {self.row}"
        return f"{place}: the release's {self.released!r} is read as {self.read!r}; {self.why}"


@dataclass(frozen=True)
class Remote:
    """One file to obtain.

    url: where it is downloaded; empty: it cannot be, the user brings it.
    sha256: every checksum known to be good; empty: none is known.
    members: regular expression for the whole names of the files wanted from an archive; by it an
        unpacked copy is recognised. Empty: everything, and only as an archive.
    depth: how many folders above a file are part of its name, for `members`, too: 1 where the
        names are of folders, `clip7/points.txt`, and all files are called alike.
    aliases: other names of the same file.
    in_place: read from where it lies, never unpacked or copied.
    folder, not_folder: what the path of a loose file must and must not hold, where two kinds of
        files share their names.
    md5: what third parties state; a difference is said, not refused.
    optional: what it says is also known by rule.
    notes: small texts about the recordings, read before them.
    size: bytes of the file with the checksum; 0: not known.
    """

    filename: str
    url: str = ""
    sha256: tuple[str, ...] = ()
    members: str = ""
    aliases: tuple[str, ...] = ()
    in_place: bool = False
    folder: str = ""
    not_folder: str = ""
    md5: str = ""
    optional: bool = False
    notes: bool = False
    size: int = 0
    depth: int = 0


@dataclass(frozen=True)
class Chosen:
    """Settings of a recipe that were chosen by looks at test clips, and what cards say of it.

    settings: those that were chosen; a recipe with all of them, whatever its others, is meant.
    """

    recipe: str
    settings: Mapping[str, Any]
    note: str

    def is_in(self, recipe: Mapping[str, Any]) -> bool:
        """Whether a recipe, its name and settings, is such a one."""
        same = [recipe.get(name) == value for name, value in self.settings.items()]
        return recipe.get("name") == self.recipe and all(same)


Rule = Callable[["Clip"], str]  # -> "train", "test" or "" (left out)


@dataclass(frozen=True)
class DatasetSpec:
    """Facts about one data set.

    classes: names, in the order of the labels.   skeleton: name of the body.
    people: body slots of an array.   units: of coordinates and times, for people.
    splits: name -> rule that says which side a clip is on.
    expected: split -> (training, test) clips, checked after reading.
    overlap: split -> test clips whose very coordinates are also among the training clips in the
        released files, 0 where not named. Any other number stops the workflow. Tasks report such a
        split twice: all test clips, and those not seen in training.
    folds: splits over which papers average; tables have the mean over them besides.
    slips: read as meant and said; everything else of their kind is an error.
    how_to_get: one message for people who must ask for it.
    universe: every kind of clip, as far as splits tell clips apart, of all data sets that share
        recordings under the same names.   holds: whether one of these is in this data set.
    simulated: nobody's body: coordinates may be shown and passed on; of real people neither.
    on_request: downloaded only by who says `accept_terms` in the data set's settings.
    chosen: settings of recipes that are not free of this data set's test clips.
    """

    name: str
    classes: tuple[str, ...]
    skeleton: str
    people: int
    units: str
    splits: dict[str, Rule]
    source: str
    licence: str
    remotes: tuple[Remote, ...] = ()
    expected: dict[str, tuple[int, int]] = field(default_factory=dict)
    overlap: dict[str, int] = field(default_factory=dict)
    folds: tuple[str, ...] = ()
    slips: tuple[Slip, ...] = ()
    how_to_get: str = ""
    universe: Callable[[], Iterable["Clip"]] | None = None
    holds: Callable[["Clip"], bool] = field(default=lambda clip: True)
    simulated: bool = False
    on_request: bool = False
    chosen: tuple[Chosen, ...] = ()

    def rule(self, split: str) -> Rule:
        """The rule of one split. Raises: UserError with the known ones."""
        return of_split(self.splits, split, self.name)

    def caveats(self, recipe: Mapping[str, Any]) -> list[str]:
        """What is to be said of scores with a recipe, its name and settings, on this data set."""
        return [chosen.note for chosen in self.chosen if chosen.is_in(recipe)]

    def leak(self, trained: str, target: "DatasetSpec", tested: str) -> "Clip | None":
        """A clip that this data set's split `trained` trains on and that split `tested` of another
        (or of this) tests on; None if there is none."""
        if self.universe is None or self.universe is not target.universe:
            return None
        train, test = self.splits[trained], target.splits[tested]
        for clip in self.universe():
            shared = self.holds(clip) and target.holds(clip)
            if shared and train(clip) == "train" and test(clip) == "test":
                return clip
        return None


def of_split(splits: Mapping[str, Sides], split: str, dataset: str) -> Sides:
    """What stands under the name of a split. Raises: UserError with the known names."""
    if split not in splits:
        raise UserError(f"unknown split {split!r} of {dataset}; known: {', '.join(splits)}")
    return splits[split]


def by_camera(train: Iterable[int], test: Iterable[int]) -> Rule:
    """Cross-view split."""
    return _by("camera", frozenset(train), frozenset(test))


def by_subject(train: Iterable[int], test: Iterable[int] | None = None) -> Rule:
    """Cross-subject split; without `test` every other performer is tested."""
    return _by("subject", frozenset(train), None if test is None else frozenset(test))


def by_setup(train: Iterable[int], test: Iterable[int]) -> Rule:
    """Cross-set split."""
    return _by("setup", frozenset(train), frozenset(test))


def as_listed(split: str, otherwise: Rule) -> Rule:
    """The side that the release's own file gives a clip; where it has none, a rule."""
    return lambda clip: clip.listed.get(split, "") if split in clip.listed else otherwise(clip)


def _by(attribute: str, train: frozenset[int], test: frozenset[int] | None) -> Rule:
    if test is not None and train & test:
        raise UserError(f"split by {attribute}: {sorted(train & test)} are in training and in test")

    def rule(clip: "Clip") -> str:
        """The side of a clip."""
        value = getattr(clip, attribute)
        if value in train:
            return "train"
        return "test" if test is None or value in test else ""

    return rule
