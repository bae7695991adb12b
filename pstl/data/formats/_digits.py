"""Numbers out of ASCII text by array operations: positions of all words in one pass, values of the
wanted ones in another.

A column that nobody reads costs the pass over its bytes and no conversion. The values are those of
float(), bit for bit: up to 15 digits make an exact integer, and one division by an exact power of
ten rounds it once; all other words go through float().
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pstl.data.reading import BYTE_ORDER_MARK, LONGEST

WORD = 16  # bytes of a word that the fast path takes
DIGITS = 15  # any integer of so many digits is exact in float64
BLOCK = 1 << 17  # bytes that are looked at in one go: temporaries stay small, and in the cache
BATCH = 1 << 13  # words that are converted in one go, with some 150 bytes of temporaries each
EXACT = 10.0 ** np.arange(WORD + 1)


def _bytes(values: Sequence[int]) -> np.uint64:
    """Eight bytes as one integer, the first in the lowest byte, as text is loaded."""
    return np.uint64(int.from_bytes(bytes(values), "little"))


def _table(rows: Iterable[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of WORD bytes as two columns of integers."""
    table = np.array([list(row) for row in rows], np.uint8).view("<u8")
    return table[:, 0].copy(), table[:, 1].copy()


# number of characters -> which of the WORD bytes before a word's end they fill
OWN = _table([0] * (WORD - count) + [255] * count for count in range(WORD + 1))
# A word's point is told by a number: 0 for none, FIRST + its place among the WORD bytes, more than
# LAST if there are several.
FIRST, LAST = WORD + 1, 2 * WORD
PLACE = tuple(_bytes(range(last, last - 8, -1)) for last in (FIRST + 7, FIRST + 15))
UNTIL = _table(
    [255] * max(0, point - FIRST + 1) + [0] * min(WORD, LAST - point) for point in range(LAST + 1)
)
DIVISOR = np.array([EXACT[LAST - point] if point >= FIRST else 1.0 for point in range(LAST + 1)])
ZEROS, LOW, HIGH, TO_HIGH = (_bytes([byte] * 8) for byte in (ord("0"), 0x7F, 0x80, 0x80 - 10))
DECIMAL = b"0123456789+-. \t\r\n"
BEYOND_CONTROL = bytes(range(ord(" "), 256))
FEW = 1000  # characters of another kind that are looked at one by one
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
POINT = np.uint64(ord("0") ^ ord("."))


class NotANumber(ValueError):
    """`word` is the offending text, `index` the number of the word."""

    def __init__(self, index: int, word: bytes) -> None:
        super().__init__(f"{word[:30]!r} is not a number")
        self.index, self.word = index, word


@dataclass(frozen=True)
class Words:
    """The words of a text, separated by spaces, tabs and line ends: word i is data[start[i] :
    end[i]].

    padded: (WORD + bytes,) uint8, the text behind a margin, so that every word has WORD bytes
    before its end; a byte-order mark in front is blank there.   start, end: (words,) int32.
    begins_line: (words,) bool, whether a line end, LF, CRLF or CR, stands between a word and the
    one before.
    """

    data: bytes
    padded: np.ndarray
    start: np.ndarray
    end: np.ndarray
    begins_line: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, i: int) -> bytes:
        return self.data[self.start[i] : self.end[i]]

    def texts(self, index: np.ndarray) -> list[bytes]:
        """The words `index` (n,)."""
        ends = zip(self.start[index].tolist(), self.end[index].tolist(), strict=True)
        return [self.data[start:end] for start, end in ends]

    def values(self, index: np.ndarray) -> np.ndarray:
        """The words `index` (any shape) as float64, same shape.

        Raises: NotANumber at the first that is none.
        """
        flat = index.reshape(-1)
        value = np.empty(len(flat))
        for first in range(0, len(flat), BATCH):
            self.fill(value[first : first + BATCH], flat[first : first + BATCH])
        return value.reshape(index.shape)

    def fill(self, value: np.ndarray, index: np.ndarray) -> None:
        """Write the words `index` (n,) into `value` (n,) of float64, best some BATCH at a time.

        Raises: NotANumber.
        """
        end = self.end[index].astype(np.intp)
        value[:], is_decimal = _decimals(self.padded, end, end - self.start[index])
        if not is_decimal.all():
            others = np.flatnonzero(~is_decimal)
            value[others] = self._floats(index[others])

    def check_numeric(self) -> None:
        """Every word, read or not, must be a number. Raises: NotANumber.

        Words of digits, signs and points alone are judged by their characters; only the rare others
        go through float().
        """
        self._check_lengths()
        others = self.data.translate(None, DECIMAL)
        if others.translate(None, BEYOND_CONTROL) and (control := CONTROL.search(self.data)):
            index = int(np.searchsorted(self.start, control.start())) - 1
            raise NotANumber(max(index, 0), control.group())
        if len(others) <= FEW:
            self._check_at(np.array(_places(self.data, others), np.int32))
            return
        text = self.padded[WORD:]
        for first in range(0, len(text), BLOCK):
            block = text[first : first + BLOCK]
            usual = block - np.uint8(ord("+")) < 15  # + , - . / and digits
            usual &= (block != ord(",")) & (block != ord("/"))
            odd = np.flatnonzero(usual == (block <= ord(" ")))  # neither
            self._check_at((odd + first).astype(np.int32))

    def _check_at(self, places: np.ndarray) -> None:
        """The words in which these places (n,) of the text are must be numbers. int32 as `start`,
        so that searching copies nothing."""
        if len(places):
            index = np.searchsorted(self.start, places, side="right") - 1
            self._floats(np.unique(np.maximum(index, 0)))

    def _check_lengths(self) -> None:
        for first in range(0, len(self), BLOCK):
            length = self.end[first : first + BLOCK] - self.start[first : first + BLOCK]
            if length.max() > LONGEST:
                index = first + int(length.argmax())
                raise NotANumber(index, self[index])

    def _floats(self, index: np.ndarray) -> list[float]:
        """Words `index` (n,) by float(), which takes 1_000 too.

        Raises: NotANumber at the first that is none.
        """
        texts = self.texts(index)
        try:
            numbers = list(map(float, texts))
        except ValueError:
            numbers = []
        if not numbers or b"_" in b"".join(texts) or max(map(len, texts)) > LONGEST:
            wrong = next(i for i, text in enumerate(texts) if not _is_number(text))
            raise NotANumber(int(index[wrong]), texts[wrong])
        return numbers


def _places(data: bytes, characters: bytes) -> list[int]:
    """Where these characters stand in a text, of each kind in order."""
    places = []
    for character in set(characters):
        position = data.find(character)
        while position >= 0:
            places.append(position)
            position = data.find(character, position + 1)
    return places


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return b"_" not in text and len(text) <= LONGEST


def words(data: bytes) -> Words:
    """Find the words of a text of less than 2 GiB.

    Memory: at most eight times the text, results included.
    >>> words(b"1 -2.5\\r\\n3e2 ").values(np.arange(3)).tolist()
    [1.0, -2.5, 300.0]
    """
    padded = np.empty(WORD + len(data), np.uint8)
    padded[WORD:] = np.frombuffer(data, np.uint8)
    marked = len(BYTE_ORDER_MARK) * data.startswith(BYTE_ORDER_MARK)
    padded[: WORD + marked] = ord(" ")
    parts = _Parts(b"\r" in data)
    for first in range(0, len(data), BLOCK):
        block = padded[WORD + first : WORD + first + BLOCK]
        parts.add(block, np.flatnonzero(block <= ord(" ")), first)
    parts.add(np.full(1, ord("\n"), np.uint8), np.zeros(1, np.intp), len(data))
    return Words(data, padded, _joined(parts.start), _joined(parts.end), _joined(parts.begins_line))


class _Parts:
    """Words block by block, as the fields of Words."""

    def __init__(self, carriage_returns: bool) -> None:
        self.start, self.end, self.begins_line = (
            list[np.ndarray](),
            list[np.ndarray](),
            list[np.ndarray](),
        )
        self._carriage_returns = carriage_returns
        # Of the blank before the next word: its place, and whether a line has ended since the last
        # word.
        self._place, self._ended = np.int32(-1), np.bool_(True)

    def add(self, block: np.ndarray, blank: np.ndarray, first: int) -> None:
        """block: (n,) uint8, bytes of the text from number `first` on.

        blank: places in it of what separates words.
        """
        position = np.empty(1 + len(blank), np.int32)
        position[0] = self._place
        np.add(blank, first, out=position[1:], casting="unsafe")
        ends_line = np.empty(1 + len(blank), bool)
        ends_line[0] = self._ended
        kind = block[blank]
        np.equal(kind, ord("\n"), out=ends_line[1:])
        if self._carriage_returns:
            ends_line[1:] |= kind == ord("\r")
        start, end, begins_line = position[:-1] + 1, position[1:], ends_line[:-1]
        self._place, self._ended = position[-1], ends_line[-1]
        is_word = end > start
        if not is_word.all():
            index = np.flatnonzero(is_word)
            lines = ends_line.cumsum(dtype=np.int32)
            begins_line = np.diff(lines[index], prepend=0) > 0
            self._ended = lines[-1] > (lines[index[-1]] if len(index) else 0)
            start, end = start[index], end[index]
        self.start.append(start)
        self.end.append(end)
        self.begins_line.append(begins_line)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """One array, and the parts given up."""
    joined = np.concatenate(parts)
    parts.clear()
    return joined


def _decimals(
    padded: np.ndarray, end: np.ndarray, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Words as float64, and whether each is one that is read here: a sign, at most DIGITS digits
    and a point. No loop over characters.

    Eight characters are the bytes of one integer, in which what all of them need is done at once.
    """
    first = padded[WORD + end - length]
    negative = first == ord("-")
    count = length - (negative | (first == ord("+")))
    is_short = (count > 0) & (count <= WORD)
    count = np.minimum(count, WORD)
    rows = np.lib.stride_tricks.sliding_window_view(padded, WORD)[end].view(
        "<u8"
    )  # (n, 2): the bytes before the end, a copy
    parts = [
        (rows[:, i] ^ ZEROS) & own[count] for i, own in enumerate(OWN)
    ]  # a digit's byte is its value
    others = [
        (((x & LOW) + TO_HIGH | x) & HIGH) >> np.uint64(7) for x in parts
    ]  # 1 in the byte of whatever is no digit
    for x, other in zip(parts, others, strict=True):
        is_short &= x & other * np.uint64(255) == other * POINT
    point = sum(
        (other * position >> np.uint64(56)).astype(np.int64)
        for other, position in zip(others, PLACE, strict=True)
    )
    is_short &= (point <= LAST) & (count - (point > 0) <= DIGITS) & (count > (point > 0))
    point = np.minimum(point, LAST)
    # What stands before the point, and the point itself, make room for nothing: one byte further,
    # the point falls out.
    high, low = parts
    moved = (high << np.uint64(8), low << np.uint64(8) | high >> np.uint64(56))
    high, low = (
        x ^ (x ^ further) & until[point]
        for x, further, until in zip(parts, moved, UNTIL, strict=True)
    )
    value = (_eight_digits(high) * np.uint64(10**8) + _eight_digits(low)).astype(
        np.float64
    ) / DIVISOR[point]
    np.negative(value, out=value, where=negative)
    return value, is_short


def _eight_digits(v: np.ndarray) -> np.ndarray:
    """(n,) uint64 of eight digits, one a byte, the first in the lowest -> the numbers they make:
    neighbours joined, three times."""
    v = (v * np.uint64(2561)) >> np.uint64(8)
    v = ((v & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    return ((v & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
