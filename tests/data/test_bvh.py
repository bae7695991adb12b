"""Motion capture: angles become positions as the format has it."""

import numpy as np
import own_clips
import pytest

from pstl.data.own_files import Hints, read
from pstl.data.readers import bvh
from pstl.errors import UserError
from pstl.skeletons import load

ANGLE = np.array([0.0, 30.0, 90.0])


def joints(tmp_path, text):
    (tmp_path / "a.bvh").write_text(text)
    clip = read(tmp_path / "a.bvh", Hints())
    body = load(clip.body)
    return clip, {name: clip.raw.xyz[:, j, 0] for j, name in enumerate(body.names)}


def test_a_knee_bends_by_its_angle(tmp_path):
    """The foot of a leg of 38 cm, turned about x by a known angle, is where the sine puts it."""
    clip, at = joints(tmp_path, own_clips.bvh_text({("LeftLeg", "X"): ANGLE}))
    assert clip.body == "smpl24"
    shank = at["left ankle"] - at["left knee"]
    turn = np.deg2rad(ANGLE)
    expected = 0.38 * np.stack([0 * turn, -np.cos(turn), -np.sin(turn)], axis=1)
    np.testing.assert_allclose(shank, expected, atol=1e-6)
    np.testing.assert_allclose(at["right ankle"] - at["right knee"], [[0, -0.38, 0]] * 3, atol=1e-6)
    assert clip.said == "hand is the wrist; in cm by the length of the bones"


def test_the_root_moves_and_turns_everybody(tmp_path):
    """Its position channels are places, and its rotation turns what hangs on it about it."""
    _, at = joints(tmp_path, own_clips.bvh_text({("Hips", "Y"): ANGLE}))
    np.testing.assert_allclose(at["hip centre"][:, 0], [0.10, 0.11, 0.12], atol=1e-6)
    hip = at["right hip"] - at["hip centre"]
    turn = np.deg2rad(ANGLE)
    ahead = np.stack([0.085 * np.cos(turn), 0 * turn - 0.03, -0.085 * np.sin(turn)], axis=1)
    np.testing.assert_allclose(hip, ahead, atol=1e-6)


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YZX"])
def test_rotations_are_multiplied_in_the_order_of_the_channels(tmp_path, order):
    """Another order is another posture, and programs differ in it."""
    degrees = {"X": 20, "Y": 40, "Z": 60}
    angles = {("LeftArm", axis): np.full(3, angle) for axis, angle in degrees.items()}
    _, at = joints(tmp_path, own_clips.bvh_text(angles, order=order))
    matrices = {
        axis: bvh.about("XYZ".index(axis), np.deg2rad([angle]))[0]
        for axis, angle in degrees.items()
    }
    turn = np.linalg.multi_dot([matrices[axis] for axis in order])
    upper = at["left elbow"][0] - at["left shoulder"][0]
    np.testing.assert_allclose(upper, turn @ [0, -0.27, 0], atol=1e-6)


def test_rotations_are_right_handed():
    """A quarter turn about y takes z to x."""
    turn = bvh.about(1, np.deg2rad([90.0]))[0]
    np.testing.assert_allclose(turn @ [0, 0, 1], [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("prefix", ["", "mixamorig:", "Actor_01:"])
def test_joints_are_found_under_the_names_of_programs(tmp_path, prefix):
    """LeftUpLeg begins at the hip; the chest is the last of the spine's joints."""
    _, at = joints(tmp_path, own_clips.bvh_text(prefix=prefix))
    np.testing.assert_allclose(
        at["left hip"] - at["hip centre"], [[-0.085, -0.03, 0]] * 3, atol=1e-6
    )
    np.testing.assert_allclose(at["chest"][:, 1] - at["hip centre"][:, 1], 0.42, atol=1e-6)
    np.testing.assert_allclose(at["left wrist"][:, 1] - at["left elbow"][:, 1], -0.24, atol=1e-6)


def test_the_number_of_frames_is_that_of_the_header(tmp_path):
    """A file that was cut off is not a shorter clip."""
    text = own_clips.bvh_text().rstrip("\n").rpartition("\n")[0]
    with pytest.raises(UserError, match="2 frames, says Frames: 3"):
        joints(tmp_path, text)
    with pytest.raises(UserError, match="69 numbers a frame"):
        joints(tmp_path, own_clips.bvh_text() + "1 2 3\n")


def test_other_motion_is_refused(tmp_path):
    """A camera's path or a horse is no person."""
    with pytest.raises(UserError, match="not those of a person"):
        joints(tmp_path, own_clips.bvh_text(prefix="Horse"))
