import numpy as np
import pytest
from data.psp_steps import prepared

from pstl.data.formats import skeleton_txt
from pstl.data.recipes import _bodies, scaled300
from pstl.data.recipes._rotation import turn
from pstl.records import Clip
from pstl.skeletons import load

V2, V1 = load("kinect_v2"), load("kinect_v1")


def walk(frames=30, skeleton=V2, people=1, seed=0):
    """Random bodies that move a little."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(1, skeleton.joints, people, 3))
    return (
        pose + rng.normal(size=(frames, skeleton.joints, people, 3)).cumsum(0) * 0.02 + 3
    ).astype(np.float32)


def apply(*clips, skeleton=V2, people=2, **cfg):
    sequences = [Clip(f"clip{i}", 0, xyz) for i, xyz in enumerate(clips)]
    return scaled300.RECIPE.apply(sequences, skeleton, people, scaled300.RECIPE.Config(**cfg))


@pytest.mark.parametrize(
    ("skeleton", "facing", "arm"), [(V2, "elbow", 5), (V2, "shoulder", 4), (V1, "shoulder", 4)]
)
def test_the_first_frame_sets_origin_unit_and_axes(skeleton, facing, arm):
    """Base of the spine at 0, its length 1 and along +z, the left arm over +x: what makes views
    comparable (PSP spec 2.1.3)."""
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


FIRST_ID = 72057594037931101  # a 17-digit id as NTU's files have them


def recorded(bodies, present, ids, order, spread=1):
    """A clip as the sensor gives it: who is there stands in the first slots, in the frame's
    `order`.

    bodies: (T, 25, n, 3).   present: (T, n) bool.   ids: n ints.   order: (T, n), who comes first.
    """
    xyz, numbers = np.zeros_like(bodies), np.zeros(present.shape, np.int64)
    for t in range(len(bodies)):
        shown = [who for who in order[t] if present[t, who]]
        xyz[t, :, : len(shown)] = bodies[t][:, shown]
        numbers[t, : len(shown)] = [ids[who] for who in shown]
    return xyz, numbers


def sequence(xyz, ids):
    """As `parse` makes one of a file."""
    return Clip("c", 0, xyz, bodies=skeleton_txt.numbered(ids), merged=skeleton_txt.merged(ids))


def figure(rng, frames, height, width, motion, place):
    """A moving body whose joints fill a box; its spine is half a metre long, so that units stay
    ordinary."""
    pose = rng.uniform(-0.5, 0.5, (25, 3)) * [width, height, 0.4]
    pose[[0, 20]] = [[0, 0, 0], [0.02, 0.5, -0.03]]
    steps = rng.normal(size=(frames, 25, 3)).cumsum(0) * motion
    return (pose + steps + place).astype(np.float32)


def scene(seed):
    """Two bodies or three of many kinds: late, gone for a while, leaving early, in changing slots,
    repeated ids, ids 1 to 40 apart."""
    rng = np.random.default_rng(seed)
    n, frames = int(rng.choice([2, 2, 2, 3])), int(rng.integers(6, 14))
    shapes = [
        (rng.uniform(0.2, 1.9), rng.uniform(0.3, 2.2), rng.choice([0.002, 0.02, 0.025]))
        for _ in range(n)
    ]
    bodies = np.stack(
        [figure(rng, frames, *shape, rng.normal((0, 0, 3))) for shape in shapes], axis=2
    )
    present = np.ones((frames, n), bool)
    for who in range(n):
        a, b = sorted(rng.integers(1, frames, 2))
        cut = [slice(0, a), slice(a, b), slice(b, frames), slice(0, 0)][rng.integers(4)]
        present[cut, who] = False
    present[rng.integers(frames)] = True
    order = np.tile(rng.permutation(n), (frames, 1))
    if rng.random() < 0.5:
        order[rng.integers(1, frames) :] = order[0, ::-1]
    ids = FIRST_ID + int(rng.integers(4000)) + int(rng.choice([1, 5, 16, 40])) * rng.permutation(n)
    xyz, numbers = recorded(bodies, present, ids, order)
    if rng.random() < 0.2:  # the sensor gives one id twice
        twice = (numbers[:, 1] > 0) & (rng.random(frames) < 0.5)
        numbers[twice, 1] = numbers[twice, 0]
    return xyz, numbers


@pytest.mark.parametrize("ids", ["released", "exact"])
def test_arrays_are_those_of_the_papers_own_steps(ids):
    """Whoever claims PSP's numbers must feed what PSP was fed, and eleven of NTU-60's classes show
    two people (PSP spec 2.1)."""
    kept, late = [], 0
    for seed in range(80):
        xyz, numbers = scene(seed)
        expected = prepared(xyz, numbers, exact=ids == "exact")
        x, length = scaled300.RECIPE.apply(
            [sequence(xyz, numbers)], V2, 2, scaled300.RECIPE.Config(ids=ids)
        )
        assert length[0] == expected.shape[1], seed
        np.testing.assert_allclose(
            x[0].transpose(3, 1, 2, 0)[: len(expected)], expected, atol=2e-5, err_msg=str(seed)
        )
        assert not x[..., len(expected) :].any()
        kept.append(len(expected))
        late += not expected[0, 0].any()
    assert (
        min(kept.count(1), kept.count(2)) > 10
    )  # the scenes ask every question: objects go, persons stay,
    assert late > 5  # and the liveliest comes after the others


def test_an_upright_still_body_is_kept_beside_a_livelier_one():
    """Listening while another speaks is an action; only what is wider than high is furniture (PSP
    spec 2.1.2)."""
    rng = np.random.default_rng(0)
    lively = figure(rng, 30, 1.7, 0.6, 0.2, [0, 0, 3])
    for height, width, present in (
        (1.7, 0.5, True),
        (1.0, 0.79, True),
        (1.0, 0.81, False),
        (0.5, 1.7, False),
    ):
        still = np.tile(np.float32([1, 0, 3]), (30, 25, 1))
        still[:, 3] += [0, height, 0]
        still[:, 4] += [width, 0, 0]
        still[4:] += [0, 0, 0.001]  # it moves, a little
        chosen = scaled300.likely_persons(np.stack([still, lively], axis=2), 2)
        np.testing.assert_array_equal(chosen[0], lively)
        assert len(chosen) == 1 + present, (height, width)


def test_the_first_frame_with_a_body_decides_whether_it_is_a_person():
    """Not its path, nor a later frame: people lie down and are people still."""
    rng = np.random.default_rng(0)
    lively, still = (
        figure(rng, 30, 1.7, 0.6, 0.2, [0, 0, 3]),
        np.tile(np.float32([1, 0, 3]), (30, 25, 1)),
    )
    still[:5] = 0  # late
    still[5:, 3] += [0, 1.7, 0]
    still[5:, 4] += [0.5, 0, 0]
    falling = still.copy()
    falling[6:, 4] += [2, 0, 0]
    risen = falling.copy()
    risen[[5, 6]] = falling[[6, 5]]
    for other, present in ((still, True), (falling, True), (risen, False)):
        walking = other.copy()
        walking[5:] += np.linspace(0, 3, 25)[:, None, None] * np.float32(
            [1, 0, 0]
        )  # sideways, which was once taken for an object's way
        for body in (other, walking):
            assert len(scaled300.likely_persons(np.stack([body, lively], axis=2), 2)) == 1 + present


def test_a_lone_body_is_never_left_out():
    """A clip without anybody would be a label for nothing."""
    rng = np.random.default_rng(0)
    table = figure(rng, 30, 0.2, 1.9, 0.0, [0, 0, 3])
    np.testing.assert_array_equal(scaled300.likely_persons(table[:, :, None], 2)[0], table)


def test_ids_that_one_float_holds_are_one_body_in_the_released_arrays_only():
    """Two ids of a real file differ by 4: exact, they are two people whatever slot they stand in;
    as floats, slots are all there is."""
    xyz = walk(people=2)
    order = np.tile([0, 1], (30, 1))
    order[12:20] = [1, 0]
    for apart, follows in ((4, False), (40, True)):
        ids = (FIRST_ID, FIRST_ID + apart)
        clip = sequence(*recorded(xyz, np.ones((30, 2), bool), ids, order))
        plain, _ = apply(xyz)
        for setting, same in (("exact", True), ("released", follows)):
            x, _ = scaled300.RECIPE.apply([clip], V2, 2, scaled300.RECIPE.Config(ids=setting))
            assert np.array_equal(x, plain) == same, (apart, setting)


def test_a_body_is_one_body_in_whatever_slot_it_stands():
    """Slots swap when people pass each other: cut in halves by them, both people would jump through
    the room (PSP spec 2.1.1)."""
    xyz = walk(people=2)
    numbers = np.tile(np.array([1, 2], np.uint8), (30, 1))
    swapped, other = xyz.copy(), numbers.copy()
    swapped[12:20], other[12:20] = xyz[12:20, :, ::-1], numbers[12:20, ::-1]
    plain, turned = (
        scaled300.RECIPE.apply([Clip("c", 0, x, bodies=b)], V2, 2, scaled300.RECIPE.Config())[0]
        for x, b in ((xyz, numbers), (swapped, other))
    )
    np.testing.assert_array_equal(plain, turned)
    assert np.abs(plain - apply(swapped)[0]).max() > 0.1  # as slots they would


def test_a_body_that_is_in_a_frame_twice_makes_two():
    """The sensor repeats an id now and then; a later copy must not overwrite an earlier one, as the
    released code's third does."""
    xyz = walk(people=3)
    found = _bodies.by_body(
        Clip("c", 0, xyz, bodies=np.tile(np.array([2, 2, 1], np.uint8), (30, 1)))
    )
    np.testing.assert_array_equal(found, xyz[:, :, [2, 0, 1]])
    three = _bodies.by_body(Clip("c", 0, xyz, bodies=np.ones((30, 3), np.uint8)))
    np.testing.assert_array_equal(three, xyz)
