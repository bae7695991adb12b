"""The files of a data set wherever they lie: unpacked, or inside archives that nobody unpacks."""

import itertools
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from pstl import files
from pstl.data import archives, reading, verified
from pstl.data.spec import DatasetSpec, Remote
from pstl.errors import UserError
from pstl.files import Kind, read_json
from pstl.records import Member

FETCHED = Kind("whole copy of the file that was fetched", "put that back, or run fetch again")
MANIFEST = Kind("readable manifest", "run fetch again")
BATCH = 32  # files that travel to a worker at once
BATCH_BYTES = 64 << 20


class Gone(UserError):
    """What was fetched in place is no longer there."""


class SourceEntry(BaseModel):
    """Where one remote's files came from.   sha256: of an archive or a plain file."""

    file: str
    from_: str = Field(alias="from")
    sha256: str = ""


class ManifestFile(BaseModel):
    """What `fetch` says of the folder it made: where its files came from, and what they are.

    files: name -> bytes.   sums: path of every file of no archive, from the folder on if it is
    there -> SHA-256.
    """

    sources: list[SourceEntry] = []
    files: dict[str, int] = {}
    sums: dict[str, str] = {}


@dataclass(frozen=True)
class Location:
    """Where one remote's files are: an archive or a plain file, or loose files."""

    file: Path | None = None
    loose: tuple[Path, ...] = ()

    def members(self, remote: Remote) -> list[Member]:
        """The files, sorted by name.

        Raises: UserError if the archive is damaged or unsafe, or has one file in two folders.
        """
        if self.file and self.file.suffix in archives.SUFFIXES:
            names = archives.check(self.file, remote)
            members = [Member(name, self.file, remote.depth) for name in names]
        else:
            paths = (self.file,) if self.file else self.loose
            members = [Member(path.as_posix(), depth=remote.depth) for path in paths]
        members.sort(key=lambda member: (member.file, member.name))
        for one, other in itertools.pairwise(members):
            if one.file == other.file:
                both = f"holds {one.name} and {other.name}"
                advice = "which is meant nobody can tell: pack one"
                raise archives.Twice(f"{self.file}: {both}; {advice}")
        return members


def locate(
    remote: Remote, folders: Sequence[Path], besides: Path | None = None
) -> list[Path] | Location | None:
    """Archives of one remote at any depth of `folders`, or a Location of its loose files, or None.

    Raises: UserError if there is only a folder of the archive's name, without its files.
    """
    names = (remote.filename, *remote.aliases)
    if files := archives.find_file(names, folders, besides):
        return files
    if remote.members and (loose := archives.find_members(remote, folders, besides)):
        return Location(loose=tuple(loose))
    for folder, name in itertools.product(folders, names):
        if (folder / name).is_dir():
            lack = "is a folder, and none of the wanted files is in it; expected an archive"
            raise UserError(f"{folder / name} {lack}")
    return None


@dataclass(frozen=True)
class DatasetFiles:
    """The Places of a data set.

    spec: of the data set.   raw: the folder that `fetch` made, or any other with its files.
    archives: folders looked into instead of `raw`, where nothing was fetched.
    """

    spec: DatasetSpec
    raw: Path
    archives: tuple[Path, ...] = ()

    def of(self, remote: Remote) -> list[Member]:
        """The files of one remote, sorted by name; none of an optional one that is not there.

        Raises: UserError naming a remote that is not there (any more), or a file that is twice.
        """
        folders = self._folders(remote)
        location = None
        if all(folder.exists() for folder in folders):
            location = locate(remote, folders)
        if isinstance(location, list):
            location = Location(file=location[0])
        if location:
            members = location.members(remote)
            self._compare(remote, location.file)
            return self._with_sums(members)
        if remote.optional:
            return []
        where, name = " or ".join(map(str, folders)), self.spec.name
        again = f"run 'python -m pstl fetch {name} --out {self.raw}' again"
        raise Gone(f"{name}: {remote.filename} is no longer in {where}; {again}")

    def texts(self, members: Sequence[Member]) -> dict[str, str]:
        """Small text files: file name -> content.

        Of one that is too large to be such only so much that its reader refuses it.
        """
        contents = {}
        for batch in batches(members):
            for i, member in enumerate(batch.members):
                start = content(batch, i)[: reading.LARGEST_LIST + 1]
                contents[member.file] = reading.decoded(start)
        return contents

    def below(self, pattern: str) -> list[Member]:
        """Files of `raw` that match a glob pattern, sorted by name."""
        paths = sorted(self.raw.glob(pattern), key=lambda path: (path.name, path))
        return self._with_sums([Member(str(path)) for path in paths])

    @property
    def sums(self) -> dict[str, str]:
        """What `fetch` said of files: path, below `raw` if it is there, -> checksum."""
        said: dict[str, str] = manifest(self.raw).get("sums", {})
        return said

    def _with_sums(self, members: list[Member]) -> list[Member]:
        """The same, with what `fetch` said of their content."""
        sums = self.sums
        if not sums:
            return members
        known = []
        for member in members:
            key = "" if member.archive else summed_as(Path(member.name), self.raw)
            known.append(member._replace(sha256=sums.get(key, "")))
        return known

    def _compare(self, remote: Remote, file: Path | None) -> None:
        """Compare a file that is read where it lies with what was fetched, once per state of it.

        Raises: UserError if it is another one.
        """
        fetched = {} if self.archives else manifest(self.raw)
        sums = {each["file"]: each.get("sha256", "") for each in fetched.get("sources", [])}
        expected = sums.get(remote.filename, "")
        if file is None or not expected:
            return
        with files.reading(file, FETCHED):
            verified.once(file, expected, partial(_compare, file, expected))

    def _folders(self, remote: Remote) -> list[Path]:
        """Where to look for one remote."""
        if self.archives or not remote.in_place:
            return list(self.archives) or [self.raw]
        for source in manifest(self.raw).get("sources", []):
            if source["file"] == remote.filename:
                return [Path(source["from"])]
        return [self.raw]


def summed_as(path: Path, raw: Path) -> str:
    """What a manifest calls a file: by its path from the folder on, or from the root."""
    inside = path.is_relative_to(raw)
    return path.relative_to(raw).as_posix() if inside else os.path.realpath(path)


def manifest(raw: Path) -> dict[str, Any]:
    """What `fetch` wrote about the folder it made; {} if it made none."""
    path = raw / "manifest.json"
    if not os.path.lexists(path):
        return {}
    content: dict[str, Any] = read_json(path, MANIFEST, ManifestFile)
    return content


def _compare(path: Path, expected: str) -> None:
    """Raises: ValueError if a file has another checksum."""
    if files.checksum(path) != expected:
        raise ValueError("another checksum than when it was fetched")


class Batch(NamedTuple):
    """Files for one worker.

    contents: the bytes of files that only one process can unpack; None: the worker reads them.
    """

    members: list[Member]
    contents: list[bytes] | None = None


def batches(members: Sequence[Member]) -> Iterator[Batch]:
    """Members in order, a few at a time; those of a 7z archive come unpacked, in its order."""
    packed: dict[Path, dict[str, Member]] = {}
    others = []
    for member in members:
        if member.archive and member.archive.suffix == ".7z":
            packed.setdefault(member.archive, {})[member.name] = member
        else:
            others.append(member)
    for first in range(0, len(others), BATCH):
        yield Batch(others[first : first + BATCH])
    for archive, wanted in packed.items():
        yield from _unpacked(archive, wanted)


def _unpacked(archive: Path, wanted: dict[str, Member]) -> Iterator[Batch]:
    members: list[Member] = []
    contents: list[bytes] = []
    for name, data in archives.stream(archive, wanted.keys()):
        members.append(wanted[name])
        contents.append(data)
        if len(members) == BATCH or sum(map(len, contents)) > BATCH_BYTES:
            yield Batch(members, contents)
            members, contents = [], []
    if members:
        yield Batch(members, contents)


def content(batch: Batch, i: int) -> bytes:
    """The bytes of one member of a batch. Raises: UserError naming it if it cannot be read."""
    member = batch.members[i]
    if batch.contents is not None:
        return batch.contents[i]
    if member.archive:
        return archives.read_member(_bundle(member.archive), member.name)
    data = reading.content(member.name)
    reading.check_sum(member.name, data, member.sha256)
    return data


@lru_cache(maxsize=4)
def _bundle(archive: Path) -> zipfile.ZipFile:
    """An archive that stays open in its process: its 56,880 names take a second to read."""
    return archives.opened(archive)
