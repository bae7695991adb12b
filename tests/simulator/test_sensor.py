"""The simulated sensor: it changes where things are seen from and how well, and makes the defects
that real files have."""

import numpy as np
import pytest

from pstl.simulator.actions import ACTIONS
from pstl.simulator.body import JOINT
from pstl.simulator.performer import Manner, draw_performer, perform
from pstl.simulator.sensor import CAMERAS, FIRST_ID, INFERRED, TRACKED, Camera, Noise, film, view

CLEAN = Noise(
    tilt_deg=0,
    jitter=0,
    drift=0,
    guess=0,
    lost_limb=0,
    dropped_frame=0,
    empty=0,
    ghost=0,
    slot_change=0,
    absence=0,
)
FRONT = CAMERAS[1]
FRAMES = 60


def scene(people=1, seed=0):
    rng = np.random.default_rng(seed)
    action = next(action for action in ACTIONS if action.people == people)
    return perform(
        action, [draw_performer(rng, Manner()) for _ in range(people)], FRAMES, 0.0, rng, Manner()
    )


def filmed(people=1, seed=0, **noise):
    return film(
        scene(people, seed), FRONT, np.random.default_rng(seed), CLEAN.model_copy(update=noise)
    )


def distances(xyz):
    return np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_view_is_a_rigid_motion_in_front_of_the_camera(camera):
    """Whatever the viewpoint, people keep their size, stand upright and are metres away."""
    world = scene()[0, :, 0]
    seen = view(world, camera)
    np.testing.assert_allclose(distances(seen), distances(world), atol=1e-12)
    assert (seen[:, 2] > 1.5).all()
    assert seen[JOINT["head"], 1] > seen[JOINT["left foot"], 1] + 1
    assert np.linalg.det(view(np.eye(3), camera) - view(np.zeros((1, 3)), camera)) == pytest.approx(
        1
    )  # no mirror


def test_someone_who_faces_the_camera_has_the_left_hand_at_smaller_x():
    """The x axis of a Kinect grows to the sensor's left: turned round, every clip would be its
    mirror image."""
    seen = view(scene()[0, :, 0], Camera(0, 0, 1, 3))
    assert seen[JOINT["left shoulder"], 0] < seen[JOINT["right shoulder"], 0]


def test_a_camera_that_looks_down_sees_the_middle_of_a_person_higher_up():
    """A pitch of the wrong sign would look at the sky."""
    person = np.array([0.0, 0.9, 0.0])
    level, down = (view(person, Camera(0, pitch, 2.0, 3.0)) for pitch in (0.0, 20.0))
    assert down[1] > level[1]
    assert abs(down[1]) < abs(level[1])


def test_a_perfect_sensor_changes_nothing_but_the_viewpoint():
    """Each defect must be one that can be switched off, or its effect cannot be studied."""
    found = filmed(people=2)
    np.testing.assert_allclose(
        np.sort(found.xyz, axis=2), np.sort(view(scene(2), FRONT), axis=2), atol=1e-6
    )
    assert (found.ids > FIRST_ID).all()
    assert (found.ids == found.ids[0]).all()


def test_ids_have_seventeen_digits_and_share_a_float():
    """The trap of real files: as floats, two people become one."""
    ids = np.unique(filmed(people=2).ids)
    assert len(ids) == 2
    assert {len(str(i)) for i in ids} == {17}
    assert len(np.unique(ids.astype(np.float64))) == 1


def test_inferred_joints_are_worse_than_tracked_ones():
    """The tracking state is there to be used: it must say something about the error."""
    true = view(scene(), FRONT)
    found = filmed(jitter=0.006, drift=0.012, guess=0.05, lost_limb=1.0)
    error = np.linalg.norm(found.xyz - true, axis=-1)
    assert 0.01 < (found.tracking == INFERRED).mean() < 0.4
    assert set(np.unique(found.tracking)) == {INFERRED, TRACKED}
    assert error[found.tracking == INFERRED].mean() > 2 * error[found.tracking == TRACKED].mean()


def test_hidden_joints_are_inferred():
    """From behind, hands in front of the body are guesses."""
    action = next(action for action in ACTIONS if action.name == "march on the spot")
    rng = np.random.default_rng(0)
    away = perform(action, [draw_performer(rng, Manner())], FRAMES, 180.0, rng, Manner())
    arms = [
        JOINT[f"{side} {joint}"]
        for side in ("left", "right")
        for joint in ("wrist", "hand", "hand tip", "thumb")
    ]
    share = [
        (film(x, FRONT, rng, CLEAN).tracking[:, arms] == INFERRED).mean() for x in (away, scene())
    ]
    assert share[0] > share[1]


def test_dropped_frames_shorten_the_recording():
    """Real recordings skip frames without saying so: motion then jumps."""
    assert FRAMES // 2 < len(filmed(dropped_frame=0.2).xyz) < FRAMES
    assert len(filmed().xyz) == FRAMES


def test_frames_without_a_body_are_all_zero_and_never_the_first():
    """A gap is not a person at the origin; with the first frame empty there would be nothing to
    begin with."""
    found = filmed(empty=1.0)
    gone = (found.ids == 0).all(1)
    assert 1 <= gone.sum() <= 4
    assert not gone[0]
    assert not found.xyz[gone].any()
    assert found.xyz[~gone].any((1, 2, 3)).all()


def test_a_ghost_hardly_moves_and_is_wider_than_tall():
    """Denoising rules of the literature look for exactly this; a ghost they cannot find would test
    nothing."""
    found = filmed(ghost=1.0)
    assert found.xyz.shape[2] == 2
    (ghost,) = {i for i in np.unique(found.ids) if i and (found.ids == i).sum() < FRAMES}
    body = found.xyz.transpose(0, 2, 1, 3)[found.ids == ghost]
    x, y, _ = np.ptp(body, axis=1).T
    assert (x > 0.8 * y).mean() > 0.7
    other = found.xyz.transpose(0, 2, 1, 3)[(found.ids != ghost) & (found.ids != 0)]
    assert body.std(0).mean() < other.std(0).mean()


def test_bodies_exchange_slots_without_moving():
    """The order inside a frame is no identity: after the change the ids are exchanged, and tracks
    by id stay smooth."""
    found = filmed(people=2, slot_change=1.0)
    first = np.unique(found.ids[:, 0])
    assert len(first) == 2
    jump = {}
    for kind, tracks in (
        ("slot", [found.xyz[:, 0, m] for m in range(2)]),
        ("id", [_track(found, i) for i in first]),
    ):
        jump[kind] = max(np.linalg.norm(np.diff(track, axis=0), axis=-1).max() for track in tracks)
    assert jump["id"] < 0.1 < jump["slot"]


def test_a_partner_may_vanish_for_a_while():
    """Trackers meet bodies that come back; slots behind a missing body move up, as in real
    files."""
    found = filmed(people=2, absence=1.0)
    count = (found.ids != 0).sum(1)
    assert set(np.unique(count)) == {1, 2}
    assert (found.ids[count == 1, 0] != 0).all()
    assert not found.xyz[count == 1][:, :, 1].any()


def _track(found, identity):
    return np.stack(
        [
            found.xyz[t, 0, np.flatnonzero(found.ids[t] == identity)[0]]
            for t in range(len(found.ids))
        ]
    )
