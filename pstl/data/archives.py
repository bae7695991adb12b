"""Files a user brought or the network sent: finding them at any depth, opening zip and 7z archives
without trusting them."""

import itertools
import logging
import os
import re
import shutil
import stat
import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PureWindowsPath

from pstl.data import inflate, sevenzip
from pstl.data.sevenzip import Broken
from pstl.data.spec import Remote
from pstl.errors import UserError
from pstl.files import Kind, reading, short_name

log = logging.getLogger(__name__)

# Skeleton text deflates about 3 to 12 times; beyond these limits an archive is a bomb or not what
# its name says.
SUFFIXES = (".zip", ".7z")
MAX_RATIO = 100
MAX_BYTES = 500 * 10**9

ZIP = Kind("zip archive", "replace it by a whole copy")
ANY = Remote("")  # whatever an archive holds
# Of a zip: how its first member and its end, which lists all members, begin.
FIRST, END = b"PK\x03\x04", b"PK\x05\x06"
LARGEST_END = 65_557  # bytes: an end with the longest comment


class Foreign(UserError):
    """A whole archive of the right name that holds nothing of what is wanted."""


class Twice(UserError):
    """One file in two places: nobody can tell which is meant."""


def find_file(
    names: Iterable[str], folders: Iterable[Path], besides: Path | None = None
) -> list[Path]:
    """Every file of one of these `names` at any depth of `folders`, nothing inside `besides`; a
    folder may also be the file itself."""
    names = set(names)
    return [path for path, _ in _walk(folders, besides) if path.name in names]


def find_members(
    remote: Remote, folders: Iterable[Path], besides: Path | None = None
) -> list[Path]:
    """Files of a remote at any depth of `folders`, but not inside `besides`, sorted by name.

    A file's whole name must match `remote.members`; the end of the named folder's path and the way
    from there must hold `remote.folder` and must not hold `remote.not_folder`.
    Raises: Twice if one name occurs in two folders.
    """
    named: dict[str, Path] = {}
    for path, way in _walk(folders, besides):
        name = short_name(path.as_posix(), remote.depth)
        if not re.fullmatch(remote.members, name, re.ASCII):
            continue
        elsewhere = remote.not_folder and re.search(remote.not_folder, way)
        if elsewhere or not re.search(remote.folder, way):
            continue
        if name in named:
            both = f"is in {named[name].parent} and in {path.parent}"
            raise Twice(f"{name} {both}; remove one copy or name one folder only")
        named[name] = path
    return [named[name] for name in sorted(named)]


def _walk(folders: Iterable[Path], besides: Path | None) -> Iterator[tuple[Path, str]]:
    """Every file once, and the way to it: the last two names in the named folder's path, and the
    folders below.

    Links to folders are not followed; a folder that cannot be read is named and passed over.
    """
    seen, skipped = set(), _real(besides) if besides else None
    for top, names, way in itertools.chain.from_iterable(map(_folders, folders)):
        real = _real(top)  # of the folder only: resolving 100,000 files takes seconds
        if skipped and real.is_relative_to(skipped):
            continue
        for name in names:
            path = top / name
            key = (_real(path).parent, _real(path).name) if path.is_symlink() else (real, name)
            if key not in seen:
                seen.add(key)
                yield path, way


def _folders(folder: Path) -> Iterator[tuple[Path, list[str], str]]:
    """A folder and those below: its path, its files, the way to it. Of a file: where it is."""
    if not folder.is_dir():
        yield folder.parent, [folder.name], _real(folder.parent).name
        return
    for top, _, names in sorted(os.walk(folder, onerror=_unreadable)):
        way = os.path.join(*_real(folder).parts[-2:], os.path.relpath(top, folder))
        yield Path(top), sorted(names), way


def _real(path: str | Path) -> Path:
    """A path without links; one that leads to itself stays as it is."""
    return Path(os.path.realpath(path))


def _unreadable(error: OSError) -> None:
    reason = str(error.strerror).lower()
    log.warning("%s: cannot be searched (%s), passed over", error.filename, reason)


def check(archive: Path, remote: Remote = ANY) -> list[str]:
    """Names of the files in a zip or 7z archive that `remote` asks for, by default all.

    Raises: UserError naming the archive if it is encrypted, or holds anything that could write
    outside its folder or fill the disk: absolute or climbing paths, links, devices, repeated names,
    a bomb. Broken if it is truncated, or no archive, Foreign if it is another of the same name.
    """
    files = entries(archive, remote.size)
    for name, _, reason in files:
        if reason := reason or _unsafe(name):
            raise UserError(
                f"{archive}: member {shown(name)} {reason}; nothing was unpacked, get the archive "
                "from its source"
            )
    if len({name for name, _, _ in files}) < len(files):
        raise UserError(
            f"{archive}: a member's name occurs twice; nothing was unpacked, get the archive from "
            "its source"
        )
    total, packed = sum(size for _, size, _ in files), archive.stat().st_size
    if total > MAX_BYTES or total > MAX_RATIO * packed:
        raise UserError(
            f"{archive}: {packed} bytes claim to hold {total}, above {MAX_RATIO} times or "
            f"{MAX_BYTES} bytes; nothing was unpacked"
        )
    names = [name for name, _, _ in files]
    pattern = re.compile(remote.members or ".*", re.ASCII | re.DOTALL)
    wanted = [name for name in names if pattern.fullmatch(short_name(name, remote.depth))]
    if not wanted:
        raise Foreign(
            f"{archive}: none of its {len(files)} files is named like {remote.members!r}; "
            f"{_another(files)}"
        )
    return wanted


def _another(files: Iterable[tuple[str, int, str]]) -> str:
    """What an archive without a wanted file is."""
    inner = [name for name, _, _ in files if name.endswith(SUFFIXES)]
    if inner:
        return f"it holds another archive, {shown(inner[0])}: unpack that one, and name its folder"
    return "is it another archive of the same name?"


def shown(name: str) -> str:
    """A member's name in a message, shortened, whatever characters it has."""
    return ascii(name if len(name) <= 80 else f"{name[:80]}...")


def entries(archive: Path, size: int = 0) -> list[tuple[str, int, str]]:
    """(name, bytes, what is wrong with it or "") of every file.

    Raises: Broken, naming an archive that cannot be opened.
    """
    if archive.suffix == ".7z":
        return sevenzip.entries(archive)
    with opened(archive, size) as bundle:
        length = archive.stat().st_size
        return [
            (info.filename, info.file_size, _odd(info, length))
            for info in bundle.infolist()
            if not info.is_dir()
        ]


def opened(archive: Path, size: int = 0) -> zipfile.ZipFile:
    """A zip archive.

    size: bytes as known.   Raises: Broken if it cannot be opened, which says whether its end is
    missing.
    """
    with reading(archive, ZIP):
        try:
            return zipfile.ZipFile(archive)
        except OSError:
            raise
        except Exception as error:  # whatever the library trips over, it is the archive
            reason = " ".join(str(error).split()) or type(error).__name__
        if _has_no_end(archive):
            length = archive.stat().st_size
            of_size = f" of {size}" if size > length else ""
            problem = (
                f"truncated or not a zip archive: {length}{of_size} bytes, and its end is missing"
            )
            raise Broken(f"{archive}: {problem}; {ZIP.again}", "truncated")
        raise Broken(
            f"{archive}: damaged or not a zip archive ({reason[:160]}); {ZIP.again}", "damaged"
        )


def _has_no_end(archive: Path) -> bool:
    """Whether a file begins as a zip archive does, or is too short to tell, and does not end as
    one."""
    with open(archive, "rb") as stream:
        head = stream.read(len(FIRST))
        stream.seek(-min(LARGEST_END, archive.stat().st_size), os.SEEK_END)
        tail = stream.read()
    end = tail[tail.rfind(END) :] if END in tail else b""
    comment = int.from_bytes(end[20:22], "little")
    return FIRST.startswith(head) and len(end) < 22 + comment


def unpack(
    archive: Path, folder: Path, remote: Remote = ANY, damaged: dict[str, str] | None = None
) -> None:
    """Unpack the files that `remote` asks for into `folder`, below it and nowhere else.

    damaged: takes the members of a zip archive whose bytes are damaged, and why; None: the first
    one is an error.
    Raises: UserError as check() does, or if the disk is too small; Broken, naming archive and
    member.
    """
    wanted = set(check(archive, remote))
    needed, free = (
        sum(size for name, size, _ in entries(archive) if name in wanted),
        shutil.disk_usage(folder).free,
    )
    if needed > free:
        raise UserError(
            f"{archive}: unpacked it takes {needed} bytes, {folder.parent} has {free} left; make "
            "room and run again"
        )
    for name, content in stream(archive, wanted, damaged):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            file.write(content)


def stream(
    archive: Path, names: Collection[str], damaged: dict[str, str] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of some members, one after the other.

    damaged: as unpack() has it.   Raises: Broken, naming the archive and the member that is
    damaged.
    """
    if archive.suffix == ".7z":
        yield from sevenzip.stream(archive, names)
        return
    with opened(archive) as bundle:
        for name in bundle.namelist():
            if name in names:
                try:
                    content = read_member(bundle, name)
                except Broken as error:
                    if damaged is None:
                        raise
                    damaged[name] = str(error)
                    continue
                yield name, content


def read_member(bundle: zipfile.ZipFile, name: str) -> bytes:
    """One member of an open zip archive.

    Reading stops at the size that was declared and checked, and ends with the CRC.
    Raises: Broken, naming archive and member.
    """
    try:
        content = inflate.inflated(bundle, name)
        return bundle.read(name) if content is None else content
    except Exception as error:  # whatever the libraries trip over, it is the archive
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Broken(
            f"{bundle.filename}: member {name} is damaged ({reason[:160]}); {ZIP.again}", "damaged"
        ) from None


def _unsafe(name: str) -> str:
    """Why a member must not be unpacked, or an empty string."""
    if name.startswith("/") or PureWindowsPath(name).drive or "\\" in name:
        return "has an absolute or foreign path"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "has a path that leaves its folder"
    return ""


def _odd(info: zipfile.ZipInfo, length: int) -> str:
    """What a member of a zip archive of so many bytes is, if it is no plain file in it."""
    if not 0 <= info.header_offset < length:
        return f"begins at byte {info.header_offset} of {length}"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device, not a file"
    return "is encrypted" if info.flag_bits & 0x1 else ""
