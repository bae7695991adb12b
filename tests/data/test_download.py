"""Servers that answer with anything: one line, nothing kept that is not of the file, and an end."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from pstl.data import connection
from pstl.data.download import download
from pstl.errors import UserError

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n"
PART = b"HTTP/1.1 206 Partial Content\r\nContent-Type: application/zip\r\n"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


@contextmanager
def served(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """The address of a server that lets `answer` talk to every client until it is told to stop."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while not stop.is_set():
                with suppress(OSError):
                    client = server.accept()[0]
                    with client:
                        client.recv(4096)
                        answer(client, stop)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/a.zip"
        finally:
            stop.set()
            with suppress(OSError):
                socket.create_connection(server.getsockname()).close()
            thread.join()


def saying(*answers: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """One answer after the other; the last one again and again."""
    rest = list(answers)

    def answer(client: socket.socket, _: threading.Event) -> None:
        client.sendall(rest.pop(0) if len(rest) > 1 else rest[0])

    return answer


def dripping(start: bytes, drop: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """A beginning, and then a little ten times a second, for ever."""

    def answer(client: socket.socket, stop: threading.Event) -> None:
        client.sendall(start)
        while not stop.wait(0.1):
            client.sendall(drop)

    return answer


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (OK + b"Content-Length: 1000000\r\n\r\n", b"x"),
        (OK + b"\r\n", b"x"),
        (OK, b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["body", "body without an end", "headers", "continue", "chunks"],
)
def test_what_comes_drop_by_drop_is_given_up(start, drop, tmp_path, monkeypatch):
    """Each byte comes in time, so that no limit on silence ever ends it."""
    monkeypatch.setattr(connection, "WATCHED_S", 1)
    with served(dripping(start, drop)) as url, pytest.raises(UserError, match="download failed"):
        download(url, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_a_body_that_does_not_end_is_cut_at_the_size_the_file_can_have(tmp_path):
    """Two gigabytes came in fifteen seconds, and nothing would have stopped them."""

    def flood(client: socket.socket, stop: threading.Event) -> None:
        client.sendall(OK + b"\r\n")
        while not stop.is_set():
            client.sendall(bytes(1 << 16))

    with served(flood) as url, pytest.raises(UserError, match="more than 300000 bytes came"):
        download(url, tmp_path / "a.zip", size=300_000)
    assert all(not path.stat().st_size for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "lie",
    [
        b'Content-Range: bytes 4-9/10\r\nContent-Length: 6\r\nETag: "one"\r\n\r\n456789',
        b'Content-Range: bytes 5-8/10\r\nContent-Length: 4\r\nETag: "one"\r\n\r\n5678',
        b'Content-Range: bytes 5-9/10\r\nContent-Length: 9\r\nETag: "one"\r\n\r\n56789abcd',
        b'Content-Range: bytes 5-9/10\r\nContent-Length: 5\r\nETag: "two"\r\n\r\nFGHIJ',
        b"Content-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nFGHIJ",
        b'Content-Range: whatever\r\nContent-Length: 5\r\nETag: "one"\r\n\r\n56789',
    ],
    ids=["earlier", "not to the end", "longer", "other tag", "no tag", "no range"],
)
def test_a_part_that_is_not_what_was_asked_for_is_not_joined(lie, tmp_path):
    """The beginning of one file with the end of another is neither."""
    whole = OK + b'Content-Length: 10\r\nETag: "one"\r\n\r\n0123456789'
    (tmp_path / "a.zip.part").write_bytes(b"01234")
    (tmp_path / "a.zip.part.version").write_text('"one"')
    with served(saying(PART + lie, whole)) as url:
        download(url, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == b"0123456789"


def test_a_part_that_nobody_asked_for_is_not_the_file(tmp_path):
    """A 206 to a question for all is the middle of something."""
    part = PART + b"Content-Range: bytes 0-4/10\r\nContent-Length: 5\r\n\r\n01234"
    with served(saying(part)) as url, pytest.raises(UserError, match="another range, or file"):
        download(url, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://127.0.0.1/a.zip", "data:,x", "a.zip"]
)
def test_no_address_leads_to_a_local_file(url, tmp_path):
    """Settings come from strangers, and so do addresses in them."""
    with pytest.raises(UserError, match=r"expected http"):
        download(url, tmp_path / "a.zip", checked=True)
    assert not list(tmp_path.iterdir())


def test_without_a_checksum_only_https_will_do(tmp_path):
    """Over http anybody on the way can send what he likes."""
    with pytest.raises(UserError, match=r"expected https://; over http nobody could tell"):
        download("http://example.org/a.zip", tmp_path / "a.zip")


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_neither_a_form_nor_a_redirect_leads_elsewhere(target, tmp_path):
    """What a page says is input from a stranger: it could name a file of this machine."""
    form = f'<form id="download-form" action="{target}" method="get"></form>'.encode()
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + form
    moved = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    for answer in (page, moved):
        with served(saying(answer)) as url, pytest.raises(UserError):
            download(url, tmp_path / "a.zip", checked=True)
        assert not (tmp_path / "a.zip").exists()


def test_an_address_that_is_none_is_one_line(tmp_path):
    """Whoever writes it, settings or a server; a number of 5,000 digits is no size either."""
    form = b'<form id="download-form" action="http://[a" method="get"></form>'
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + form
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://[a\r\nContent-Length: 0\r\n\r\n"
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n"
    for answer in (page, moved, endless):
        with served(saying(answer)) as url, pytest.raises(UserError, match="download failed"):
            download(url, tmp_path / "a.zip", checked=True)
    for url in ("http://[a", "https://127.0.0.1:1/\u00e9", "https://127.0.0.1:a/", "https://a b/"):
        with pytest.raises(UserError):
            download(url, tmp_path / "a.zip", checked=True)
    assert not (tmp_path / "a.zip").exists()
