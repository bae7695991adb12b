import pytest

from pstl.errors import UserError
from pstl.skeletons import load, mapping
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


def test_what_a_body_lacks_is_taken_from_the_nearest_joint():
    """Twenty joints have no thumbs; the hand of the same side stands for them."""
    old, new = load("kinect_v1").names, load("kinect_v2").names
    found = {new[i]: old[j] for i, j in enumerate(joints_of("kinect_v2", "kinect_v1"))}
    assert found["left thumb"] == found["left hand tip"] == "left hand"
    assert found["right thumb"] == "right hand"
    assert found["neck"] == "shoulder centre"


@pytest.mark.parametrize(
    ("wanted", "given"), [("kinect_v1", "kinect_v2"), ("kinect_v2", "kinect_v1")]
)
def test_sides_stay_sides(wanted, given):
    """A left joint that comes from the right would mirror the action."""
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
