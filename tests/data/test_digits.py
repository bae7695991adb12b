"""Numbers by array operations: the very float64 that float() gives, or an error that shows the
word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pstl.data.formats._digits import NotANumber, words

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
WORDS = st.one_of(
    FLOATS.map(lambda v: f"{v:.7g}"),
    FLOATS.map(repr),
    st.integers(-(10**18), 10**18).map(str),
    st.tuples(
        st.sampled_from(["", "+", "-"]),
        st.text("0123456789", min_size=1, max_size=20),
        st.text("0123456789", max_size=20),
    ).map(lambda p: f"{p[0]}{p[1]}.{p[2]}"),
    st.sampled_from(
        [
            ".5",
            "-.25",
            "5.",
            "+7",
            "1E3",
            "0",
            "-0",
            "00012",
            "123456789012345",
            "1234567890123456",
            "9007199254740993",
        ]
    ),
)


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(WORDS, min_size=1, max_size=40),
    st.sampled_from([" ", "\n", "\r\n", "\t "]),
    st.booleans(),
)
def test_values_are_those_of_float(texts, blank, closed):
    """One last bit off, and a clip's content no longer equals its twin's, nor our arrays those of
    another reader."""
    found = words((blank.join(texts) + blank * closed).encode())
    found.check_numeric()
    expected = np.array([float(text) for text in texts])
    np.testing.assert_array_equal(found.values(np.arange(len(texts))), expected)
    assert np.signbit(found.values(np.arange(len(texts)))).tolist() == np.signbit(expected).tolist()


@pytest.mark.parametrize(
    "word",
    [
        "x",
        "1.2.3",
        "--1",
        "1-2",
        ".",
        "-",
        "+.",
        "1e",
        "1_000",
        "0x10",
        "1,5",
        "1:2",
        "\x00",
        "é",
        "1.234.567.890.12",
        "1/2",
    ],
)
def test_what_is_no_number_is_shown(word):
    """A word read as some number would be a joint at a place where nobody was."""

    def read(text):
        found = words(text)
        found.check_numeric()
        return found.values(np.arange(4))

    with pytest.raises(NotANumber) as caught:
        read(f"1 2 {word} 4".encode())
    assert caught.value.word == word.encode()


def test_words_are_found_in_any_spacing():
    """NTU has files with either kind of line end, and PKU's rows end in blanks."""
    for text in (b"1 22 333", b" 1\r\n22\t333 \n\n", b"1\n22\n333\r\n"):
        found = words(text)
        assert [found[i] for i in range(len(found))] == [b"1", b"22", b"333"]
    assert len(words(b"")) == len(words(b" \n ")) == 0
