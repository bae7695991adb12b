"""One file by HTTP, going on where an earlier attempt was cut.

By the standard library: what is here is how to resume, when to begin anew and what a page of Google
Drive means, and none of it would be shorter with a client that hides the connection.
"""

import logging
import os
import re
import sys
from email.message import Message
from functools import partial
from html import unescape
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin

from pstl import locks
from pstl.data import connection
from pstl.data.connection import Line
from pstl.errors import UserError
from pstl.files import checksum

log = logging.getLogger(__name__)

ATTEMPTS = 5  # connections per download; each goes on where the last one was cut
MOST = 1 << 37  # bytes (128 GiB) of a file whose size is not known; the largest of ours has 6 GB
RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Wanted(NamedTuple):
    """What is to be downloaded.

    checked: whether its content is compared with a known checksum afterwards; if not, only https
        will do.   most: bytes; what is larger is not the file that is meant.
    """

    url: str
    checked: bool
    most: int


class Bounds(NamedTuple):
    """How many bytes a file may have.   total: has, if the server says so.   most: at most."""

    total: int | None
    most: int


class Part(NamedTuple):
    """What has come so far.

    version: of the server's file, from which `stream` is; beside it, so that a later call knows.
    """

    stream: BinaryIO
    version: Path

    def is_of(self, version: str) -> bool:
        """Whether all that came is of this version, which the server names."""
        return bool(version) and self.version.exists() and self.version.read_text() == version

    def begin(self, version: str) -> None:
        """Forget what came, and take a file of this version from its first byte."""
        self.stream.seek(0)
        self.stream.truncate(0)
        self.version.write_text(version)


def download(url: str, target: Path, checked: bool = False, size: int = 0) -> None:
    """Download `url` to `target`, going on from `target`.part if an earlier attempt left one.

    checked: whether the caller compares the file with a known checksum; if not, only https will do.
    size: bytes, if they are known.

    The name appears when all is there. Of two that download one file (ntu60 and ntu120 share an
    archive), the second waits for the first. A server that ignores Range, or has another version of
    the file than the one begun, or names no version, is read from the start.
    Raises: UserError with the reason; the .part file is kept.
    """
    connection.check_scheme(url, checked)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f".{target.name}.lock")
    with locks.locked(lock, partial(log.info, "%s: another download has begun it", target)):
        if not target.exists():
            _download(Wanted(url, checked, size or MOST), target)


class Unobtainable(UserError):
    """A download that did not come."""


def downloaded(url: str, sha256: str, target: Path) -> Path:
    """The file of a URL, which is fetched if `target` is not it yet.

    Raises: Unobtainable if it does not come; UserError if another one does.
    """
    if target.is_file() and checksum(target) != sha256:
        log.warning("%s: damaged since it was downloaded; it is fetched again", target)
        target.unlink()
    try:
        download(url, target, checked=True)
    except UserError as reason:
        raise Unobtainable(str(reason)) from None
    received = checksum(target)
    if received != sha256:
        target.unlink()  # kept, it would be taken for the file when it is asked for again
        raise UserError(
            f"{url} sent a file of sha256 {received}, expected {sha256}; correct 'url' or 'sha256'"
        )
    return target


def _download(wanted: Wanted, target: Path) -> None:
    # It shows the way of it; if it is not installed, that is said before anything is asked for.
    import tqdm  # noqa: F401

    path = target.with_name(target.name + ".part")
    log.info("downloading %s to %s", wanted.url, target)
    with open(path, "ab") as stream:
        part = Part(stream, path.with_name(path.name + ".version"))
        for _ in range(ATTEMPTS):
            before = stream.seek(0, os.SEEK_END)
            try:
                _go_on(wanted, part, target.name)
                stream.flush()
                os.replace(path, target)
                part.version.unlink(missing_ok=True)
                return
            except (OSError, HTTPException, ValueError) as error:  # the last of a wrong address
                reason = str(error) or type(error).__name__
            if stream.seek(0, os.SEEK_END) == before:
                break
        kept = stream.tell()
    remainder = f"; {kept} bytes kept in {path}" if kept else ""
    raise UserError(f"download failed: {reason}{remainder}")


def _go_on(wanted: Wanted, part: Part, title: str) -> None:
    """Append what is missing.

    Raises: OSError or HTTPException when cut, and what had come is kept; UserError for a file that
    is too large.
    """
    start = part.stream.seek(0, os.SEEK_END)
    with connection.line(wanted.checked) as line:
        try:
            reply = _reply(line, wanted.url, start)
        except HTTPError as error:
            error.close()
            _judge_refusal(error, part, start)
            return
        with reply:
            total = _expected(reply, part, start, wanted.most)
            _copy(line, reply, part, Bounds(total, wanted.most), title)


def _judge_refusal(error: HTTPError, part: Part, start: int) -> None:
    """Nothing behind `start`: either all has come, or the file is another one.

    Raises: OSError for the latter, `error` if it is something else.
    """
    if error.code != 416:  # range not satisfiable
        raise error
    complete = error.headers.get("Content-Range") == f"bytes */{start}"
    if not complete or not part.is_of(_version(error.headers)):
        part.begin("")
        other = f"the server's file is not the one that was begun ({start} bytes)"
        raise OSError(f"{other}; starting again") from None


def _expected(reply: HTTPResponse, part: Part, start: int, most: int) -> int | None:
    """Bytes of the whole file, if the answer says so; what came is forgotten if it is no part of
    it.

    Raises: OSError for an answer that contradicts itself or the question, UserError for a file that
    is too large.
    """
    version, length = _version(reply.headers), _length(reply)
    total = length
    if reply.status == 206:
        sent = RANGE.fullmatch(str(reply.headers.get("Content-Range")))
        first, last, total = map(int, sent.groups()) if sent else (-1, -1, -1)
        whole = first == start and last + 1 == total and length in (None, total - start)
        if not start or not whole or not part.is_of(version):
            part.begin("")
            raise OSError("the server sent another range, or file, than asked for; starting again")
    elif reply.status == 200:
        part.begin(version)
    else:
        raise OSError(f"the server answered with {reply.status}, expected 200 or 206")
    if total is not None and total > most:
        raise UserError(f"download failed: {total} bytes, expected at most {most}; nothing is kept")
    return total


def _version(headers: Message) -> str:
    """What a server calls this version of a file: its strong tag, else when it was changed; empty
    if it says neither, or only that two versions are alike."""
    tag, changed = str(headers.get("ETag") or ""), str(headers.get("Last-Modified") or "")
    return tag if tag and not tag.startswith("W/") else changed


def _length(reply: HTTPResponse) -> int | None:
    """Bytes that come, if the answer says so. Raises: OSError if it says something else."""
    length = reply.headers.get("Content-Length")
    if not length:
        return None
    if not (length.isascii() and length.isdigit()):
        raise OSError(f"the server says that {length[:40]!r} bytes come, expected a number")
    return int(length)


def _reply(line: Line, url: str, start: int) -> HTTPResponse:
    """The server's answer from byte `start` on, past the page that Google Drive puts before files
    too large for its virus scan."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    reply = line.ask(url, headers)
    if reply.headers.get_content_type() == "text/html":
        with reply:
            page = reply.read(1 << 20).decode("utf-8", "replace")
        reply = line.ask(_confirmed(url, page), headers)
    return reply


def _confirmed(url: str, page: str) -> str:
    """Where Google Drive's page leads who clicks on its button.

    Raises: OSError for any other page.
    """
    form = re.search(r'<form[^>]*id="download-form"[^>]*action="([^"]+)"', page)
    if not form:
        reason = "the link has expired, or today's quota is used up"
        raise OSError(f"the server sent a web page and no file: {reason}")
    fields = re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
    return urljoin(url, unescape(form.group(1))) + "?" + urlencode(dict(fields))


def _copy(line: Line, reply: HTTPResponse, part: Part, bounds: Bounds, title: str) -> None:
    """Append an answer's bytes.

    Raises: OSError if they are fewer than it said, or come too slowly; UserError if they are too
    many.
    """
    from tqdm import tqdm

    start = part.stream.seek(0, os.SEEK_END)
    pause = 0.1 if sys.stderr.isatty() else 10  # seconds; a log needs few lines
    shown = {"unit": "B", "unit_scale": True, "desc": title, "mininterval": pause}
    with tqdm(total=bounds.total, initial=start, **shown) as bar:
        while chunk := line.read(reply):
            part.stream.write(chunk)
            bar.update(len(chunk))
            if part.stream.tell() > bounds.most:
                part.begin("")
                reason = f"more than {bounds.most} bytes came"
                raise UserError(f"download failed: {reason}; nothing is kept")
    end = part.stream.tell()
    if bounds.total is not None and end != bounds.total:
        raise OSError(f"connection cut after {end} of {bounds.total} bytes")
