import numpy as np
import pytest
from arrays import write_array

from pstl.data import prepare
from pstl.data.datasets import nwucla
from pstl.data.parse import parse
from pstl.data.spec import by_camera
from pstl.data.store import ArraySet, SequenceStore, open_array
from pstl.data.store_shape import INDEX
from pstl.errors import UserError
from pstl.records import Clip


def write(folder, content, names=("a", "b", "c", "d"), train=(0, 1), test=(2, 3)):
    n = len(names)
    x, y, length = np.zeros((n, 3, 2, 20, 1), np.float32), np.zeros(n, np.int64), np.full(n, 2)
    meta = {"dataset": "nwucla", "recipe": {"name": "resize50"}}
    split = {
        "xview": (np.array(train), np.array(test)),
        "xview_disjoint": (np.array(train), np.array(test)),
    }
    write_array(
        folder, ArraySet(x, y, length, np.array(content, dtype=np.uint64), list(names), split, meta)
    )


def test_a_test_clip_with_the_content_of_a_training_clip_stops_the_workflow(tmp_path):
    """Copies under another name would be tested on what was learnt."""
    write(tmp_path / "a", [1, 2, 3, 1])
    with pytest.raises(
        UserError,
        match=r"1 test clips have the very coordinates of a training clip, e\.g\. d; expected 0",
    ):
        prepare.check_leakage(tmp_path / "a", "xview_disjoint", tmp_path / "report.json")
    assert not (tmp_path / "report.json").exists()


def test_a_clip_on_both_sides_stops_the_workflow(tmp_path):
    """The same name in training and test is a broken split."""
    write(tmp_path / "a", [1, 2, 3, 4], test=(1, 2, 3))
    with pytest.raises(UserError, match="clip b is in training and in test"):
        prepare.check_leakage(tmp_path / "a", "xview_disjoint", tmp_path / "report.json")


def test_documented_overlap_must_be_exactly_what_is_found(tmp_path):
    """A known defect of a release is let through with its number, not with any number."""
    write(tmp_path / "a", [1, 2, 3, 1])
    with pytest.raises(UserError, match="expected 95"):
        prepare.check_leakage(tmp_path / "a", "xview", tmp_path / "report.json")


def test_clean_split_is_reported(tmp_path):
    """The report is the workflow's proof."""
    write(tmp_path / "a", [1, 2, 3, 4])
    prepare.check_leakage(tmp_path / "a", "xview_disjoint", tmp_path / "report.json")
    assert '"shared_contents": 0' in (tmp_path / "report.json").read_text()
    assert open_array(tmp_path / "a").unseen("xview").all()


def test_what_a_split_leaves_out_is_said(tmp_path, caplog):
    """A split that spares another data set's test trains on fewer clips: nobody must take it for
    the official one."""
    write(tmp_path / "a", [1, 2, 3, 4], test=(3,))
    prepare.check_leakage(tmp_path / "a", "xview_disjoint", tmp_path / "report.json")
    assert "left out, on neither side: 1 clips, e.g. c" in caplog.text
    assert '"left_out": 1' in (tmp_path / "report.json").read_text()


def test_wrong_count_names_both_numbers(tmp_path, monkeypatch):
    """A missing file must be an error at the door, not a surprise in a table."""
    one = Clip("a01_s01_e00_v01", 0, np.ones((2, 20, 1, 3), np.float32), camera=1)
    (tmp_path / "a01_s01_e00_v01.json").touch()
    monkeypatch.setattr(nwucla.DATASET, "read", lambda member, data, note: [one])
    with pytest.raises(
        UserError, match=r"nwucla/xview: 1 training clips .* expected 1020; delete the folder"
    ):
        parse("nwucla", {}, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_real_nwucla_from_archive_to_array(shared, tmp_path):
    """The first real data set takes the path of every data set, counts checked on the way."""
    from pstl.config import Plugin
    from pstl.data.fetch import fetch

    fetch("nwucla", {}, tmp_path / "raw/nwucla", [shared / "data"])
    parse("nwucla", {}, tmp_path / "raw/nwucla", tmp_path / "sequences")
    prepare.prepare("nwucla", Plugin(name="resize50"), tmp_path / "sequences", tmp_path / "array")
    data = open_array(tmp_path / "array")
    assert data.x.shape == (1484, 3, 50, 20, 1)
    assert [len(side) for side in data.splits["xview"]] == [1020, 464]
    assert (~data.unseen("xview")).sum() == 95
    assert data.unseen("xview_disjoint").all()
    prepare.check_leakage(tmp_path / "array", "xview", tmp_path / "leakage.json")


def test_split_rules_by_camera_cover_and_exclude():
    """A camera named on no side is left out, one named on both is a mistake."""
    rule = by_camera(train=(1,), test=(3,))
    clips = [Clip("x", 0, np.zeros((1, 1, 1, 3)), camera=c) for c in (1, 2, 3)]
    assert [rule(c) for c in clips] == ["train", "", "test"]
    with pytest.raises(UserError, match="in training and in test"):
        by_camera(train=(1, 2), test=(2,))


def test_a_clip_is_made_once_for_all_splits(tmp_path, monkeypatch):
    """Splits of 100,000 clips took a minute: an object was made of each clip, for each split."""
    index = np.zeros(5, INDEX)
    index["frames"] = index["people"] = 1
    store = SequenceStore(np.zeros(60, np.float32), index, list("abcde"), {"joints": 20})
    made, make = [], SequenceStore.__getitem__
    monkeypatch.setattr(SequenceStore, "__getitem__", lambda s, i: made.append(i) or make(s, i))
    spec = nwucla.DATASET.spec
    assert len(spec.splits) > 1
    assert set(prepare.split_indices(spec, store)) == set(spec.splits)
    assert made == list(range(len(store)))
