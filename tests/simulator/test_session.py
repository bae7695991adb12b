"""Long takes: labels sit on the movement, and nothing jumps where two parts meet."""

import numpy as np

from pstl.rng import numpy_generator
from pstl.simulator.performer import Manner, draw_performer
from pstl.simulator.session import ACTIONS_OF_ONE, Script, joined, session

MANNER = Manner()


def take(seed=0, actions=ACTIONS_OF_ONE):
    rng = numpy_generator(seed, "take")
    person = draw_performer(rng, MANNER)
    return session(Script(actions, person, (30, 40), (15, 25), 20.0, MANNER), rng)


def test_every_action_once_with_a_pause_around_it():
    """A detector is scored on these spans: one that is missing, or overlaps its neighbour, is an
    error of the ground truth."""
    scene, spans = take()
    assert sorted(label for label, _, _ in spans) == list(range(len(ACTIONS_OF_ONE)))
    edges = [0, *(frame for _, first, last in spans for frame in (first, last + 1)), len(scene)]
    assert all(15 <= pause <= 25 for pause in np.diff(edges)[::2])
    assert all(30 <= length <= 40 for length in np.diff(edges)[1::2])
    assert [label for label, _, _ in take(1).spans] != [label for label, _, _ in spans]


def test_people_move_where_the_labels_say():
    """Spans that are shifted against the movement would make a perfect detector look bad.

    Hands are faster in actions than between.
    """
    for seed in range(3):
        scene, spans = take(seed)
        speed = np.linalg.norm(np.diff(scene[:, :, 0], axis=0), axis=-1).mean(1)
        inside = np.zeros(len(speed), bool)
        for _, first, last in spans:
            inside[first:last] = True
        assert speed[inside].mean() > 2 * speed[~inside].mean()


def test_nothing_jumps_at_a_seam():
    """A jump would give away where an action begins; no joint may be faster there than it is in
    some movement."""
    scene, spans = take()
    speed = np.linalg.norm(np.diff(scene[:, :, 0], axis=0), axis=-1).max(1)
    seams = [frame - 1 for _, first, last in spans for frame in (first, last + 1)]
    assert speed[seams].max() < np.delete(speed, seams).max()


def test_a_stretch_leads_from_one_pose_to_the_next():
    """Its ends come near both poses, its middle is left alone."""
    stretch = np.zeros((20, 2, 1, 3))
    led = joined(np.full((2, 1, 3), 1.0), stretch, np.full((2, 1, 3), -1.0))
    assert (np.diff(led[:10, 0, 0, 0]) < 0).all()
    np.testing.assert_allclose(led[[0, -1], 0, 0, 0], [0.975, -0.975], atol=0.02)
    np.testing.assert_allclose(led[9:11], 0, atol=0.05)
