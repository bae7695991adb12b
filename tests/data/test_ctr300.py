import numpy as np
import pytest

from pstl.data.prepare import join
from pstl.data.recipes import ctr300
from pstl.records import Clip
from pstl.skeletons import load


def walk(frames=40, people=2, joints=25, seed=0):
    """People higher than wide side by side, the later the livelier; (T, V, M, 3) metres."""
    rng = np.random.default_rng(seed)
    pose = rng.random((1, joints, 1, 3)) * [0.5, 1.8, 0.4] + [0, -0.9, 3.0]
    pose = pose + np.arange(people)[:, None] * [0.8, 0, 0]
    path = (rng.random((frames, 1, people, 3)) - 0.5).cumsum(0) * 0.05
    shaking = (rng.random((frames, joints, people, 3)) - 0.5) * 0.04
    lively = 1 + np.arange(people)[:, None]
    return (pose + (path + shaking) * lively).astype(np.float32)


def clip(xyz, numbers=None):
    if numbers is None:
        numbers = np.tile(np.arange(1, xyz.shape[2] + 1, dtype=np.uint8), (len(xyz), 1))
    return Clip("c", 0, xyz, bodies=numbers * xyz.any(axis=(1, 3)))


def made(*xyz, people=2, name="kinect_v2"):
    clips = [clip(one) for one in xyz]
    x, length = ctr300.RECIPE.apply(clips, load(name), people, ctr300.RECIPE.Config())
    return x.transpose(0, 2, 3, 4, 1), length  # (N, T, V, M, 3)


def as_released(xyz):
    """The released steps on lists of bodies, frame by frame (MAMP spec 2.1).   -> (T, V, 2, 3)."""
    some = [frame for frame in xyz if frame.any()]
    bodies = []
    for slot in range(xyz.shape[2]):
        numbers = [i for i, frame in enumerate(some) if frame[:, slot].any()]
        if numbers:
            own = np.stack([some[i][:, slot] for i in numbers]).astype(np.float64)
            consecutive = range(numbers[0], numbers[0] + len(numbers))
            bodies.append({"own": own, "at": list(consecutive)})
    if len(bodies) > 1:
        bodies = denoised(bodies)
    scene = np.zeros((len(some), xyz.shape[1], 2, 3))
    first, second = [bodies[0]["at"][0], bodies[0]["at"][-1]], [0, 0]
    scene[bodies[0]["at"], :, 0] = bodies[0]["own"]
    for body in bodies[1:]:
        start, end = body["at"][0], body["at"][-1]
        for span, actor in ((first, 0), (second, 1)):
            if min(span[1], end) - max(span[0], start) <= 0:
                scene[body["at"], :, actor] = body["own"]
                span[:] = min(start, span[0]), max(end, span[1])
                break
    scene = np.stack([frame for frame in scene if frame.any()])
    origin = next(frame[1, 0].copy() for frame in scene if frame[:, 0].any())
    for frame in scene:
        for actor in range(2):
            if frame[:, actor].any():
                frame[:, actor] -= origin
    return scene


def denoised(bodies):
    """Without the brief and the wide ones, those that move most first."""
    bodies = [body for body in bodies if len(body["at"]) > 11]
    if len(bodies) == 1:
        return bodies
    left = list(bodies)
    for body in bodies:
        if len(left) == 1:
            return left
        frames = [f for f in body["own"] if np.ptp(f[:, 0]) <= 0.8 * np.ptp(f[:, 1])]
        body["motion"] = np.var(body["own"].reshape(-1, 3), axis=0).sum()
        if len(frames) == len(body["own"]):
            continue
        if (len(body["own"]) - len(frames)) / len(body["own"]) >= 0.69754:
            left = [other for other in left if other is not body]
        else:
            narrow = np.var(np.concatenate(frames), axis=0).sum()
            body["motion"] = min(body["motion"], narrow)
    return sorted(left, key=lambda body: body["motion"], reverse=True)


def scenes():
    """What recordings hold: gaps, brief ghosts, furniture, people who come one after the other."""
    plain, alone = walk(), walk(people=1)
    gap = walk(seed=1)
    gap[10:14, :, 1] = 0
    gap[20:22] = 0
    ghost = walk(people=3, seed=2)
    ghost[11:, :, 2] = 0
    furniture = walk(people=3, seed=3)
    furniture[:, :, 2, 0] *= 9  # wide, and so the one with most motion
    half_wide = walk(people=3, seed=4)
    half_wide[:20, :, 2, 0] *= 9
    relay = walk(people=4, seed=5)
    relay[15:, :, 3] = 0
    relay[:14, :, 2] = 0  # one frame of overlap with the one before
    relay[:16, :, 1] = 0
    late = walk(people=2, seed=6)
    late[:13, :, 1] = 0
    return {
        "plain": plain, "alone": alone, "gap": gap, "ghost": ghost, "furniture": furniture,
        "half wide": half_wide, "relay": relay, "late": late,
    }  # fmt: skip


@pytest.mark.parametrize("scene", scenes())
def test_the_array_is_what_the_released_steps_give(scene):
    """MAMP's encoder has seen these bodies in these places, and nothing else."""
    xyz = scenes()[scene]
    x, length = made(xyz)
    expected = as_released(xyz)
    assert length.tolist() == [len(expected)]
    np.testing.assert_allclose(x[0], expected, atol=1e-6)


def test_the_main_actor_moves_most_and_stands_at_the_origin():
    """Both people share one origin: how far they are apart is what tells a handshake."""
    xyz = walk()
    x, _ = made(xyz)
    np.testing.assert_allclose(x[0, 0, 1, 0], 0, atol=1e-7)
    np.testing.assert_allclose(x[0, :, :, 0], xyz[:, :, 1] - xyz[0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(x[0, :, :, 1], xyz[:, :, 0] - xyz[0, 1, 1], atol=1e-6)


def test_nobody_is_turned_or_scaled():
    """Distances between all joints of all frames are those of the recording."""
    xyz = walk(people=1)
    x, _ = made(xyz)
    flat, original = x[0, ..., 0, :].reshape(-1, 3), xyz.reshape(-1, 3)
    some = np.random.default_rng(0).integers(0, len(flat), (2, 99))
    apart = [np.linalg.norm(side[some[0]] - side[some[1]], axis=1) for side in (flat, original)]
    np.testing.assert_allclose(*apart, atol=1e-5)


def test_who_is_absent_stays_zero():
    """Zeros around an origin elsewhere would be a person standing there."""
    xyz = scenes()["late"]
    x, _ = made(xyz)
    who = int(x[0, :13, :, 0].any())  # the one who comes late
    assert not x[0, :13, :, who].any()
    assert x[0, 13:, :, who].any(axis=(1, 2)).all()
    assert not made(walk(people=1))[0][..., 1, :].any()


def test_frames_without_anybody_go_and_long_clips_lose_their_end():
    """Empty frames are no motion; 300 is what the released arrays hold."""
    xyz = walk(people=1, frames=320)
    xyz[5:8] = 0
    x, length = made(xyz, walk(people=1, frames=30))
    assert (x.shape[1], length.tolist()) == (300, [300, 30])
    there = np.delete(xyz, [5, 6, 7], axis=0)[:300, :, 0]
    np.testing.assert_allclose(x[0, :, :, 0], there - there[0, 1], atol=1e-6)
    assert not x[1, 30:].any()


def test_clips_that_stop_the_released_code_are_made():
    """Nobody at all; two people for eleven frames; one frame; of a sensor that gives no ids."""
    empty, length = made(np.zeros((4, 25, 1, 3), np.float32))
    assert (length.tolist(), empty.any()) == ([1], False)
    brief, length = made(walk(frames=11))
    assert length.tolist() == [11]
    assert brief[0].any(axis=(0, 1, 3)).all()
    assert made(walk(frames=1, people=1))[1].tolist() == [1]
    untold = Clip("c", 0, walk())
    x, _ = ctr300.RECIPE.apply([untold], load("kinect_v2"), 2, ctr300.RECIPE.Config())
    np.testing.assert_array_equal(x.transpose(0, 2, 3, 4, 1), made(walk())[0])


@pytest.mark.parametrize(("name", "people"), [("kinect_v1", 1), ("kinect_v2", 1), ("kinect_v1", 2)])
def test_any_body_and_number_of_people(name, people):
    """NW-UCLA has 20 joints and one slot; a crowd in it gives the main actor."""
    joints = load(name).joints
    x, _ = made(walk(joints=joints, people=2), people=people, name=name)
    both, _ = made(walk(joints=joints, people=2), people=2, name=name)
    assert x.shape == (1, 40, joints, people, 3)
    np.testing.assert_array_equal(x, both[..., :people, :])


def test_parts_of_a_data_set_make_the_array_of_the_whole():
    """Arrays are made some hundred clips at a time, on all cores."""
    every = list(scenes().values())
    whole, _ = made(*every)
    parts = [made(*some)[0].transpose(0, 4, 1, 2, 3) for some in (every[:3], every[3:])]
    np.testing.assert_array_equal(join(parts).transpose(0, 2, 3, 4, 1), whole)
