"""What both phases of PKU-MMD share: how an untrimmed recording, its labels and the lists of recordings become clips."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from pstl.config import Frozen
from pstl.data.formats import pku_txt
from pstl.data.spec import DatasetSpec, RawSequence, Recording, Rule, Slip
from pstl.errors import UserError

BLANK = " \t\r\n,\ufeff"  # what surrounds the values of a row in one copy or another
PAGE = "https://www.icst.pku.edu.cn/struct/Projects/PKUMMD.html"
LICENCE = "research; on request from its authors, not to be passed on"


class Config(Frozen):
    """How to check the recordings; none of it changes a clip."""

    skip_damaged: bool = False  # leave damaged files out and record them, instead of stopping
    wrong_counts: Literal["error", "warn"] = (
        "error"  # what a count means that is not that of the literature
    )


class Note(NamedTuple):
    """What other files say of one recording.

    listed: split -> side, where the release's lists are there.
    damage: why its labels are not known.
    """

    intervals: list[pku_txt.Interval]
    listed: dict[str, str]
    damage: str = ""


def how_to_get(suffix: str) -> str:
    """What to ask for."""
    return (
        f"what is given on request by e-mail to the maintainers named on {PAGE}: Skeleton{suffix}.7z, "
        f"Label_PKUMMD{suffix}.7z and the two files of the folder Split"
    )


def notes(
    spec: DatasetSpec, texts: Mapping[str, Mapping[str, str]], recordings: list[str]
) -> tuple[dict[str, Note], list[str]]:
    """File of a recording -> its Note, and what a user should hear of, a line each.

    texts: remote -> file -> content; split files are those of the remotes named like "cross-...".
    recordings: files there are. A recording without labels gets no Note.
    Raises: UserError that names a split file that cannot be read.
    """
    labels = next(files for remote, files in texts.items() if remote.startswith("Label"))
    sides, said = {}, []
    for split, key in (("xsub", "subject"), ("xview", "view")):
        for file, text in next(
            (files for remote, files in texts.items() if key in remote), {}
        ).items():
            sides[split] = pku_txt.read_split(text, file)
            said += differences(split, file, sides[split], spec.splits[split], recordings)
    known = {}
    classes = len(spec.classes)
    for file in sorted(set(recordings) & set(labels)):
        name = file.removesuffix(".txt")
        listed = {split: side.get(name, "") for split, side in sides.items()}
        text, slips = mended(labels[file], file, spec.slips)
        said += slips
        try:
            known[file] = Note(pku_txt.read_labels(text, f"label file {file}", classes), listed)
        except UserError as error:
            known[file] = Note([], listed, str(error))
    alone = sorted(set(labels) - set(recordings))
    silent = sorted(file for file, note in known.items() if not note.intervals and not note.damage)
    twice = sorted(file for file, note in known.items() if has_repeats(note.intervals))
    said += [f"{len(alone)} label files have no recording, e.g. {alone[0]}"] if alone else []
    said += [f"{len(silent)} label files hold no interval, e.g. {silent[0]}"] if silent else []
    if twice:
        said.append(f"{len(twice)} label files hold an interval twice, e.g. {twice[0]}: two clips")
    return known, said


def has_repeats(intervals: list[pku_txt.Interval]) -> bool:
    """Whether one class is labelled twice on the same rows."""
    return len(set(intervals)) < len(intervals)


def mended(text: str, file: str, slips: Iterable[Slip]) -> tuple[str, list[str]]:
    """A label file with the slips that are known of it as they are meant, and a line for each.

    A copy in which somebody has corrected them is left as it is.
    """
    lines, said = text.splitlines(keepends=True), []
    rows = [number for number, line in enumerate(lines) if line.strip(BLANK)]
    for slip in slips:
        if slip.file == file and slip.row <= len(rows):
            number = rows[slip.row - 1]
            if _values(lines[number]) == _values(slip.released):
                lines[number] = slip.read + "\n"
                said.append(str(slip))
    return "".join(lines), said


def _values(line: str) -> list[str]:
    return [part.strip() for part in line.strip(BLANK).split(",")]


def differences(
    split: str, file: str, listed: Mapping[str, str], rule: Rule, recordings: list[str]
) -> list[str]:
    """How the release's list differs from the rule the literature states. The list is what counts."""
    other = [name for name, side in sorted(listed.items()) if rule(place(name)) != side]
    unnamed = sorted({f.removesuffix(".txt") for f in recordings} - set(listed))
    absent = sorted(set(listed) - {f.removesuffix(".txt") for f in recordings})
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


def place(name: str) -> RawSequence:
    """What the name of a recording, or of a clip cut from it, tells; without label and coordinates."""
    n = pku_txt.parse_name(name.partition("_")[0])
    return RawSequence(
        name, -1, pku_txt.NOTHING, n.subject, pku_txt.VIEWS[n.view], n.recording or n.action
    )


def read_member(file: str, data: bytes, note: Note | None) -> list[RawSequence]:
    """Every labelled interval of a recording as a clip: xyz (T, 25, 1 or 2, 3), named like `0291-L_007`, numbered as in the label file.

    Raises: UserError that names the file.
    """
    recording, n = pku_txt.read(data, file), place(file.removesuffix(".txt"))
    clips = []
    note = _known(file, note)
    for number, interval in enumerate(note.intervals, 1):
        xyz = pku_txt.cut(recording, interval, file)
        xyz = xyz if xyz[:, :, 1].any() else xyz[:, :, :1]
        name = f"{n.name}_{number:03d}"
        clips.append(
            RawSequence(
                name, interval.label - 1, xyz, n.subject, n.camera, n.setup, listed=note.listed
            )
        )
    return clips


def read_recording(file: str, data: bytes, note: Note | None) -> list[Recording]:
    """The whole recording, xyz (T, 25, 2, 3); times are row numbers from 1, intervals as labelled, clamped to the recording."""
    xyz, n, note = pku_txt.read(data, file), place(file.removesuffix(".txt")), _known(file, note)
    actions = []
    for interval in note.intervals:
        first = max(interval.start, 1)
        last = first + len(pku_txt.cut(xyz, interval, file)) - 1
        actions.append((interval.label - 1, float(first), float(last)))
    clip = RawSequence(n.name, -1, xyz, n.subject, n.camera, n.setup, listed=note.listed)
    return [Recording(clip, np.arange(1, len(xyz) + 1, dtype=np.float64), tuple(actions))]


def _known(file: str, note: Note | None) -> Note:
    if note is None:
        raise UserError(
            f"{file}: has no label file, so its actions are not known; get Label_PKUMMD again"
        )
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
