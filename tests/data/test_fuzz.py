"""Thousands of broken files: each is refused in one line that names it, or read into finite numbers
that can be."""

import io
import tracemalloc

import broken
import numpy as np
import pytest
from scipy.io import savemat

from pstl.data import reading
from pstl.errors import UserError

# More than 6,000 in all; what is large or slow to read is broken less often.
COUNTS = {
    "skeleton_txt.read": 1000,
    "pku_txt.read": 900,
    "ucla_json.read": 600,
    "expmap_txt.read": 400,
    "interval_txt.read_folder": 200,
}
COUNT = 500
TABLES = (
    "skeleton_txt.read",
    "pku_txt.read",
    "ucla_json.read",
    "utkinect_txt.read",
    "msr_txt.read",
    "utd_mat.read",
    "sbu_txt.read",
    "expmap_txt.read",
)
TEXTS = [name for name, reader in broken.READERS.items() if reader.text]


def outcome(reader, folder, data):
    """What a reader made of a file, and its complaint; anything but a UserError is a crash."""
    try:
        return reader.read(folder / reader.file, data), ""
    except UserError as error:
        return None, str(error)


def test_every_reader_is_broken_here():
    """A reader that nobody tries on broken files is the one that crashes: a new one needs a whole
    file in broken.py."""
    assert set(broken.READERS) == set(broken.found())
    assert sum(COUNTS.get(name, COUNT) for name in broken.found()) > 5000


@pytest.mark.parametrize("name", broken.found())
def test_broken_files_are_refused_by_name_or_read_whole(tmp_path, name):
    """Of 56,880 files some are always broken: a crash without a name costs a day, a NaN or a
    shifted joint costs the result."""
    reader, rng = broken.READERS[name], np.random.default_rng(0)
    for whole in reader.whole:
        _, complaint = outcome(reader, tmp_path, whole)
        assert not complaint
    refused, count = 0, COUNTS.get(name, COUNT)
    for i in range(count):
        data = broken.mutated(rng, reader.whole[i % len(reader.whole)])
        result, complaint = outcome(reader, tmp_path, data)
        if complaint:
            assert reader.file in complaint, data
            assert "\n" not in complaint, data
            assert len(complaint) < 600, data
            refused += 1
        if result is not None:
            numbers, largest = result
            assert np.isfinite(numbers).all(), data
            assert np.abs(numbers).max(initial=0) <= largest, data
            assert name not in TABLES or len(numbers), data
    assert refused > count / 4  # the defects do reach the readers


def spliced(whole: bytes, word: bytes, separator: bytes) -> bytes:
    """A text with its middle word replaced."""
    words = whole.split(separator)
    words[len(words) // 2] = word
    return separator.join(words)


@pytest.mark.parametrize(
    "name", [name for name in TEXTS if name in TABLES and name != "skeleton_txt.read"]
)
def test_no_foreign_word_is_a_number(tmp_path, name):
    """`true` is 1 to Python, 1_000 a thousand and a digit of another alphabet a digit: a joint
    would stand where nobody was."""
    reader = broken.READERS[name]
    separator = b"," if b"," in reader.whole[0] else b" "
    for word in broken.FOREIGN_WORDS:
        result, complaint = outcome(reader, tmp_path, spliced(reader.whole[0], word, separator))
        assert result is None, word
        assert reader.file in complaint, word


@pytest.mark.parametrize("name", TEXTS)
def test_no_foreign_blank_separates(tmp_path, name):
    """A blank that one reader knows and another does not gives two data sets out of one file."""
    reader = broken.READERS[name]
    whole = reader.whole[0]
    separator = b"," if whole.count(b",") > whole.count(b" ") else b" "
    middle = whole.index(separator, len(whole) // 3)
    for blank in broken.FOREIGN_BLANKS:
        result, complaint = outcome(reader, tmp_path, whole[:middle] + blank + whole[middle + 1 :])
        assert complaint or name == "pku_txt.read_split", blank
        assert result is None, blank


@pytest.mark.parametrize("name", TEXTS)
def test_marks_and_line_ends_of_other_programs_change_nothing(tmp_path, name):
    """Copies of a release went through editors: a byte-order mark and CRLF are fine in every format
    or in none."""
    reader = broken.READERS[name]
    whole = reader.whole[0].replace(b"\r\n", b"\n")
    first, complaint = outcome(reader, tmp_path, whole)
    assert not complaint
    for data in (
        b"\xef\xbb\xbf" + whole,
        whole.replace(b"\n", b"\r\n"),
        whole.replace(b"\n", b"\r"),
        whole + b"\n\r\n \t\n",
    ):
        other, complaint = outcome(reader, tmp_path, data)
        assert not complaint
        assert first is None or np.array_equal(first[0], other[0])
    for data in (whole.decode().encode("utf-16"), b"# a comment\n" + whole):
        _, complaint = outcome(reader, tmp_path, data)
        assert complaint or (
            name == "pku_txt.read_split" and data.startswith(b"#")
        )  # there it is a heading


def body(value: str = "0") -> str:
    return "\n".join(["1 0 0 0 0 0 0 0 0 2", "25", *[" ".join([value] * 12)] * 25]) + "\n"


def matlab(shape, others=None, **options):
    """A MATLAB file with `d_skel` of this shape, all zeros."""
    file = io.BytesIO()
    savemat(file, {"d_skel": np.zeros(shape)} | (others or {}), **options)
    return file.getvalue()


MIB = 1 << 20
MANY_LISTS = b'{"label": 7, "skeletons": [' + b"[]," * MIB + b"0]}"
MANY_KEYS = b"{" + b",".join(b'"%d":0' % i for i in range(MIB // 4)) + b"}"
DEEP = b"[" * 3 * MIB
LARGE = {
    "empty frames": ("skeleton_txt.read", b"1000001\n" + b"0\n" * 10**6),
    "empty frames and a body": (
        "skeleton_txt.read",
        b"1000001\n" + b"0\n" * 10**6 + b"1\n" + body().encode(),
    ),
    "bodies": ("skeleton_txt.read", ("4000\n" + ("1\n" + body()) * 4000).encode()),
    "words": ("skeleton_txt.read", b"1 " * MIB),
    "short numbers": ("pku_txt.read", (b"0 " * 149 + b"0\r\n") * 8000),
    "one line": ("pku_txt.read", b"0 " * MIB),
    "one word": ("pku_txt.read", b"9" * 2 * MIB),
    "blank lines": ("pku_txt.read", b"\n" * 2 * MIB),
    "short rows": ("msr_txt.read", b"0 0 0 0\n" * 20 * 8000),
    "short angles": ("expmap_txt.read", (b"0," * 116 + b"0\n") * 8000),
    "short shares": ("sbu_txt.read", (b"1," + b"0," * 89 + b"0\n") * 8000),
    "array": ("utd_mat.read", matlab((20, 3, 100_000))),
    "another array": ("utd_mat.read", matlab((20, 3, 4), {"other": np.zeros((1000, 3000))})),
    "compressed array": ("utd_mat.read", matlab((20, 3, 100_000), do_compression=True)),
    "lists": ("ucla_json.read", MANY_LISTS),
    "keys": ("ucla_json.read", MANY_KEYS),
    "depth": ("ucla_json.read", DEEP),
    "digits": ("ucla_json.read", b'{"label": 7, "skeletons": [' + b"9" * 2 * MIB + b"]}"),
    "labels": ("pku_txt.read_labels", b"1,1,1\n" * MIB),
    "intervals": ("interval_txt.read", b"1,1,2,1\n" * MIB),
    "recordings": ("utkinect_txt.read_labels", b"s01_e01\n" * MIB),
    "names": ("pku_txt.read_split", b"0001-L," * MIB),
}


@pytest.mark.parametrize("case", LARGE)
def test_no_file_takes_more_than_ten_times_its_size(tmp_path, case):
    """A file of megabytes that takes gigabytes ends the whole reading of a data set, on the machine
    of somebody else."""
    name, data = LARGE[case]
    reader = broken.READERS[name]
    tracemalloc.start()
    _, complaint = outcome(reader, tmp_path, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak + len(data) <= reading.EXPANSION * len(data) + reading.ALLOWANCE
    assert len(complaint) < 600
