"""Numbers out of ASCII text by array operations: positions of all words in one pass, values of the wanted ones in another.

A column that nobody reads costs the pass over its bytes and no conversion. The values are those of float(), bit for bit: up to
15 digits make an exact integer, and one division by an exact power of ten rounds it once; all other words go through float().
"""

from dataclasses import dataclass

import numpy as np

WORD = 16  # bytes of a word that the fast path takes
DIGITS = 15  # any integer of so many digits is exact in float64
FARTHEST = 1000  # metres: a larger coordinate is a defect, whatever sensor wrote it
TEN = 10.0 ** np.arange(WORD + 1)
POWERS = 10 ** np.arange(WORD + 1, dtype=np.int64)
INSIDE = np.arange(WORD, 0, -1) <= np.arange(WORD + 1)[:, None]  # word length -> which of the WORD bytes before its end are its own


def _weights(values: list[int]) -> tuple[np.uint64, np.uint64]:
    """Sixteen weights as two factors whose products with eight flags carry the weighed sum in their top byte."""
    halves = (values[:8], values[8:])
    first, second = (np.uint64(sum(w << 8 * (7 - i) for i, w in enumerate(half))) for half in halves)
    return first, second


ONES = _weights([1] * WORD)
BEHIND = _weights(list(range(WORD - 1, -1, -1)))  # bytes that follow each byte


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
        length = end - self.start[flat]
        total, fraction, negative, plain = _mantissas(self.padded, end, length)
        value = total / TEN[fraction]
        np.negative(value, out=value, where=negative)
        for i in np.flatnonzero(~plain):
            value[i] = self._float(int(flat[i]))
        return value.reshape(index.shape)

    def check_numeric(self) -> None:
        """Every word, read or not, must be a number. Raises: NotANumber.

        Words of digits, signs and points alone are judged by their characters; only the rare others go through float().
        """
        data = self.padded[WORD:]
        control = (data < ord("\t")) | (data - np.uint8(14) < 18)  # between words, so no word shows it
        if control.any():
            place = int(control.argmax())
            raise NotANumber(max(int(np.searchsorted(self.start, place)) - 1, 0), self.data[place : place + 1])
        usual = data - np.uint8(ord("+")) < 15  # + , - . / and digits
        letters = int((self.end - self.start).sum()) != np.count_nonzero(usual)
        if letters or b"," in self.data or b"/" in self.data:
            odd = (data > ord(" ")) & (~usual | (data == ord(",")) | (data == ord("/")))
            at = np.flatnonzero(odd)
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
    text = padded[WORD - 1 :] > ord(" ")
    edges = np.flatnonzero(text[1:] != text[:-1])
    if len(edges) % 2:  # the last word ends with the text
        edges = np.append(edges, len(data))
    return Words(data, padded, edges[0::2], edges[1::2])


def _mantissas(padded: np.ndarray, end: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Words as integers without their point: (float64 integer, digits after the point, negative, whether this holds at all)."""
    rows = np.lib.stride_tricks.sliding_window_view(padded, WORD)[end]  # (n, WORD): the bytes before the end, a copy
    short = np.minimum(length, WORD)
    inside = INSIDE[short]
    digits = rows - np.uint8(ord("0"))
    is_digit = (digits < 10) & inside
    is_point = (rows == ord(".")) & inside
    first = padded[WORD + end - length]
    negative = first == ord("-")
    points = _weighed(is_point, ONES)
    count = _weighed(is_digit, ONES)
    plain = (length <= WORD) & (count + points + (negative | (first == ord("+"))) == length)
    plain &= (count > 0) & (count <= DIGITS) & (points <= 1)
    fraction = _weighed(is_point, BEHIND)  # of one point; of several it is nonsense, and not plain
    fraction[~plain] = 0
    digits *= is_digit
    total = _eight_digits(digits)
    # The point stands where a digit would, so what is left of it weighs ten times too much.
    pointed = np.flatnonzero(points == 1)
    behind = total[pointed] % POWERS[fraction[pointed]]
    total[pointed] = (total[pointed] - behind) // 10 + behind
    return total.astype(np.float64), fraction, negative, plain


def _weighed(flags: np.ndarray, weights: tuple[np.uint64, np.uint64]) -> np.ndarray:
    """(n, WORD) bool -> (n,) int64: the sum of each row's weights, eight flags in one multiplication. Sums stay below 256."""
    v = flags.view("<u8")
    return ((v[:, 0] * weights[0] >> np.uint64(56)) + (v[:, 1] * weights[1] >> np.uint64(56))).astype(np.int64)


def _eight_digits(digits: np.ndarray) -> np.ndarray:
    """(n, WORD) uint8 digits, most significant first -> (n,) int64: eight digits at a time, in three multiplications."""
    v = digits.view("<u8")  # (n, 2)
    v = (v * np.uint64(2561)) >> np.uint64(8)
    v = ((v & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    v = ((v & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
    halves = v.astype(np.int64)
    whole: np.ndarray = halves[:, 0] * 10**8 + halves[:, 1]
    return whole
