"""7z archives: their list of files, and their files one after the other, without unpacking to
disk."""

import queue
import struct
import threading
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pstl.errors import UserError
from pstl.files import Kind, reading

ARCHIVE = Kind("7z archive", "replace it by a whole copy")
HEADER = struct.Struct(
    "<6s2xIQQI"
)  # signature, CRC of the rest, and of the list of files: where it begins, its bytes, its CRC
SIGNATURE = b"7z\xbc\xaf\x27\x1c"
AHEAD = 4  # members unpacked and not yet taken: bounds memory


class Broken(UserError):
    """An archive that is not whole.   state: "truncated", or "damaged" in another way."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.state = state

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.state)


def entries(archive: Path) -> list[tuple[str, int, str]]:
    """(name, bytes, what is wrong with it or "") of every file.

    Raises: Broken if the archive cannot be opened.
    """
    with _opened(archive) as bundle:
        if bundle.needs_password():
            raise UserError(f"{archive}: is encrypted; unpack it and name the folder")
        return [
            (f.filename, f.uncompressed, "is a link, not a file" if f.is_symlink else "")
            for f in bundle.list()
            if not f.is_directory
        ]


def stream(archive: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of the members `names`, in the order of the archive, which is solid: there is
    no other order.

    Raises: UserError naming the archive if it is damaged.
    """
    ready: queue.Queue[Any] = queue.Queue(AHEAD)
    stopped = threading.Event()
    unpacking = threading.Thread(
        target=_unpack, args=(archive, set(names), ready, stopped), daemon=True
    )
    unpacking.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        while unpacking.is_alive():  # it may wait for room
            while not ready.empty():
                ready.get()
            unpacking.join(0.01)


@contextmanager
def _opened(archive: Path) -> Iterator[Any]:
    """The archive, by an open file and not by its path: so py7zr unpacks in order and in one
    thread."""
    from py7zr import SevenZipFile
    from py7zr.exceptions import PasswordRequired

    _check_end(archive)
    try:
        with open(archive, "rb") as file, SevenZipFile(file, "r") as bundle:
            yield bundle
    except UserError:
        raise
    except PasswordRequired:
        raise UserError(f"{archive}: is encrypted; unpack it and name the folder") from None
    except Exception as error:  # whatever the library trips over, it is the archive
        reason = " ".join(str(error).split()) or type(error).__name__
        problem = f"damaged or not a 7z archive ({reason[:160]})"
        raise Broken(f"{archive}: {problem}; {ARCHIVE.again}", "damaged") from None


def _check_end(archive: Path) -> None:
    """Raises: Broken if the file is shorter than its first bytes say."""
    with reading(archive, ARCHIVE):
        length = archive.stat().st_size
        with open(archive, "rb") as file:
            head = file.read(HEADER.size)
    expected = 0
    if len(head) == HEADER.size:
        signature, crc, begin, size, _ = HEADER.unpack(head)
        if signature == SIGNATURE and zlib.crc32(head[12:]) == crc:
            expected = HEADER.size + begin + size
    if length < expected or (length < HEADER.size and SIGNATURE.startswith(head[: len(SIGNATURE)])):
        of_size = f" of {expected}" if expected else ""
        problem = f"truncated or not a 7z archive: {length}{of_size} bytes"
        raise Broken(f"{archive}: {problem}; {ARCHIVE.again}", "truncated")


def _unpack(
    archive: Path, names: set[str], ready: "queue.Queue[Any]", stopped: threading.Event
) -> None:
    from py7zr.io import Py7zIO, WriterFactory

    class Member(Py7zIO):
        """Collects one file and hands it over when it is complete."""

        def __init__(self, name: str) -> None:
            self.name, self.parts = name, bytearray()

        def write(self, part: bytes | bytearray) -> int:
            """Keep a part. Raises: OSError, which ends the unpacking, if nobody takes files."""
            if stopped.is_set():
                raise OSError("nobody reads any more")
            self.parts += part
            return len(part)

        def read(self, size: int | None = None) -> bytes:
            """Nothing: files are only written."""
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            """Files are written from their beginning to their end."""
            return 0

        def flush(self) -> None:
            """Nothing is waiting."""

        def size(self) -> int:
            """Bytes so far."""
            return len(self.parts)

        def close(self) -> None:
            """Hand the file over."""
            if not stopped.is_set():
                ready.put((self.name, bytes(self.parts)))

    class Members(WriterFactory):
        """Makes a Member for each file."""

        def create(self, filename: str) -> Py7zIO:
            """Where the next file goes."""
            return Member(filename)

    try:
        with _opened(archive) as bundle:
            bundle.extract(targets=names, factory=Members())
        ready.put(None)
    # Who waits for members must hear of everything, or waits for ever.
    except BaseException as error:
        if not stopped.is_set():
            ready.put(error)
