"""What Hi-TRS's views are made of, and that its numbers are the paper's."""

import math

import pytest
import torch

from methods.tiny_hitrs import batch, small_method
from pstl.methods import hitrs
from pstl.ops.streams import STREAMS
from pstl.records import Batch
from pstl.rng import torch_generator
from pstl.skeletons import load


def views(n=3000, frames=20, **cfg):
    """n views of one clip whose coordinates tell the frame; and the clip."""
    x = torch.linspace(0, 1, frames).view(1, 1, -1, 1, 1) * torch.ones(
        1, 3, 1, 25, 1
    ) + torch.tensor([1.0, 2, 3]).view(1, 3, 1, 1, 1)
    data = Batch(x.expand(n, -1, -1, -1, -1).clone(), torch.full((n,), frames))
    view, length = hitrs.Method.augmented(
        hitrs.Config(**cfg), data.x, data.length, torch_generator(0, "test")
    )
    return view, length, x


def test_half_of_the_views_are_augmented_once_in_space_and_once_in_time():
    """Probability 0.5, then one of three in space and one of two in time, each as likely (Hi-TRS
    spec 1.4).
    """
    view, length, x = views()
    cropped, untouched = length < 20, (view == x).flatten(1).all(1)
    assert float(untouched.float().mean()) == pytest.approx(0.5, abs=0.03)
    # One crop in eight removes no frame.
    assert float(cropped.float().mean()) == pytest.approx(0.25 * 0.875, abs=0.03)
    straight, uncropped = x[0, :, :, :, 0], ~cropped & ~untouched
    # The last frame is never interpolated.
    in_space = (view[uncropped][:, :, -1, :, 0] - straight[:, -1]).abs() > 1e-6
    joints = in_space.any(1).sum(1)
    assert set(joints.tolist()) <= {0, 5, 25}
    assert float((joints == 5).float().mean()) == pytest.approx(1 / 3, abs=0.05)


def test_transforms_in_space_are_the_papers():
    """Scale by 0.8 to 1.2, shear with ones on the diagonal and up to 0.5 beside it, five joints by
    up to 0.2 m for the whole clip.
    """
    view, length, x = views()
    kept = length == 20
    last, plain = view[kept][:, :, -1, :, 0], x[0, :, -1, :, 0]
    shift = last - plain
    moved = shift.abs().amax(1) > 1e-6
    noisy = moved.sum(1) == 5
    assert float(shift[noisy].abs().max()) == pytest.approx(0.2, abs=0.01)
    ratio = last / plain
    scaled = ~noisy & moved.any(1) & ((ratio - ratio[:, :1, :1]).abs().amax((1, 2)) < 1e-5)
    factor = ratio[scaled][:, 0, 0]
    assert 0.8 <= float(factor.min()) < 0.81
    assert 1.19 < float(factor.max()) <= 1.2
    sheared = ~noisy & moved.any(1) & ~scaled
    limit = 0.5 * (plain[:, 0].sum() - plain[:, 0])
    assert (shift[sheared][:, :, 0].abs() <= limit + 1e-5).all()
    assert float(sheared.sum() / scaled.sum()) == pytest.approx(1, abs=0.2)


def test_transforms_in_time_are_the_papers():
    """A crop cuts up to a fifth, anywhere at either end.

    Interpolation keeps length and last frame (Hi-TRS spec 1.4).
    """
    view, length, x = views(scale=0.0, shear=0.0, noise=0.0)
    assert set(length.tolist()) == {16, 17, 18, 19, 20}
    start = view[:, 0, 0, 0, 0] - 1
    for removed in range(1, 5):
        first = start[length == 20 - removed] * 19
        assert sorted(set(first.round().int().tolist())) == list(range(removed + 1))
        assert (first - first.round()).abs().max() < 1e-4
    between = (length == 20) & (start > 0)
    step = view[between, 0, :, 0, 0] - x[0, 0, :, 0, 0]
    assert (step[:, -1] == 0).all()
    torch.testing.assert_close(step[:, :-1], step[:, :1].expand(-1, 19), atol=1e-5, rtol=0)
    assert 0 < float(step.max()) * 19 <= 1 + 1e-5


def test_three_windows_are_left_of_the_shortest_recording():
    """The clip order needs two clips and a third to be found: 19 frames (Hi-TRS spec 1.4)."""
    method = small_method()
    assert method.wants.shortest == 19
    t = method.wants.shortest
    assert math.ceil((t - round(0.2 * t)) / 7) >= 3
    assert math.ceil((t - 1 - round(0.2 * (t - 1))) / 7) < 3


def test_two_people_are_moved_alike_and_absent_ones_not_at_all():
    """In fine-tuning both bodies of a clip undergo one transform.

    An absent one must stay exactly zero (Hi-TRS spec 1.4).
    """
    one = batch(64).x
    x = torch.cat([one, one], dim=4)
    x[::2, ..., 1] = 0
    view, _ = hitrs.Method.augmented(
        hitrs.Config(), x, batch(64).length, torch_generator(0, "test")
    )
    assert not view[::2, ..., 1].any()
    torch.testing.assert_close(view[1::2, ..., 0], view[1::2, ..., 1])


@pytest.mark.parametrize("stream", STREAMS)
def test_streams_are_made_after_the_augmentation(stream):
    """Motion is that since the frame before.

    Zero in the first frame of a crop, and the end does not jump to the padding (Hi-TRS spec 1.2).
    """
    n, method = 64, small_method(stream=stream, scale=0.0, shear=0.0, noise=0.0)
    data = Batch(views(n)[2].expand(n, -1, -1, -1, -1).clone(), torch.full((n,), 20))
    view, length = method.augmented(method.cfg, data.x, data.length, torch_generator(0, "test"))
    x = method.as_stream(view, load("kinect_v2"), stream)
    for clip, t in zip(x, length.tolist(), strict=True):
        if stream == "motion":
            assert not clip[:, 0].any()
            assert (clip[:, 1 : t - 1] > 0.05).all()
            assert (clip[:, t - 1] > -1e-6).all()
        elif stream == "bone":
            assert clip.abs().max() < 1e-6


def test_nothing_beyond_a_recording_is_read():
    """Padding of the array must not reach a loss or a gradient."""
    data = batch()
    poisoned = data.x.clone()
    for clip, t in zip(poisoned, data.length, strict=True):
        clip[:, t:] = float("nan")
    losses = [
        small_method(stream="motion")(data._replace(x=x), torch_generator(3, "test"))["loss"]
        for x in (data.x, poisoned)
    ]
    assert torch.equal(*losses)
