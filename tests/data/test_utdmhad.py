"""UTD-MHAD: a MATLAB file becomes a clip or one line, the clips are the release's 861, and the
bodies are what the skeleton table says."""

import io
import struct
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from pstl.data import parse
from pstl.data.datasets import utdmhad
from pstl.data.fetch import fetch
from pstl.data.formats import utd_mat
from pstl.errors import UserError
from pstl.skeletons import load
from pstl.skeletons.mapping import joints_of

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SKELETON = load(utdmhad.DATASET.spec.skeleton)
J = SKELETON.joints
JOINT = {name: i for i, name in enumerate(SKELETON.names)}
SHAPE = (J, 3, 4)
XYZ = np.arange(J * 3 * 4).reshape(SHAPE) / 8


def saved(**content):
    """The bytes of a MATLAB file."""
    file = io.BytesIO()
    savemat(file, content, do_compression=True)
    return file.getvalue()


def with_value(value):
    xyz = XYZ.copy()
    xyz[5, 1, 2] = value
    return saved(d_skel=xyz)


def test_a_file_becomes_a_clip(tmp_path):
    """MATLAB counts joints, coordinates, frames; read in another order every joint would be another
    one's."""
    (tmp_path / "a12_s3_t4_skeleton.mat").write_bytes(saved(d_skel=XYZ))
    (clip,) = parse.clips(utdmhad.DATASET, tmp_path)
    assert (clip.name, clip.label, clip.subject) == ("a12_s3_t4", 11, 3)
    assert clip.xyz.dtype == np.float32
    assert clip.xyz.shape == (4, J, 1, 3)
    np.testing.assert_array_equal(clip.xyz[2, 5, 0], XYZ[5, :, 2])


def test_a_single_frame_is_a_clip():
    """MATLAB leaves out a last dimension of one."""
    xyz = utd_mat.read(saved(d_skel=XYZ[:, :, 0]), "a1_s1_t1_skeleton.mat", J)
    np.testing.assert_array_equal(xyz[0, :, 0], XYZ[:, :, 0])


def deflated(element):
    """A file whose first element is this stream."""
    return saved(d_skel=XYZ)[:128] + struct.pack("<II", 15, len(element)) + element


DAMAGED = {
    "nan": (with_value(np.nan), "frame 2, joint 5 is NaN or infinite"),
    "infinite": (with_value(np.inf), "frame 2, joint 5 is NaN or infinite"),
    "millimetres": (with_value(2000.0), "beyond 1000 m"),
    "19 joints": (saved(d_skel=XYZ[:-1]), r"d_skel is double \(19, 3, 4\), expected double \(20"),
    "no frame": (saved(d_skel=XYZ[..., :0]), r"d_skel is double \(20, 3, 0\)"),
    "turned": (saved(d_skel=XYZ.T), r"d_skel is double \(4, 3, 20\)"),
    "complex": (saved(d_skel=XYZ * 1j), "expected real numbers"),
    "text": (saved(d_skel="nothing"), "d_skel is char"),
    "cells": (saved(d_skel=np.array([XYZ, "a"], object)), "d_skel is cell"),
    "another variable": (saved(d_iner=XYZ), "d_skel is missing"),
    "cut": (saved(d_skel=XYZ)[:-40], "cannot be unpacked: it ends too early"),
    "cut short": (saved(d_skel=XYZ)[:130], "d_skel is missing"),
    "empty": (b"", "not a MATLAB file of version 5"),
    "zeros": (bytes(400), "not a MATLAB file of version 5"),
    "version 7.3": (b"MATLAB 7.3".ljust(124) + b"\x00\x02IM", "not a MATLAB file of version 5"),
    "a bomb": (deflated(zlib.compress(bytes(1 << 26))), "holds more than a clip"),
    "a flipped byte": (deflated(b"\x79" + zlib.compress(bytes(99))[1:]), "cannot be unpacked"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_damaged_is_named(tmp_path, case):
    """One bad file among 861 is only found if the message names it."""
    data, message = DAMAGED[case]
    path = tmp_path / "a1_s1_t1_skeleton.mat"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        list(parse.clips(utdmhad.DATASET, tmp_path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_clip_of_no_class_is_refused(tmp_path):
    """The set has 27 actions: a 28th is of another set."""
    (tmp_path / "a28_s1_t1_skeleton.mat").write_bytes(saved(d_skel=XYZ))
    with pytest.raises(UserError, match="action a28, expected a1 to a27"):
        list(parse.clips(utdmhad.DATASET, tmp_path))


def test_without_scipy_the_extra_is_named(monkeypatch):
    """The compute core has no reader of MATLAB's files: the command line then says what to
    install."""
    data = saved(d_skel=XYZ)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        utd_mat.read(data, "a1_s1_t1_skeleton.mat", J)
    assert caught.value.name.partition(".")[0] == "scipy"


def test_it_is_the_first_kinects_body_in_another_order():
    """An encoder of NW-UCLA must find the head where UTD-MHAD has it, and hang it on the same
    bone."""
    there, here = load("kinect_v1"), joints_of("kinect_v1", "utd20")
    assert sorted(here) == list(range(J))
    assert [SKELETON.names[j] for j in here] == list(there.names)
    assert {(here[a], here[b]) for a, b in there.edges} == set(SKELETON.edges)
    for groups, ours in ((there.parts, SKELETON.parts), (there.segments, SKELETON.segments)):
        for name, joints in groups.items():
            assert {here[j] for j in joints} == set(ours[name])


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    if not (SHARED / "utd-mhad").is_dir():
        pytest.skip("no real recordings: ../shared/data/utd-mhad is absent")
    folder = tmp_path_factory.mktemp("raw") / "utdmhad"
    fetch("utdmhad", {}, folder, [SHARED / "utd-mhad"])
    return list(parse.clips(utdmhad.DATASET, folder))


@pytest.fixture(scope="module")
def frames(clips):
    """(T, V, 3) of all frames."""
    return np.concatenate([clip.xyz[:, :, 0] for clip in clips])


def test_clips_are_the_releases_861(clips):
    """27 actions, 8 performers and 4 trials would be 864: three are not in the release."""
    everything = {f"a{a}_s{s}_t{t}" for a in range(1, 28) for s in range(1, 9) for t in range(1, 5)}
    absent = everything - {clip.name for clip in clips}
    assert absent == {"a8_s1_t4", "a23_s6_t4", "a27_s8_t4"}
    assert len(clips) == 861
    side = Counter(map(utdmhad.DATASET.spec.splits["xsub"], clips))
    assert (side["train"], side["test"]) == utdmhad.DATASET.spec.expected["xsub"]
    assert Counter(clip.label for clip in clips).keys() == set(range(27))
    assert [min(len(c.xyz) for c in clips), max(len(c.xyz) for c in clips)] == [41, 125]
    assert len({clip.xyz.tobytes() for clip in clips}) == 861
    assert all(clip.xyz.any(axis=3).all() for clip in clips)


def bones(frames):
    """(T, V - 1) lengths of all bones."""
    child, parent = np.array(SKELETON.edges).T
    return np.linalg.norm(frames[:, child] - frames[:, parent], axis=-1)


def test_bones_keep_their_length_and_both_sides_have_the_same(clips, frames):
    """A joint order that is off by one still trains; but then forearms are as long as thighs and
    change while they move."""
    child = [SKELETON.names[c] for c, _ in SKELETON.edges]
    length = dict(zip(child, np.median(bones(frames), 0), strict=True))
    of_clips = [bones(clip.xyz[:, :, 0]) for clip in clips]
    change = np.mean([lengths.std(0) / lengths.mean(0) for lengths in of_clips], 0)
    within_a_clip = dict(zip(child, change, strict=True))
    assert all(share < 0.1 for name, share in within_a_clip.items() if "hand" not in name)
    expected = {
        "knee": 0.45,
        "ankle": 0.36,
        "elbow": 0.26,
        "wrist": 0.23,
        "hand": 0.07,
        "foot": 0.08,
        "shoulder": 0.20,
        "head": 0.19,
    }
    for name, metres in expected.items():
        for side in ("",) if name == "head" else ("left ", "right "):
            assert length[side + name] == pytest.approx(metres, abs=0.02)
    mixed = frames[:, np.random.default_rng(0).permutation(J)]
    assert np.median(bones(mixed), 0).sum() > 2 * sum(length.values())


def speed(clips, joint):
    """Mean distance between neighbouring frames."""
    steps = [
        np.linalg.norm(np.diff(clip.xyz[:, JOINT[joint], 0], axis=0), axis=-1) for clip in clips
    ]
    return np.concatenate(steps).mean()


def test_up_is_y_and_left_is_left(clips, frames):
    """The acting arm is the right one by the names of the actions, feet point to the sensor, and
    then the right side is at larger x."""
    height = np.median(frames[:, :, 1], 0)
    order = [
        "head",
        "shoulder centre",
        "spine",
        "hip centre",
        "left knee",
        "left ankle",
        "left foot",
    ]
    assert (np.diff(height[[JOINT[name] for name in order]]) < 0).all()
    for side in ("left", "right"):
        toes, ankle = frames[:, JOINT[f"{side} foot"], 2], frames[:, JOINT[f"{side} ankle"], 2]
        assert (toes < ankle).mean() > 0.9
    for left, right in (SKELETON.shoulders, SKELETON.hips):
        assert (frames[:, right, 0] > frames[:, left, 0]).mean() > 0.99
    names = utdmhad.DATASET.spec.classes
    one_handed = ("swipe to the left", "wave", "draw x", "knock", "catch")
    acting = [clip for clip in clips if names[clip.label] in one_handed]
    assert speed(acting, "right hand") > 10 * speed(acting, "left hand")
    two_handed = [clip for clip in clips if names[clip.label] in ("clap", "arm curl", "push")]
    assert 0.8 < speed(two_handed, "right hand") / speed(two_handed, "left hand") < 1.25
