import itertools

import pytest

from pstl.errors import UserError
from pstl.skeletons import load, mapping, names
from pstl.skeletons.mapping import joints_of


def test_places_with_two_names_are_one():
    """The trunk is named differently by the two Kinects: a hip taken for a spine would bend every
    transferred body."""
    old, new = load("kinect_v1").names, load("kinect_v2").names
    found = {old[i]: new[j] for i, j in enumerate(joints_of("kinect_v1", "kinect_v2"))}
    assert found["hip centre"] == "spine base"
    assert found["spine"] == "spine mid"
    assert found["shoulder centre"] == "spine shoulder"
    assert all(
        found[name] == name
        for name in old
        if name not in ("hip centre", "spine", "shoulder centre")
    )


@pytest.mark.parametrize(
    ("wanted", "given", "pairs"),
    [
        ("kinect_v1", "sbu15", {"hip centre": "spine", "left wrist": "left hand"}),
        ("kinect_v2", "sbu15", {"spine base": "spine", "neck": "shoulder centre"}),
        ("sbu15", "kinect_v2", {"shoulder centre": "spine shoulder", "spine": "spine mid"}),
        ("sbu15", "utd20", {"shoulder centre": "shoulder centre", "left foot": "left foot"}),
        ("utd20", "cmu38", {"spine": "upper back", "left foot": "left toes"}),
        ("cmu38", "sbu15", {"left hip root": "left hip", "right fingers": "right hand"}),
    ],
)
def test_the_trunk_and_the_ends_of_limbs_find_their_places(wanted, given, pairs):
    """Trackers cut the spine and the hands differently: a chest taken for a neck would shorten
    every transferred body."""
    there, here = load(wanted).names, load(given).names
    counterpart = {there[i]: here[j] for i, j in enumerate(joints_of(wanted, given))}
    assert counterpart | pairs == counterpart


def test_what_a_body_lacks_is_taken_from_the_nearest_joint():
    """Twenty joints have no thumbs; the hand of the same side stands for them."""
    old, new = load("kinect_v1").names, load("kinect_v2").names
    found = {new[i]: old[j] for i, j in enumerate(joints_of("kinect_v2", "kinect_v1"))}
    assert found["left thumb"] == found["left hand tip"] == "left hand"
    assert found["right thumb"] == "right hand"
    assert found["neck"] == "shoulder centre"


@pytest.mark.parametrize(("wanted", "given"), list(itertools.permutations(names(), 2)))
def test_every_body_is_found_in_every_other_and_sides_stay_sides(wanted, given):
    """A left joint that comes from the right would mirror the action; a body without a counterpart
    could not be transferred to."""
    for i, j in enumerate(joints_of(wanted, given)):
        a, b = (load(name).names[k].split()[0] for name, k in ((wanted, i), (given, j)))
        assert ({a, b} & {"left", "right"}) <= {a}


def test_a_joint_without_a_counterpart_is_named(monkeypatch):
    """A new skeleton with a joint of its own needs a decision, not a guess."""
    monkeypatch.setattr(mapping, "NEAREST", {})
    joints_of.cache_clear()
    with pytest.raises(UserError, match="joint 'neck' of skeleton kinect_v2: nothing in kinect_v1"):
        joints_of("kinect_v2", "kinect_v1")
    joints_of.cache_clear()
