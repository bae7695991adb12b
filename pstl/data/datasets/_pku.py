"""What both phases of PKU-MMD share: how an untrimmed recording, its labels and the lists of
recordings become clips."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pstl.contracts import Dataset
from pstl.data.formats import pku_txt
from pstl.data.slips import mended
from pstl.data.spec import DatasetSpec, Remote, Rule
from pstl.errors import UserError
from pstl.records import Clip, Member, Notes, Places, Recording

PAGE = "https://www.icst.pku.edu.cn/struct/Projects/PKUMMD.html"
SOURCE = (
    "Liu, Hu, Li, Song and Liu, PKU-MMD: A Large Scale Benchmark for Continuous Multi-Modal Human "
    "Action Understanding, 2017"
)
LICENCE = "research; on request from its authors, not to be passed on"


@dataclass(frozen=True)
class Note:
    """What other files say of one recording.

    listed: split -> side, where the release's lists are there.
    damage: why its labels are not known.
    """

    intervals: list[pku_txt.LabelledRows]
    listed: dict[str, str]
    damage: str = ""


def how_to_get(suffix: str) -> str:
    """What to ask for."""
    return (
        f"what is given on request by e-mail to the maintainers named on {PAGE}: "
        f"Skeleton{suffix}.7z, Label_PKUMMD{suffix}.7z and the two files of the folder Split"
    )


def remotes(suffix: str, members: str, lists: Iterable[tuple[str, str]]) -> tuple[Remote, ...]:
    """The archives of one phase and its lists of recordings, which are also known by rule.

    members: names of the recordings' files, and of their label files.
    lists: the name of each list, and its other name.
    """
    skeleton, labels = f"Skeleton{suffix}", f"Label_PKUMMD{suffix}"
    recordings = Remote(
        f"{skeleton}.7z",
        members=members,
        not_folder=pku_txt.LABELS,
        in_place=True,
        aliases=(f"{skeleton}.zip",),
    )
    label_files = Remote(
        f"{labels}.7z",
        members=members,
        folder=pku_txt.LABELS,
        in_place=True,
        aliases=(f"{labels}.zip",),
        notes=True,
    )
    sides = [
        Remote(name, aliases=(other,), in_place=True, notes=True, optional=True)
        for name, other in lists
    ]
    return (recordings, label_files, *sides)


class Pku(Dataset):
    """Untrimmed recordings; every labelled interval is a clip."""

    untrimmed = True

    def notes(self, places: Places, members: Sequence[Member]) -> Notes:
        """Label files, and the release's lists of recordings where they are."""
        texts = {}
        for remote in self.spec.remotes:
            if remote.notes:
                texts[remote.filename] = places.texts(places.of(remote))
        return notes(self.spec, texts, [member.file for member in members])

    def read(self, member: Member, data: bytes, note: Note | None) -> list[Clip]:
        """Every labelled interval as a clip: xyz (T, 25, 1 or 2, 3).

        They are named like `0291-L_007`, numbered as in the label file.
        """
        file, note = member.file, _readable(member.file, note)
        xyz = pku_txt.read(data, file)
        clips = []
        for number, interval in enumerate(note.intervals, 1):
            rows = pku_txt.cut(xyz, interval, file)
            if not rows[:, :, 1].any():
                rows = rows[:, :, :1]
            name = f"{file.removesuffix('.txt')}_{number:03d}"
            clips.append(_clip(name, interval.label - 1, rows, note))
        return clips

    def read_recording(self, member: Member, data: bytes, note: Note | None) -> Recording:
        """The whole recording, xyz (T, 25, 2, 3); times are row numbers from 1.

        Intervals are as labelled, clamped to the recording.
        """
        file, note = member.file, _readable(member.file, note)
        xyz = pku_txt.read(data, file)
        actions = []
        for interval in note.intervals:
            first = max(interval.start, 1)
            last = first + len(pku_txt.cut(xyz, interval, file)) - 1
            actions.append((interval.label - 1, float(first), float(last)))
        clip = _clip(file.removesuffix(".txt"), -1, xyz, note)
        times = np.arange(1, len(xyz) + 1, dtype=np.float64)
        return Recording(clip, times, tuple(actions))


def notes(
    spec: DatasetSpec, texts: Mapping[str, Mapping[str, str]], recordings: Sequence[str]
) -> Notes:
    """A Note for every recording that has labels.

    texts: remote -> file -> content; split files are those of the remotes named like "cross-...".
    recordings: files there are.
    Raises: UserError that names a split file that cannot be read.
    """
    sides, remarks = _sides(spec, texts, recordings)
    labels = next(files for remote, files in texts.items() if remote.startswith("Label"))
    by_file: dict[str, Note] = {}
    for file in sorted(set(recordings) & set(labels)):
        name = file.removesuffix(".txt")
        listed = {split: side.get(name, "") for split, side in sides.items()}
        text, mistakes = mended(labels[file], file, spec.slips)
        remarks += mistakes
        try:
            intervals = pku_txt.read_labels(text, f"label file {file}", len(spec.classes))
            by_file[file] = Note(intervals, listed)
        except UserError as error:
            by_file[file] = Note([], listed, str(error))
    return Notes(by_file, remarks + _odd_labels(by_file, set(labels) - set(recordings)))


def _sides(
    spec: DatasetSpec, texts: Mapping[str, Mapping[str, str]], recordings: Sequence[str]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """split -> recording -> side, as the release lists them; and how that differs from the
    rules."""
    sides, remarks = {}, list[str]()
    for split, word in (("xsub", "subject"), ("xview", "view")):
        files = next((files for remote, files in texts.items() if word in remote), {})
        for file, text in files.items():
            sides[split] = pku_txt.read_split(text, file)
            remarks += differences(split, file, sides[split], spec.splits[split], recordings)
    return sides, remarks


def _odd_labels(by_file: Mapping[str, Note], alone: set[str]) -> list[str]:
    """What a user should hear of label files.   alone: those without a recording."""
    silent = [file for file, note in by_file.items() if not note.intervals and not note.damage]
    twice = [file for file, note in by_file.items() if has_repeats(note.intervals)]
    lines = []
    if alone:
        lines.append(f"{len(alone)} label files have no recording, e.g. {min(alone)}")
    if silent:
        lines.append(f"{len(silent)} label files hold no interval, e.g. {silent[0]}")
    if twice:
        lines.append(f"{len(twice)} label files hold an interval twice, e.g. {twice[0]}: two clips")
    return lines


def has_repeats(intervals: list[pku_txt.LabelledRows]) -> bool:
    """Whether one class is labelled twice on the same rows."""
    return len(set(intervals)) < len(intervals)


def differences(
    split: str, file: str, listed: Mapping[str, str], rule: Rule, recordings: Sequence[str]
) -> list[str]:
    """How the release's list differs from the rule the literature states.

    The list is what counts.
    """
    present = {recording.removesuffix(".txt") for recording in recordings}
    other = [name for name, side in sorted(listed.items()) if rule(clip_named(name)) != side]
    unnamed, absent = sorted(present - set(listed)), sorted(set(listed) - present)
    lines = []
    if other:
        what = f"are on another side than the rule of {split} says; the file is followed"
        lines.append(f"{file}: {len(other)} recordings {what}, e.g. {other[0]}")
    if unnamed:
        example = f"e.g. {unnamed[0]}: neither trained nor tested on"
        lines.append(f"{file}: {len(unnamed)} recordings are on neither side, {example}")
    if absent:
        example = f"e.g. {absent[0]}"
        lines.append(f"{file}: {len(absent)} recordings it lists are not there, {example}")
    return lines


def clip_named(name: str) -> Clip:
    """What the name of a recording, or of a clip cut from it, tells; no label, no coordinates."""
    return _clip(name, -1, pku_txt.NOTHING, Note([], {}))


def _clip(name: str, label: int, xyz: np.ndarray, note: Note) -> Clip:
    n = pku_txt.parse_name(name.partition("_")[0])
    numbers = (n.subject, pku_txt.VIEWS[n.view], n.recording or n.action)
    return Clip(name, label, xyz, *numbers, listed=note.listed)


def _readable(file: str, note: Note | None) -> Note:
    """The note of a recording. Raises: UserError if its labels are not known."""
    if note is None:
        lack = "has no label file, so its actions are not known"
        raise UserError(f"{file}: {lack}; get Label_PKUMMD again")
    if note.damage:
        raise UserError(note.damage)
    return note


CLASSES = (
    "bow", "brushing hair", "brushing teeth", "check time", "cheer up", "clapping",
    "cross hands in front", "drink water", "drop", "eat meal/snack", "falling",
    "giving something to other person", "hand waving", "handshaking", "hopping",
    "hugging other person", "jump up", "kicking other person", "kicking something",
    "make a phone call/answer phone", "pat on back of other person", "pickup",
    "playing with phone/tablet", "point finger at the other person",
    "pointing to something with finger", "punching/slapping other person", "pushing other person",
    "put on a hat/cap", "put something inside pocket", "reading", "rub two hands together",
    "salute", "sitting down", "standing up", "take off a hat/cap", "take off glasses",
    "take off jacket", "take out something from pocket", "taking a selfie", "tear up paper",
    "throw", "touch back", "touch chest", "touch head", "touch neck", "typing on a keyboard",
    "use a fan", "wear jacket", "wear on glasses", "wipe face", "writing",
)  # fmt: skip
