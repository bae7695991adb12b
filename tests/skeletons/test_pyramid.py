import dataclasses

import numpy as np
import pytest

from pstl.errors import UserError
from pstl.skeletons import load, names, pyramid

# PSP spec 4.1 and 4.2, regions in the paper's order: left arm, right arm, left leg, right leg,
# torso.
REGIONS = ("left arm", "right arm", "left leg", "right leg", "trunk")
PART_OF = {
    "kinect_v2": "0 0 1 1 2 2 2 3 4 4 4 5 6 6 7 7 8 8 9 9 0 3 3 5 5",
    "kinect_v1": "0 0 1 1 2 2 2 3 4 4 4 5 6 6 7 7 8 8 9 9",
}
BODY_OF = {
    "kinect_v2": "4 4 4 4 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3 4 0 0 1 1",
    "kinect_v1": "4 4 4 4 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3",
}
BODY_OF_PART = "4 4 0 0 1 1 2 2 3 3"


def numbers(text):
    return np.array([int(word) for word in text.split()])


@pytest.mark.parametrize("name", names())
def test_the_hierarchy_is_consistent(name):
    """A joint whose part lies in another region than the joint itself would attend to the wrong
    limb."""
    p = pyramid.build(load(name))
    assert np.array_equal(p.body_of, p.body_of_part[p.part_of])
    assert sorted(set(p.part_of)) == list(range(10))
    assert sorted(set(p.body_of)) == list(range(5))


@pytest.mark.parametrize("name", PART_OF)
def test_groups_are_the_papers(name):
    """The released index vectors, up to the order in which this project names regions."""
    skeleton, p = load(name), pyramid.build(load(name))
    ours = {region: i for i, region in enumerate(skeleton.parts)}
    number = np.array([ours[region] for region in REGIONS])
    assert np.array_equal(p.part_of, numbers(PART_OF[name]))
    assert np.array_equal(p.body_of, number[numbers(BODY_OF[name])])
    assert np.array_equal(p.body_of_part, number[numbers(BODY_OF_PART)])


def test_weights_follow_from_the_groups():
    """0.2, 0.12 and 0.24 for 25 joints are the released constants; other bodies get theirs by the
    same rule (PSP spec 5)."""
    v2, v1 = (pyramid.build(load(name)) for name in ("kinect_v2", "kinect_v1"))
    assert (v2.body_to_part, v2.part_to_joint, v2.body_to_joint) == pytest.approx((0.2, 0.12, 0.24))
    assert (v1.body_to_part, v1.part_to_joint, v1.body_to_joint) == pytest.approx((0.2, 0.15, 0.2))


@pytest.mark.parametrize("name", names())
def test_left_and_right_have_the_same_segments(name):
    """A slip in one table would treat one hand otherwise than the other."""
    skeleton = load(name)
    for segment, joints in skeleton.segments.items():
        other = segment.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")
        assert sorted(skeleton.mirror[j] for j in joints) == sorted(skeleton.segments[other]), (
            segment
        )


def test_a_segment_across_two_parts_is_refused():
    """Tables are typed by hand."""
    skeleton = load("kinect_v1")
    wrong = skeleton.segments | {"head": (2, 3, 4), "left arm": (5, 6)}
    with pytest.raises(UserError, match=r"across parts: \['head'\]"):
        dataclasses.replace(skeleton, segments=wrong)
    with pytest.raises(UserError, match="each joint once"):
        dataclasses.replace(skeleton, segments=skeleton.segments | {"head": (2,)})
