"""A large array is compared with its checksums once per state of its files."""

import os
import shutil
import tempfile

import numpy as np
import pytest
from arrays import write_array

from pstl.data import store_shape, verified
from pstl.data.store import ArraySet, open_array
from pstl.errors import UserError
from pstl.files import write_record


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An array, and records of its own; its files count as large, and as changed long ago."""
    records = tmp_path / "tmp"
    records.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(records))
    monkeypatch.setattr(verified, "SMALL", 0)
    monkeypatch.setattr(verified, "SETTLED_NS", 0)
    x = np.random.default_rng(0).normal(size=(4, 3, 5, 4, 2)).astype(np.float32)
    number = np.arange(4)
    meta = {"dataset": "nwucla", "recipe": {}, "skeleton": "kinect_v1", "people": 2}
    meta["classes"] = ["sit", "stand", "walk", "run"]
    splits = {"xsub": (np.array([0, 2]), np.array([1, 3]))}
    content, names = number.astype(np.uint64), list("abcd")
    write_array(tmp_path / "a", ArraySet(x, number, number + 1, content, names, splits, meta))
    return tmp_path / "a"


@pytest.fixture
def compared(monkeypatch):
    """Names of the files that were read whole."""
    names: list[str] = []
    checksum = store_shape.checksum

    def counted(path):
        names.append(path.name)
        return checksum(path)

    monkeypatch.setattr(store_shape, "checksum", counted)
    return names


def change_and_set_back(path):
    """Change a file's last number, and give it the dates that it had."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # until the clock has ticked
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_size == before.st_size


def test_the_second_job_does_not_read_the_array_again(folder, compared):
    """Ten gigabytes take twenty seconds, in each of a hundred jobs that read them."""
    first = open_array(folder, encodable=True)
    assert "x.npy" in compared
    compared.clear()
    second = open_array(folder, encodable=True)
    assert compared == []
    np.testing.assert_array_equal(first.x, second.x)


def test_a_change_is_noticed_though_size_and_date_are_as_before(folder, compared):
    """Who restores dates (rsync, cp -p, a repair) would else train on what nobody compared."""
    open_array(folder, encodable=True)
    change_and_set_back(folder / "x.npy")
    with pytest.raises(UserError, match=r"x\.npy: .*checksum .* expected"):
        open_array(folder, encodable=True)


def test_a_copy_is_compared_anew(folder, compared):
    """Files are damaged when they are copied: a copy with all dates is another file."""
    open_array(folder, encodable=True)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    compared.clear()
    open_array(copy, encodable=True)
    assert "x.npy" in compared


def test_another_checksum_is_compared_anew(folder, compared):
    """A meta.json of another array beside the same x.npy must not pass."""
    open_array(folder, encodable=True)
    meta = folder / "meta.json"
    kind = store_shape.kind_of(folder, "an array", "prepare")
    content = store_shape.read_meta(folder, kind, store_shape.ArrayMeta)
    content["files"]["x.npy"] = content["files"]["x.npy"][::-1]
    write_record(meta, content)
    with pytest.raises(UserError, match=r"x\.npy: .*checksum"):
        open_array(folder, encodable=True)


def test_what_has_just_been_written_is_not_recorded(folder, compared, monkeypatch):
    """A second change within the file system's tick leaves the dates as they are."""
    monkeypatch.setattr(verified, "SETTLED_NS", 3600 * 10**9)
    open_array(folder, encodable=True)
    compared.clear()
    open_array(folder, encodable=True)
    assert "x.npy" in compared


def test_records_that_others_could_have_written_are_not_believed(folder, compared):
    """The folder for temporary files is everybody's."""
    open_array(folder, encodable=True)
    verified._folder().chmod(0o777)
    compared.clear()
    open_array(folder, encodable=True)
    assert "x.npy" in compared


def test_a_machine_without_room_for_records_compares_every_time(folder, compared, monkeypatch):
    """Read-only containers have no folder for temporary files that can be written to."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "absent"))
    for _ in range(2):
        compared.clear()
        open_array(folder, encodable=True)
        assert "x.npy" in compared
