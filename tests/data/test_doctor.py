"""The doctor finds every defect before hours are spent, and says nothing is wrong when
nothing is."""

import dataclasses
import json
import re
import shutil

import numpy as np
import own_clips
import pytest
import simulated
import small_world

from pstl import cli
from pstl.data import describe, doctor
from pstl.data.datasets import _ntu, ntu60, nwucla
from pstl.data.fetch import fetch
from pstl.data.formats import skeleton_txt
from pstl.registry import names

NAMES = simulated.ntu_names((1,), (1, 3), (1,))  # 12 clips


@pytest.fixture(scope="module")
def clips():
    return {f"{name}.skeleton": simulated.ntu_clip(name, frames=(6, 9)) for name in NAMES}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(
        ntu60.DATASET,
        "spec",
        dataclasses.replace(ntu60.DATASET.spec, expected={"xsub": (6, 6), "xview": (8, 4)}),
    )
    monkeypatch.setattr(ntu60.DATASET, "absent", lambda files: [])


def folder(path, clips):
    path.mkdir()
    for name, content in clips.items():
        (path / name).write_bytes(content)
    return path


def test_a_whole_set_is_ok(tmp_path, clips, few):
    """What it counts is what training will see: frames, bodies and both sides of every split."""
    report = doctor.examine(
        "ntu60", {}, tmp_path / "raw", [folder(tmp_path / "mine", clips)], jobs=1
    )
    found = [skeleton_txt.read(content) for content in clips.values()]
    assert report["ok"]
    assert (report["files"], report["clips"], report["frames"]) == (
        12,
        12,
        sum(len(r.xyz) for r in found),
    )
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
    report = doctor.examine(
        "ntu60", {}, tmp_path / "raw", [folder(tmp_path / "mine", clips | bad)], jobs=1
    )
    assert not report["ok"]
    for name, reason in zip(
        names, ("truncated", "none of 3 frames has a body", "joint count 20", "empty"), strict=False
    ):
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
    assert ntu60.DATASET.absent(files) == []
    assert ntu60.DATASET.absent(files[:7] + files[8:-2]) == [
        f[:20] for f in (files[7], *files[-2:])
    ]
    assert "S001C002P005R002A008" not in ntu60.DATASET.absent([])
    assert len(ntu60.DATASET.absent([])) == 56_578


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("S001C001P001R001A001.skeleton", None, {"kind": "NTU RGB+D skeleton", "ok": True}),
        ("S001C001P001R001A002.skeleton", b"1\n1\n", {"ok": False}),
        (
            "0002-L.txt",
            b" ".join([b"0.5"] * 150) + b"\n",
            {"frames": 1, "frames_with_two_bodies": 1, "ok": True},
        ),
        ("0003-L.txt", b"1,5,9,1\n2,12,20,2\n", {"kind": "PKU-MMD labels", "intervals": 2}),
        ("a08_s01_e02_v03.json", b"{}", {"ok": False}),
        ("a.zip", b"PK no", {"kind": "archive", "ok": False}),
        ("holiday.jpg", b"", {"ok": False}),
    ],
)
def test_single_files_are_described_or_refused(tmp_path, clips, name, content, expected):
    """One suspicious file is what people come with."""
    (tmp_path / name).write_bytes(
        clips["S001C001P001R001A001.skeleton"] if content is None else content
    )
    report = describe.examine_file(tmp_path / name)
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
    report = describe.examine_file(path)
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
    path.unlink()
    cli.main(["doctor", "--params", str(root / "params.yaml"), "--archives", str(tmp_path)])
    out = capsys.readouterr().out
    assert "nturgbd_skeletons_s018_to_s032.zip: missing" in out
    assert "rose1.ntu.edu.sg" in out


UCLA = {
    f"all_sqe/a08_s01_e0{i}_v0{v}.json": json.dumps(
        {
            "file_name": "x",
            "skeletons": np.random.default_rng(10 * i + v)
            .normal(size=(3, 20, 3))
            .round(4)
            .tolist(),
            "label": 7,
        }
    ).encode()
    for i in (1, 2)
    for v in (1, 2, 3)
}


@pytest.fixture
def ucla(monkeypatch, tmp_path, root):
    """Six clips in NW-UCLA's archive, which is copied when fetched."""
    monkeypatch.setattr(
        nwucla.DATASET, "spec", dataclasses.replace(nwucla.DATASET.spec, expected={"xview": (4, 2)})
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    simulated.write_zip(tmp_path / "mine" / "all_sqe.zip", UCLA)


@pytest.fixture
def doctor_says(capsys, tmp_path):
    """Ask the command: (exit code, output, errors)."""
    small_world.settings(tmp_path / "params.yaml")

    def ask(*words):
        try:
            cli.main(
                [
                    "doctor",
                    *map(str, words),
                    "--jobs",
                    "1",
                    "--params",
                    str(tmp_path / "params.yaml"),
                ]
            )
            code = 0
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return ask


def flipped(data):
    """A zip archive with one bit of its third member's content changed."""
    at = [m.start() for m in re.finditer(rb"PK\x03\x04", data)][2] + 100
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def test_the_states_of_a_copied_set_are_told_apart(tmp_path, ucla, doctor_says):
    """Not fetched is no damage, and half a download is neither that nor a broken disk: each has
    another remedy.
    """
    archive = tmp_path / "mine" / "all_sqe.zip"
    whole = archive.read_bytes()

    code, out, _ = doctor_says("nwucla", "--archives", "mine")
    assert (code, out.splitlines()[0]) == (0, "nwucla: ok, not fetched")
    assert "xview: 4 + 2 clips" in out
    assert "wrong" not in out

    for cut in (len(whole) // 2, len(whole) - 30, 10, 2, 0):
        archive.write_bytes(whole[:cut])
        code, out, _ = doctor_says("nwucla", "--archives", "mine")
        assert (code, out.splitlines()[0]) == (1, "nwucla: NOT OK, truncated")
        assert f"mine/all_sqe.zip: truncated or not a zip archive: {cut} of 14250812 bytes" in out
        assert "damaged" not in out

    for broken in (flipped(whole), b"<html>" * 1000, whole[:40] + whole[60:]):
        archive.write_bytes(broken)
        code, out, _ = doctor_says("nwucla", "--archives", "mine")
        assert (code, out.splitlines()[0]) == (1, "nwucla: NOT OK, damaged")
        assert "mine/all_sqe.zip: " in out
        assert "truncated" not in out

    archive.unlink()
    code, out, _ = doctor_says("nwucla", "--archives", "mine")
    assert (code, out.splitlines()[0]) == (1, "nwucla: missing")

    archive.write_bytes(whole)
    fetch("nwucla", {}, "data/raw/nwucla", ["mine"])
    for words in ((), ("--archives", "mine")):
        code, out, _ = doctor_says("nwucla", *words)
        assert (code, out.splitlines()[0]) == (0, "nwucla: ok, whole")
        assert "xview: 4 + 2 clips" in out
    archive.unlink()  # a copied set needs it no more
    assert doctor_says("nwucla")[0] == 0


def test_every_changed_file_of_a_fetched_set_is_named(tmp_path, ucla, doctor_says):
    """A reader stops at the first; who repairs a set must see all of them."""
    fetch("nwucla", {}, "data/raw/nwucla", ["mine"])
    names = sorted((tmp_path / "data/raw/nwucla/all_sqe").iterdir())
    size = names[0].stat().st_size
    names[0].write_bytes(names[0].read_bytes()[:100])
    code, out, _ = doctor_says("nwucla")
    assert (code, out.splitlines()[0]) == (1, "nwucla: NOT OK, truncated")
    assert f"{names[0].relative_to(tmp_path)}: truncated: 100 of {size} bytes" in out
    names[1].unlink()
    gone = f"{names[1].relative_to(tmp_path)}: is not there any more"
    assert gone in doctor_says("nwucla")[1]
    fetch("nwucla", {}, "data/raw/nwucla", ["mine"])
    names[1].unlink()
    code, out, _ = doctor_says("nwucla")
    assert (code, out.splitlines()[0]) == (1, "nwucla: NOT OK, incomplete")
    assert gone in out

    fetch("nwucla", {}, "data/raw/nwucla", ["mine"])
    for name in names[2:4]:
        name.write_bytes(name.read_bytes().replace(b"0.", b"x.", 1))
    code, out, _ = doctor_says("nwucla")
    assert (code, out.splitlines()[0]) == (1, "nwucla: NOT OK, damaged")
    assert all(name.name in out for name in names[2:4])
    assert "clips" not in out  # nothing was counted, so no count looks wrong


def test_loose_files_are_one_copy_before_and_after_fetch(tmp_path, ucla, doctor_says):
    """What was fetched from a folder lies there twice: that is no riddle, and hides no other
    set."""
    (tmp_path / "mine" / "all_sqe.zip").unlink()
    loose = folder(
        tmp_path / "mine" / "all_sqe",
        {name.rpartition("/")[2]: content for name, content in UCLA.items()},
    )
    assert doctor_says("nwucla", "--archives", "mine")[1].startswith("nwucla: ok, not fetched")
    fetch("nwucla", {}, "data/raw/nwucla", ["mine"])
    code, out, _ = doctor_says("--archives", "mine")
    assert (code, "nwucla: ok, whole" in out, "ntu60: missing" in out) == (0, True, True)

    shutil.rmtree(tmp_path / "data")
    (tmp_path / "mine" / "copy").mkdir()
    shutil.copy(next(loose.iterdir()), tmp_path / "mine" / "copy")
    code, out, _ = doctor_says("--archives", "mine")
    assert "nwucla: NOT OK, ambiguous" in out
    assert " is in " in out
    assert (code, "utkinect: missing" in out) == (1, True)


def test_the_states_of_a_set_read_in_place_are_told_apart(
    tmp_path, clips, few, doctor_says, monkeypatch
):
    """NTU's archives are never copied: what was fetched can be cut, bent or moved away
    afterwards."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    archive = tmp_path / "mine" / ntu60.DATASET.spec.remotes[0].filename
    simulated.write_zip(
        archive, {f"nturgb+d_skeletons/{name}": text for name, text in clips.items()}
    )
    whole = archive.read_bytes()
    for state, words in (("not fetched", ("--archives", "mine")), ("whole", ())):
        if state == "whole":
            archive.write_bytes(whole)
            fetch("ntu60", {}, "data/raw/ntu60", ["mine"])
        for content, code, title in (
            (whole, 0, f"ntu60: ok, {state}"),
            (whole[:-1000], 1, "ntu60: NOT OK, truncated"),
            (flipped(whole), 1, "ntu60: NOT OK, damaged"),
        ):
            archive.write_bytes(content)
            found = doctor_says("ntu60", *words)
            assert (found[0], found[1].splitlines()[0]) == (code, title)
    archive.rename(tmp_path / "elsewhere.zip")
    code, out, _ = doctor_says("ntu60")
    assert (code, out.splitlines()[0]) == (1, "ntu60: missing")
    assert "is no longer in" in out


def test_another_archive_of_the_same_name_is_no_damage(tmp_path, ucla, doctor_says):
    """`Skeleton.zip` is a name that several data sets have: in a folder of archives it must not
    make one of them broken.
    """
    simulated.write_zip(
        tmp_path / "mine" / "Skeleton.zip", {"Skeleton/a1_s1_t1.mat": b"another data set"}
    )
    code, out, _ = doctor_says("--archives", "mine")
    assert code == 0
    assert "pkummd1: missing" in out
    assert "mine/Skeleton.zip: none of its 1 files is named like" in out


def test_a_set_with_other_counts_is_incomplete(tmp_path, clips, few):
    """Whole files, but not all of them: counts are those of another data set."""
    del clips["S001C002P001R001A001.skeleton"]
    report = doctor.examine(
        "ntu60", {}, tmp_path / "raw", [folder(tmp_path / "mine", clips)], jobs=1
    )
    assert (report["ok"], report["state"]) == (False, "incomplete")


def test_without_a_name_only_what_is_here_must_be_whole(tmp_path, ucla, doctor_says):
    """Nobody has all sets; one that is not here is no fault, and one that is broken hides none of
    the others.
    """
    code, out, _ = doctor_says("--archives", "mine")
    titles = [line for line in out.splitlines() if not line.startswith(" ")]
    assert [title.split(":")[0] for title in titles] == names("data.datasets")
    assert code == 0
    assert "nwucla: ok, not fetched" in titles
    assert "ntu60: missing" in titles
    assert "synthetic: ok, not fetched" in titles

    (tmp_path / "mine" / "all_sqe.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "data/raw/utkinect").mkdir(parents=True)
    (tmp_path / "data/raw/utkinect/manifest.json").write_bytes(b"{")
    (tmp_path / "mine" / "Skeleton.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    (tmp_path / "mine" / "msr_action3d_real_world.zip").symlink_to("msr_action3d_real_world.zip")
    code, out, _ = doctor_says("--archives", "mine", "--json")
    states = {report["dataset"]: report["state"] for report in json.loads(out)}
    assert code == 1
    assert list(states) == names("data.datasets")
    wrong = {"nwucla": "truncated", "pkummd1": "truncated"}
    wrong |= {"utkinect": "damaged", "msraction3d": "damaged"}
    fine = ("missing", "not fetched")
    assert {name: state for name, state in states.items() if state not in fine} == wrong


def test_wrong_usage_is_told_from_a_broken_file(tmp_path, ucla, doctor_says):
    """Scripts tell 1, look at your files, from 2, look at your command."""
    assert doctor_says("nwucia")[::2] == (
        2,
        "pstl doctor: nwucia: neither a data set nor a file; data sets: "
        f"{', '.join(names('data.datasets'))}\n",
    )
    code, out, _ = doctor_says("nwucla", "nwucia", "--archives", "mine")
    assert (code, out.splitlines()[0]) == (2, "nwucla: ok, not fetched")
    for words in (("--archives", "none"), ("--raw", "x"), ("nwucla", "cmu", "--raw", "x")):
        code, out, err = doctor_says(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_single_archives_are_read_to_their_last_byte(tmp_path, ucla, doctor_says):
    """The list of files stands at the end of an archive and says nothing of a bit that changed
    before it.
    """
    archive = tmp_path / "mine" / "all_sqe.zip"
    whole = archive.read_bytes()
    assert doctor_says(archive)[:2] == (
        0,
        f"{archive}: ok, whole\n  kind: archive\n  files: 6\n  endings: {{'.json': 6}}\n",
    )
    archive.write_bytes(flipped(whole))
    code, out, _ = doctor_says(archive)
    assert (code, out.startswith(f"{archive}: NOT OK, damaged: {archive}: member all_sqe/")) == (
        1,
        True,
    )
    archive.write_bytes(whole[:-1])
    assert doctor_says(archive)[1].startswith(f"{archive}: NOT OK, truncated")
    simulated.write_7z(tmp_path / "a.7z", UCLA)
    seven = (tmp_path / "a.7z").read_bytes()
    assert doctor_says(tmp_path / "a.7z")[0] == 0
    (tmp_path / "a.7z").write_bytes(seven[:-5])
    assert (
        f"NOT OK, truncated: {tmp_path}/a.7z: truncated or not a 7z archive: {len(seven) - 5} of "
        f"{len(seven)} bytes" in doctor_says(tmp_path / "a.7z")[1]
    )
    (tmp_path / "a.7z").write_bytes(seven[:40] + bytes([seven[40] ^ 8]) + seven[41:])
    assert "NOT OK, damaged" in doctor_says(tmp_path / "a.7z")[1]
    assert "is a folder, expected a file" in doctor_says(tmp_path / "mine")[1]


def test_a_folder_of_frames_is_described_as_the_clip_that_it_is(tmp_path, doctor_says):
    """The page says that doctor says in words what was assumed of a clip, whatever its kind."""
    own_clips.write_openpose(tmp_path / "take", own_clips.pixels(own_clips.people("openpose25")))
    code, said, _ = doctor_says(tmp_path / "take")
    assert code == 0
    assert "body: openpose25" in said


def test_names_of_any_bytes_are_printed(tmp_path, doctor_says):
    """A file name that is no UTF-8 must not end the report in which it stands."""
    path = tmp_path / "caf\udce9.skeleton"
    path.write_bytes(b"")
    code, out, _ = doctor_says(path)
    assert (code, "caf\\udce9.skeleton" in out) == (1, True)


@pytest.mark.parametrize("name", ["cmu", "utkinect"])
def test_real_archives_are_whole(tmp_path, shared, name):
    """Two folders of one archive may hold the same names, where it is unpacked as it is: that is no
    second copy.
    """
    if not (shared / "data").is_dir():
        pytest.skip("no real recordings: ../shared/data is absent")
    report = doctor.examine(name, {}, tmp_path / "raw", [shared / "data"], jobs=1)
    assert (report["state"], report["damaged"]) == ("not fetched", {})
    fetch(name, {}, tmp_path / "raw", [shared / "data"])
    assert doctor.examine(name, {}, tmp_path / "raw", [shared / "data"], jobs=1)["state"] == "whole"
