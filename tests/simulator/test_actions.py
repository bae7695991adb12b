"""The actions: pairs that share their postures and differ in one stated way, performed by anyone
with either hand."""

import numpy as np
import pytest

from pstl.simulator.actions import ACTIONS
from pstl.simulator.body import JOINT
from pstl.simulator.performer import Manner, draw_performer, perform

FRAMES = 91
PLAIN = Manner(bones=0, tempo=0, amplitude=0, posture_deg=0, sway_deg=0, duration=(1, 1), idle=0)
BY_NAME = {action.name: action for action in ACTIONS}


def scene(name, seed=0, manner=PLAIN):
    """(T, V, M, 3) of one performance to the front."""
    rng = np.random.default_rng(seed)
    cast = [draw_performer(rng, manner) for _ in range(BY_NAME[name].people)]
    return perform(BY_NAME[name], cast, FRAMES, 0.0, rng, manner)


def height(xyz, joint):
    return xyz[:, JOINT[joint], 0, 1] - xyz[:, JOINT["spine shoulder"], 0, 1]


def busy_hand(xyz):
    """The hand that moves more."""
    return max(
        ("left hand", "right hand"), key=lambda joint: np.ptp(xyz[:, JOINT[joint], 0], axis=0).sum()
    )


def cycles(track):
    """Full periods of an oscillation: sign changes about its middle, halved."""
    return np.count_nonzero(np.diff(np.sign(track - (track.max() + track.min()) / 2))) / 2


def test_there_are_twelve_actions_of_one_person_and_two_of_two():
    """The data set's description, and the number of classes of every task on it."""
    assert [action.people for action in ACTIONS] == [1] * 12 + [2] * 2
    assert len(BY_NAME) == len(ACTIONS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("slow", "fast", "joint"),
    [
        ("wave slowly", "wave fast", "busy"),
        ("march on the spot", "run on the spot", "left knee"),
        ("squat slowly", "squat fast", "spine base"),
    ],
)
def test_fast_and_slow_differ_in_speed_alone(slow, fast, joint, seed):
    """Pairs that could be told apart by a posture would not test whether an encoder sees motion."""
    track = {}
    for name in (slow, fast):
        xyz = scene(name, seed)[20:70]
        track[name] = xyz[:, JOINT[busy_hand(xyz) if joint == "busy" else joint], 0]
    speed = {
        name: np.linalg.norm(np.diff(xyz, axis=0), axis=1).mean() for name, xyz in track.items()
    }
    assert speed[fast] > 2 * speed[slow]
    np.testing.assert_allclose(np.ptp(track[fast][:, 1]), np.ptp(track[slow][:, 1]), rtol=0.2)
    np.testing.assert_allclose(track[fast][:, 1].mean(), track[slow][:, 1].mean(), atol=0.12)


@pytest.mark.parametrize("name", ["march on the spot", "run on the spot"])
def test_arms_swing_against_the_legs(name):
    """People walk with the arm of the other side; an arm and leg of one side would be another
    movement."""
    xyz = scene(name)[20:70]
    knees, hands = (
        xyz[:, JOINT[f"left {j}"], 0] - xyz[:, JOINT[f"right {j}"], 0] for j in ("knee", "hand")
    )
    assert (
        np.corrcoef(knees[:, 1], hands[:, 2])[0, 1] > 0.7
    )  # knee up while the hand is at the back, +z


@pytest.mark.parametrize("seed", range(3))
def test_arms_lifted_together_or_in_turn_differ_in_phase(seed):
    """Each arm alone makes the same movement in both classes."""
    together, in_turn = (
        scene(name, seed) for name in ("lift both arms together", "lift both arms in turn")
    )
    middle = slice(20, 70)
    correlation = [
        np.corrcoef(height(x, "left hand")[middle], height(x, "right hand")[middle])[0, 1]
        for x in (together, in_turn)
    ]
    assert correlation[0] > 0.9
    assert correlation[1] < -0.9


def test_standing_up_is_sitting_down_backwards():
    """Only the order of the frames may tell the two apart."""
    forward, backward = scene("sit down"), scene("stand up")[::-1]
    np.testing.assert_allclose(height(forward, "head"), height(backward, "head"), atol=0.02)
    np.testing.assert_allclose(
        forward[:, JOINT["spine base"], 0, 1], backward[:, JOINT["spine base"], 0, 1], atol=0.02
    )


def test_sitting_down_lowers_the_hips_by_a_shank():
    """The names of the classes are what people see in a confusion matrix."""
    hips = scene("sit down")[:, JOINT["spine base"], 0, 1]
    assert hips[0] - hips[-1] == pytest.approx(0.38, abs=0.1)


@pytest.mark.parametrize(
    ("name", "first"), [("touch head, then knee", "head"), ("touch knee, then head", "knee")]
)
def test_two_touches_come_in_the_order_of_the_name(name, first):
    """The two classes hold the same two touches; the first must be the one that is named first."""
    xyz = scene(name)
    hand = busy_hand(xyz)
    reach = {
        target: np.linalg.norm(xyz[:, JOINT[hand], 0] - xyz[:, JOINT[joint], 0], axis=-1)
        for target, joint in (("head", "head"), ("knee", hand.replace("hand", "knee")))
    }
    moment = {target: int(np.argmin(distance)) for target, distance in reach.items()}
    assert max(distance.min() for distance in reach.values()) < 0.3
    assert min(moment, key=moment.get) == first
    assert abs(moment["head"] - moment["knee"]) > FRAMES // 4


@pytest.mark.parametrize("name", ["shake hands", "hand over"])
def test_two_people_face_each_other_and_their_hands_meet(name):
    """Two people who do not meet are two clips of one person."""
    xyz = scene(name)
    toes = [xyz[0, JOINT["left foot"], p] - xyz[0, JOINT["left ankle"], p] for p in range(2)]
    between = xyz[0, JOINT["spine base"], 1] - xyz[0, JOINT["spine base"], 0]
    assert toes[0] @ between > 0 > toes[1] @ between
    hands = xyz[:, [JOINT["left hand"], JOINT["right hand"]]]
    distance = np.linalg.norm(hands[:, :, None, 0] - hands[:, None, :, 1], axis=-1).min((1, 2))
    assert distance.min() < 0.3
    assert distance[0] > distance.min() + 0.2


def test_shaking_hands_shakes_and_handing_over_does_not():
    """Both reach out to each other; the shaking is what separates them."""
    tremor = {}
    for name in ("shake hands", "hand over"):
        xyz = scene(name)
        tremor[name] = cycles(np.diff(xyz[30:62, JOINT[busy_hand(xyz)], 0, 1]))
    assert tremor["shake hands"] >= tremor["hand over"] + 1


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_either_hand_leads(action):
    """If the side followed the class, left against right would solve the data set."""
    leading = {busy_hand(scene(action.name, seed)) for seed in range(20)}
    assert action.arms != "main" or leading == {"left hand", "right hand"}


def test_performers_have_a_manner_of_their_own():
    """The same action by two performers must differ more than two performances by one of them, or
    subjects do not matter."""
    manner = Manner(sway_deg=0, duration=(1, 1), idle=0, handedness=1)
    people = [draw_performer(np.random.default_rng(seed), manner) for seed in range(2)]
    assert abs(np.log(people[0].tempo / people[1].tempo)) > 0.01
    assert np.std([people[0].posture[c] - people[1].posture[c] for c in people[0].posture]) > 1
