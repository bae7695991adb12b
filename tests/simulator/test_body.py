"""The simulated body: bones keep their length, and angles mean what their names say."""

import numpy as np
import pytest

from pstl.rng import numpy_generator
from pstl.simulator.body import CHANNELS, JOINT, OFFSETS, Body, draw_body, pose
from pstl.skeletons import load

SKELETON = load("kinect_v2")
STANDARD = Body(OFFSETS)
FRAMES = 40


def posed(**degrees):
    """One frame of the standard body; underscores stand for blanks."""
    return pose(
        STANDARD,
        {name.replace("_", " "): np.array([float(value)]) for name, value in degrees.items()},
    )[0]


def bones(xyz):
    child, parent = np.array(SKELETON.edges).T
    return np.linalg.norm(xyz[..., child, :] - xyz[..., parent, :], axis=-1)


def test_bones_keep_their_length_whatever_the_angles():
    """A recipe that looks for bad recordings measures bones; the simulator must not produce rubber
    arms on its own."""
    rng = np.random.default_rng(0)
    angles = {channel: rng.uniform(-120, 120, FRAMES) for channel in CHANNELS}
    length = bones(pose(draw_body(rng, 0.06), angles))
    np.testing.assert_allclose(length, np.broadcast_to(length[0], length.shape), atol=1e-12)
    assert (length > 0.02).all()


def test_a_person_at_rest_stands_upright_and_symmetric():
    """Left and right, up and down, front and back are conventions: one of them turned round makes
    another data set."""
    x, y, z = posed(heading=0).T
    for left, right in SKELETON.left_right:
        assert x[left] == pytest.approx(-x[right])
        assert x[left] < x[right]
        assert y[left] == pytest.approx(y[right])
    assert y[JOINT["head"]] == pytest.approx(1.7, abs=0.15)
    assert 0 < min(y[JOINT["left foot"]], y[JOINT["right foot"]]) < 0.1
    assert z[JOINT["left foot"]] < z[JOINT["left ankle"]]  # toes to the front, which is -z


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("angles", "axis", "sense"),
    [
        ({"elevation": 90}, 2, "front"),
        ({"elevation": 90, "plane": 90}, 0, "out"),
        ({"elevation": 180}, 1, "up"),
        ({"elbow": 90}, 2, "front"),
        ({"elbow": 90, "rotation": 90}, 0, "in"),
    ],
)
def test_arm_angles_move_the_hand_where_they_say(side, angles, axis, sense):
    """Programs are written in these words; the two sides must mirror each other."""
    hand, shoulder = JOINT[f"{side} hand"], JOINT[f"{side} shoulder"]
    xyz = posed(**{f"{side} {name}": value for name, value in angles.items()})
    start = JOINT[f"{side} elbow"] if "elbow" in angles else shoulder
    way = xyz[hand] - xyz[start]
    out = -1 if side == "left" else 1
    assert np.argmax(np.abs(way)) == axis
    assert np.sign(way[axis]) == {"front": -1, "up": 1, "out": out, "in": -out}[sense]


def test_knees_bend_backwards_and_the_feet_stay_on_the_floor():
    """Sitting down must lower the body, not lift the feet."""
    seated = posed(left_hip=90, right_hip=90, left_knee=90, right_knee=90)
    standing = posed(heading=0)
    drop = standing[JOINT["spine base"], 1] - seated[JOINT["spine base"], 1]
    assert drop == pytest.approx(-OFFSETS[JOINT["left knee"], 1])
    for joint in ("left ankle", "right ankle"):
        np.testing.assert_allclose(seated[JOINT[joint]], standing[JOINT[joint]], atol=1e-9)


def test_heading_turns_the_whole_body():
    """A quarter turn to the left faces -x for someone who faced -z."""
    feet = posed(heading=90)
    assert feet[JOINT["left foot"], 0] < feet[JOINT["left ankle"], 0] - 0.05


def test_people_differ_in_size_and_proportions():
    """Cross-subject evaluation needs subjects: the bones of two performers must not be the same,
    nor scaled copies."""
    one, two = (
        bones(pose(draw_body(numpy_generator(0, "body", i), 0.06), {"heading": np.zeros(1)}))
        for i in range(2)
    )
    assert (one / two).std() > 0.02


def test_unknown_channels_are_refused():
    """A typo in a program would leave a limb hanging and nobody would notice."""
    with pytest.raises(KeyError, match="left elbo"):
        posed(left_elbo=3)
