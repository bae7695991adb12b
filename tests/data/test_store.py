"""What is written is what is read, or nothing is: clips of any length and number of people, and
arrays with their splits."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from arrays import write_array

from pstl.data.datasets import nwucla
from pstl.data.store import ArraySet, open_array, open_sequences, write_sequences
from pstl.errors import UserError
from pstl.files import replaced, write_json
from pstl.records import Clip

SPEC = nwucla.DATASET.spec
JOINTS = 4


def clip(name, frames=3, people=1, **fields):
    values = np.random.default_rng([frames, people]).normal(size=(frames, JOINTS, people, 3))
    return Clip(name, fields.pop("label", 0), values.astype(np.float32), **fields)


def array(**changes):
    x = np.random.default_rng(0).normal(size=(4, 3, 5, JOINTS, 2)).astype(np.float32)
    fields = {
        "x": x,
        "y": np.array([0, 1, 2, 1]),
        "length": np.array([5, 4, 1, 5]),
        "content": np.array([7, 2**63 + 1, 2**63, 7], dtype=np.uint64),
        "names": ["a", "b", "c", "d"],
        "splits": {
            "xsub": (np.array([0, 2]), np.array([1, 3])),
            "xview": (np.array([3]), np.array([0, 1, 2])),
        },
        "meta": {"dataset": "nwucla", "classes": ["sit", "stand", "walk"]},
    }
    return ArraySet(**(fields | changes))


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_clips_of_any_length_and_number_of_people_come_back(tmp_path):
    """All clips share one file: an offset that is wrong by one number moves every joint of every
    later clip."""
    written = [
        clip("b", 1, 1, label=3, subject=2, camera=1),
        clip("a", 7, 2, label=1, subject=9, camera=3, setup=5),
        clip("c", 2, 4),
        clip("d", 5, 1, label=2),
    ]
    write_sequences(tmp_path / "s", SPEC, JOINTS, iter(written))
    store = open_sequences(tmp_path / "s")
    assert len(store) == 4
    assert store.meta["dataset"] == "nwucla"
    for before, after in zip(written, store, strict=True):
        for field in ("name", "label", "subject", "camera", "setup"):
            assert getattr(after, field) == getattr(before, field)
        assert after.xyz.dtype == np.float32
        np.testing.assert_array_equal(after.xyz, before.xyz)
    np.testing.assert_array_equal(store[2].xyz, written[2].xyz)  # also out of order


def test_the_layout_in_memory_does_not_matter(tmp_path):
    """Readers transpose: values in another memory order are the same clip and must be stored as
    such."""
    straight = clip("a", 4, 2)
    turned = Clip("a", 0, np.asfortranarray(straight.xyz))
    write_sequences(tmp_path / "s", SPEC, JOINTS, [turned])
    np.testing.assert_array_equal(open_sequences(tmp_path / "s")[0].xyz, straight.xyz)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_bad_coordinate_is_refused_with_clip_and_frame(tmp_path, value):
    """One NaN turns a whole batch, and by batch normalisation every clip, into NaN; it has to stop
    at the door."""
    bad = clip("S001A001", 6, 2)
    bad.xyz[4, 1, 1, 2] = value
    with pytest.raises(UserError, match=r"clip S001A001: coordinate in frame 4 is NaN or infinite"):
        write_sequences(tmp_path / "s", SPEC, JOINTS, [clip("fine"), bad])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "shape", [(0, JOINTS, 1, 3), (3, JOINTS + 1, 1, 3), (3, JOINTS, 3), (3, JOINTS, 1, 2)]
)
def test_a_clip_of_another_shape_is_refused(tmp_path, shape):
    """A clip of another skeleton would be read back with its joints shifted."""
    with pytest.raises(
        UserError, match=r"clip odd: shape .*, expected \(frames >= 1, 4 joints, people, 3\)"
    ):
        write_sequences(tmp_path / "s", SPEC, JOINTS, [Clip("odd", 0, np.zeros(shape, np.float32))])


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    """Two files of one name are one clip copied: counted twice, or once in training and once in the
    test."""
    with pytest.raises(UserError, match=r"names occur twice, e\.g\. b; remove the copies"):
        write_sequences(tmp_path / "s", SPEC, JOINTS, [clip("a"), clip("b"), clip("b", 5)])
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_the_earlier_folder_as_it_was(tmp_path):
    """Reading can fail at the last of 50,000 files; the earlier result must not be half overwritten
    by then."""

    def failing():
        yield clip("new")
        raise KeyboardInterrupt

    write_sequences(tmp_path / "s", SPEC, JOINTS, [clip("old")])
    before = files(tmp_path / "s")
    with pytest.raises(KeyboardInterrupt):
        write_sequences(tmp_path / "s", SPEC, JOINTS, failing())
    assert files(tmp_path / "s") == before
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_the_name_never_stands_for_a_folder_half_deleted(tmp_path, monkeypatch):
    """A job killed while it replaces an old result must not leave some of the old files for the
    next job to read."""

    def watched(folder, **options):
        assert Path(folder) != tmp_path / "s"
        remove(folder, **options)

    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", watched)
    write_sequences(tmp_path / "s", SPEC, JOINTS, [clip("old")])
    write_sequences(tmp_path / "s", SPEC, JOINTS, [clip("new")])
    assert open_sequences(tmp_path / "s").names == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_replaced_keeps_nothing_of_the_earlier_folder(tmp_path):
    """Files of an earlier run that stay behind would be read as clips of this one."""
    for name in ("first", "second"):
        with replaced(tmp_path / "s") as new:
            (new / name).touch()
    assert [p.name for p in (tmp_path / "s").iterdir()] == ["second"]


def test_an_array_comes_back_with_its_splits(tmp_path):
    """Training and test rows are indices into x: values, order and type of every table must survive
    the disk."""
    before = array()
    write_array(tmp_path / "a", before)
    after = open_array(tmp_path / "a")
    for field in ("x", "y", "length", "content"):
        np.testing.assert_array_equal(getattr(after, field), getattr(before, field))
    assert (after.x.dtype, after.y.dtype, after.length.dtype) == (np.float32, np.int64, np.int64)
    assert after.names == before.names
    assert after.meta["classes"] == before.meta["classes"]
    assert after.splits.keys() == before.splits.keys()
    for split, sides in before.splits.items():
        for found, expected in zip(after.splits[split], sides, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert isinstance(after.x, np.memmap)  # NTU-120 does not fit into memory twice


def test_a_test_clip_with_the_coordinates_of_a_training_clip_is_seen(tmp_path):
    """Copies between the sides make nearest neighbours look right: they must be found whatever
    their names and labels say."""
    first, second, other = clip("a", 5, 2), clip("b", 4), clip("c", 4)
    other.xyz[3, 0, 0, 0] += 1e-6
    copy = Clip("d", 3, np.asfortranarray(first.xyz), subject=4)
    write_sequences(tmp_path / "s", SPEC, JOINTS, [first, second, other, copy])
    content = open_sequences(tmp_path / "s").index["content"]
    splits = {"x": (np.array([0, 1]), np.array([3, 2])), "y": (np.array([1]), np.array([0, 2, 3]))}
    write_array(tmp_path / "a", array(content=content, splits=splits))
    data = open_array(tmp_path / "a")
    assert data.unseen("x").tolist() == [False, True]
    assert data.unseen("y").tolist() == [True, True, True]


def written_checksum(folder, **changes):
    write_array(folder, array(**changes))
    return open_array(folder).meta["checksum"]


def test_the_checksum_is_of_the_contents(tmp_path):
    """A result is traced to its data by this: equal for equal contents, another one when a single
    value differs."""
    first = written_checksum(tmp_path / "a")
    assert first == written_checksum(tmp_path / "b")
    x, y, length = array().x.copy(), array().y.copy(), array().length.copy()
    x[3, 2, 4, 3, 1] = np.nextafter(x[3, 2, 4, 3, 1], np.float32(9))
    y[0], length[1] = 2, 3
    splits = array().splits | {"xsub": (np.array([0]), np.array([1, 2, 3]))}
    for changes in ({"x": x}, {"y": y}, {"length": length}, {"splits": splits}):
        assert written_checksum(tmp_path / "c", **changes) != first


def test_the_checksum_of_clips_changes_with_one_value(tmp_path):
    """As above, one step earlier: the array names the clips it was made from."""
    one, other = clip("a", 5), clip("a", 5)
    other.xyz[4, 3, 0, 2] += 1e-6
    sums = []
    for i, sequence in enumerate((one, one, other)):
        write_sequences(tmp_path / str(i), SPEC, JOINTS, [sequence])
        sums.append(open_sequences(tmp_path / str(i)).meta["checksum"])
    assert sums[0] == sums[1] != sums[2]


@pytest.mark.parametrize(("opened", "verb"), [(open_sequences, "parse"), (open_array, "prepare")])
def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path, opened, verb):
    """A step run out of order is told which one comes first."""
    with pytest.raises(UserError) as caught:
        opened(tmp_path / "nothing")
    assert (
        str(caught.value)
        == f"{tmp_path}/nothing: no meta.json here; make it with 'python -m pstl {verb}'"
    )


def test_json_is_written_whole_or_not_at_all(tmp_path):
    """A table reads every json below results: half a file would stop it, an old one beside an error
    would mislead it."""
    write_json(tmp_path / "rows.json", {"b": 1, "a": [2]})
    before = files(tmp_path)
    with pytest.raises(TypeError):
        write_json(tmp_path / "rows.json", {"a": object()})
    assert files(tmp_path) == before


def test_whose_body_stands_in_a_slot_is_kept(tmp_path):
    """PSP follows a person through changing slots: with a number at the wrong frame two people
    become one."""
    numbers = [np.array([[1, 0], [1, 2], [2, 1]], np.uint8), np.array([[1], [0]], np.uint8)]
    written = [clip("a", 3, 2, bodies=numbers[0]), clip("b", 2, 1, bodies=numbers[1])]
    write_sequences(tmp_path / "s", SPEC, JOINTS, iter(written))
    for before, after in zip(numbers, open_sequences(tmp_path / "s"), strict=True):
        np.testing.assert_array_equal(after.bodies, before)
    write_sequences(tmp_path / "none", SPEC, JOINTS, iter([clip("a")]))
    assert open_sequences(tmp_path / "none")[0].bodies is None
    with pytest.raises(UserError, match="give all or none"):
        write_sequences(tmp_path / "some", SPEC, JOINTS, iter([written[0], clip("c")]))
    with pytest.raises(UserError, match=r"body numbers of shape \(3, 2\)"):
        write_sequences(
            tmp_path / "wrong", SPEC, JOINTS, iter([clip("a", 2, 2, bodies=numbers[0])])
        )


def test_which_bodies_are_one_as_floats_is_kept(tmp_path):
    """The arrays that PSP's paper claims need it, long after the 17-digit ids are gone."""
    numbers = np.array([[1, 2], [2, 3]], np.uint8)
    pair, single = (
        clip("a", 2, 2, bodies=numbers, merged=(1, 2, 1)),
        clip("b", 2, 2, bodies=numbers),
    )
    write_sequences(tmp_path / "s", SPEC, JOINTS, iter([single, pair]), order=[1, 0])
    assert [s.merged for s in open_sequences(tmp_path / "s")] == [(1, 2, 1), ()]
    for wrong in (clip("a", 2, 2, bodies=numbers, merged=(1, 1)), clip("a", 2, 2, merged=(1, 1))):
        with pytest.raises(UserError, match="clip a: merged"):
            write_sequences(tmp_path / "wrong", SPEC, JOINTS, iter([wrong]))


@pytest.mark.parametrize("number", [-1, 256, 72057594037944738])
def test_a_sensor_s_ids_are_no_body_numbers(tmp_path, number):
    """As a byte 256 would be nobody, and a person would vanish from every frame."""
    with pytest.raises(UserError, match=f"clip a: body numbers .*{number}.*expected 0 to 255"):
        write_sequences(
            tmp_path / "s", SPEC, JOINTS, iter([clip("a", 1, 1, bodies=np.array([[number]]))])
        )


def test_the_sides_a_release_lists_are_kept(tmp_path):
    """PKU-MMD's split is a list in a file: it must reach the array with the clips it speaks of."""
    sides = [{"xsub": "train", "xview": "test"}, {"xsub": "test", "xview": ""}]
    write_sequences(
        tmp_path / "s",
        SPEC,
        JOINTS,
        (clip(n, listed=side) for n, side in zip("ab", sides, strict=True)),
    )
    assert [s.listed for s in open_sequences(tmp_path / "s")] == sides
