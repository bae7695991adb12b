from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from pstl.data.recipes import resize50
from pstl.records import Clip
from pstl.skeletons import load

SKELETON = load("kinect_v2")


def clip(frames, people=2, seed=0, name="a"):
    rng = np.random.default_rng(seed)
    xyz = rng.normal(size=(frames, 25, people, 3)) + np.array([0, 0, 3])
    return Clip(name, 0, xyz.astype(np.float32))


def released(xyz):
    """PSTL spec 2.3 and 2.4 written frame by frame, for one clip (T, 25, 2, 3) in double
    precision."""
    x = xyz.astype(np.float64)
    x = x[(len(x) - 300) // 2 :][:300] if len(x) > 300 else x
    length = int((np.abs(x[:, 0, 0]).sum(-1) > 0).sum())
    x = x[:length] - x[:length, 20:21]
    flat = torch.from_numpy(x).permute(1, 2, 3, 0).reshape(1, -1, length)
    x = (
        F.interpolate(flat, size=50, mode="linear", align_corners=False)
        .view(25, 2, 3, 50)
        .permute(3, 0, 1, 2)
        .numpy()
        .copy()
    )
    for person in range(2):
        line = x[:, 8, person] - x[:, 4, person]
        line[:, 1] = 0
        sign = -1 if line[:, 2].sum() >= 0 else 1
        for t in range(50):
            theta = sign * np.arccos(line[t, 0] / (np.linalg.norm(line[t]) + 1e-4))
            c, s = np.cos(theta), np.sin(theta)
            x[t, :, person] = x[t, :, person] @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]).T
    return x.transpose(3, 0, 1, 2)


def test_array_equals_the_published_steps_one_by_one():
    """Vectorised over clips and frames, with centring moved after the resize: the numbers must stay
    those of PSTL spec 2.4."""
    clips = [
        clip(20),
        clip(50, seed=1, name="b"),
        clip(93, seed=2, name="c"),
        clip(7, people=1, seed=3, name="d"),
        clip(321, seed=4, name="e"),
    ]
    clips[1].xyz[10:, :, 1] = 0  # a second person who leaves
    clips[2].xyz[40:45] = 0  # frames without a body: fewer FIRST frames are used
    x, length = resize50.RECIPE.apply(clips, SKELETON, 2, resize50.RECIPE.Config())
    assert length.tolist() == [20, 50, 88, 7, 300]
    for i, c in enumerate(clips):
        two = np.zeros((len(c.xyz), 25, 2, 3), np.float32)
        two[:, :, : c.xyz.shape[2]] = c.xyz
        np.testing.assert_allclose(x[i], released(two), atol=2e-5)


def test_centre_is_zero_and_absent_person_stays_zero():
    """Everything is relative to the own spine; who is not there must not appear."""
    x, _ = resize50.RECIPE.apply([clip(30, people=1)], SKELETON, 2, resize50.RECIPE.Config())
    assert not x[0, :, :, 20].any()
    assert not x[0, :, :, :, 1].any()
    assert x[0, :, :, :, 0].any()


def test_shoulders_end_up_parallel_to_x():
    """The view is taken out.

    The sense of rotation is one per clip: a person who mostly stands so is turned right.
    """
    person = clip(40)
    person.xyz[:, 8, 0] = person.xyz[:, 4, 0] + [0.3, 0.0, 0.2]
    x, _ = resize50.RECIPE.apply([person], SKELETON, 2, resize50.RECIPE.Config())
    line = x[0, :, :, 8, 0] - x[0, :, :, 4, 0]
    assert (line[0] > 0.3).all()
    np.testing.assert_allclose(line[2], 0, atol=1e-3)


def seen_by(person, pitch, yaw):
    """The clip as a camera sees it that is tilted and stands elsewhere; angles in radians."""
    c, s = np.cos(pitch), np.sin(pitch)
    tilted = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    c, s = np.cos(yaw), np.sin(yaw)
    turned = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return replace(person, xyz=(person.xyz @ (tilted @ turned).T).astype(np.float32))


def test_set_upright_a_tilted_camera_makes_no_difference():
    """NW-UCLA's cameras are tilted, each otherwise; left in, that costs a neighbour ten points."""
    person = clip(50, people=1)
    person.xyz[:, 20] = person.xyz[:, 0] + [0.05, 0.5, 0.1]
    person.xyz[:, 8] = person.xyz[:, 4] + [0.3, 0.0, 0.05]
    cfg = resize50.RECIPE.Config(upright=5)
    cameras = [person, seen_by(person, 0.4, 0.5), seen_by(person, -0.3, 0.7)]
    x, _ = resize50.RECIPE.apply(cameras, SKELETON, 1, cfg)
    # The released turn is short by up to 0.02 rad, less the further a person stands turned.
    np.testing.assert_allclose(x[1], x[0], atol=0.03)
    np.testing.assert_allclose(x[2], x[0], atol=0.03)
    trunk = -x[0, :, :5, 0, 0].mean(axis=1)
    np.testing.assert_allclose(trunk / np.linalg.norm(trunk), [0, 1, 0], atol=1e-5)
    left, _ = resize50.RECIPE.apply(cameras, SKELETON, 1, resize50.RECIPE.Config())
    assert abs(left[1] - left[0]).max() > 0.5


def test_set_upright_nobody_stays_nobody():
    """A rotation of an absent body is undefined, and must not become nan."""
    x, _ = resize50.RECIPE.apply(
        [clip(30, people=1)], SKELETON, 2, resize50.RECIPE.Config(upright=5)
    )
    assert np.isfinite(x).all()
    assert not x[0, ..., 1].any()


def test_bones_keep_their_length_per_frame():
    """Rotation and centring are rigid; only the resize mixes frames, and it does not at equal
    length."""
    c = clip(50)
    x, _ = resize50.RECIPE.apply([c], SKELETON, 2, resize50.RECIPE.Config())
    for child, parent in SKELETON.edges:
        before = np.linalg.norm(c.xyz[:, child] - c.xyz[:, parent], axis=-1)
        after = np.linalg.norm(x[0, :, :, child] - x[0, :, :, parent], axis=0)
        np.testing.assert_allclose(after, before, rtol=1e-4)


def test_one_frame_and_no_body_at_the_start_work():
    """NW-UCLA has one-frame clips; a clip whose first slot is empty would crash the released
    code."""
    empty = clip(12)
    empty.xyz[:, :, 0] = 0
    x, length = resize50.RECIPE.apply(
        [clip(1, name="one"), empty], SKELETON, 2, resize50.RECIPE.Config()
    )
    assert length.tolist() == [1, 12]
    assert np.isfinite(x).all()
    np.testing.assert_allclose(x[0].std(axis=1), 0, atol=1e-5)


def test_resize_of_a_ramp_follows_the_half_pixel_rule():
    """OpenCV's and torch's convention, clamped at both ends."""
    ramp = np.arange(10, dtype=np.float32)[:, None, None].repeat(25, 1).repeat(3, 2)
    found = resize50.resize([ramp], np.array([10]), 50)[0, 0, :, 0]
    np.testing.assert_allclose(found, np.clip((np.arange(50) + 0.5) / 5 - 0.5, 0, 9), atol=1e-5)
