import pytest
import torch

from pstl.errors import ShapeError, UserError
from pstl.ops.streams import bone, convert, motion
from pstl.skeletons import load


def test_bones_rebuild_the_joints():
    """Adding bones up from the centre gives the centred pose back, so nothing but the centre's
    position is lost.
    """
    skeleton = load("kinect_v2")
    x = torch.randn(2, 3, 4, 25, 2, dtype=torch.double)
    bones, rebuilt = bone(x, skeleton.parents), torch.zeros_like(x)
    for joint in range(25):
        at = joint
        while at != skeleton.centre:
            rebuilt[:, :, :, joint] += bones[:, :, :, at]
            at = skeleton.parents[at]
    torch.testing.assert_close(rebuilt, x - x[:, :, :, [skeleton.centre]])


def test_centre_has_no_bone():
    """The released bone stream leaves the root at exactly zero (PSTL spec 17)."""
    assert not bone(torch.randn(1, 3, 5, 25, 2), load("kinect_v2").parents)[:, :, :, 20].any()


def test_motion_adds_up_to_the_total_displacement():
    """Displacements of all frames sum to last minus first; the padded last frame adds nothing."""
    x = torch.randn(2, 3, 7, 20, 1, dtype=torch.double)
    torch.testing.assert_close(motion(x).sum(2), x[:, :, -1] - x[:, :, 0])
    assert motion(x).shape == x.shape


def test_motion_of_one_frame_is_zero():
    """NW-UCLA has clips of one frame."""
    assert not motion(torch.randn(1, 3, 1, 20, 1)).any()


def test_unknown_stream_and_wrong_joint_count_are_named():
    """A silent fall-through would train on nothing."""
    with pytest.raises(UserError, match="joint, bone, motion"):
        convert(torch.zeros(1, 3, 2, 25, 1), load("kinect_v2"), "bones")
    with pytest.raises(ShapeError, match="25"):
        convert(torch.zeros(1, 3, 2, 20, 1), load("kinect_v2"), "joint")
