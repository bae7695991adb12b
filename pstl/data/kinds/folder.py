"""A folder of clips of one's own and a table of their labels, declared without Python
(docs/own-data.md)."""

import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from pstl.config import NAME, validated
from pstl.config.validation import shortened
from pstl.contracts import Dataset, DatasetKind
from pstl.data import clip_files, own_files
from pstl.data.clip_files import LABELS, SourcedClip
from pstl.data.kinds import _fetched, _label_table, _sides
from pstl.data.kinds._label_table import Row
from pstl.data.kinds._layout import clip_paths, located, stamp, unlabelled
from pstl.data.kinds._sides import Split
from pstl.data.own_files import Hints
from pstl.data.spec import DatasetSpec, Rule
from pstl.errors import UserError
from pstl.files import checksum
from pstl.records import Clip, DatasetConfig, Member, Notes, Places
from pstl.registry import names as plugin_names
from pstl.skeletons.mapping import bodies

LONGEST_CLASS = 100  # letters
JOINERS = dict.fromkeys(map(ord, "\u00a0\u200c\u200d"))  # invisible, and parts of words
SAMPLED = 8  # clips that are read to say how all are understood
MOST_NUMBERED = 65535  # performers and cameras with larger numbers are counted anew


class FolderConfig(DatasetConfig):
    """What a folder of clips cannot say itself.

    path: the folder.   labels: a table with the columns clip and label, in it or from here.
    body, units, up: of files that do not say it; found out if left out.
    people: bodies of a clip that are kept.   classes: in the order of their numbers.
    splits: name -> how clips are split.   licence: what may be done with the recordings.
    """

    kind: Literal["folder"] = "folder"
    path: str = ""
    labels: str = LABELS
    body: str = ""
    units: Literal["", "m", "cm", "mm", "inch", "picture"] = ""
    up: Literal["", "y", "-y", "z", "-z", "x", "-x"] = ""
    people: int = Field(1, ge=1, le=6)
    classes: tuple[str | int, ...] = ()
    splits: dict[str, Split] = {}
    licence: str = "not stated; ask the people in the recordings"

    @property
    def hints(self) -> Hints:
        """What is known of the files."""
        return Hints(self.body, self.units, self.up)


class Folder(Dataset):
    """The clips of one folder."""

    Config = FolderConfig

    def __init__(self, name: str, cfg: FolderConfig) -> None:
        """Raises: UserError for a table, a folder and splits that do not go together."""
        if cfg.body and cfg.body not in bodies():
            expected = f"expected one of {', '.join(sorted(bodies()))}, or nothing"
            raise UserError(f"datasets.{name}.body: unknown body {cfg.body!r}, {expected}")
        self.cfg, self.files = cfg, located(name, cfg.path, cfg.labels)
        rows = _label_table.read(self.files.labels)
        self.paths = clip_paths(name, self.files, rows)
        self.rows = dict(zip(self.paths, rows, strict=True))
        self.classes = _classes(cfg, rows, f"datasets.{name}.classes")
        self.numbers = {
            what: _numbered([getattr(row, what) for row in rows])
            for what in ("performer", "camera")
        }
        if not cfg.splits:
            example = "splits: {xsub: {by: performer, train: [1, 2]}}"
            raise UserError(f"datasets.{name}: no splits; name one, e.g. {example}")
        for split in cfg.splits:
            if not NAME.fullmatch(split):
                expected = "expected letters, digits and _ . + - (the first a letter or digit)"
                raise UserError(f"datasets.{name}.splits: {split!r} is no name; {expected}")
        self.sides = {
            split: _sides.sides(how, self.rows, self.files.root, f"datasets.{name}.splits.{split}")
            for split, how in cfg.splits.items()
        }
        self.spec = DatasetSpec(
            name=name,
            classes=self.classes,
            skeleton=cfg.body or self._body(),
            people=cfg.people,
            units="metres, y up",
            splits={split: _rule(sides) for split, sides in self.sides.items()},
            source=f"the folder {cfg.path}",
            licence=cfg.licence,
            how_to_get=f"the folder {cfg.path} of whoever recorded it",
        )

    def _body(self) -> str:
        """The body of the first clip that can be read. Raises: UserError if none can."""
        return next(clip.skeleton for clip in self._readable(self.paths.values()))

    def _readable(self, paths: Iterable[Path]) -> Iterator[SourcedClip]:
        """The clips that are whole. Raises: UserError for the first one if none is."""
        damage: list[UserError] = []
        count = 0
        for path in paths:
            try:
                clip = _read(path, self.cfg.hints)
            except UserError as error:
                damage.append(error)
                continue
            count += 1
            yield clip
        if damage and not count:
            raise damage[0]

    def place(self) -> Path | None:
        """The folder itself."""
        return self.files.root

    def remarks(self) -> list[str]:
        """Files that no row names, and what is odd about classes and splits."""
        lines = unlabelled(self.files, self.paths.values())
        counts = Counter(row.label for row in self.rows.values())
        if len(counts) == 1:
            lines.append("all clips are of one class: there is nothing to tell apart")
        if single := sorted(label for label, count in counts.items() if count == 1):
            lines.append(f"classes with a single clip: {', '.join(single[:5])}")
        for split, sides in self.sides.items():
            lines += _sides.remarks(split, sides, self.rows, self.cfg.splits[split].by)
        return lines

    def make(self, cfg: FolderConfig, folder: Path) -> None:
        """Copy the files of every clip, and the table."""
        for path in self.paths.values():
            target = folder / path.relative_to(self.files.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target)
            else:
                shutil.copy2(path, target)
        shutil.copy2(self.files.labels, folder / LABELS)

    def expected(self, cfg: Any) -> dict[str, tuple[int, int]]:
        """What the table says."""
        counts = {split: Counter(sides.values()) for split, sides in self.sides.items()}
        return {split: (count["train"], count["test"]) for split, count in counts.items()}

    def members(self, places: Places) -> list[Member]:
        """The file of every clip, in the order of the table; of a folder of frames the first.

        Raises: UserError for a clip that is not there.
        """
        sums = _fetched.sums(places, self.files.root)
        _fetched.check_table(self.files.labels, sums)
        members = []
        for clip in self.rows:
            path = places.raw / self.paths[clip].relative_to(self.files.root)
            file = own_files.frame_files(path)[0] if path.is_dir() else path
            depth = len(file.relative_to(places.raw).parts) - 1
            sha256 = sums.get(file.relative_to(places.raw).as_posix(), "")
            members.append(Member(file.as_posix(), depth=depth, sha256=sha256))
        return members

    def notes(self, places: Places, members: Sequence[Member]) -> Notes:
        """The clip of each file, and how the first of them are understood."""
        clips = dict(zip((member.file for member in members), self.rows, strict=True))
        said: dict[str, str] = {}
        sample = members[:: max(1, len(members) // SAMPLED)]
        files = (self._source(Path(each.name), clips[each.file]) for each in sample)
        for source in self._readable(files):
            said.setdefault(source.said, source.raw.name)
        lines = [
            f"read as {self.spec.skeleton}: {line} ({clip})" for line, clip in said.items() if line
        ]
        by_file = _fetched.noted(clips, _fetched.sums(places, self.files.root))
        return Notes(by_file, [*self.remarks(), *lines])

    def read(self, member: Member, data: bytes, note: Any) -> list[Clip]:
        """The one clip of a file, or of the folder whose first frame it is."""
        clip, row = note.clip, self.rows[note.clip]
        path = self._source(Path(member.name), clip)
        if path.is_dir():
            _fetched.check_frames(path, note.frames)
        source = _read(path, self.cfg.hints)
        if source.skeleton != self.spec.skeleton:
            others = f"the clips before it have those of {self.spec.skeleton}"
            raise UserError(f"{member.where}: joints of {source.skeleton}, {others}")
        numbers = self.numbers
        return [
            Clip(
                clip,
                self.classes.index(row.label),
                np.ascontiguousarray(source.raw.xyz),
                subject=numbers["performer"][row.performer],
                camera=numbers["camera"][row.camera],
                bodies=source.raw.bodies,
                merged=source.raw.merged,
            )
        ]

    def _source(self, file: Path, clip: str) -> Path:
        """What is read: the file, or the folder of frames that it is in."""
        return file.parent if self.paths[clip].is_dir() else file


class FolderKind(DatasetKind):
    """`NAME: {kind: folder, path: ..., labels: ..., splits: {...}}`."""

    Config = FolderConfig

    def dataset(self, name: str, cfg: Any) -> Dataset:
        """The data set; made anew when its table or its folder has changed."""
        settings = json.dumps(cfg, sort_keys=True, default=str)
        config = _config(name, cfg)
        files = located(name, config.path, config.labels)
        return _made(name, settings, f"{stamp(files.labels)} {stamp(files.root)}")

    def modules(self) -> list[str]:
        """Every reader, and every body: whose joints a file holds may be told by their names."""
        readers = [f"data.readers.{name}" for name in plugin_names("data.readers")]
        return [*readers, *(f"skeletons.{name}" for name in bodies())]

    def facts(self, name: str, cfg: Any) -> str:
        """The table, and the lists of names that splits are made of."""
        config = _config(name, cfg)
        files = located(name, config.path, config.labels)
        lists = [side for split in config.splits.values() for side in (split.train, split.test)]
        listed = [files.root / side for side in lists if isinstance(side, str)]
        total = hashlib.sha256()
        for path in [files.labels, *listed]:
            total.update(checksum(path).encode() if os.path.isfile(path) else b"none")
        return total.hexdigest()

    def state(self, name: str, cfg: Any) -> str:
        """Every file of the folder, by its size and time."""
        config = _config(name, cfg)
        root = located(name, config.path, config.labels).root
        total = hashlib.sha256()
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            total.update(f"{path.relative_to(root)}\0{stamp(path)}\0".encode())
        return total.hexdigest()


def _config(name: str, section: Mapping[str, Any]) -> FolderConfig:
    settings: FolderConfig = validated(FolderConfig, section, f"datasets.{name}")
    return settings


@lru_cache(maxsize=8)
def _made(name: str, settings: str, stamp: str) -> Folder:
    return Folder(name, _config(name, json.loads(settings)))


def _classes(cfg: FolderConfig, rows: Sequence[Row], where: str) -> tuple[str, ...]:
    """The classes in the order of their numbers: as listed, else sorted."""
    present = {row.label for row in rows}
    for name in (*map(str, cfg.classes), *present):
        _check_class(name, where)
    if not cfg.classes:
        return tuple(sorted(present, key=_naturally))
    classes = tuple(map(str, cfg.classes))
    for number, label in enumerate(classes):
        if label in classes[:number]:
            raise UserError(f"{where}: {label!r} stands there twice; take one out")
    if strangers := sorted(present - set(classes)):
        raise UserError(f"{where}: {strangers[0]!r} of the table of labels is not among them")
    return classes


def _check_class(name: str, where: str) -> None:
    """Classes stand in tables, on pages and in terminals.

    Raises: UserError for one that a spreadsheet would compute, or that cannot be shown.
    """
    is_formula = name[:1] in ("=", "+", "-", "@") and not name[1:].isdecimal()
    if is_formula or not 0 < len(name) <= LONGEST_CLASS or not _is_shown(name):
        expected = f"expected 1 to {LONGEST_CLASS} letters that can be shown"
        raise UserError(f"{where}: class {shortened(name)}: {expected}, the first not = + - @")


def _is_shown(name: str) -> bool:
    return name.strip() == name and name.translate(JOINERS).isprintable()


def _numbered(names: Sequence[str]) -> dict[str, int]:
    """Performers or cameras by number: their own where all have one, else counted from 1; 0: none.

    >>> _numbered(["7", "3", ""]), _numbered(["bo", "al"])
    ({'': 0, '3': 3, '7': 7}, {'': 0, 'al': 1, 'bo': 2})
    """
    present = sorted(set(names) - {""}, key=_naturally)
    numbers = [int(name) if name.isdecimal() and name.isascii() else 0 for name in present]
    if not all(0 < number <= MOST_NUMBERED for number in numbers):
        numbers = list(range(1, len(present) + 1))
    return {"": 0, **dict(zip(present, numbers, strict=True))}


def _naturally(name: str) -> tuple[int, str]:
    """Numbers by their value, before words."""
    is_number = name.isdecimal() and name.isascii() and len(name) < 10
    return (int(name) if is_number else sys.maxsize, name)


def _rule(sides: Mapping[str, str]) -> Rule:
    """The side of a clip, by its name."""
    return lambda clip: sides.get(clip.name, "")


def _read(path: Path, hints: Hints) -> SourcedClip:
    """The one clip of a file or of a folder of frames."""
    return clip_files.read_own(path, hints)[0]


KIND = FolderKind()
