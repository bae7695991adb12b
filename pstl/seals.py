"""A checksum inside a file, over all that stands before it: what is read is what was written.

A text of JSON ends with the member "sha256", a zip file (.npz, .pt and .zip) with a comment that is
the checksum; other programs read both as ever. A file without one was written by an earlier
version, or by somebody else, and is taken as it is.
"""

import hashlib
import re
from pathlib import Path
from typing import BinaryIO

KEY = "sha256"
DIGITS = 64  # of a checksum in hexadecimal
FEW = 2  # letters of a damaged KEY that may be others; beyond it is a member of somebody else's
# As seal() ends a text, whatever the letters of key and checksum: a damaged seal is one, too.
SEAL = re.compile(r',?\n "(.{6})": "([^"\n]{64})"\n\}(\n?)\Z')
END = b"PK\x05\x06"  # what the last record of a zip file begins with
END_SIZE = 22  # bytes of that record without its comment; its last two are the comment's length
LONGEST = 2**16 - 1  # bytes of a comment; one of another length than a checksum is somebody else's
CHUNK = 1 << 20


def seal(text: str) -> str:
    """The text of a JSON object with its checksum as the last member.

    text: an object as `json.dumps(value, indent=1)` writes it, and a newline.
    """
    content = text.removesuffix("\n}\n")
    if content == text:  # {} on one line
        content = "{"
    comma = "" if content == "{" else ","
    return f'{content}{comma}\n "{KEY}": "{_digest(content)}"\n}}\n'


def opened(text: str) -> str:
    """The text that was sealed, or `text` if it has no seal.

    Raises: ValueError if the text was changed since.
    """
    mark = SEAL.search(text)
    if mark is None:
        return text
    content = text[: mark.start()]
    key, digest, newline = mark.groups()
    if sum(one != other for one, other in zip(key, KEY, strict=True)) > FEW:
        return text
    if (key, digest, newline) != (KEY, _digest(content), "\n"):
        raise ValueError("other content than its checksum says")
    return content + "\n}\n"


def seal_zip(path: str | Path) -> None:
    """Give a zip file without comment one: its checksum. It must not be anybody else's yet."""
    with open(path, "r+b") as stream:
        stream.seek(-2, 2)
        size = stream.tell()
        stream.write(DIGITS.to_bytes(2, "little"))
        stream.seek(0)
        digest = _digest_of(stream, size + 2)
        stream.seek(0, 2)
        stream.write(digest.encode("ascii"))


def zip_digest(path: str | Path) -> str:
    """The checksum that a zip file says it has; empty if it says none.

    Raises: ValueError if it does not end as a zip file does.
    """
    with open(path, "rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - END_SIZE - LONGEST))
        tail = stream.read()
    last = tail[tail.rfind(END) :]
    comment = last[END_SIZE:]
    size_of_comment = int.from_bytes(last[END_SIZE - 2 : END_SIZE], "little")
    if last[:4] != END or len(last) < END_SIZE or size_of_comment != len(comment):
        raise ValueError("its end is not there")
    return comment.decode("ascii", "replace") if len(comment) == DIGITS else ""


def check_zip(path: str | Path, digest: str) -> None:
    """Raises: ValueError if a zip file is not the one that was given this checksum."""
    with open(path, "rb") as stream:
        size = stream.seek(0, 2) - DIGITS
        stream.seek(0)
        actual = _digest_of(stream, size)
    if actual != digest:
        raise ValueError("other content than its checksum says")


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _digest_of(stream: BinaryIO, size: int) -> str:
    """The checksum of the next `size` bytes."""
    total = hashlib.sha256()
    while size > 0 and (chunk := stream.read(min(CHUNK, size))):
        total.update(chunk)
        size -= len(chunk)
    return total.hexdigest()
