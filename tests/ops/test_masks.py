import pytest
import torch

from pstl.errors import ShapeError
from pstl.ops import masks
from pstl.rng import torch_generator
from pstl.skeletons import load


def test_central_joints_follow_the_marginals_of_the_paper():
    """CSM must prefer hubs as much as the released code does: spec 6.2 and 17 give the exact marginals."""
    skeleton, rng, draws = load("kinect_v2"), torch_generator(0, "test"), 20_000
    hits, sizes = torch.zeros(25), torch.zeros(9)
    for _ in range(draws):
        joints = masks.central_joints(skeleton, 8, rng)
        hits[joints] += 1
        sizes[len(joints)] += 1
    expected = {1: 0.1667, 2: 0.3085, 3: 0.4288, 4: 0.5303}
    for joint, degree in enumerate(skeleton.degree):
        assert hits[joint] / draws == pytest.approx(expected[degree], abs=0.015)
    assert sizes[8] / draws == pytest.approx(0.469, abs=0.015)
    assert float((sizes / draws * torch.arange(9)).sum()) == pytest.approx(7.3456, abs=0.03)


def test_random_joints_prefer_nobody():
    """The ablation of CSM must be uniform."""
    rng, hits = torch_generator(0, "test"), torch.zeros(25)
    for _ in range(5000):
        hits[masks.random_joints(load("kinect_v2"), 8, rng)] += 1
    assert hits.min() > 1400
    assert hits.max() < 1800


def test_slow_frames_drop_the_fastest_and_keep_the_last():
    """A frame that moves much goes; the last frame has no displacement and always stays (spec 6.3)."""
    x = torch.zeros(1, 3, 10, 20, 1)
    x[:, :, 4:] += 5  # the jump makes frame 3 the fastest
    x[:, :, 7:] += 2  # and frame 6 the second
    assert masks.slow_frames(x, 2)[0].tolist() == [0, 1, 2, 4, 5, 7, 8, 9]


def test_drop_fast_frames_keeps_time_order_and_takes_one_choice_for_the_batch():
    """50 frames become 30, in order; the random half is drawn once per batch (spec 6.3)."""
    x = torch.arange(50.0).view(1, 1, 50, 1, 1).repeat(4, 3, 1, 25, 2)  # equal speed everywhere
    kept = masks.drop_fast_frames(x, 10, torch_generator(0, "test"))
    frames = kept[:, 0, :, 0, 0]
    assert kept.shape == (4, 3, 30, 25, 2)
    assert (frames.diff(dim=1) > 0).all()
    assert (frames == frames[0]).all()


def test_too_many_dropped_frames_are_refused():
    """A negative number of frames must not become an empty clip."""
    with pytest.raises(ShapeError, match="masked_frames"):
        masks.slow_frames(torch.zeros(1, 3, 10, 20, 1), 10)
