"""Obtaining a data set: found, downloaded, or asked for in one message; and never a half-made or an
unsafe folder."""

import json
import logging
import stat
import zipfile
from pathlib import Path

import pytest
from data.published_archive import MEMBERS, contents, sha256, write_zip

from pstl.data import archives as zips
from pstl.data.datasets import nwucla
from pstl.data.fetch import fetch
from pstl.data.members import DatasetFiles, batches, content
from pstl.data.spec import Remote
from pstl.errors import UserError


def test_an_archive_is_found_at_any_depth_and_the_manifest_says_what_came(tmp_path, dataset):
    """The manifest is what the next step depends on and how a result is traced to its bytes."""
    archive = write_zip(tmp_path / "mine" / "deep" / "down" / "a.zip")
    fetch("nwucla", {}, tmp_path / "raw" / "nwucla", [tmp_path / "mine"])
    assert contents(tmp_path / "raw" / "nwucla") == MEMBERS
    manifest = json.loads((tmp_path / "raw" / "nwucla" / "manifest.json").read_text())
    assert manifest["files"] == {name: len(content) for name, content in MEMBERS.items()}
    assert manifest["sources"] == [
        {"file": "a.zip", "sha256": sha256(archive), "from": str(archive)}
    ]
    assert manifest["dataset"] == "nwucla"


def test_only_an_unknown_checksum_is_mentioned(tmp_path, dataset, caplog):
    """A re-packed archive holds the same clips, so it is used; but the user must hear that nobody
    has vouched for it."""
    archive = write_zip(tmp_path / "mine" / "a.zip")
    dataset(Remote("a.zip", sha256=("0" * 64,)))
    fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])
    assert sha256(archive) in caplog.text
    assert str(archive) in caplog.text
    caplog.clear()
    dataset(Remote("a.zip", sha256=("0" * 64, sha256(archive))))
    fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_of_two_archives_the_one_with_a_known_checksum_is_taken(tmp_path, dataset):
    """Folders hold old and other copies; the one that is known good must win wherever it lies."""
    write_zip(tmp_path / "mine" / "1" / "a.zip", {"clip1.txt": b"another data set"})
    good = write_zip(tmp_path / "mine" / "2" / "a.zip")
    dataset(Remote("a.zip", sha256=(sha256(good),)))
    fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])
    assert contents(tmp_path / "out") == MEMBERS


def test_two_archives_that_differ_are_asked_about_if_none_is_known(tmp_path, dataset):
    """Which was taken depended on the names of folders; an old copy, or half of one, is not the
    other."""
    one = write_zip(tmp_path / "mine" / "1" / "a.zip", {"clip1.txt": b"another data set"})
    other = write_zip(tmp_path / "mine" / "2" / "a.zip")
    dataset(Remote("a.zip"))
    with pytest.raises(
        UserError, match=rf"{one} and {other} differ, .*remove one or name one folder"
    ):
        fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])
    assert not (tmp_path / "out").exists()
    one.write_bytes(other.read_bytes())
    fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])
    assert contents(tmp_path / "out") == MEMBERS


def test_an_unpacked_folder_stands_in_for_its_archive(tmp_path, dataset):
    """Most people keep the folder and throw the archive away."""
    zipfile.ZipFile(write_zip(tmp_path / "a.zip")).extractall(tmp_path / "mine" / "x")
    (tmp_path / "mine" / "x" / "notes.txt").write_text("not a clip")
    fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])
    assert contents(tmp_path / "out") == {
        name.removeprefix("all/"): content for name, content in MEMBERS.items()
    }
    (tmp_path / "mine" / "y").mkdir()
    (tmp_path / "mine" / "y" / "clip3.txt").write_text("which of the two?")
    with pytest.raises(UserError, match=r"clip3\.txt is in .*x.* and in .*y; remove one copy"):
        fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])


@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_that_changed_since_it_was_fetched_is_not_read(tmp_path, dataset, in_place):
    """A flipped bit in a digit is another coordinate, and another size is all that a list of sizes
    would notice."""
    zipfile.ZipFile(write_zip(tmp_path / "a.zip")).extractall(tmp_path / "mine")
    spec = dataset(Remote("a.zip", members=r"clip\d\.txt", in_place=in_place))
    raw = tmp_path / "raw" / "nwucla"
    fetch("nwucla", {}, raw, [tmp_path / "mine"])
    files = DatasetFiles(spec, raw).of(spec.remotes[0])
    assert len(files) == len(MEMBERS)
    (whole,) = batches(files)
    for i, member in enumerate(whole.members):
        assert content(whole, i) == Path(member.name).read_bytes()
    path = Path(files[2].name)
    bent = bytearray(path.read_bytes())
    bent[1000] ^= 1
    path.write_bytes(bent)
    with pytest.raises(UserError, match=r"clip2\.txt: not the file that was fetched"):
        content(whole, 2)


def test_an_earlier_result_is_no_source(tmp_path, dataset):
    """A folder that holds `out` may be searched: what fetch itself wrote there must not pass for an
    archive of the user's."""
    archive = write_zip(tmp_path / "mine" / "a.zip")
    fetch("nwucla", {}, tmp_path / "mine" / "raw" / "out", [tmp_path / "mine"])
    archive.unlink()
    with pytest.raises(UserError, match="not complete"):
        fetch("nwucla", {}, tmp_path / "mine" / "raw" / "out", [tmp_path / "mine"])


def test_only_the_wanted_members_are_unpacked(tmp_path, dataset):
    """Archives made on a Mac carry a shadow of every file under the same ending; read as clips they
    would double the counts."""
    write_zip(
        tmp_path / "mine" / "a.zip",
        {**MEMBERS, "__MACOSX/all/._clip0.txt": b"shadow", "all/readme.md": b"text"},
    )
    fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])
    assert contents(tmp_path / "out") == MEMBERS


def test_a_truncated_archive_is_named(tmp_path, dataset):
    """An interrupted copy is the commonest defect; the message must point at the file, not at a
    line of this program."""
    archive = write_zip(tmp_path / "mine" / "a.zip")
    archive.write_bytes(archive.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"mine/a\.zip: truncated or not a zip archive"):
        fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])
    assert not (tmp_path / "out").exists()


def test_a_damaged_member_leaves_the_earlier_folder_as_it_was(tmp_path, dataset):
    """Damage shows only while unpacking; what was there before must survive it, and no half-made
    folder may stay."""
    archive = write_zip(tmp_path / "mine" / "a.zip")
    fetch("nwucla", {}, tmp_path / "raw" / "out", [tmp_path / "mine"])
    bent = bytearray(archive.read_bytes())
    bent[len(bent) // 2] ^= 0xFF
    archive.write_bytes(bent)
    with pytest.raises(UserError, match=r"mine/a\.zip: member all/clip2\.txt is damaged"):
        fetch("nwucla", {}, tmp_path / "raw" / "out", [tmp_path / "mine"])
    assert contents(tmp_path / "raw" / "out") == MEMBERS
    assert [p.name for p in (tmp_path / "raw").iterdir()] == ["out"]


@pytest.mark.parametrize(
    "name",
    [
        "../clip0.txt",
        "all/../../clip0.txt",
        "/tmp/clip0.txt",
        "C:/clip0.txt",
        "..\\clip0.txt",
        "./clip0.txt",
    ],
)
def test_no_member_is_written_outside_the_folder(tmp_path, name):
    """An archive comes from strangers: unpacking it must not be able to overwrite the user's
    files."""
    archive = write_zip(tmp_path / "a.zip", {"clip1.txt": b"innocent", name: b"not"})
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"a\.zip: member .* has a"):
        zips.unpack(archive, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip", "out"]


def test_links_and_bombs_are_refused(tmp_path):
    """A link turns a later read or write to any file of the user; a bomb fills the disk."""
    link = zipfile.ZipInfo("clip0.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as bundle:
        bundle.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match="is a link"):
        zips.unpack(tmp_path / "link.zip", tmp_path)
    write_zip(tmp_path / "bomb.zip", {"clip0.txt": bytes(10**7)})
    with pytest.raises(UserError, match=r"claim to hold 10000000, above 100 times"):
        zips.unpack(tmp_path / "bomb.zip", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bomb.zip", "link.zip"]


def test_another_archive_of_the_same_name_is_refused(tmp_path, dataset):
    """`all_sqe.zip` is a name many things may have; an archive without one clip in it is not
    ours."""
    write_zip(tmp_path / "mine" / "a.zip", {"holiday.jpg": b"..."})
    with pytest.raises(UserError, match=r"none of its 1 files is named like 'clip"):
        fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mine"])


def test_what_is_missing_is_said_once_with_everything_to_do(tmp_path, dataset):
    """The reader has no network here or must ask the authors: one message has to be enough to get
    on."""
    dataset(
        Remote("a.zip", url="http://127.0.0.1:1/a.zip"),
        Remote("b.zip"),
        how_to_get="b.zip on request from its authors",
    )
    with pytest.raises(UserError) as caught:
        fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
    message = str(caught.value)
    assert "\n" not in message
    assert not (tmp_path / "raw" / "nwucla").exists()
    for part in (
        "a.zip: download failed",
        "b.zip: not found",
        "a.zip from http://127.0.0.1:1/a.zip",
        "b.zip on request from its authors",
    ):
        assert part in message
    assert f"Put it into {tmp_path}/raw/archives" in message
    assert message.endswith(f"python -m pstl fetch nwucla --out {tmp_path}/raw/nwucla")


def test_an_archive_put_where_the_message_says_is_found(tmp_path, dataset):
    """Following the message to the letter has to work."""
    write_zip(tmp_path / "raw" / "archives" / "a.zip")
    fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
    assert contents(tmp_path / "raw" / "nwucla") == MEMBERS


def test_the_output_never_replaces_what_the_user_needs(tmp_path, dataset, monkeypatch):
    """`out` is replaced as a whole: a slip in --out must not delete the archives, the project or
    the home folder."""
    archive = write_zip(tmp_path / "mine" / "a.zip")
    monkeypatch.chdir(tmp_path / "mine")
    for out in (tmp_path / "mine", tmp_path, tmp_path / "archives"):
        with pytest.raises(UserError, match="would be replaced, and it holds"):
            fetch("nwucla", {}, out, [archive])
    assert archive.exists()
    with pytest.raises(UserError, match="no such folder of archives"):
        fetch("nwucla", {}, tmp_path / "out", [tmp_path / "mien"])


def test_a_data_set_may_make_its_own_files(tmp_path, dataset, monkeypatch):
    """The simulator takes the same door: settings checked, all or nothing, a manifest at the
    end."""

    def make(cfg, folder):
        assert isinstance(cfg, nwucla.DATASET.Config)
        (folder / "one.txt").write_text("1")

    dataset()
    monkeypatch.setattr(nwucla.DATASET, "make", make)
    fetch("nwucla", {}, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["files"] == {"one.txt": 1}
    with pytest.raises(UserError, match=r"datasets\.nwucla: sise"):
        fetch("nwucla", {"sise": 3}, tmp_path / "out")
    assert contents(tmp_path / "out") == {"one.txt": b"1"}
    with pytest.raises(UserError, match=r"unknown dataset 'nwuca'; known: .*nwucla"):
        fetch("nwuca", {}, tmp_path / "out")
