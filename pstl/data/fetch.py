"""Obtaining a data set: from folders the user names, else by download, else one message that says
what to bring and where to."""

import hashlib
import logging
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pstl.config import validated
from pstl.data import archives as zips
from pstl.data import out_folder, verified
from pstl.data.download import download
from pstl.data.members import locate, summed_as
from pstl.data.out_folder import KEPT, MANIFEST
from pstl.data.spec import DatasetSpec, Remote
from pstl.errors import UserError
from pstl.files import Kind, checksum, reading, replaced, short_name, write_record
from pstl.registry import load_dataset

log = logging.getLogger(__name__)

BROUGHT = Kind("file that can be read", "replace it by a whole copy")


@dataclass(frozen=True)
class Source:
    """Where the bytes of one remote are: an archive or a plain file, or the loose files of an
    archive already unpacked."""

    remote: Remote
    origin: str
    file: Path | None = None
    sha256: str = ""
    loose: tuple[Path, ...] = ()

    def copy_into(self, folder: Path) -> None:
        """Put the files into `folder`, unless they are read from where they lie."""
        if self.remote.in_place:
            return
        for path in self.loose:
            target = folder / short_name(path.as_posix(), self.remote.depth)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        if self.file and self.file.suffix in zips.SUFFIXES:
            zips.unpack(self.file, folder, self.remote)
        elif self.file:
            shutil.copyfile(self.file, folder / self.file.name)


class Allowed(NamedTuple):
    """What the user allows: to download at all, and to use a download of unknown checksum."""

    online: bool
    unknown: bool


def fetch(
    name: str,
    settings: dict[str, Any],
    out: str | Path,
    archives: Sequence[str | Path] = (),
    accept_unknown: bool = False,
) -> None:
    """Make the folder `out` hold a data set's files as they came, and manifest.json, which says
    what they are and whence.

    settings: the data set's section of params.yaml.
    archives: folders searched at any depth for its archives, or for what was unpacked from them;
    the folder `archives` beside `out` is always searched, and downloads are kept there. Nothing
    appears in `out` unless all of it does. A data set without remotes makes its own files.
    accept_unknown: whether a download is used though it has another checksum than the known ones.

    Raises: UserError if a file is neither found nor downloaded, is damaged, or `out` would replace
    a folder in use.
    """
    dataset = load_dataset(name)
    cfg = validated(dataset.Config, settings, f"datasets.{name}")
    out, folders = Path(out), [Path(os.path.expanduser(folder)) for folder in archives]
    out_folder.check(dataset, out, folders)
    online = not dataset.spec.on_request or cfg.accept_terms
    allowed = Allowed(online, accept_unknown)
    sources = _obtain(dataset.spec, out, folders, allowed)
    with replaced(out, MANIFEST) as new:
        if not dataset.spec.remotes:
            dataset.make(cfg, new)
        for source in sources:
            source.copy_into(new)
        settings = cfg.model_dump(mode="json")
        _write_manifest(new, name, settings, sources)


def _obtain(
    spec: DatasetSpec, out: Path, folders: Sequence[Path], allowed: Allowed
) -> list[Source]:
    """A source for every remote. Raises: one UserError that lists everything missing."""
    sources, missing = [], {}
    for remote in spec.remotes:
        try:
            sources.append(
                _found(remote, [*folders, out.parent / KEPT], out)
                or _downloaded(remote, out.parent / KEPT, allowed)
            )
        except UserError as reason:
            missing[remote] = str(reason)
    if any(not remote.optional for remote in missing):
        raise UserError(_what_to_bring(spec, out, folders, missing, allowed.online))
    for remote, lack in missing.items():
        log.warning(
            "%s: %s; the rule that the literature states takes its place", remote.filename, lack
        )
    return sources


def _found(remote: Remote, folders: Sequence[Path], out: Path) -> Source | None:
    """The remote's archive, of known checksum if there is one, else its loose files, else None.

    Raises: UserError if every archive is damaged, or several differ and none is known.
    """
    location = locate(remote, folders, besides=out)
    if isinstance(location, list):
        path, sha256 = meant(remote, location)
        return _accepted(remote, path, sha256, os.path.realpath(path))
    if location:
        where = os.path.commonpath([os.path.realpath(path.parent) for path in location.loose])
        log.warning(
            "%s: not found, but %d files of it are in %s; used as they are, counts follow",
            remote.filename,
            len(location.loose),
            where,
        )
        return Source(remote, origin=where, loose=location.loose)
    return None


def meant(remote: Remote, paths: Sequence[Path]) -> tuple[Path, str]:
    """Of files of one name the one of known checksum, else the first of equals, and its SHA-256;
    broken ones are passed over.

    Raises: UserError if all are broken, Twice if several differ and none is known.
    """
    sums, reasons = dict[Path, str](), list[UserError]()
    for path in paths:
        try:
            with reading(path, BROUGHT):
                sums[path] = verified.summed(path)
            if path.suffix in zips.SUFFIXES:
                zips.check(path, remote)
        except UserError as error:
            sums.pop(path, None)
            reasons.append(error)
    if not sums:
        raise reasons[0]
    path = min(sums, key=lambda path: sums[path] not in remote.sha256)
    others = [other for other in sums if sums[other] != sums[path]]
    if others and sums[path] not in remote.sha256:
        raise zips.Twice(
            f"{path} and {others[0]} differ, and which is meant nobody can tell; remove one or "
            "name one folder only"
        )
    for reason in reasons:
        log.warning("%s; %s is used", reason, path)
    return path, sums[path]


def _downloaded(remote: Remote, store: Path, allowed: Allowed) -> Source:
    """The remote, from its URL into `store`.

    Raises: UserError with the reason it could not be had.
    """
    if not remote.url:
        raise UserError(
            "not found in any folder"
            + "; it cannot be downloaded without asking" * (not remote.optional)
        )
    if not allowed.online:
        raise UserError("not found in any folder; it is given to those who ask")
    target = store / remote.filename
    refused = target.with_name(f".{remote.filename}.refused")  # no name by which files are found
    known = bool(remote.sha256 or remote.md5)
    if allowed.unknown and refused.exists() and not target.exists():
        os.replace(refused, target)
    download(remote.url, target, checked=known, size=0 if allowed.unknown else remote.size)
    try:
        if known and not allowed.unknown:
            _check_known(remote, target)
    except UserError as reason:
        os.replace(target, refused)
        raise UserError(f"{remote.url} sent something else: {reason}") from None
    try:
        return _accepted(
            remote,
            target,
            checksum(target),
            os.path.realpath(target) if remote.in_place else remote.url,
        )
    except UserError as reason:
        # Most often a web page in place of the file: kept, it would be found next time.
        target.unlink()
        raise UserError(f"{remote.url} sent something else: {reason}") from None


def _check_known(remote: Remote, path: Path) -> None:
    """Raises: UserError for a download that is none of the known files."""
    sha256 = checksum(path)
    if remote.sha256 and sha256 not in remote.sha256:
        expected = f"sha256 {sha256}, expected {' or '.join(remote.sha256)}"
    elif not remote.sha256 and not _has_md5(path, remote.md5):
        expected = f"another MD5 than {remote.md5}"
    else:
        return
    trusted = "who trusts it all the same adds --accept-unknown: it is not downloaded again"
    raise UserError(f"{expected}; {trusted}")


def _has_md5(path: Path, md5: str) -> bool:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest() == md5


def _accepted(remote: Remote, path: Path, sha256: str, origin: str) -> Source:
    """A file as a source: a zip must be whole; an unknown checksum is no reason to refuse, since
    clips are counted later."""
    if path.suffix in zips.SUFFIXES:
        zips.check(path, remote)
    if remote.md5 and not remote.sha256:
        if not _has_md5(path, remote.md5):
            log.warning(
                "%s: its MD5 is not %s, which one third party states; used as it is, its clips "
                "are counted",
                path,
                remote.md5,
            )
    elif sha256 not in remote.sha256 and not remote.notes:
        log.warning(
            "%s: sha256 %s is not among the known ones; used as it is, its clips are counted "
            "after reading",
            path,
            sha256,
        )
    return Source(remote, origin=origin, file=path, sha256=sha256)


def _what_to_bring(
    spec: DatasetSpec, out: Path, folders: Sequence[Path], missing: dict[Remote, str], online: bool
) -> str:
    """The one message: what is missing, where to get it, where to put it, what to run then."""
    lacks = "; ".join(f"{remote.filename}: {reason}" for remote, reason in missing.items())
    sources = [
        f"{remote.filename} from {remote.url}" for remote in missing if remote.url and online
    ] + [spec.how_to_get]
    again = ["python", "-m", "pstl", "fetch", spec.name, "--out", str(out)]
    again += ["--archives", *map(str, folders)] if folders else []
    return (
        f"{spec.name}: not complete ({lacks}). Get {', or: '.join(filter(None, sources))}. "
        f"Put it into {out.parent / KEPT} (or any folder named by --archives or by archives: in "
        "params.yaml), "
        f"then run: {shlex.join(again)}"
    )


def _write_manifest(
    folder: Path, name: str, settings: dict[str, Any], sources: Sequence[Source]
) -> None:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    sums = {summed_as(path, folder): checksum(path) for path in paths}
    for source in sources:
        if source.remote.in_place:
            sums |= {summed_as(path, folder): checksum(path) for path in source.loose}
    origins: list[dict[str, Any]] = []
    for source in sources:
        origin = {"file": source.remote.filename, "sha256": source.sha256, "from": source.origin}
        origins.append(origin | ({"files": len(source.loose)} if source.loose else {}))
    write_record(
        folder / MANIFEST,
        {"dataset": name, "settings": settings, "sources": origins, "files": files, "sums": sums},
    )
