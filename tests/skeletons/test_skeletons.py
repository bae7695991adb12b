"""The tables of joints are bodies: trees whose sides mirror each other and whose parts cover them
once."""

import dataclasses
import re

import pytest

from pstl.errors import UserError
from pstl.skeletons import load, names

NAMES = names()
SKELETONS = [load(name) for name in NAMES]
every_skeleton = pytest.mark.parametrize("skeleton", SKELETONS, ids=NAMES)


def test_kinect_v2_is_the_graph_of_the_paper():
    """Masking draws joints by degree: one bone hung elsewhere changes what is masked in every batch
    (PSTL spec 3)."""
    skeleton = load("kinect_v2")
    pairs = "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 "
    pairs += "18-17 19-18 20-19 22-23 23-8 24-25 25-12"
    published = {
        tuple(int(j) - 1 for j in pair.split("-")) for pair in pairs.split()
    }  # the paper counts from 1
    assert set(skeleton.edges) == published
    assert skeleton.degree == (
        3,
        2,
        2,
        1,
        2,
        2,
        2,
        2,
        2,
        2,
        2,
        2,
        2,
        2,
        2,
        1,
        2,
        2,
        2,
        1,
        4,
        1,
        2,
        1,
        2,
    )
    assert sum(skeleton.degree) == 48
    assert skeleton.names[skeleton.centre] == "spine shoulder"


def test_kinect_v2_mirror_is_the_flip_of_the_released_code():
    """The flip of the views swaps exactly these joints (PSTL spec 6.1)."""
    flip = [
        0,
        1,
        2,
        3,
        8,
        9,
        10,
        11,
        4,
        5,
        6,
        7,
        16,
        17,
        18,
        19,
        12,
        13,
        14,
        15,
        20,
        23,
        24,
        21,
        22,
    ]
    assert list(load("kinect_v2").mirror) == flip


LIMBS = (("Shoulder", "Elbow", "Wrist", "Hand"), ("Hip", "Knee", "Ankle", "Foot"))
BOTH = [f"{part}{side}" for limb in LIMBS for side in ("Left", "Right") for part in limb]
V2_TIPS = ["HandTipLeft", "ThumbLeft", "HandTipRight", "ThumbRight"]


@pytest.mark.parametrize(
    ("name", "enumeration"),
    [
        ("kinect_v1", ["HipCenter", "Spine", "ShoulderCenter", "Head", *BOTH]),
        ("kinect_v2", ["SpineBase", "SpineMid", "Neck", "Head", *BOTH, "SpineShoulder", *V2_TIPS]),
    ],
)
def test_joints_are_in_the_order_of_the_sensors_enumeration(name, enumeration):
    """JointType of Microsoft's SDKs 1.8 and 2.0: files hold joints in this order and no names."""
    words = [re.findall("[A-Z][a-z]+", joint) for joint in enumeration]
    sides = [sorted(word, key=lambda w: w not in ("Left", "Right")) for word in words]
    names = [" ".join(joint).lower().replace("center", "centre") for joint in sides]
    assert list(load(name).names) == names


def test_kinect_v1_has_the_same_kind_of_root():
    """With the degrees of a 20-joint body the hub is the shoulder centre, as on the 25-joint
    body."""
    skeleton = load("kinect_v1")
    assert skeleton.joints == 20
    assert skeleton.names[skeleton.centre] == "shoulder centre"
    assert skeleton.degree == (3, 2, 4, 1, 2, 2, 2, 1, 2, 2, 2, 1, 2, 2, 2, 1, 2, 2, 2, 1)


@every_skeleton
def test_every_bone_leads_to_the_centre(skeleton):
    """A body is one tree: V - 1 bones, and from every joint the parents end at the centre, without
    a circle."""
    assert len(skeleton.edges) == skeleton.joints - 1
    assert skeleton.parents[skeleton.centre] == skeleton.centre
    for joint in range(skeleton.joints):
        steps = 0
        while joint != skeleton.centre:
            joint, steps = skeleton.parents[joint], steps + 1
            assert steps < skeleton.joints


@every_skeleton
def test_the_mirror_swaps_sides_and_keeps_bones(skeleton):
    """A mirrored body is a body: applied twice nothing changes, bones fall on bones, left names on
    right names."""
    mirror = skeleton.mirror
    assert [mirror[j] for j in mirror] == list(range(skeleton.joints))
    assert {(mirror[child], mirror[parent]) for child, parent in skeleton.edges} == set(
        skeleton.edges
    )
    swapped = {"left": "right", "right": "left"}
    for joint, name in enumerate(skeleton.names):
        assert skeleton.names[mirror[joint]] == " ".join(
            swapped.get(word, word) for word in name.split()
        )
    for side in (skeleton.shoulders, skeleton.hips):
        assert [skeleton.names[j].split()[0] for j in side] == ["left", "right"]


@every_skeleton
def test_parts_cover_the_body_once(skeleton):
    """A joint in two parts would be masked twice as often, one in none never; sides must have equal
    parts."""
    assert sorted(j for part in skeleton.parts.values() for j in part) == list(
        range(skeleton.joints)
    )
    for limb in ("arm", "leg"):
        left, right = skeleton.parts[f"left {limb}"], skeleton.parts[f"right {limb}"]
        assert {skeleton.mirror[j] for j in left} == set(right)
        assert all(skeleton.names[j].startswith("left ") for j in left)


@every_skeleton
def test_the_adjacency_holds_the_bones_and_nothing_else(skeleton):
    """Graph convolutions see the body through this matrix: symmetric, no self-loops, one entry per
    bone and direction."""
    a = skeleton.adjacency
    assert (a == a.T).all()
    assert a.trace() == 0
    assert a.sum() == 2 * len(skeleton.edges) == sum(skeleton.degree)
    assert all(a[child, parent] == 1 for child, parent in skeleton.edges)


@every_skeleton
def test_the_trunk_points_up(skeleton):
    """Views are aligned by the line from the lower to the upper spine joint."""
    lower, upper = skeleton.spine
    assert skeleton.parents[lower] == upper
    assert {lower, upper} <= set(skeleton.parts["trunk"])


def test_an_unknown_skeleton_lists_the_known_ones():
    """A typo must not cost a look into the source."""
    with pytest.raises(
        UserError, match=r"unknown skeleton 'kinect'; known: cmu38, coco17, h36m17, kinect_v1"
    ):
        load("kinect")


def test_a_table_that_misses_a_joint_is_refused():
    """Parts that do not cover the body are a slip of the pen in a table that somebody adds."""
    skeleton = load("kinect_v1")
    with pytest.raises(UserError, match="must name each of 20 joints once"):
        dataclasses.replace(
            skeleton, parts={**skeleton.parts, "trunk": skeleton.parts["trunk"][:-1]}
        )
