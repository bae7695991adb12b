"""Files of PKU-MMD as copies have them, sound and damaged."""

import numpy as np
import pytest
import simulated
from data.pku_files import JOINTS, row

from pstl.data.formats import pku_txt
from pstl.errors import UserError


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "empty"),
        (row(count=149), "149 numbers, not whole rows of 150"),
        ("\n".join([row(), row(count=151), row(count=149), row()]), "row 2 has not 150 numbers"),
        (row("nan"), "row 1 has NaN"),
        (f"{row()}\n{row('1e39')}", "row 2 has NaN, infinite or absurd"),
        (f"{row()}\n{row('x')}", "row 2: found b'x'"),
        (row(count=300), "row 1 has not 150 numbers"),
    ],
)
def test_a_damaged_recording_is_refused_by_name(content, complaint):
    """One number lost in row 2 would move every joint after it to its neighbour."""
    with pytest.raises(UserError) as caught:
        pku_txt.read(content.encode(), "0002-L.txt")
    assert str(caught.value).startswith("0002-L.txt: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "", "\n\n \n"])
def test_rows_end_in_many_ways(end):
    """Copies of the set went through several tools."""
    text = f"{row(0.25)}{end or chr(10)}{row(-3e-5)}{end}"
    found = pku_txt.read(text.encode(), "x")
    assert found.shape == (2, JOINTS, 2, 3)
    np.testing.assert_array_equal(found[:, 0, 0, 0], np.float32([0.25, -3e-5]))


@pytest.mark.parametrize(
    "line",
    ["1,2", "0,1,5,1", "52,1,5,1", "1,9,5,1", "a,1,5,1", "1,-2,5,1", "1,2.5,5,1", "1,2,3,4,5"],
)
def test_a_label_that_makes_no_sense_is_refused(line):
    """Class 0 would wrap around to class 51."""
    with pytest.raises(UserError, match=r"label file 0002-L\.txt: line 2: found"):
        pku_txt.read_labels(f"1,1,5,1\n{line}\n", "label file 0002-L.txt", 51)


def test_intervals_are_clamped_to_the_recording():
    """Phase II has intervals that start at 0; some end behind the last frame. One outside is a
    label of another recording."""
    xyz = np.arange(10, dtype=np.float32)[:, None, None, None].repeat(3, 3)
    for start, end, rows in ((0, 2, [0, 1]), (1, 2, [0, 1]), (9, 30, [8, 9]), (10, 10, [9])):
        assert (
            pku_txt.cut(xyz, pku_txt.LabelledRows(1, start, end), "x")[:, 0, 0, 0].tolist() == rows
        )
    with pytest.raises(UserError, match="interval 11 to 12 is outside the recording of 10 rows"):
        pku_txt.cut(xyz, pku_txt.LabelledRows(1, 11, 12), "x")


def test_split_files_are_read_or_refused():
    """A list that was read in halves would move recordings to the other side."""
    lists = simulated.pku_split(["0002-L", "0003-M"], ["0291-R"]).decode()
    assert pku_txt.read_split(lists, "x") == {
        "0002-L": "train", "0003-M": "train", "0291-R": "test",
    }  # fmt: skip
    for text in ("", "Training videos:\n0002-L, 0003-L\n", "0002-L\n0003-L\n0004-L\n"):
        with pytest.raises(UserError, match="expected 2, for training and for test"):
            pku_txt.read_split(text, "x")
    with pytest.raises(UserError, match="0002-L is in training and in test"):
        pku_txt.read_split("0002-L\n0002-L\n", "x")


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", ",\n", "\n\n", "\n \t\n"])
@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_label_files_of_every_copy_are_read_alike(end, blank):
    """Confidences are 0, 1 or 2; a start of 0 is real; lines end as the last editor left them."""
    rows = [["7", "0", "41", "0"], ["51", "42", "42", "2"], ["1", "60", "818"]]
    text = end.join(f"{blank},{blank}".join(row) for row in rows)
    expected = [pku_txt.LabelledRows(*map(int, row[:3])) for row in rows]
    for last in ("", end):
        assert pku_txt.read_labels(text + last, "x", 51) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Training videos: \n0002-L, 0003-M, \nValidataion videos: \n0291-R, ",
        "Training videos:\r\n0002-L,0003-M\r\nValidataion videos:\r\n0291-R\r\n",
        "\ufeffTraining videos:\n\n 0002-L ,\t0003-M,\n\n\nValidation videos\n0291-R,\n\n",
        "Training videos: 0002-L, 0003-M\nTesting videos: 0291-R\n",
    ],
)
def test_split_files_of_every_copy_are_read_alike(text):
    """Public code splits at ", ", at "," or at blanks, and trims the ends: copies must differ
    in these."""
    sides = {"0002-L": "train", "0003-M": "train", "0291-R": "test"}
    assert pku_txt.read_split(text, "x") == sides
