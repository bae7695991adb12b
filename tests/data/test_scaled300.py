import numpy as np
import pytest

from pstl.data.recipes import scaled300
from pstl.data.recipes._rotation import turn
from pstl.data.spec import RawSequence
from pstl.skeletons import load

V2, V1 = load("kinect_v2"), load("kinect_v1")


def walk(frames=30, skeleton=V2, people=1, seed=0):
    """Random bodies that move a little."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(1, skeleton.joints, people, 3))
    return (pose + rng.normal(size=(frames, skeleton.joints, people, 3)).cumsum(0) * 0.02 + 3).astype(np.float32)


def apply(*clips, skeleton=V2, people=2, **cfg):
    sequences = [RawSequence(f"clip{i}", 0, xyz) for i, xyz in enumerate(clips)]
    return scaled300.apply(sequences, skeleton, people, scaled300.Config(**cfg))


@pytest.mark.parametrize(("skeleton", "facing", "arm"), [(V2, "elbow", 5), (V2, "shoulder", 4), (V1, "shoulder", 4)])
def test_the_first_frame_sets_origin_unit_and_axes(skeleton, facing, arm):
    """Base of the spine at 0, its length 1 and along +z, the left arm over +x: what makes views comparable (spec 2.1.3)."""
    x, _ = apply(walk(skeleton=skeleton), skeleton=skeleton, facing=facing)
    first = x[0, :, 0, :, 0].T
    np.testing.assert_allclose(first[0], 0, atol=1e-6)
    np.testing.assert_allclose(first[skeleton.centre], [0, 0, 1], atol=1e-5)
    across = first[arm] - first[skeleton.centre]
    assert across[0] > 0
    assert across[1] == pytest.approx(0, abs=1e-5)


def test_a_turned_and_moved_camera_sees_the_same_clip():
    """The cross-view test lives on this."""
    xyz = walk()
    rotation = turn(np.array([1.0, 2.0, -0.5]), np.array([0.0, 1.0, 0.0]))
    moved = (1.7 * xyz @ rotation.T + np.array([0.3, -2, 5])).astype(np.float32)
    (a, _), (b, _) = apply(xyz), apply(moved)
    np.testing.assert_allclose(a, b, atol=2e-4)


def test_one_origin_for_the_whole_clip():
    """A person who walks away does so here, too: the origin is not that of each frame."""
    xyz = walk()
    xyz += np.linspace(0, 2, 30, dtype=np.float32)[:, None, None, None]
    x, _ = apply(xyz)
    assert np.abs(x[0, :, -1, 0, 0]).max() > 0.1


def test_empty_frames_go_and_absent_people_stay_zero():
    """An empty frame is no posture; length counts what was recorded."""
    xyz = walk(30)
    holes = xyz.copy()
    holes[[0, 1, 7, 29]] = 0
    x, length = apply(holes, xyz)
    assert length.tolist() == [26, 30]
    kept = np.delete(xyz, [0, 1, 7, 29], axis=0)
    np.testing.assert_allclose(x[:1, :, :26], apply(kept)[0], atol=1e-6)
    assert not x[0, :, 26:].any()
    assert not x[..., 1].any()
    _, length = apply(np.zeros((5, 25, 1, 3), np.float32))
    assert length.tolist() == [1]


def test_objects_are_not_people():
    """A weak body that moves sideways more than up and down is left out; a weak one that stands upright is kept (spec 2.1.2)."""
    person, still = walk(seed=1), walk(seed=2) * 0.1
    sideways, upright = still.copy(), still.copy()
    sideways[:, :, :, 0] += np.linspace(0, 1, 30)[:, None, None]
    upright[:, :, :, 1] += np.linspace(0, 1, 30)[:, None, None]
    for other, present in ((sideways, False), (upright, True)):
        chosen = scaled300.likely_persons(np.concatenate([other, person], axis=2), 2)
        np.testing.assert_array_equal(chosen[0], person[:, :, 0])
        assert len(chosen) == 1 + present
    np.testing.assert_array_equal(scaled300.likely_persons(sideways, 2)[0], sideways[:, :, 0])  # alone it is never filtered


def test_a_body_is_one_body_in_whatever_slot_it_stands():
    """Slots swap when people pass each other: cut in halves by them, both people would jump through the room (spec 2.1.1)."""
    xyz = walk(people=2)
    numbers = np.tile(np.array([1, 2], np.uint8), (30, 1))
    swapped, other = xyz.copy(), numbers.copy()
    swapped[12:20], other[12:20] = xyz[12:20, :, ::-1], numbers[12:20, ::-1]
    plain, turned = (
        scaled300.apply([RawSequence("c", 0, x, bodies=b)], V2, 2, scaled300.Config())[0] for x, b in ((xyz, numbers), (swapped, other))
    )
    np.testing.assert_array_equal(plain, turned)
    assert np.abs(plain - apply(swapped)[0]).max() > 0.1  # as slots they would


def test_a_body_that_is_in_a_frame_twice_makes_two():
    """The sensor repeats an id now and then; the later copy must not overwrite the first."""
    xyz = walk(people=3)
    found = scaled300.by_body(RawSequence("c", 0, xyz, bodies=np.tile(np.array([2, 2, 1], np.uint8), (30, 1))))
    np.testing.assert_array_equal(found, xyz[:, :, [2, 0, 1]])
    three = scaled300.by_body(RawSequence("c", 0, xyz, bodies=np.ones((30, 3), np.uint8)))
    np.testing.assert_array_equal(three, xyz)
