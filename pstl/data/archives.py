"""Files a user brought or the network sent: finding them at any depth, opening zip archives without trusting them."""

import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PureWindowsPath

from pstl.errors import UserError

# Skeleton text deflates about 3 to 12 times; beyond these limits an archive is a bomb or not what its name says.
MAX_RATIO = 100
MAX_BYTES = 500 * 10**9

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)  # what reading a broken or encrypted zip raises


def find_file(filename: str, folders: Iterable[Path], besides: Path) -> list[Path]:
    """Every file called `filename` at any depth of `folders`, nothing inside `besides`; a folder may also be the file itself."""
    return [path for path in _walk(folders, besides) if path.name == filename]


def find_members(members: str, folders: Iterable[Path], besides: Path) -> list[Path]:
    """Files at any depth of `folders`, but not inside `besides`, whose whole name matches the regular expression `members`.

    Raises: UserError if one name occurs twice, since nobody can tell which of the two is meant.
    """
    named: dict[str, Path] = {}
    for path in _walk(folders, besides):
        if re.fullmatch(members, path.name):
            if path.name in named:
                raise UserError(
                    f"{path.name} is in {named[path.name].parent} and in {path.parent}; remove one copy or name one folder only"
                )
            named[path.name] = path
    return [named[name] for name in sorted(named)]


def _walk(folders: Iterable[Path], besides: Path) -> Iterator[Path]:
    seen, skipped = set(), besides.resolve()
    for folder in folders:
        files = [folder] if folder.is_file() else (Path(top, name) for top, _, names in sorted(os.walk(folder)) for name in sorted(names))
        for path in files:
            real = path.resolve()
            if real not in seen and not real.is_relative_to(skipped):
                seen.add(real)
                yield path


def check(archive: Path, members: str = "") -> list[zipfile.ZipInfo]:
    """The files of a zip archive that `members` asks for (a regular expression for the whole file name; empty: all of them).

    Raises: UserError naming the archive if it is truncated, not a zip, encrypted, holds no such file, or holds anything that
    could write outside its folder or fill the disk: absolute or climbing paths, links, devices, repeated names, a bomb.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            files = [info for info in bundle.infolist() if not info.is_dir()]
    except DAMAGE as error:
        size = archive.stat().st_size
        raise UserError(f"{archive}: truncated or not a zip archive ({size} bytes: {error}); replace it by a whole copy") from None
    for info in files:
        if reason := _unsafe(info):
            raise UserError(f"{archive}: member {info.filename!r} {reason}; nothing was unpacked, get the archive from its source")
    if len({info.filename for info in files}) < len(files):
        raise UserError(f"{archive}: a member's name occurs twice; nothing was unpacked, get the archive from its source")
    total, size = sum(info.file_size for info in files), archive.stat().st_size
    if total > MAX_BYTES or total > MAX_RATIO * size:
        raise UserError(
            f"{archive}: {size} bytes claim to hold {total}, above {MAX_RATIO} times or {MAX_BYTES} bytes; nothing was unpacked"
        )
    wanted = [info for info in files if not members or re.fullmatch(members, info.filename.rsplit("/", 1)[-1])]
    if not wanted:
        raise UserError(f"{archive}: none of its {len(files)} files is named like {members!r}; is it another archive of the same name?")
    return wanted


def unpack(archive: Path, folder: Path, members: str = "") -> None:
    """Unpack the files that `members` asks for into `folder`, below it and nowhere else.

    Raises: UserError as check() does, or naming the archive and the member whose bytes are damaged, or if the disk is too small.
    """
    wanted = check(archive, members)
    needed, free = sum(info.file_size for info in wanted), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(f"{archive}: unpacked it takes {needed} bytes, {folder.parent} has {free} left; make room and run again")
    with zipfile.ZipFile(archive) as bundle:
        for info in wanted:
            target = folder / info.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                # Reading stops at the size that was declared and checked above, and ends with the CRC.
                with bundle.open(info) as source, open(target, "xb") as stream:
                    shutil.copyfileobj(source, stream)
            except DAMAGE as error:
                raise UserError(f"{archive}: member {info.filename} is damaged ({error}); replace the archive by a whole copy") from None


def _unsafe(info: zipfile.ZipInfo) -> str:
    """Why a member must not be unpacked, or an empty string."""
    name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or PureWindowsPath(name).drive or "\\" in name:
        return "has an absolute or foreign path"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "has a path that leaves its folder"
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device, not a file"
    return "is encrypted" if info.flag_bits & 0x1 else ""
