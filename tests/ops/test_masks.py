import pytest
import torch

from pstl.errors import ShapeError
from pstl.ops import masks
from pstl.rng import torch_generator
from pstl.skeletons import load


def test_central_joints_follow_the_marginals_of_the_paper():
    """CSM must prefer hubs as much as the released code does: PSTL spec 6.2 and 17 give the exact
    marginals.
    """
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
    """A frame that moves much goes.

    The last frame has no displacement and always stays (PSTL spec 6.3).
    """
    x = torch.zeros(1, 3, 10, 20, 1)
    x[:, :, 4:] += 5  # the jump makes frame 3 the fastest
    x[:, :, 7:] += 2  # and frame 6 the second
    assert masks.slow_frames(x, 2)[0].tolist() == [0, 1, 2, 4, 5, 7, 8, 9]


def test_drop_fast_frames_keeps_time_order_and_takes_one_choice_for_the_batch():
    """50 frames become 30, in order; the random half is drawn once per batch (PSTL spec 6.3)."""
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


def test_structure_guided_masks_follow_the_marginals_of_fair_ties():
    """The spatial mask decides what SCD-Net must infer.

    The table of SCD-Net spec 3.1 for ties broken uniformly, standard error 0.001.
    """
    expected = (
        ".456 .440 .365 .141 .394 .322 .327 .333 .395 .325 .332 .336 .361 "
        ".331 .310 .153 .362 .332 .312 .155 .593 .152 .311 .153 .312"
    )
    dropped = masks.structure_guided_joints(
        load("kinect_v2"), 5, 8, 200_000, torch_generator(0, "test")
    )
    assert (dropped.sum(1) == 8).all()
    torch.testing.assert_close(
        dropped.float().mean(0),
        torch.tensor([float(p) for p in expected.split()]),
        atol=0.005,
        rtol=0,
    )


def test_structure_guided_masks_have_no_side():
    """Index order must not decide ties.

    Left and right joints of a symmetric body are dropped alike, on any skeleton.
    """
    skeleton = load("kinect_v1")
    share = (
        masks.structure_guided_joints(skeleton, 4, 6, 100_000, torch_generator(0, "test"))
        .float()
        .mean(0)
    )
    for left, right in skeleton.left_right:
        assert float(share[left]) == pytest.approx(float(share[right]), abs=0.01)
    assert share.argmax() == skeleton.centre


def test_masked_joints_are_those_most_walks_from_the_seeds_lead_to():
    """With one seed the first choice is the seed's busiest neighbourhood.

    Nothing without a walk may come before something with one.
    """
    skeleton = load("kinect_v2")
    step = torch.from_numpy(skeleton.adjacency) + torch.eye(25)
    rows = "13 12 10 5 11 9 9 9 11 9 9 9 10 9 8 5 10 9 8 5 17 5 8 5 8"
    # a check on S, SCD-Net spec 3.1.
    assert (step @ step).sum(1).int().tolist() == [int(r) for r in rows.split()]
    dropped = masks.structure_guided_joints(skeleton, 1, 1, 500, torch_generator(0, "test"))
    seen = {int(j) for j in dropped.int().argmax(1)}
    # A joint with more links than its neighbours sees itself most; a leaf shares its first place
    # with its neighbour.
    assert 20 in seen
    assert not seen - {
        int(j) for row in step @ step for j in torch.nonzero(row == row.max()).flatten()
    }


def test_cubes_are_aligned_pieces_of_time():
    """6 of 16 cubes of 4 frames, each as likely as any other (SCD-Net spec 3.2)."""
    dropped = masks.frame_cubes(64, 16, 6, 5000, torch_generator(0, "test"))
    cubes = dropped.view(5000, 16, 4)
    assert (cubes.all(2) == cubes.any(2)).all()
    assert (dropped.sum(1) == 24).all()
    torch.testing.assert_close(
        dropped.float().mean(0), torch.full((64,), 6 / 16), atol=0.03, rtol=0
    )
    with pytest.raises(ShapeError, match="equal cubes"):
        masks.frame_cubes(60, 16, 6, 1, torch_generator(0, "test"))


def test_zero_fill_takes_joints_and_frames_from_all_persons():
    """A masked joint of one person that stays visible in the other would leak the answer."""
    x = torch.rand(2, 3, 4, 5, 2) + 1
    joints, frames = torch.zeros(2, 5, dtype=torch.bool), torch.zeros(2, 4, dtype=torch.bool)
    joints[0, 3] = frames[1, 2] = True
    y = masks.zero_fill(x, joints, frames)
    expected = x.clone()
    expected[0, :, :, 3] = 0
    expected[1, :, 2] = 0
    assert torch.equal(y, expected)


def test_a_larger_share_of_lost_frames_holds_the_smaller():
    """A curve over the share must not jump because other frames were drawn.

    Frames beyond a clip's end cannot be lost.
    """
    used = torch.tensor([10, 20, 1, 0])
    few, many = (
        masks.random_frames(used, 20, share, torch_generator(0, "test")) for share in (0.2, 0.6)
    )
    assert few.sum(1).tolist() == [2, 4, 0, 0]
    assert many.sum(1).tolist() == [6, 12, 0, 0]
    assert (few <= many).all()
    assert not many[0, 10:].any()
    hits = sum(
        masks.random_frames(torch.full((200,), 10), 10, 0.3, torch_generator(i, "test"))
        .float()
        .sum(0)
        for i in range(5)
    )
    assert hits.min() > 240
    assert hits.max() < 360


def test_deleted_frames_leave_a_clip_of_the_same_length_without_them():
    """Deletion must not leave a trace of the lost frames, nor move what a padded recipe keeps
    behind a clip's end.
    """
    x = torch.arange(1.0, 9.0).view(1, 1, 8, 1, 1).repeat(2, 1, 1, 1, 1)
    x[0, :, 6:] = 0
    dropped = torch.zeros(2, 8, dtype=torch.bool)
    dropped[0, [1, 3, 5]] = True
    x[0, 0, [1, 3, 5]] = 1000
    y = masks.delete_frames(x, dropped, torch.tensor([6, 8])).flatten(1)
    expected = torch.nn.functional.interpolate(torch.tensor([[[1.0, 3.0, 5.0]]]), 6, mode="linear")[
        0, 0
    ]
    torch.testing.assert_close(y[0], torch.cat([expected, torch.zeros(2)]))
    torch.testing.assert_close(y[1], x[1].flatten())
