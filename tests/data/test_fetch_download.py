"""Downloads of a data set: kept, carried on with, refused; never joined of two versions."""

import pytest
from data.published_archive import MEMBERS, contents

from pstl.data.download import download
from pstl.data.fetch import fetch
from pstl.data.spec import Remote
from pstl.errors import UserError


def test_a_download_is_kept_and_not_repeated(tmp_path, server):
    """Edited code makes the workflow fetch again; gigabytes must not travel again for that."""
    for _ in range(2):
        fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
        assert contents(tmp_path / "raw" / "nwucla") == MEMBERS
    assert server.ranges == [None]
    assert [p.name for p in (tmp_path / "raw" / "archives").iterdir()] == ["a.zip"]


def test_a_download_goes_on_where_it_was_cut(tmp_path, server):
    """Of 6 GB on a bad line only the rest may be fetched again, within one call and over two."""
    server.cuts = [70_000, 50_000]
    download(server.url, tmp_path / "a.zip")
    assert server.ranges == [None, "bytes=70000-", "bytes=120000-"]
    assert (tmp_path / "a.zip").read_bytes() == server.content

    server.ranges.clear()
    (tmp_path / "b.zip.part").write_bytes(server.content[:1234])
    (tmp_path / "b.zip.part.version").write_text(server.tag)
    download(server.url, tmp_path / "b.zip")
    assert server.ranges == ["bytes=1234-"]
    assert (tmp_path / "b.zip").read_bytes() == server.content


def test_a_line_that_stays_dead_ends_in_the_message_and_keeps_what_came(tmp_path, server):
    """What was paid for once is the start of the next attempt, and half an archive must never carry
    the archive's name."""
    server.cuts = [90_000, 0]
    with pytest.raises(
        UserError,
        match=r"connection cut after 90000 of \d+ bytes; 90000 bytes kept in .*a\.zip\.part.* "
        r"then run: python",
    ):
        fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
    kept = sorted(p.name for p in (tmp_path / "raw" / "archives").iterdir())
    assert kept == ["a.zip.part", "a.zip.part.version"]
    fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
    assert server.ranges[-1] == "bytes=90000-"
    assert contents(tmp_path / "raw" / "nwucla") == MEMBERS


def test_a_server_that_ignores_range_does_not_double_the_beginning(tmp_path, server):
    """Appending a whole file to its own beginning makes an archive that looks complete and is
    not."""
    server.obeys_range, server.cuts = False, [100_000]
    download(server.url, tmp_path / "a.zip")
    assert server.ranges == [None, "bytes=100000-"]
    assert (tmp_path / "a.zip").read_bytes() == server.content


def test_a_part_that_is_complete_or_too_long_is_settled(tmp_path, server):
    """Ended between the last byte and the new name, a download is complete; a longer one belongs to
    another file."""
    (tmp_path / "a.zip.part").write_bytes(server.content)
    (tmp_path / "a.zip.part.version").write_text(server.tag)
    download(server.url, tmp_path / "a.zip")
    (tmp_path / "b.zip.part").write_bytes(server.content + b"more")
    download(server.url, tmp_path / "b.zip")
    assert server.ranges == [
        f"bytes={len(server.content)}-",
        f"bytes={len(server.content) + 4}-",
        None,
    ]
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes() == server.content


def test_two_versions_are_never_joined(tmp_path, server):
    """A server that changes its file between two connections, or calls it by no name, would leave
    the beginning of one and the end of another."""
    for name, before in (("a.zip", '"another"'), ("b.zip", None)):
        server.ranges.clear()
        (tmp_path / f"{name}.part").write_bytes(b"x" * 1000)
        if before:
            (tmp_path / f"{name}.part.version").write_text(before)
        download(server.url, tmp_path / name)
        assert server.ranges == ["bytes=1000-", None]
        assert (tmp_path / name).read_bytes() == server.content
    server.tag, server.cuts = 'W/"alike"', [70_000]
    server.ranges.clear()
    download(server.url, tmp_path / "c.zip")
    assert server.ranges == [None, "bytes=70000-", None]
    assert (tmp_path / "c.zip").read_bytes() == server.content
    assert sorted(path.name for path in tmp_path.glob("?.zip*")) == ["a.zip", "b.zip", "c.zip"]


def test_a_download_of_unknown_checksum_is_used_only_by_who_says_so(tmp_path, server, dataset):
    """Whoever holds the server, or the line to it, could send anything."""
    dataset(Remote("a.zip", url=server.url, members=r"clip\d\.txt", sha256=("0" * 64,)))
    with pytest.raises(UserError, match=r"sha256 \w{64}, expected 0{64}; .* --accept-unknown"):
        fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
    assert not list((tmp_path / "raw").rglob("a.zip*"))
    server.ranges.clear()
    fetch("nwucla", {}, tmp_path / "raw" / "nwucla", accept_unknown=True)
    assert contents(tmp_path / "raw" / "nwucla") == MEMBERS
    assert server.ranges == []  # six gigabytes came once, and were kept aside


def test_a_refused_download_is_no_file_that_is_found(tmp_path, server, dataset):
    """What was refused once must not be taken because it is there, nor stand in the way."""
    unknown = Remote("a.zip", url=server.url, members=r"clip\d\.txt", sha256=("0" * 64,))
    dataset(unknown)
    for _ in range(2):
        with pytest.raises(UserError, match="--accept-unknown: it is not downloaded again"):
            fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
        assert server.ranges.pop() is None
    server.content = b"<html>this link has expired</html>"
    for _ in range(2):
        with pytest.raises(UserError, match="--accept-unknown"):
            fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
        with pytest.raises(UserError, match="not a zip archive"):
            fetch("nwucla", {}, tmp_path / "raw" / "nwucla", accept_unknown=True)
    assert not [path for path in (tmp_path / "raw").rglob("*") if path.is_file()]


def test_a_file_larger_than_it_can_be_is_refused_before_it_comes(tmp_path, server, dataset):
    """A disk must not be filled by an answer that is not the file."""
    size = len(server.content) - 1
    dataset(Remote("a.zip", url=server.url, members=r"clip\d\.txt", size=size))
    with pytest.raises(UserError, match=rf"{size + 1} bytes, expected at most {size}"):
        fetch("nwucla", {}, tmp_path / "raw" / "nwucla")


def test_a_web_page_in_place_of_the_archive_is_not_kept(tmp_path, server):
    """Expired links answer with a page and code 200; kept under the archive's name it would block
    every later attempt."""
    server.content = b"<html>this link has expired</html>"
    with pytest.raises(UserError, match=r"sent something else: .*not a zip archive.*Put it into"):
        fetch("nwucla", {}, tmp_path / "raw" / "nwucla")
    assert not list((tmp_path / "raw").rglob("a.zip*"))


def test_the_page_before_a_large_file_is_passed(tmp_path, server):
    """Google Drive asks before it sends what it cannot scan; kept as an archive, that page would
    block every later attempt."""
    fields = b'<input type="hidden" name="id" value="1A">'
    fields += b'<input type="hidden" name="confirm" value="yes">'
    server.page = (
        b'<html><form id="download-form" action="/big" method="get">' + fields + b"</form></html>"
    )
    server.cuts = [70_000]
    download(server.url, tmp_path / "a.zip")
    assert server.ranges == [None, "bytes=70000-"]
    assert (tmp_path / "a.zip").read_bytes() == server.content
    server.page = b"<html>quota exceeded</html>"
    with pytest.raises(UserError, match="sent a web page and no file"):
        download(server.url, tmp_path / "b.zip")
