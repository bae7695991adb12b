"""The files of a data set wherever they lie: unpacked, or inside zip and 7z archives that nobody has to unpack."""

import itertools
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from pstl.data import archives, reading
from pstl.data.spec import DatasetSpec, Remote
from pstl.errors import UserError
from pstl.files import Kind, read_json

MANIFEST = Kind("readable manifest", "run fetch again")
BATCH = 32  # files that travel to a worker at once
BATCH_BYTES = 64 << 20


class Gone(UserError):
    """What was fetched in place is no longer there."""


class SourceEntry(BaseModel):
    """Where one remote's files came from."""

    file: str
    from_: str = Field(alias="from")


class ManifestFile(BaseModel):
    """What `fetch` says of the folder it made: where its files came from, and how large they are."""

    sources: list[SourceEntry] = []
    files: dict[str, int] = {}  # name -> bytes


class Member(NamedTuple):
    """One file. archive: the archive it is in, or None for a file on disk, whose path `name` is."""

    name: str
    archive: Path | None = None

    @property
    def file(self) -> str:
        """Its name without folders."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def where(self) -> str:
        """What a message calls it."""
        return f"{self.archive}: {self.name}" if self.archive else self.name


@dataclass(frozen=True)
class Place:
    """Where one remote's files are: an archive or a plain file, or loose files."""

    file: Path | None = None
    loose: tuple[Path, ...] = ()

    def members(self, remote: Remote) -> list[Member]:
        """Sorted by file name.

        Raises: UserError if the archive is damaged or unsafe, or has one file in two folders.
        """
        if self.file and self.file.suffix in archives.SUFFIXES:
            found = [
                Member(name, self.file)
                for name in archives.check(self.file, remote.members, remote.size)
            ]
        else:
            paths = (self.file,) if self.file else self.loose
            found = [Member(str(path)) for path in paths]
        found.sort(key=lambda member: (member.file, member.name))
        for one, other in itertools.pairwise(found):
            if one.file == other.file:
                both = f"{one.name} and {other.name}"
                raise archives.Twice(
                    f"{self.file}: holds {both}; which is meant nobody can tell: pack one"
                )
        return found


class Batch(NamedTuple):
    """Files for one worker: by reference, or with the bytes of those that only one process can unpack."""

    members: list[Member]
    contents: list[bytes] | None = None


def locate(
    remote: Remote, folders: Iterable[Path], besides: Path | None = None
) -> list[Path] | Place | None:
    """Archives of one remote at any depth of `folders`, or a Place of its loose files, or None.

    Raises: UserError if there is only a folder of the archive's name, without its files.
    """
    folders = list(folders)
    if files := archives.find_file((remote.filename, *remote.aliases), folders, besides):
        return files
    loose = (
        archives.find_members(remote.members, folders, besides, remote.folder, remote.not_folder)
        if remote.members
        else []
    )
    if loose:
        return Place(loose=tuple(loose))
    for path in (
        folder / name for folder in folders for name in (remote.filename, *remote.aliases)
    ):
        if path.is_dir():
            raise UserError(
                f"{path} is a folder, and none of the wanted files is in it; expected an archive"
            )
    return None


def of_dataset(
    spec: DatasetSpec, raw: Path, folders: Sequence[Path] = ()
) -> dict[str, list[Member]]:
    """The members of every remote of a data set that `fetch` made `raw` of, by the remote's file name; any other folder is searched.

    folders: looked into instead of `raw`.

    Raises: UserError naming a remote that is not there (any more), or a file that is there twice.
    """
    sources = {source["file"]: source for source in manifest(raw).get("sources", [])}
    found: dict[str, list[Member]] = {}
    for remote in spec.remotes:
        places = list(folders) or [raw]
        if not folders and (source := sources.get(remote.filename)) and remote.in_place:
            places = [Path(source["from"])]
        place = locate(remote, places) if all(folder.exists() for folder in places) else None
        if place is None and not remote.optional:
            where = " or ".join(map(str, places))
            raise Gone(
                f"{spec.name}: {remote.filename} is no longer in {where}; run 'python -m pstl fetch {spec.name} --out {raw}' again"
            )
        if isinstance(place, list):
            place = Place(file=place[0])
        found[remote.filename] = place.members(remote) if place else []
    return found


def manifest(raw: Path) -> dict[str, Any]:
    """What `fetch` wrote about the folder it made; {} if it made none."""
    path = raw / "manifest.json"
    if not os.path.lexists(path):
        return {}
    content: dict[str, Any] = read_json(path, MANIFEST, ManifestFile)
    return content


def batches(members: Sequence[Member]) -> Iterator[Batch]:
    """Members in order, a few at a time; those of a 7z archive come unpacked and in the archive's order."""
    packed = [m for m in members if m.archive and m.archive.suffix == ".7z"]
    others = [m for m in members if not (m.archive and m.archive.suffix == ".7z")]
    for first in range(0, len(others), BATCH):
        yield Batch(others[first : first + BATCH])
    for archive in dict.fromkeys(m.archive for m in packed):
        yield from _unpacked(archive, {m.name: m for m in packed if m.archive == archive})  # type: ignore[arg-type]


def _unpacked(archive: Path, wanted: dict[str, Member]) -> Iterator[Batch]:
    names: list[Member] = []
    contents: list[bytes] = []
    for name, content in archives.stream(archive, wanted.keys()):
        names.append(wanted[name])
        contents.append(content)
        if len(names) == BATCH or sum(map(len, contents)) > BATCH_BYTES:
            yield Batch(names, contents)
            names, contents = [], []
    if names:
        yield Batch(names, contents)


def content(batch: Batch, i: int) -> bytes:
    """The bytes of one member of a batch. Raises: UserError naming it if it cannot be read."""
    member = batch.members[i]
    if batch.contents is not None:
        return batch.contents[i]
    if member.archive:
        return archives.read_member(_bundle(member.archive), member.name)
    return reading.content(member.name)


def text(members: Sequence[Member]) -> dict[str, str]:
    """Small text files: file name -> content. Of one that is too large to be such only so much that its reader refuses it."""
    texts = {}
    for batch in batches(members):
        for i, member in enumerate(batch.members):
            texts[member.file] = reading.decoded(content(batch, i)[: reading.LARGEST_LIST + 1])
    return texts


@lru_cache(maxsize=4)
def _bundle(archive: Path) -> zipfile.ZipFile:
    """An archive that stays open in its process: its list of 56,880 names takes a second to read."""
    return archives.opened(archive)
