import numpy as np
import pytest

from pstl.data.prepare import join
from pstl.data.recipes import spine300
from pstl.records import Clip
from pstl.skeletons import load


def clip(frames=40, people=2, joints=25, seed=0):
    """A body that drifts about, and a livelier one in the next slot."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(1, joints, people, 3))
    walk = rng.normal(size=(frames, 1, people, 3)).cumsum(0) * 0.1
    scale = 1 + np.arange(people)[None, None, :, None]
    return Clip(
        "clip",
        0,
        ((pose + walk + rng.normal(size=(frames, joints, people, 3)) * 0.05) * scale).astype(
            np.float32
        ),
    )


def made(*clips, people=2, name="kinect_v2", **settings):
    cfg = spine300.RECIPE.Config(**settings)
    return spine300.RECIPE.apply(list(clips), load(name), people, cfg)


def slow_fill(body):
    """The spec's words (2.1.4a) frame by frame, on the full 300 frames of the released arrays."""
    full = np.zeros((300, *body.shape[1:]), dtype=np.float32)
    full[: len(body)] = body[:300]
    if not full.any():
        return full
    if not full[0].any():
        kept = [frame.copy() for frame in full if frame.any()]
        full[:] = 0
        full[: len(kept)] = kept
    for i in range(300):
        if not full[i:].any():
            for j in range(i, 300):
                full[j] = full[j - i]
            break
    return full


def holes(frames=40):
    """Two bodies with a late start, a gap, an early end, and one frame between empty ones."""
    xyz = clip(frames).xyz.copy()
    xyz[:4, :, 1] = 0
    xyz[11:13, :, 1] = 0
    xyz[17, :, 0] = 0
    xyz[30:, :, 0] = 0
    return Clip("holes", 0, xyz)


def test_the_array_is_the_released_one_up_to_the_length():
    """Only frames that are never read are missing: steps of the released script, one by one, on 300
    frames."""
    sequence, skeleton = holes(), load("kinect_v2")
    x, length = made(sequence)
    bodies = [slow_fill(sequence.xyz[:, :, slot]) for slot in (1, 0)]  # the livelier one first
    middle = bodies[0][:, 1].copy()
    bodies = [np.where((b.sum(-1) != 0)[..., None], b - middle[:, None], 0) for b in bodies]
    for (start, end), target in (((0, 1), (0, 0, 1)), ((4, 8), (1, 0, 0))):
        line = bodies[0][0, end] - bodies[0][0, start]
        axis, target = np.cross(line, target), np.array(target)
        angle = np.arccos(line @ target / np.linalg.norm(line))
        a, (b, c, d) = (
            np.cos(angle / 2),
            -axis / np.linalg.norm(axis) * np.sin(angle / 2),
        )  # Euler-Rodrigues
        matrix = np.array([
            [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
            [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
            [2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c],
        ])  # fmt: skip
        bodies = [
            np.array([[matrix @ joint for joint in frame] for frame in body]) for body in bodies
        ]
    expected = np.stack(bodies, -1)[:40].transpose(2, 0, 1, 3)
    assert length.tolist() == [40]
    assert x.shape == (1, 3, 40, 25, 2)
    np.testing.assert_allclose(x[0], expected, atol=1e-5)
    assert skeleton.spine == (0, 1)
    assert skeleton.shoulders == (4, 8)


def test_the_main_actor_stands_upright_at_the_origin_and_faces_the_same_way():
    """Position and heading of the camera are removed; what is left is the action (SCD-Net spec
    2.1)."""
    for name, people in (("kinect_v2", 2), ("kinect_v1", 1)):
        x, _ = made(clip(people=people, joints=load(name).joints), people=people, name=name)
        body, skeleton = x[0, :, :, :, 0], load(name)
        np.testing.assert_allclose(body[:, :, skeleton.spine[1]], 0, atol=1e-6)  # in every frame
        left, right = skeleton.shoulders
        shoulders = body[:, 0, right] - body[:, 0, left]
        np.testing.assert_allclose(shoulders / np.linalg.norm(shoulders), [1, 0, 0], atol=1e-5)


def test_the_spine_keeps_its_tilt_where_it_is_not_turned_up():
    """UmURL's code has the first rotation commented out: only shoulders are turned, onto +x, by the
    shortest way (UmURL spec 1.1).
    """
    raw, skeleton = clip(people=1), load("kinect_v2")
    x, _ = made(raw, people=1, spine_up=False)
    body = x[0, :, :, :, 0].transpose(1, 2, 0).astype(float)  # (T, V, 3)
    middle = raw.xyz[:, skeleton.spine[1], 0].astype(float)
    still = raw.xyz[:, :, 0] - middle[:, None]
    left, right = skeleton.shoulders
    shoulders = still[0, right] - still[0, left]
    axis = np.cross(shoulders, [1.0, 0, 0])
    np.testing.assert_allclose(
        body[0, right] - body[0, left], [np.linalg.norm(shoulders), 0, 0], atol=1e-5
    )
    # What lies along the axis of the one rotation does not move.
    np.testing.assert_allclose(body @ axis, still @ axis, atol=1e-5)
    upright, _ = made(raw, people=1)
    assert not np.allclose(upright, x, atol=1e-2)


def test_bone_lengths_survive():
    """Two rotations and a shift are rigid: anatomy must not depend on the view."""
    raw, skeleton = clip(people=1), load("kinect_v2")
    x, _ = made(raw, people=1)
    for child, parent in skeleton.edges:
        ours = np.linalg.norm(x[0, :, :, child, 0] - x[0, :, :, parent, 0], axis=0)
        theirs = np.linalg.norm(raw.xyz[:, child, 0] - raw.xyz[:, parent, 0], axis=-1)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_the_spine_goes_up_unless_the_shoulders_tilt_it():
    """The first rotation alone puts the spine on +z; opposite directions are left alone, as the
    released code does."""
    up = spine300.turn(np.array([0.3, -0.2, 0.5]), np.array([0.0, 0.0, 1.0])) @ [0.3, -0.2, 0.5]
    np.testing.assert_allclose(up, [0, 0, np.sqrt(0.38)], atol=1e-12)
    for line in ([0, 0, 0], [0, 0, -2], [0, 0, 3]):
        np.testing.assert_array_equal(
            spine300.turn(np.array(line, dtype=float), np.array([0.0, 0.0, 1.0])), np.eye(3)
        )


def test_the_two_liveliest_of_four_slots_are_kept():
    """Ghosts and bystanders stand still; a fifth slot is never looked at (SCD-Net spec 2.1)."""
    xyz = clip(people=5).xyz.copy()  # spread grows with the slot
    xyz[:, :, 2] = 0
    chosen = spine300.liveliest(xyz, 2)
    np.testing.assert_array_equal(chosen, xyz[:, :, [3, 1]].transpose(2, 0, 1, 3))
    assert len(spine300.liveliest(xyz[:, :, :1], 2)) == 1  # a slot nobody fills


def test_spread_ignores_frames_without_the_body():
    """Zeros are no movement: a short appearance must not win by jumping to the origin."""
    xyz = np.zeros((40, 25, 2, 3), dtype=np.float32)
    xyz[:, :, 0] = np.random.default_rng(0).normal(size=(40, 25, 3)) * 0.5
    xyz[:5, :, 1] = np.random.default_rng(1).normal(size=(5, 25, 3)) * 0.1 + 9
    np.testing.assert_array_equal(spine300.liveliest(xyz, 1)[0], xyz[:, :, 0])


@pytest.mark.parametrize("frames", [1, 7, 300, 420])
def test_lengths_are_recorded_frames_and_at_most_300(frames):
    """Longer recordings crash the released loaders; one-frame clips exist in NW-UCLA (SCD-Net spec
    2.2)."""
    x, length = made(clip(frames))
    assert length.tolist() == [min(frames, 300)]
    assert x.shape[2] == min(frames, 300)
    assert np.isfinite(x).all()


def test_an_absent_body_stays_zero():
    """Its features are shared by all clips only if it is exactly zero; the shift must not move
    it."""
    xyz = clip().xyz.copy()
    xyz[:, :, 0] = 0
    x, _ = made(Clip("one", 0, xyz))
    assert not x[..., 1].any()
    empty, _ = made(Clip("none", 0, np.zeros((5, 25, 2, 3), dtype=np.float32)))
    assert not empty.any()


def test_chunks_of_different_length_become_one_array():
    """Large data sets are prepared in pieces, each as long as its longest clip."""
    (a, _), (b, _) = made(clip(30), clip(12)), made(clip(50))
    x = join([a, b])
    assert x.shape == (3, 3, 50, 25, 2)
    assert not x[0, :, 30:].any()
    np.testing.assert_array_equal(x[0, :, :30], a[0])
    np.testing.assert_array_equal(x[2], b[0])
