"""What a data set is: where its bytes come from, what they mean, how it is split."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from pstl.errors import UserError


@dataclass(frozen=True)
class RawSequence:
    """One recorded clip as read, before any recipe.

    xyz: (T, V, M, 3) float32, metres, M body slots in file order; an absent body is all zero.
    label: 0-based class.   subject, camera, setup: as numbered by the data set (1-based), 0 where it has none.
    bodies: (T, M) uint8, whose coordinates stand in each slot: 1, 2, ... in the order in which the sensor's bodies first
    appear in the clip, 0 for none. None: the release tells no bodies apart, a slot is a body.
    listed: split -> "train", "test" or "", for releases whose own files say which clip is on which side.
    merged: for body 1, 2, ... which body it is to readers that hold the sensor's ids as floats; empty: to them, too, all are apart.
    """

    name: str
    label: int
    xyz: np.ndarray
    subject: int = 0
    camera: int = 0
    setup: int = 0
    bodies: np.ndarray | None = None
    listed: dict[str, str] = field(default_factory=dict)
    merged: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recording:
    """An untrimmed recording with timed labels.

    clip: coordinates of all frames, label -1.   times: (T,) float64, rising, when each frame was taken, in the data set's unit.
    actions: (0-based class, start, end), both ends included, in the same unit; they may overlap. What is in none is background.
    """

    clip: RawSequence
    times: np.ndarray
    actions: tuple[tuple[int, float, float], ...]

    def labels(self) -> np.ndarray:
        """(T,) int64: the class of every frame, -1 for background.

        Where actions overlap, the one that begins later, and of two that begin together the shorter.
        """
        found = np.full(len(self.times), -1, dtype=np.int64)
        for label, start, end in sorted(self.actions, key=lambda a: (a[1], -a[2], a[0])):
            found[(self.times >= start) & (self.times <= end)] = label
        return found


@dataclass(frozen=True)
class Slip:
    """A known slip of a release, which every copy of it has: row `row` of text file `file`.

    Rows are counted from 1 without blank lines. It stands there as `released` and is read as `read`.
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
    """One file to obtain. `sha256` lists every checksum known to be good; empty: none is known.

    members: regular expression for the whole names of the files wanted from an archive; by it an unpacked copy is recognised.
    aliases: other names of the same file.   in_place: read from where it lies, never unpacked or copied.
    optional: what it says is also known by rule.   notes: small texts about the recordings, read before them.
    folder, not_folder: what the path of a loose file must and must not hold, where two kinds of files share their names.
    md5: what third parties state; a difference is said, not refused.   size: bytes of the file with the checksum; 0: not known.
    """

    filename: str
    url: str = ""  # empty: cannot be downloaded, the user brings it
    sha256: tuple[str, ...] = ()
    members: str = ""  # empty: everything, and only as an archive
    aliases: tuple[str, ...] = ()
    in_place: bool = False
    folder: str = ""
    not_folder: str = ""
    md5: str = ""
    optional: bool = False
    notes: bool = False
    size: int = 0


Rule = Callable[[RawSequence], str]  # -> "train", "test" or "" (left out)


@dataclass(frozen=True)
class DatasetSpec:
    """Facts about one data set. `expected` holds (train, test) counts per split, checked after reading."""

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
    # split -> test clips whose very coordinates are also among the training clips in the released files; 0 where not named.
    # Any other number stops the workflow. Tasks report such a split twice: all test clips, and those not seen in training.
    overlap: dict[str, int] = field(default_factory=dict)
    slips: tuple[
        Slip, ...
    ] = ()  # read as meant and said; everything else of their kind is an error
    how_to_get: str = ""  # one message for people who must ask for it
    # Every kind of clip, as far as splits tell clips apart, of all data sets that share recordings under the same names.
    universe: Callable[[], Iterable[RawSequence]] | None = None
    holds: Callable[[RawSequence], bool] = field(
        default=lambda clip: True
    )  # whether one of these is in this data set
    simulated: bool = (
        False  # nobody's body: coordinates may be shown and passed on; of real people neither
    )
    on_request: bool = False  # downloaded only by who says accept_terms in the data set's settings

    def leak(self, trained: str, target: "DatasetSpec", tested: str) -> RawSequence | None:
        """A clip that split `trained` of this data set trains on and split `tested` of another (or of this) tests on, if any."""
        if self.universe is None or self.universe is not target.universe:
            return None
        train, test = self.splits[trained], target.splits[tested]
        shared = (clip for clip in self.universe() if self.holds(clip) and target.holds(clip))
        return next(
            (clip for clip in shared if train(clip) == "train" and test(clip) == "test"), None
        )


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

    def rule(sequence: RawSequence) -> str:
        value = getattr(sequence, attribute)
        return "train" if value in train else "test" if test is None or value in test else ""

    return rule
