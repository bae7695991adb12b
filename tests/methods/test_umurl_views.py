"""What UmURL's views are made of: crops, corrupted joints, shears."""

import pytest
import torch

from methods.tiny_umurl import FRAMES, batch, small_method
from pstl.methods import umurl
from pstl.records import Batch
from pstl.rng import torch_generator
from pstl.skeletons import load


def view_of(x, method, seed=0):
    """One view of clips that are never cropped."""
    full = torch.full((len(x),), x.shape[2])
    return method.view(Batch(x, full), torch_generator(seed, "test"))


def changed(x, view):
    """(N, V) bool: joints that are not what they were."""
    return ~torch.isclose(x, view, atol=1e-6).all(1).all(1).all(2)


@pytest.mark.parametrize(("name", "people", "count"), [("kinect_v2", 2, 15), ("kinect_v1", 1, 12)])
def test_a_coin_corrupts_joints_or_shears_all(name, people, count):
    """15 of 25 joints, 12 of 20, half of these views with zeros (UmURL spec 4, 4.1)."""
    n = 2000
    x = torch.rand(n, 3, FRAMES, load(name).joints, people) + 1
    view = view_of(x, small_method(name, people))
    joints = changed(x, view)
    assert set(joints.sum(1).tolist()) == {count, load(name).joints}
    corrupted = joints.sum(1) == count
    zeroed = (view == 0).all(1).all(1).all(2).sum(1) == count
    assert not (zeroed & ~corrupted).any()
    assert float(corrupted.float().mean()) == pytest.approx(0.5, abs=0.04)
    assert float(zeroed.float().mean()) == pytest.approx(0.25, abs=0.03)
    share = joints[corrupted].float().mean(0)
    torch.testing.assert_close(share, torch.full_like(share, 0.6), atol=0.06, rtol=0)


def test_one_matrix_moves_all_that_it_moves():
    """Both people, all frames and all joints of a view by the same three by three numbers: entries
    in (-1, 1), ones on the diagonal of a shear (UmURL spec 4).
    """
    x = torch.randn(200, 3, FRAMES, 25, 2, dtype=torch.double)
    view = view_of(x, small_method())
    joints = changed(x, view)
    for before, after, moved in zip(x, view, joints, strict=True):
        a = before[:, :, moved].flatten(1).T
        b = after[:, :, moved].flatten(1).T
        matrix = torch.linalg.lstsq(a, b).solution
        torch.testing.assert_close(a @ matrix, b, atol=1e-5, rtol=0)
        assert float(matrix.abs().max()) < 1 + 1e-5
        if moved.all():
            torch.testing.assert_close(matrix.diag(), torch.ones(3).double(), atol=1e-5, rtol=0)
    assert joints.all(1).any()
    assert (joints.sum(1) == 15).any()


def test_crops_are_random_and_no_shorter_than_a_view():
    """Lengths max(frames, floor(L s)), at most L, s ~ U(0.1, 1), any start (UmURL spec 4)."""
    n, length = 4000, 100
    ramp = torch.arange(length).float().view(1, 1, -1, 1, 1).expand(n, 3, length, 25, 1)
    method = small_method(people=1, corruption=1.0, zeroed=1.0)
    view = view_of(ramp, method)
    frames = view.amax((1, 3, 4))  # of joints that were not zeroed
    step = (frames[:, 9] - frames[:, 8]) * FRAMES  # the crop's length
    assert float(step.min()) >= FRAMES - 1e-3
    assert float(step.max()) <= length
    short = (step < FRAMES + 0.5).float().mean()
    assert float(short) == pytest.approx((0.17 - 0.1) / 0.9, abs=0.02)
    assert float(step.median()) == pytest.approx(54.5, abs=2)
    first = frames[:, 0] - 0.5 * step / FRAMES + 0.5
    assert float(first.min()) == pytest.approx(0, abs=0.1)
    assert float((first + step).max()) == pytest.approx(length, abs=0.1)


def test_absent_people_stay_absent_and_views_differ():
    """Zeros stay zeros; two views of a clip are two draws."""
    method, data, rng = small_method(), batch(), torch_generator(0, "test")
    one, two = method.view(data, rng), method.view(data, rng)
    assert not one[::2, ..., 1].any()
    assert (one - two).flatten(1).any(1).all()


def test_nothing_beyond_a_clips_end_is_read():
    """The recipe's padding must reach neither a view nor the clip that is evaluated."""
    method, data = small_method(), batch()
    poisoned = data.x.clone()
    for clip, length in zip(poisoned, data.length, strict=True):
        clip[:, length:] = float("nan")
    clean, other = (
        method.view(data._replace(x=x), torch_generator(0, "test")) for x in (data.x, poisoned)
    )
    assert torch.equal(clean, other)
    assert method.clean(method.cfg, poisoned, data.length).isfinite().all()


def test_the_whole_clip_is_evaluated():
    """Resized to the view's frames, nothing cut off and nothing random (UmURL spec 5)."""
    data = batch()
    x = umurl.Method.clean(umurl.Config(frames=FRAMES), data.x, data.length)
    for clip, frames, ours in zip(data.x, data.length, x, strict=True):
        theirs = torch.nn.functional.interpolate(
            clip[:, :frames].permute(0, 2, 3, 1).flatten(1, 2), size=FRAMES, mode="linear"
        )
        torch.testing.assert_close(ours, theirs.view(3, 25, 2, FRAMES).permute(0, 3, 1, 2))


def test_positions_are_what_the_encoder_is_fed():
    """Stream `other`: bone and motion are made inside, of what downstream tasks feed, too."""
    data, cfg = batch(), umurl.Config(frames=FRAMES)
    fed = umurl.Method.clean_stream(cfg, data.x, data.length, load("kinect_v2"), "other")
    assert torch.equal(fed, umurl.Method.clean(cfg, data.x, data.length))
    assert umurl.Method.frames(cfg, 300) == FRAMES
