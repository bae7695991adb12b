"""Numbers out of ASCII text by array operations: positions of all words in one pass, values of the wanted ones in another.

A column that nobody reads costs the pass over its bytes and no conversion. The values are those of float(), bit for bit: up to
15 digits make an exact integer, and one division by an exact power of ten rounds it once; all other words go through float().
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

WORD = 16  # bytes of a word that the fast path takes
DIGITS = 15  # any integer of so many digits is exact in float64
FARTHEST = 1000  # metres: a larger coordinate is a defect, whatever sensor wrote it
EXACT = 10.0 ** np.arange(WORD + 1)


def _bytes(values: Sequence[int]) -> np.uint64:
    """Eight bytes as one integer, the first in the lowest byte, as characters are loaded from a text."""
    return np.uint64(int.from_bytes(bytes(values), "little"))


def _table(rows: Iterable[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of WORD bytes as two columns of integers."""
    table = np.array([list(row) for row in rows], np.uint8).view("<u8")
    return table[:, 0].copy(), table[:, 1].copy()


# number of characters -> which of the WORD bytes before a word's end they fill
OWN = _table([255 * (i >= WORD - count) for i in range(WORD)] for count in range(WORD + 1))
# A word's point is told by a number: 0 for none, FIRST + its place among the WORD bytes, more than LAST if there are several.
FIRST, LAST = WORD + 1, 2 * WORD
PLACE = tuple(_bytes([FIRST + 8 * part + i for i in reversed(range(8))]) for part in (0, 1))
UNTIL = _table([255 * (point >= FIRST and i <= point - FIRST) for i in range(WORD)] for point in range(LAST + 1))
DIVISOR = np.array([EXACT[LAST - point] if point >= FIRST else 1.0 for point in range(LAST + 1)])
ZEROS, LOW, HIGH, TO_HIGH = (_bytes([byte] * 8) for byte in (ord("0"), 0x7F, 0x80, 0x80 - 10))
POINT = np.uint64(ord("0") ^ ord("."))


class NotANumber(ValueError):
    """`word` is the offending text, `index` the number of the word."""

    def __init__(self, index: int, word: bytes) -> None:
        super().__init__(f"{word[:30]!r} is not a number")
        self.index, self.word = index, word


@dataclass(frozen=True)
class Words:
    """The words of a text, separated by blanks and line ends of any kind: word i is data[start[i] : end[i]]."""

    data: bytes
    padded: np.ndarray  # (WORD + bytes,) uint8: the text behind a margin, so that every word has WORD bytes before its end
    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, i: int) -> bytes:
        return self.data[self.start[i] : self.end[i]]

    def values(self, index: np.ndarray) -> np.ndarray:
        """The words `index` (any shape) as float64. Raises: NotANumber at the first that is none."""
        flat = index.reshape(-1)
        end = self.end[flat]
        value, known = _decimals(self.padded, end, end - self.start[flat])
        for i in np.flatnonzero(~known):
            value[i] = self._float(int(flat[i]))
        return value.reshape(index.shape)

    def check_numeric(self) -> None:
        """Every word, read or not, must be a number. Raises: NotANumber.

        Words of digits, signs and points alone are judged by their characters; only the rare others go through float().
        """
        text = self.padded[WORD:]
        blank = text <= ord(" ")
        usual = text - np.uint8(ord("+")) < 15  # + , - . / and digits
        control = (text < ord("\t")) | (text - np.uint8(14) < 18)  # between words, so no word shows it
        if control.any():
            place = int(control.argmax())
            raise NotANumber(max(int(np.searchsorted(self.start, place)) - 1, 0), self.data[place : place + 1])
        if b"," in self.data or b"/" in self.data:
            usual &= (text != ord(",")) & (text != ord("/"))
        at = np.flatnonzero(usual == blank)  # neither
        for i in np.unique(np.searchsorted(self.start, at, side="right") - 1):
            self._float(int(i))

    def _float(self, i: int) -> float:
        word = self[i]
        try:
            if b"_" in word:  # float() takes 1_000
                raise ValueError
            return float(word)
        except ValueError:
            raise NotANumber(i, word) from None


def words(data: bytes) -> Words:
    """Find the words of a text.

    >>> words(b"1 -2.5\\r\\n3e2 ").values(np.arange(3)).tolist()
    [1.0, -2.5, 300.0]
    """
    padded = np.frombuffer(b" " * WORD + data, np.uint8)
    blank = np.flatnonzero(padded[WORD - 1 :] <= ord(" "))  # the margin's last one first
    start, end = blank, np.append(blank[1:] - 1, len(data))
    filled = end > start
    return Words(data, padded, *((start, end) if filled.all() else (start[filled], end[filled])))


def _decimals(padded: np.ndarray, end: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words as float64, and whether each is one that is read here: a sign, at most DIGITS digits and a point. No loop over characters.

    Eight characters are the bytes of one integer, in which what all of them need is done at once.
    """
    first = padded[WORD + end - length]
    negative = first == ord("-")
    count = length - (negative | (first == ord("+")))
    known = (count > 0) & (count <= WORD)
    count = np.minimum(count, WORD)
    rows = np.lib.stride_tricks.sliding_window_view(padded, WORD)[end].view("<u8")  # (n, 2): the bytes before the end, a copy
    parts = [(rows[:, i] ^ ZEROS) & own[count] for i, own in enumerate(OWN)]  # a digit's byte is its value
    others = [(((x & LOW) + TO_HIGH | x) & HIGH) >> np.uint64(7) for x in parts]  # 1 in the byte of whatever is no digit
    for x, other in zip(parts, others, strict=True):
        known &= x & other * np.uint64(255) == other * POINT
    point = sum((other * place >> np.uint64(56)).astype(np.int64) for other, place in zip(others, PLACE, strict=True))
    known &= (point <= LAST) & (count - (point > 0) <= DIGITS) & (count > (point > 0))
    point = np.minimum(point, LAST)
    # What stands before the point, and the point itself, make room for nothing: one byte further, the point falls out.
    high, low = parts
    moved = (high << np.uint64(8), low << np.uint64(8) | high >> np.uint64(56))
    high, low = (x ^ (x ^ further) & until[point] for x, further, until in zip(parts, moved, UNTIL, strict=True))
    value = (_eight_digits(high) * np.uint64(10**8) + _eight_digits(low)).astype(np.float64) / DIVISOR[point]
    np.negative(value, out=value, where=negative)
    return value, known


def _eight_digits(v: np.ndarray) -> np.ndarray:
    """(n,) uint64 of eight digits, one a byte, the first in the lowest -> the numbers they make: neighbours joined, three times."""
    v = (v * np.uint64(2561)) >> np.uint64(8)
    v = ((v & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    return ((v & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
