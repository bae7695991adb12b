"""Files a user brought or the network sent: finding them at any depth, opening zip and 7z archives without trusting them."""

import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PureWindowsPath

from pstl.data import inflate, sevenzip
from pstl.errors import UserError

# Skeleton text deflates about 3 to 12 times; beyond these limits an archive is a bomb or not what its name says.
SUFFIXES = (".zip", ".7z")
MAX_RATIO = 100
MAX_BYTES = 500 * 10**9

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)  # what reading a broken or encrypted zip raises


def find_file(names: Iterable[str], folders: Iterable[Path], besides: Path | None = None) -> list[Path]:
    """Every file of one of these `names` at any depth of `folders`, nothing inside `besides`; a folder may also be the file itself."""
    names = set(names)
    return [path for path, _ in _walk(folders, besides) if path.name in names]


def find_members(members: str, folders: Iterable[Path], besides: Path | None = None, folder: str = "", not_folder: str = "") -> list[Path]:
    """Files at any depth of `folders`, but not inside `besides`, whose whole name matches the regular expression `members`.

    folder, not_folder: expressions that must and must not be found in the end of the named folder's path and the way from there.

    Raises: UserError if one name occurs twice, since nobody can tell which of the two is meant.
    """
    named: dict[str, Path] = {}
    for path, way in _walk(folders, besides):
        if re.fullmatch(members, path.name) and re.search(folder, way) and not (not_folder and re.search(not_folder, way)):
            if path.name in named:
                raise UserError(
                    f"{path.name} is in {named[path.name].parent} and in {path.parent}; remove one copy or name one folder only"
                )
            named[path.name] = path
    return [named[name] for name in sorted(named)]


def _walk(folders: Iterable[Path], besides: Path | None) -> Iterator[tuple[Path, str]]:
    """Every file once, and the way to it: the last two names in the named folder's path, and the folders below."""
    seen, skipped = set(), besides.resolve() if besides else None
    for folder in folders:
        tops = [(str(folder.parent), [], [folder.name])] if folder.is_file() else sorted(os.walk(folder))
        for top, _, names in tops:
            real = Path(top).resolve()  # of the folder only: resolving 100,000 files takes seconds
            if skipped and real.is_relative_to(skipped):
                continue
            way = os.path.join(*folder.resolve().parts[-2:], os.path.relpath(top, folder)) if not folder.is_file() else real.name
            for name in sorted(names):
                path = Path(top, name)
                if (key := (real, name)) not in seen and not (path.is_symlink() and (key := _linked(path)) in seen):
                    seen.add(key)
                    yield path, way


def _linked(path: Path) -> tuple[Path, str]:
    real = path.resolve()
    return real.parent, real.name


def check(archive: Path, members: str = "") -> list[str]:
    """Names of the files in a zip or 7z archive that `members` asks for (a regular expression for the file name; empty: all).

    Raises: UserError naming the archive if it is truncated, no archive, encrypted, holds no such file, or holds anything that
    could write outside its folder or fill the disk: absolute or climbing paths, links, devices, repeated names, a bomb.
    """
    files = entries(archive)
    for name, _, reason in files:
        if reason := reason or _unsafe(name):
            raise UserError(f"{archive}: member {name!r} {reason}; nothing was unpacked, get the archive from its source")
    if len({name for name, _, _ in files}) < len(files):
        raise UserError(f"{archive}: a member's name occurs twice; nothing was unpacked, get the archive from its source")
    total, size = sum(size for _, size, _ in files), archive.stat().st_size
    if total > MAX_BYTES or total > MAX_RATIO * size:
        raise UserError(
            f"{archive}: {size} bytes claim to hold {total}, above {MAX_RATIO} times or {MAX_BYTES} bytes; nothing was unpacked"
        )
    wanted = [name for name, _, _ in files if not members or re.fullmatch(members, name.rsplit("/", 1)[-1])]
    if not wanted:
        raise UserError(f"{archive}: none of its {len(files)} files is named like {members!r}; is it another archive of the same name?")
    return wanted


def entries(archive: Path) -> list[tuple[str, int, str]]:
    """(name, bytes, what is wrong with it or "") of every file. Raises: UserError naming an archive that cannot be opened."""
    if archive.suffix == ".7z":
        return sevenzip.entries(archive)
    try:
        with zipfile.ZipFile(archive) as bundle:
            return [(info.filename, info.file_size, _odd(info)) for info in bundle.infolist() if not info.is_dir()]
    except DAMAGE as error:
        size = archive.stat().st_size
        raise UserError(f"{archive}: truncated or not a zip archive ({size} bytes: {error}); replace it by a whole copy") from None


def unpack(archive: Path, folder: Path, members: str = "") -> None:
    """Unpack the files that `members` asks for into `folder`, below it and nowhere else.

    Raises: UserError as check() does, or naming the archive and the member whose bytes are damaged, or if the disk is too small.
    """
    wanted = set(check(archive, members))
    needed, free = sum(size for name, size, _ in entries(archive) if name in wanted), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(f"{archive}: unpacked it takes {needed} bytes, {folder.parent} has {free} left; make room and run again")
    for name, content in stream(archive, wanted):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as file:
            file.write(content)


def stream(archive: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of some members, one after the other. Raises: UserError naming the archive and the member that is damaged."""
    if archive.suffix == ".7z":
        yield from sevenzip.stream(archive, names)
        return
    with zipfile.ZipFile(archive) as bundle:
        for name in bundle.namelist():
            if name in names:
                yield name, read_member(bundle, name)


def read_member(bundle: zipfile.ZipFile, name: str) -> bytes:
    """One member of an open zip archive. Reading stops at the size that was declared and checked, and ends with the CRC."""
    try:
        content = inflate.inflated(bundle, name)
        return bundle.read(name) if content is None else content
    except DAMAGE as error:
        raise UserError(f"{bundle.filename}: member {name} is damaged ({error}); replace the archive by a whole copy") from None


def _unsafe(name: str) -> str:
    """Why a member must not be unpacked, or an empty string."""
    if name.startswith("/") or PureWindowsPath(name).drive or "\\" in name:
        return "has an absolute or foreign path"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "has a path that leaves its folder"
    return ""


def _odd(info: zipfile.ZipInfo) -> str:
    """What a member of a zip archive is, if it is no plain file."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device, not a file"
    return "is encrypted" if info.flag_bits & 0x1 else ""
