"""NTU RGB+D from its archives to arrays: the official lists, the counts of the literature, and
files read where they lie.
"""

import dataclasses
import json
import random
import re
import sys
import time
from multiprocessing import active_children

import numpy as np
import pytest
import simulated
from data.ntu_files import FOLDER
from killing import NEEDS_PROC, a_kill

from pstl.config import Plugin
from pstl.data import members
from pstl.data.datasets import _ntu, ntu60
from pstl.data.fetch import fetch
from pstl.data.formats import skeleton_txt
from pstl.data.parse import parse
from pstl.data.prepare import prepare
from pstl.data.store import open_array, open_sequences
from pstl.errors import UserError
from pstl.registry import load as load_plugin
from pstl.skeletons import load as load_skeleton

NAMES = simulated.ntu_names(
    (1, 2), (1, 3), (1, 13)
)  # 2 set-ups, a trained and a tested performer: 48 clips


@pytest.fixture(scope="module")
def clips():
    """Text of every clip by file name; one that the authors list as missing is there too, and is no
    text at all.
    """
    files = {f"{name}.skeleton": simulated.ntu_clip(name, frames=(8, 12)) for name in NAMES}
    return files | {"S001C002P005R002A008.skeleton": b"missing"}


@pytest.fixture
def few(monkeypatch):
    """The literature's counts, for the clips above."""
    monkeypatch.setattr(
        ntu60.DATASET,
        "spec",
        dataclasses.replace(ntu60.DATASET.spec, expected={"xsub": (24, 24), "xview": (32, 16)}),
    )


def archive(folder, clips):
    folder.mkdir(parents=True, exist_ok=True)
    simulated.write_zip(
        folder / ntu60.DATASET.spec.remotes[0].filename,
        {f"{FOLDER}/{name}": text for name, text in clips.items()},
    )
    return folder


def unpacked(folder, clips):
    folder.mkdir(parents=True)
    for name, text in clips.items():
        (folder / name).write_bytes(text)
    return folder


def sequences(tmp_path, source, **options):
    fetch("ntu60", {}, tmp_path / "raw/ntu60", [source])
    parse(
        "ntu60", {}, tmp_path / "raw/ntu60", tmp_path / "s", jobs=options.pop("jobs", 1), **options
    )
    return open_sequences(tmp_path / "s")


def test_a_clip_that_no_list_names_is_never_dropped(tmp_path, clips, few):
    """Only the authors' names are left out unread; an empty file of any other stops the reading."""
    with pytest.raises(UserError, match=rf"{NAMES[3]}\.skeleton: the file is empty"):
        sequences(tmp_path, archive(tmp_path / "zip", clips | {f"{NAMES[3]}.skeleton": b""}))


def test_a_foreign_name_is_named_or_left_out(tmp_path, clips, few):
    """It is like any damaged file: the first stops the reading, unless such are left out."""
    foreign = "S001C001P001R001A061.skeleton"
    source = archive(tmp_path / "zip", clips | {foreign: clips[f"{NAMES[0]}.skeleton"]})
    with pytest.raises(UserError, match=rf"{foreign}: found A061"):
        sequences(tmp_path, source)
    store = sequences(tmp_path, source, skip_damaged=True)
    assert list(store.meta["left_out"]) == [foreign]
    assert len(store) == len(NAMES)


def test_clips_are_read_straight_from_the_archive(tmp_path, clips, few):
    """Nobody unpacks 15 GB of text first: what is fetched is a manifest, and the archive is read
    where it lies.
    """
    store = sequences(tmp_path, archive(tmp_path / "mine/deep/down", clips))
    assert [p.name for p in (tmp_path / "raw/ntu60").iterdir()] == ["manifest.json"]
    assert store.names == sorted(str(name) for name in NAMES)
    for clip in store:
        expected = skeleton_txt.read(clips[f"{clip.name}.skeleton"])
        np.testing.assert_array_equal(clip.xyz, expected.xyz)
        np.testing.assert_array_equal(clip.bodies, skeleton_txt.numbered(expected.ids))
        assert clip.merged == skeleton_txt.merged(expected.ids)
        name = skeleton_txt.parse_name(clip.name)
        assert (clip.label, clip.subject, clip.camera, clip.setup) == (
            name.action - 1,
            name.performer,
            name.camera,
            name.setup,
        )


@pytest.mark.parametrize("jobs", [1, 2])
def test_folder_archive_and_number_of_processes_make_no_difference(tmp_path, clips, few, jobs):
    """The same recordings must give the same array on every machine, however they are kept."""
    a = sequences(tmp_path / "a", archive(tmp_path / "zip", clips), jobs=jobs)
    b = sequences(tmp_path / "b", unpacked(tmp_path / "folder" / FOLDER, clips))
    assert a.meta["checksum"] == b.meta["checksum"]
    assert a.names == b.names
    np.testing.assert_array_equal(a.index, b.index)


@pytest.mark.parametrize("recipe", ["resize50", "spine300", "metres300", "scaled300", "ctr300"])
def test_clips_that_begin_without_a_body_stay_numbers(recipe):
    """Real files do so for up to 85 of 96 frames; whatever divides by a body's size must live with
    it.

    PSTL's array takes as many first frames as there are with a body: of such a clip, all zeros.
    """
    seen = skeleton_txt.read(simulated.ntu_clip(NAMES[0], frames=(40, 40)))
    xyz, ids = seen.xyz[-11:], seen.ids[-11:]
    late = np.concatenate([np.zeros((85, *xyz.shape[1:]), np.float32), xyz])
    numbers = skeleton_txt.numbered(np.concatenate([np.zeros((85, ids.shape[1]), np.int64), ids]))
    clip = dataclasses.replace(_ntu.clip_named(str(NAMES[0])), xyz=late, bodies=numbers)
    module = load_plugin("data.recipes", recipe)
    x, length = module.RECIPE.apply([clip], load_skeleton("kinect_v2"), 2, module.RECIPE.Config())
    assert np.isfinite(x).all()
    assert 1 <= length[0] <= 96
    assert x.any() == (recipe != "resize50")


def test_what_other_systems_put_into_an_archive_is_passed_over(tmp_path, clips, few):
    """Copies were packed again: a Mac adds a shadow of every file, people the lists they used."""
    shadows = {f"__MACOSX/{FOLDER}/._{name}": b"\0\5\26\7" for name in clips}
    others = {
        f"{FOLDER}/.DS_Store": b"x",
        f"{FOLDER}/NTU_RGBD_samples_with_missing_skeletons.txt": b"x",
    }
    (tmp_path / "zip").mkdir()
    members = {f"again/{FOLDER}/{name}": text for name, text in clips.items()}
    path = tmp_path / "zip" / ntu60.DATASET.spec.remotes[0].filename
    simulated.write_zip(path, members | shadows | others)
    assert len(sequences(tmp_path, tmp_path / "zip")) == len(NAMES)


def test_one_clip_in_two_folders_of_an_archive_is_refused(tmp_path, clips, few):
    """Counted twice it would be trained on twice; of two that differ nobody can tell which is
    meant.
    """
    name = f"{NAMES[0]}.skeleton"
    source = archive(tmp_path / "zip", clips | {f"old/{name}": clips[name]})
    with pytest.raises(UserError, match=rf"holds {re.escape(FOLDER)}/{name} and .*/old/{name}"):
        sequences(tmp_path, source)


def test_a_damaged_file_stops_the_reading_or_is_left_out_and_recorded(tmp_path, clips, few):
    """A clip lost in silence changes every number after it; a clip left out knowingly is on
    record."""
    source = archive(
        tmp_path / "zip", clips | {f"{NAMES[5]}.skeleton": clips[f"{NAMES[5]}.skeleton"][:-500]}
    )
    with pytest.raises(UserError, match=rf"{NAMES[5]}\.skeleton: ends in frame .*--skip-damaged"):
        sequences(tmp_path, source)
    assert not (tmp_path / "s").exists()
    store = sequences(tmp_path, source, skip_damaged=True)
    assert len(store) == len(NAMES) - 1
    assert list(store.meta["left_out"]) == [f"{NAMES[5]}.skeleton"]


def test_wrong_counts_say_what_differs(tmp_path, clips, monkeypatch):
    """Half an archive must not become a data set of its own."""
    source = archive(tmp_path / "zip", clips)
    with pytest.raises(
        UserError,
        match=r"ntu60/xsub: 24 training clips in .*, expected 40091; see what is missing with "
        r"'python -m pstl doctor ntu60'",
    ):
        sequences(tmp_path, source)
    parse("ntu60", {"wrong_counts": "warn"}, tmp_path / "raw/ntu60", tmp_path / "s", jobs=1)
    assert len(open_sequences(tmp_path / "s")) == len(NAMES)


def test_an_archive_that_was_moved_is_asked_for(tmp_path, clips, few):
    """The manifest points at the user's file; the message must say so when it is gone."""
    source = archive(tmp_path / "zip", clips)
    fetch("ntu60", {}, tmp_path / "raw/ntu60", [source])
    source.rename(tmp_path / "elsewhere")
    with pytest.raises(
        UserError, match=r"is no longer in .*zip.*; run 'python -m pstl fetch ntu60"
    ):
        parse("ntu60", {}, tmp_path / "raw/ntu60", tmp_path / "s")


@pytest.mark.parametrize("recipe", ["resize50", "spine300"])
def test_arrays_do_not_depend_on_the_pieces_they_are_made_in(
    tmp_path, clips, few, monkeypatch, recipe
):
    """Large data sets are prepared a few clips at a time, by several processes, each piece as long
    as its longest clip.
    """
    from pstl.data import prepare as module

    sequences(tmp_path, archive(tmp_path / "zip", clips))
    prepare("ntu60", Plugin(name=recipe), tmp_path / "s", tmp_path / "whole", jobs=1)
    monkeypatch.setattr(module, "CHUNK", 7)
    prepare("ntu60", Plugin(name=recipe), tmp_path / "s", tmp_path / "pieces", jobs=1)
    whole, pieces = open_array(tmp_path / "whole"), open_array(tmp_path / "pieces")
    np.testing.assert_array_equal(whole.x, pieces.x)
    np.testing.assert_array_equal(whole.length, pieces.length)
    assert whole.x.shape[:2] == (len(NAMES), 3)
    assert json.loads((tmp_path / "whole/meta.json").read_text()) == json.loads(
        (tmp_path / "pieces/meta.json").read_text()
    )
    assert [len(side) for side in whole.splits["xview"]] == [32, 16]


@NEEDS_PROC
def test_a_killed_worker_is_one_line_and_leaves_nothing(tmp_path, clips, few, monkeypatch):
    """Reading and preparing take the most memory, so the kernel ends their processes first.

    No half store is left, and the next call carries on.
    """
    from pstl.data import prepare as module

    said = r"one of 2 processes was killed, perhaps for want of memory; .*--jobs 1"
    sequences(tmp_path / "quiet", archive(tmp_path / "zip", clips))
    with a_kill(random.Random(0)), pytest.raises(UserError, match=said):
        sequences(tmp_path, tmp_path / "zip", jobs=2)
    assert [path.name for path in tmp_path.iterdir() if path.name.lstrip(".").startswith("s")] == []
    store = sequences(tmp_path, tmp_path / "zip")
    assert store.meta["checksum"] == open_sequences(tmp_path / "quiet/s").meta["checksum"]

    monkeypatch.setattr(module, "CHUNK", 7)
    with a_kill(random.Random(0)), pytest.raises(UserError, match="one of 2 processes was killed"):
        prepare("ntu60", Plugin(name="resize50"), tmp_path / "s", tmp_path / "array", jobs=2)
    assert [path.name for path in tmp_path.iterdir() if "array" in path.name] == []
    prepare("ntu60", Plugin(name="resize50"), tmp_path / "s", tmp_path / "array", jobs=1)
    assert len(open_array(tmp_path / "array", encodable=True).x) == len(NAMES)


@NEEDS_PROC
@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_any_moment_of_reading_ends_it(tmp_path, clips, few, monkeypatch, seed):
    """Hours of reading must end in minutes whatever the kernel takes away, or the night is lost."""
    monkeypatch.setattr(members, "BATCH", 1)
    rng = random.Random(seed)
    source, end = archive(tmp_path / "zip", clips), ""
    began = time.monotonic()
    with a_kill(rng, within=rng.choice([0.02, 0.7, 1.2])) as hits:
        try:
            sequences(tmp_path, source, jobs=3)
        except UserError as error:
            end = str(error)
    assert not active_children()
    assert (tmp_path / "s").exists() == (not end)
    assert not end or (hits and end.startswith("one of 3 processes was killed"))
    sys.stderr.write(f"seed {seed}: {end[:24] or 'all read'}, {time.monotonic() - began:.1f} s\n")


def test_downloading_needs_the_terms_accepted(tmp_path, monkeypatch):
    """The addresses are public, the data is not free: nobody's agreement is taken for granted."""
    monkeypatch.setattr("pstl.data.fetch.download", lambda url, target, **_: asked.append(url))
    asked = []
    with pytest.raises(UserError) as caught:
        fetch("ntu60", {}, tmp_path / "raw/ntu60")
    message = str(caught.value)
    assert not asked
    for part in (
        ntu60.DATASET.spec.remotes[0].filename,
        "rose1.ntu.edu.sg",
        "accept_terms: true",
        f"{tmp_path}/raw/archives",
    ):
        assert part in message
    with pytest.raises(FileNotFoundError):  # of the file that was not really downloaded
        fetch("ntu60", {"accept_terms": True}, tmp_path / "raw/ntu60")
    assert asked == [ntu60.DATASET.spec.remotes[0].url]
