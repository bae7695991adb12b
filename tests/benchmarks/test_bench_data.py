"""A speed-up counts only if both sides do the same work."""

import numpy as np
import pytest
import simulated

from benchmarks import data as bench_data
from benchmarks import plain
from pstl.data.datasets import ntu60
from pstl.data.formats.skeleton_txt import ClipName
from pstl.data.recipes import resize50, spine300
from pstl.errors import UserError
from pstl.records import Member
from pstl.skeletons import load


@pytest.fixture(scope="module")
def texts():
    """One person, two people, a crowd: by file name."""
    names = [ClipName(1, 1, 1, 1, 1), ClipName(1, 1, 2, 1, 13), ClipName(1, 1, 1, 1, 13)]
    return {f"{name}.skeleton": simulated.ntu_clip(name, frames=(40, 70)) for name in names}


@pytest.fixture(scope="module")
def clips(texts):
    clips = []
    for file, text in texts.items():
        clips += ntu60.DATASET.read(Member(file), text, None)
    return clips


def test_the_plain_reader_reads_the_same(texts, clips):
    """A plain reader that skips work would make ours look slow; one that does more, fast."""
    for text, clip in zip(texts.values(), clips, strict=True):
        xyz = plain.plain_read(text)
        np.testing.assert_array_equal(xyz[:, :, : clip.xyz.shape[2]], clip.xyz[:, :, :2])


@pytest.mark.parametrize(
    ("recipe", "plainly"),
    [(resize50, plain.plain_resize50), (spine300, plain.plain_spine300)],
)
def test_plain_loops_normalise_to_the_same(clips, recipe, plainly):
    """The same array from loops is also a second derivation of the recipe."""
    for clip in clips:
        x, _ = recipe.RECIPE.apply([clip], load("kinect_v2"), 2, recipe.RECIPE.Config())
        np.testing.assert_allclose(plainly(clip), x[0], atol=2e-5)


def test_both_sides_are_timed(monkeypatch):
    """The table is what people quote."""
    monkeypatch.setattr(bench_data, "ROUNDS", 1)
    monkeypatch.setattr(bench_data, "CLIPS", 8)
    rows = bench_data.bench_data(files=70, jobs=1)
    assert [row["work"] for row in rows] == ["read", "resize50", "spine300"]
    assert all(row["times"] == pytest.approx(row["ours"] / row["plain"]) for row in rows)
    assert all(row["times"] > 1 < row["times_by_clock"] for row in rows)
    assert "MB of text/s" in bench_data.table(rows)


def test_plain_python_reads_out_of_the_archive_as_ours_does(monkeypatch):
    """Texts that lie in memory already would spare one side a third of its work."""
    monkeypatch.setattr(bench_data, "ROUNDS", 1)
    monkeypatch.setattr(bench_data, "CLIPS", 8)
    opened = []
    monkeypatch.setattr(plain, "plain_read", lambda text: opened.append(len(text)))
    bench_data.bench_data(files=40, jobs=1)
    assert len(opened) == 10  # every fourth
    assert min(opened) > 50_000


def test_too_few_files_are_refused():
    """The first batch starts the processes and is not timed: a rate of nothing is no rate."""
    with pytest.raises(UserError, match="--files 32: expected more than 32"):
        bench_data.bench_data(files=32, jobs=1)
