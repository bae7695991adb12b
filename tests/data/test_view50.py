"""Predict & Cluster's arrays: the released steps written out, and what real recordings hold."""

import numpy as np
import pytest

from pstl.data.recipes import view50
from pstl.data.recipes._rotation import turn
from pstl.records import Clip
from pstl.skeletons import load, names

BODIES = [load(name) for name in names()]
V1 = load("kinect_v1")


def walk(frames=30, skeleton=V1, people=1, seed=0):
    """Bodies three metres from the sensor that move a little, none of them at a coordinate of 0."""
    rng = np.random.default_rng(seed)
    pose = rng.uniform(0.2, 1.9, (1, skeleton.joints, people, 3)) + np.array([0, 0, 2])
    steps = rng.normal(size=(frames, skeleton.joints, people, 3)).cumsum(0) * 0.01
    return (pose + steps).astype(np.float32)


def apply(*clips, skeleton=V1, people=1, **cfg):
    sequences = [Clip(f"clip{i}", 0, xyz) for i, xyz in enumerate(clips)]
    return view50.RECIPE.apply(sequences, skeleton, people, view50.RECIPE.Config(**cfg))


def released(xyz, low=0, top=1, left=12, right=16):
    """Predict-Cluster spec 1 for one body (T, V, 3), joint by joint in double precision."""
    video = xyz.astype(np.float64)
    origin = video[0, low]
    v1 = video[0, top] - origin
    v1 = v1 / np.linalg.norm(v1)
    w = video[0, left] - video[0, right]
    v2 = w - np.dot(v1, w) * v1
    v2 = v2 / np.linalg.norm(v2)
    v3 = np.cross(v2, v1)
    inverse = np.linalg.inv(np.stack([v2, v3, v1], axis=1))
    kept = []
    for frame in video:
        if all(coordinate != 0 for joint in frame for coordinate in joint):
            kept.append([inverse @ (joint - origin) for joint in frame])
    moved = np.array(kept)
    for axis in range(3):
        values = moved[..., axis]
        smallest, largest = values.min(), values.max()
        moved[..., axis] = 2 * (values - smallest) / (largest - smallest) - 1
    if len(moved) > 50:
        step = len(moved) // 50
        moved = np.array([moved[i * step] for i in range(50)])
    return moved


@pytest.mark.parametrize("skeleton", BODIES, ids=lambda body: body.name)
def test_arrays_are_those_of_the_released_steps(skeleton):
    """Whoever claims the paper's numbers must feed what the paper fed; on any body, by the names of
    its joints."""
    clips = [walk(frames, skeleton, seed=frames) for frames in (1, 7, 50, 51, 99, 100, 173)]
    clips[2][[3, 20], 5, 0, 1] = 0  # one coordinate of one joint
    x, length = apply(*clips, skeleton=skeleton)
    assert length.tolist() == [1, 7, 48, 50, 50, 50, 50]
    (low, top), (left, right) = skeleton.spine, skeleton.hips
    for clip, xyz, frames in zip(x, clips, length, strict=True):
        expected = released(xyz[:, :, 0], low, top, left, right)
        assert len(expected) == frames
        np.testing.assert_allclose(clip[:, :frames, :, 0].transpose(1, 2, 0), expected, atol=1e-5)
        assert not clip[:, frames:].any()


@pytest.mark.parametrize("up", ["spine", "shoulders"])
@pytest.mark.parametrize("across", ["hips", "shoulders"])
@pytest.mark.parametrize("frames_for_axes", [1, 5])
def test_a_turned_and_moved_camera_sees_the_same_clip(up, across, frames_for_axes):
    """The cross-view test lives on this; tilted cameras are what full axes are for."""
    xyz = walk(people=2)
    rotation = turn(np.array([1.0, 2.0, -0.5]), np.array([0.0, 1.0, 0.0]))
    moved = (xyz @ rotation.T + np.array([0.3, -2, 15])).astype(np.float32)
    settings = {"up": up, "across": across, "frames_for_axes": frames_for_axes}
    (a, _), (b, _) = (apply(clip, people=2, span="metres", **settings) for clip in (xyz, moved))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_settings_are_about_the_joints_they_name():
    """Up, left and the origin stand where the mean posture of the first frames has them, at the
    trunk's length that was asked for."""
    settings = {"frames_for_axes": 5, "up": "shoulders", "across": "shoulders", "scale": "trunk"}
    x, _ = apply(walk(), span="metres", **settings)
    posture = x[0, :, :5, :, 0].mean(1).T  # (V, 3)
    np.testing.assert_allclose(posture[0], 0, atol=1e-6)
    assert posture[2, 2] > 0
    np.testing.assert_allclose(posture[2, :2], 0, atol=1e-6)
    across = posture[4] - posture[8]
    assert across[0] > 0
    assert across[1] == pytest.approx(0, abs=1e-6)
    lengths = np.linalg.norm(x[0, :, :5, 2, 0] - x[0, :, :5, 0, 0], axis=0)
    assert lengths.mean() == pytest.approx(0.5, abs=1e-6)


def test_one_origin_for_the_whole_clip_and_for_both_people():
    """Somebody who walks away does so here, too, and two who meet come closer."""
    xyz = walk(people=2)
    xyz[..., 1, :] = xyz[..., 0, :] + np.linspace(2, 1, 30, dtype=np.float32)[:, None, None]
    x, _ = apply(xyz, people=2, span="metres")
    apart = np.linalg.norm(x[0, :, :30, :, 1] - x[0, :, :30, :, 0], axis=0)  # (T, V)
    distance = np.tile(np.sqrt(3) * np.linspace(2, 1, 30)[:, None], (1, V1.joints))
    np.testing.assert_allclose(apart, distance, atol=1e-5)
    both, _ = apply(xyz, people=2)
    assert both.min() == -1
    assert both.max() == 1


def test_a_second_person_who_is_absent_or_late_costs_no_frame():
    """A slot of zeros is nobody; it is not a joint that was lost."""
    xyz = walk(people=2)
    alone, late = xyz.copy(), xyz.copy()
    alone[..., 1, :] = 0
    late[:10, :, 1] = 0
    x, length = apply(alone, late, xyz[..., :1, :], people=2)
    assert length.tolist() == [30, 30, 30]
    np.testing.assert_array_equal(x[0], x[2])
    assert not x[1, :, :10, :, 1].any()
    assert x[1, :, 10:30, :, 1].any(axis=0).all()


def test_empty_frames_go_and_nobody_is_nobody():
    """The length is that of what was recorded, wherever the holes are; no number is invented."""
    xyz = walk()
    holes = xyz.copy()
    holes[[0, 4, 29]] = 0
    x, length = apply(holes, np.delete(xyz, [0, 4, 29], axis=0), np.zeros_like(xyz))
    assert length.tolist() == [27, 27, 1]
    np.testing.assert_array_equal(x[0], x[1])
    assert not x[2].any()


def test_lost_joints_cost_their_frames_unless_they_are_lost_throughout():
    """A hand hidden for a moment is a hole; one that never shows must not cost the clip."""
    xyz = walk()
    moment, throughout = xyz.copy(), xyz.copy()
    moment[3:5, 7] = 0
    throughout[:, 7] = 0
    x, length = apply(moment, throughout, span="metres")
    assert length.tolist() == [28, 30]
    assert not x[1, :, :, 7].any()
    x, length = apply(moment, drop_zeros=False)
    assert length.tolist() == [30]
    assert not x[0, :, 3:5, 7].any()


def test_a_body_around_the_origin_has_no_lost_joints():
    """CMU's hips never leave the origin, as in everybody's centred clips: with them every frame
    would be left out."""
    skeleton = load("cmu38")
    xyz = walk(skeleton=skeleton) - np.float32([1, 1, 3])
    xyz[:, [0, 1, 7, 13]] = 0
    x, length = apply(xyz, skeleton=skeleton)
    assert length.tolist() == [30]
    expected = released(xyz[:, :, 0] + np.float32([9, 9, 9]), 13, 14, 2, 8)
    np.testing.assert_allclose(x[0, :, :30, :, 0].transpose(1, 2, 0), expected, atol=1e-4)


def test_without_axes_a_clip_is_centred_and_it_is_said(caplog):
    """Collinear or absent joints give no direction; a wild one would be worse than none."""
    line, headless, late = walk(), walk(), walk()
    places = np.arange(1, 5, dtype=np.float32)[:, None, None]
    line[:, [0, 1, 12, 16]] = np.float32([0, 1, 3]) + places * np.float32([0.1, 0.2, 0.3])
    headless[:, 16] = 0
    late[0, 16] = late[0, 12]
    x, _ = apply(line, headless, late, span="metres")
    assert "2 clips show no body axes and are not turned, e.g. clip0" in caplog.text
    moved = (line - line[0, 0])[..., 0, [0, 2, 1]]
    np.testing.assert_allclose(x[0, :, :30, :, 0].transpose(1, 2, 0), moved, atol=1e-6)
    assert np.isfinite(x).all()
    second, _ = apply(late[1:], span="metres")
    np.testing.assert_allclose(x[2, :, 1:30], second[0, :, :29], atol=1e-5)


def test_interpolation_fills_every_frame():
    """Short and long clips are stretched; nothing is padded."""
    x, length = apply(walk(1), walk(7), walk(200), resample="resize", frames=20)
    assert x.shape[2] == 20
    assert length.tolist() == [20, 20, 20]
    assert x.any(axis=(1, 3, 4)).all()


def test_a_stride_says_how_far_into_a_clip_it_reaches():
    """Rows of a window are given to its frames by this: of 64 frames the last 14 are never seen."""
    stride, resize = view50.RECIPE.Config(), view50.RECIPE.Config(resample="resize")
    assert [view50.RECIPE.spanned(n, stride) for n in (30, 50, 64, 100, 149)] == [
        30, 50, 50, 100, 100,
    ]  # fmt: skip
    assert view50.RECIPE.spanned(64, resize) == 64


def test_turned_about_the_vertical_people_stay_as_upright_as_they_were():
    """A window that begins while somebody bends must not be tipped until they stand."""
    settings = {"frames_for_axes": 5, "up": "vertical", "across": "shoulders"}
    xyz = walk()
    angle = 0.7
    about = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    (a, _), (b, _) = (
        apply(clip.astype(np.float32), span="metres", **settings) for clip in (xyz, xyz @ about.T)
    )
    np.testing.assert_allclose(a, b, atol=1e-4)
    frames = len(xyz)
    height = xyz[:, :, 0, 1] - xyz[:5, 0, 0, 1].mean()
    np.testing.assert_allclose(a[0, 2, :frames, :, 0], height, atol=1e-5)
