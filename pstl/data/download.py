"""One file by HTTP, going on where an earlier attempt was cut.

By the standard library: what is here is how to resume, when to begin anew and what a page of Google
Drive means, and none of it would be shorter with a client that hides the connection.
"""

import logging
import os
import re
import sys
from functools import partial
from html import unescape
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import Request, urlopen

from pstl import locks
from pstl.errors import UserError
from pstl.files import checksum

log = logging.getLogger(__name__)

ATTEMPTS = 5  # connections per download; each goes on where the last one was cut
SILENCE_S = 30  # seconds without a byte after which a connection counts as cut
CHUNK = 1 << 16  # bytes; also the most that a cut connection loses


def download(url: str, target: Path) -> None:
    """Download `url` to `target`, going on from `target`.part if an earlier attempt left one.

    The name appears when all is there. Of two that download one file (ntu60 and ntu120 share an
    archive), the second waits for the first. A server that ignores Range is read from the start.
    Two versions of a file joined by a resume are not told apart here: the checksum, and the CRC of
    every member, come afterwards.
    Raises: UserError with the reason; the .part file is kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f".{target.name}.lock")
    with locks.locked(lock, partial(log.info, "%s: another download has begun it", target)):
        if not target.exists():
            _download(url, target)


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
        download(url, target)
    except UserError as reason:
        raise Unobtainable(str(reason)) from None
    received = checksum(target)
    if received != sha256:
        target.unlink()  # kept, it would be taken for the file when it is asked for again
        raise UserError(
            f"{url} sent a file of sha256 {received}, expected {sha256}; correct 'url' or 'sha256'"
        )
    return target


def _download(url: str, target: Path) -> None:
    # It shows the way of it; if it is not installed, that is said before anything is asked for.
    import tqdm  # noqa: F401

    part = target.with_name(target.name + ".part")
    log.info("downloading %s to %s", url, target)
    with open(part, "ab") as stream:
        for _ in range(ATTEMPTS):
            before = stream.seek(0, os.SEEK_END)
            try:
                _go_on(url, stream, target.name)
                stream.flush()
                os.replace(part, target)
                return
            except (OSError, HTTPException) as error:
                reason = str(error) or type(error).__name__
            if stream.seek(0, os.SEEK_END) == before:
                break
        kept = stream.tell()
    remainder = f"; {kept} bytes kept in {part}" if kept else ""
    raise UserError(f"download failed: {reason}{remainder}")


def _go_on(url: str, stream: BinaryIO, title: str) -> None:
    """Append what is missing to `stream`.

    Raises: OSError or HTTPException when cut; what had come is in `stream`.
    """
    start = stream.seek(0, os.SEEK_END)
    try:
        reply = _reply(url, start)
    except HTTPError as error:
        error.close()
        if error.code != 416:  # range not satisfiable: there is nothing behind `start`
            raise
        if error.headers.get("Content-Range") != f"bytes */{start}":
            stream.truncate(0)
            other = f"the server's file is not the one that was begun ({start} bytes)"
            raise OSError(f"{other}; starting again") from None
        return
    with reply:
        sent = str(reply.headers.get("Content-Range"))
        if start and not (reply.status == 206 and sent.startswith(f"bytes {start}-")):
            start = 0
            stream.truncate(0)
            if reply.status == 206:
                raise OSError("the server sent another range than asked for; starting again")
        _copy(reply, stream, start, title)


def _reply(url: str, start: int) -> HTTPResponse:
    """The server's answer from byte `start` on, past the page that Google Drive puts before files
    too large for its virus scan."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    reply: HTTPResponse = urlopen(Request(url, headers=headers), timeout=SILENCE_S)
    if reply.headers.get_content_type() == "text/html":
        with reply:
            page = reply.read(1 << 20).decode("utf-8", "replace")
        confirmed = Request(_confirmed(url, page), headers=headers)
        reply = urlopen(confirmed, timeout=SILENCE_S)
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


def _copy(reply: HTTPResponse, stream: BinaryIO, start: int, title: str) -> None:
    """Append an answer's bytes. Raises: OSError if they are fewer than it said."""
    from tqdm import tqdm

    length = reply.headers.get("Content-Length")
    if length and not (length.isascii() and length.isdigit()):
        raise OSError(f"the server says that {length[:40]!r} bytes come, expected a number")
    total = start + int(length) if length else None
    pause = 0.1 if sys.stderr.isatty() else 10  # seconds; a log needs few lines
    shown = {"unit": "B", "unit_scale": True, "desc": title, "mininterval": pause}
    with tqdm(total=total, initial=start, **shown) as bar:
        while chunk := reply.read(CHUNK):
            stream.write(chunk)
            bar.update(len(chunk))
    end = stream.tell()
    if total is not None and end != total:
        raise OSError(f"connection cut after {end} of {total} bytes")
