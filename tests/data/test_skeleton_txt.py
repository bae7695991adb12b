"""The text of NTU files: every joint comes back at its place, and a damaged file stops the reader
with its name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pstl.data.datasets import ntu60
from pstl.data.formats import skeleton_txt
from pstl.data.formats.skeleton_txt import ClipName, parse_name, read, write
from pstl.errors import UserError
from pstl.records import Member

JOINTS = 25
TWINS = (72057594037944738, 72057594037944734)  # two people of one real file: the same float64


def recording(bodies, seed=0):
    """Arrays of a file whose frames hold the given numbers of bodies."""
    rng = np.random.default_rng(seed)
    frames, people = len(bodies), max(bodies)
    present = np.arange(people) < np.array(bodies)[:, None]
    xyz = rng.normal(size=(frames, JOINTS, people, 3)).astype(np.float32) + np.float32([0, 0, 3])
    ids = np.where(present, TWINS[0] + np.arange(people), 0)
    tracking = rng.integers(0, 3, (frames, JOINTS, people)).astype(np.uint8)
    return xyz * present[:, None, :, None], ids, tracking * present[:, None]


def text(
    bodies=(1,), row="0.5 -0.25 3 100 200 300 400 0 0 0 0 2", joints=JOINTS, ids=TWINS, frames=None
):
    """A file written out by hand, in the order of the published format."""
    lines = [str(len(bodies) if frames is None else frames)]
    for count in bodies:
        lines.append(str(count))
        for slot in range(count):
            lines += [f"{ids[slot]} 0 1 1 1 1 0 0.011 -0.256 2", str(joints), *[row] * joints]
    return "\n".join(lines) + "\n"


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6).filter(any), st.booleans())
def test_what_is_written_is_read(tmp_path_factory, bodies, crlf):
    """The simulator and NTU share one reader: a slot, frame or axis in the wrong place would be
    learned as motion."""
    path = tmp_path_factory.mktemp("clip") / "S001C001P001R001A001.skeleton"
    xyz, ids, tracking = recording(bodies)
    write(path, xyz, ids, tracking, crlf)
    found = read(path)
    assert (b"\r\n" in path.read_bytes()) == crlf
    np.testing.assert_allclose(found.xyz, xyz, rtol=1e-6)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_array_equal(found.tracking, tracking)


def test_coordinates_of_a_file_written_by_hand():
    """Reader and writer could share one mistake: columns and order are checked against the
    published description."""
    rows = [f"{j}.5 -{j} {j}e-1 nan 2 3 4 5 6 7 8 {j % 3}" for j in range(JOINTS)]
    lines = ["2", "0", "1", f"{TWINS[0]} 0 1 1 1 1 0 0.011 -0.256 2", "25", *rows]
    found = read("\r\n".join(lines).encode(), "by hand")
    expected = np.array([[j + 0.5, -j, j / 10] for j in range(JOINTS)], np.float32)
    assert found.xyz.shape == (2, JOINTS, 1, 3)
    np.testing.assert_array_equal(found.xyz[1, :, 0], expected)
    np.testing.assert_array_equal(found.tracking[1, :, 0], [j % 3 for j in range(JOINTS)])
    assert not found.xyz[0].any()
    assert found.ids.tolist() == [[0], [TWINS[0]]]


def test_ids_that_one_float_cannot_tell_apart_stay_apart():
    """Two people merge into one track if a 17-digit id ever passes through a float."""
    assert float(TWINS[0]) == float(TWINS[1])
    found = read(text(bodies=(2,)).encode())
    assert found.ids.dtype == np.int64
    assert found.ids.tolist() == [list(TWINS)]


def test_what_floats_would_merge_is_told_beside_the_exact_numbers():
    """PSP's released reader holds ids as floats: its arrays can be made, and better ones, too."""
    ids = np.array([[TWINS[0], TWINS[1] + 96], [TWINS[1], TWINS[1] + 96], [TWINS[1], 0]])
    assert skeleton_txt.numbered(ids).tolist() == [[1, 2], [3, 2], [3, 0]]
    assert skeleton_txt.merged(ids) == (1, 2, 1)
    assert skeleton_txt.merged(ids[1:]) == ()
    clip = ntu60.DATASET.read(
        Member("S001C001P001R001A050.skeleton"), text(bodies=(2, 1)).encode(), None
    )[0]
    assert (clip.bodies.tolist(), clip.merged) == ([[1, 2], [1, 0]], (1, 1))


def test_more_ids_than_a_byte_counts_are_damage():
    """Number 256 would be 0, nobody, and the body would vanish from its frames."""
    frames = [text(bodies=(1,), ids=(TWINS[0] + i,)).splitlines()[1:] for i in range(256)]
    lines = [line for frame in frames for line in frame]
    with pytest.raises(UserError, match="a file: 256 body ids, expected at most 255"):
        read("\n".join(["256", *lines]).encode(), "a file")
    assert read("\n".join(["255", *lines[: 255 * 28]]).encode(), "a file").ids.shape == (255, 1)
    with pytest.raises(UserError, match="256 body ids"):
        skeleton_txt.numbered(np.arange(1, 257)[:, None])


def test_slots_keep_the_order_of_the_file():
    """Recipes choose and track bodies; a reader that sorted them would hide the very changes the
    papers cope with."""
    both = text(bodies=(2,)).splitlines()[1:]
    swapped = text(bodies=(2,), ids=TWINS[::-1]).splitlines()[1:]
    found = read("\n".join(["2", *both, *swapped]).encode())
    assert found.ids.tolist() == [list(TWINS), list(TWINS[::-1])]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "empty"),
        (" \r\n", "empty"),
        (text((1, 1), frames=3), "ends in frame 3 of 3"),
        (text((1,))[:-40], "ends in frame 1 of 1"),
        (text((1,)) + "7\n", "1 values after the last of 1 frames"),
        (text((1, 1), frames=1), "after the last of 1 frames"),
        (text(joints=20), "joint count 20"),
        (text((0, 0)), "none of 2 frames has a body"),
        (text(row="x 0 3 1 2 3 4 0 0 0 0 2"), "'x'"),
        (text(row="0 0 3 1 2 oops 4 0 0 0 0 2"), "'oops'"),
        (text(row="0 1.2.3 3 1 2 3 4 0 0 0 0 2"), "'1.2.3'"),
        (text(row="0 nan 3 1 2 3 4 0 0 0 0 2"), "joint 1 in frame 1"),
        (text(row="0 0 -inf 1 2 3 4 0 0 0 0 2"), "joint 1 in frame 1"),
        (text(ids=("7.2e16",)), "'7.2e16'"),
        (text(ids=(0,)), "zero"),
        ("1.5\n" + text()[2:], "'1.5'"),
        (text().replace("\n1\n", "\n-1\n", 1), "'-1'"),
    ],
)
def test_a_damaged_file_is_refused_by_name(content, complaint):
    """A file read wrongly is a clip learned wrongly; one among 56,880 is found only if the message
    names it."""
    with pytest.raises(UserError) as caught:
        read(content.encode(), "S001C002P003R001A004.skeleton")
    assert str(caught.value).startswith("S001C002P003R001A004.skeleton: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_name_the_path_of_a_file(tmp_path):
    """Called without a name, the reader must still say which file it was."""
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_text("1\n")
    with pytest.raises(UserError, match="S001C001P001R001A001"):
        read(path)


@settings(deadline=None)  # the machine may be busy
@given(st.tuples(*[st.integers(0, 999)] * 5))
def test_names_come_back(numbers):
    """Label, subject and camera of every clip come from its name alone."""
    assert (
        parse_name(str(ClipName(*numbers)))
        == parse_name(f"{ClipName(*numbers)}.skeleton")
        == numbers
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "S001C001P001R001.skeleton",
        "S001C001P001R001A001.txt",
        "S1C1P1R1A1",
        "xS001C001P001R001A001",
    ],
)
def test_other_names_are_refused(name):
    """A stray file must not become a clip of some class."""
    with pytest.raises(UserError, match="not an NTU clip name"):
        parse_name(name)
