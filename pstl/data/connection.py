"""One answer of a server, of which nothing is believed: only over http and https, and ended from
outside if it comes too slowly, in its headers too.
"""

import ipaddress
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPMessage, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR, socket
from threading import Event, Thread
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from pstl.errors import UserError

SILENCE_S = 30  # seconds without a byte after which a connection counts as cut
WATCHED_S = 60  # seconds over which the speed is looked at
SLOWEST = 1024  # bytes of content a second over that time; below, the connection is ended
CHUNK = 1 << 16  # bytes


class Line:
    """What a server is asked over, and who watches it.

    plain: whether http will do, because the content is compared with a checksum afterwards.
    """

    def __init__(self, plain: bool) -> None:
        self.plain = plain
        self.received = 0
        self.too_slow = False
        self._sockets: list[socket] = []
        self._over = Event()

    def ask(self, url: str, headers: dict[str, str]) -> HTTPResponse:
        """The server's answer. Raises: UserError for another scheme, OSError, HTTPException."""
        check_scheme(url, self.plain)
        reply: HTTPResponse = self._opener().open(Request(url, headers=headers), timeout=SILENCE_S)
        return reply

    def read(self, reply: HTTPResponse) -> bytes:
        """The next bytes of an answer; none at its end. Raises: OSError if they come too slowly."""
        chunk = reply.read1(CHUNK)
        self.received += len(chunk)
        if not chunk and self.too_slow:
            raise OSError(f"less than {SLOWEST} bytes a second for {WATCHED_S} s")
        return chunk

    def _opener(self) -> OpenerDirector:
        return build_opener(_Plain(self), _Secure(self), _SafeRedirects(self.plain))

    def _watch(self) -> None:
        """End the connection if it is slower than allowed; runs beside the reading."""
        before, since = 0, time.monotonic()
        while not self._over.wait(min(1.0, WATCHED_S / 10)):
            if time.monotonic() - since < WATCHED_S:
                continue
            if self.received - before < SLOWEST * WATCHED_S:
                self.too_slow = True
                self._cut()
                return
            before, since = self.received, time.monotonic()

    def _cut(self) -> None:
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)

    def _connected(self, connection: HTTPConnection) -> None:
        self._sockets.append(connection.sock)


@contextmanager
def line(plain: bool) -> Iterator[Line]:
    """A line that is watched while the body runs."""
    opened = Line(plain)
    watcher = Thread(target=opened._watch, daemon=True)
    watcher.start()
    try:
        yield opened
    except OSError:
        if opened.too_slow:
            reason = f"less than {SLOWEST} bytes a second for {WATCHED_S} s"
            raise OSError(reason) from None
        raise
    finally:
        opened._over.set()
        watcher.join()


def check_scheme(url: str, plain: bool) -> None:
    """Raises: UserError for what is neither https, nor http where that will do.

    plain: whether http will do. To this machine itself it always does.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UserError(f"{url[:200]}: no address of a file ({error})") from None
    allowed = ("http", "https") if plain or _is_local(parts.hostname or "") else ("https",)
    if parts.scheme not in allowed:
        expected = " or ".join(f"{scheme}://" for scheme in allowed)
        why = "" if plain else "; over http nobody could tell whose content it is without a sha256"
        raise UserError(f"{url[:200]}: expected {expected}{why}")


def _is_local(host: str) -> bool:
    """Whether a host is this machine itself, to which nothing travels over a network."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class _Plain(HTTPHandler):
    """http over connections that a line knows of."""

    def __init__(self, over: Line) -> None:
        super().__init__()
        self.over = over

    def http_open(self, req: Request) -> HTTPResponse:
        """The answer to one request."""
        return self.do_open(_known_to(HTTPConnection, self.over), req)


class _Secure(HTTPSHandler):
    """https over connections that a line knows of."""

    def __init__(self, over: Line) -> None:
        super().__init__()
        self.over = over

    def https_open(self, req: Request) -> HTTPResponse:
        """The answer to one request."""
        context = ssl.create_default_context()
        return self.do_open(_known_to(HTTPSConnection, self.over), req, context=context)


class _SafeRedirects(HTTPRedirectHandler):
    """Redirects to allowed schemes only."""

    def __init__(self, plain: bool) -> None:
        self.plain = plain

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """The next request. Raises: UserError if it is not allowed."""
        check_scheme(newurl, self.plain)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _known_to(kind: type[HTTPConnection], over: Line) -> Any:
    """A kind of connection that says to its line when it has a socket."""

    class Known(kind):  # type: ignore[misc, valid-type]
        """A connection of a line."""

        def connect(self) -> None:
            """Connect, and say so."""
            super().connect()
            over._connected(self)

    return Known
