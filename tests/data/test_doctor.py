"""The doctor finds every defect before hours are spent, and says nothing is wrong when nothing is."""

import dataclasses
import json

import numpy as np
import pytest

from pstl import cli
from pstl.data import doctor, simulated
from pstl.data.datasets import _ntu, ntu60
from pstl.data.formats import skeleton_txt

NAMES = simulated.ntu_names((1,), (1, 3), (1,))  # 12 clips


@pytest.fixture(scope="module")
def clips():
    return {f"{name}.skeleton": simulated.ntu_clip(name, frames=(6, 9)) for name in NAMES}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(ntu60, "SPEC", dataclasses.replace(ntu60.SPEC, expected={"xsub": (6, 6), "xview": (8, 4)}))
    monkeypatch.setattr(ntu60, "absent", lambda files: [])


def folder(path, clips):
    path.mkdir()
    for name, content in clips.items():
        (path / name).write_bytes(content)
    return path


def test_a_whole_set_is_ok(tmp_path, clips, few):
    """What it counts is what training will see: frames, bodies and both sides of every split."""
    report = doctor.examine("ntu60", {}, tmp_path / "raw", [folder(tmp_path / "mine", clips)], jobs=1)
    found = [skeleton_txt.read(content) for content in clips.values()]
    assert report["ok"]
    assert (report["files"], report["clips"], report["frames"]) == (12, 12, sum(len(r.xyz) for r in found))
    assert sum(report["clips_by_bodies"].values()) == 12
    assert report["splits"]["xview"] == {"found": [8, 4], "expected": [8, 4]}


def test_every_damaged_file_is_named_with_its_reason(tmp_path, clips, few):
    """One run must show all of them: repairing a set one message at a time takes days."""
    names = sorted(clips)
    bad = {
        names[0]: clips[names[0]][:-300],
        names[1]: b"3\n0\n0\n0\n",
        names[2]: clips[names[2]].replace(b"\n25", b"\n20"),
        names[3]: b"",
    }
    report = doctor.examine("ntu60", {}, tmp_path / "raw", [folder(tmp_path / "mine", clips | bad)], jobs=1)
    assert not report["ok"]
    for name, reason in zip(names, ("truncated", "none of 3 frames has a body", "joint count 20", "empty"), strict=False):
        assert reason in report["damaged"][name]
    assert len(report["damaged"]) == 4
    text = doctor.text(report)
    assert "NOT OK" in text
    assert all(name in text for name in bad)
    assert "expected 8 + 4" in text


def test_absent_clips_are_named():
    """A copy that stopped half-way lacks clips at its end: counts say that, names say which."""
    names = [str(name) for name in _ntu.filmed(range(1, 18))]
    files = [f"{name}.skeleton" for name in names if name not in _ntu.missing()]
    assert ntu60.absent(files) == []
    assert ntu60.absent(files[:7] + files[8:-2]) == [f[:20] for f in (files[7], *files[-2:])]
    assert "S001C002P005R002A008" not in ntu60.absent([])
    assert len(ntu60.absent([])) == 56_578


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("S001C001P001R001A001.skeleton", None, {"kind": "NTU RGB+D skeleton", "ok": True}),
        ("S001C001P001R001A002.skeleton", b"1\n1\n", {"ok": False}),
        ("0002-L.txt", b" ".join([b"0.5"] * 150) + b"\n", {"frames": 1, "frames_with_two_bodies": 1, "ok": True}),
        ("0003-L.txt", b"1,5,9,1\n2,12,20,2\n", {"kind": "PKU-MMD labels", "intervals": 2}),
        ("a08_s01_e02_v03.json", b"{}", {"ok": False}),
        ("a.zip", b"PK no", {"kind": "archive", "ok": False}),
        ("holiday.jpg", b"", {"ok": False}),
    ],
)
def test_single_files_are_described_or_refused(tmp_path, clips, name, content, expected):
    """One suspicious file is what people come with."""
    (tmp_path / name).write_bytes(clips["S001C001P001R001A001.skeleton"] if content is None else content)
    report = doctor.examine_file(tmp_path / name)
    assert {key: report[key] for key in expected} == expected
    assert report["ok"] or name in report["damage"]
    if content is None:
        found = skeleton_txt.read(clips[name])
        assert report["frames"] == len(found.xyz)
        assert report["most_bodies_in_a_frame"] == (found.ids != 0).sum(1).max()
        assert report["bodies"] == len(np.unique(found.ids)) - (found.ids == 0).any()


@pytest.mark.parametrize("folder", ["Label", "Train_Label_PKU_final", "Skeleton"])
def test_an_empty_file_is_labels_only_where_labels_are(tmp_path, folder):
    """A recording cut off at its first byte was called sound labels of nothing."""
    path = tmp_path / "PKU" / folder / "0002-L.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\r\n")
    report = doctor.examine_file(path)
    if folder == "Skeleton":
        assert not report["ok"]
        assert f"{path}: the file is empty" in report["damage"]
    else:
        assert (report["kind"], report["intervals"]) == ("PKU-MMD labels", 0)


def test_the_command_says_it_as_text_and_as_json(tmp_path, clips, capsys, root):
    """Scripts read the JSON and the exit code, people the text."""
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_bytes(clips[path.name])
    cli.main(["doctor", str(path), "--json", "--params", str(root / "params.yaml")])
    assert json.loads(capsys.readouterr().out)[0]["ok"]
    path.write_bytes(b"")
    with pytest.raises(SystemExit) as stop:
        cli.main(["doctor", str(path), "--params", str(root / "params.yaml")])
    assert stop.value.code == 1
    assert f"{path}: NOT OK" in capsys.readouterr().out
    cli.main(["doctor", "--params", str(root / "params.yaml"), "--archives", str(tmp_path)])
    out = capsys.readouterr().out
    assert "nturgbd_skeletons_s018_to_s032.zip: missing" in out
    assert "rose1.ntu.edu.sg" in out
